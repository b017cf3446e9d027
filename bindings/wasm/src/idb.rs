//! IndexedDB: a connection, reads, and the one way to write. Knows no names and no cipher: keys and values go in as they are stored.
use crate::error::StoreError;
use crate::js::{self, Connection, Cursor, Factory, Range, Request, Transaction};
use js_sys::{Array, Promise, Uint8Array};
use std::cell::Cell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// The vault, the names' key, the epoch.
pub const META: &str = "meta";
/// The machine's records.
pub const ROWS: &str = "rows";
/// The application's rows.
pub const ITEMS: &str = "items";
/// The version of the object stores.
const FORM: u32 = 1;
/// How long erasing waits for other windows to let go, in milliseconds.
const PATIENCE: u32 = 5_000;

/// One put (`Some`) or delete.
pub type Write = (&'static str, JsValue, Option<JsValue>);

/// A connection. Closes itself when the database is to be erased or changed elsewhere, and when dropped; what is being written is
/// written to the end.
pub struct Db {
    connection: Rc<Connection>,
    gone: Rc<Cell<bool>>,
    _closing: Closure<dyn FnMut()>,
}
impl Db {
    pub async fn open(name: &str) -> Result<Db, StoreError> {
        let request = factory()?.open(name, FORM)?;
        let upgrade = {
            let request = request.clone();
            Closure::once(move || {
                let connection: Connection = request.result()?.unchecked_into();
                [META, ROWS, ITEMS].iter().try_for_each(|store| connection.create_object_store(store).map(drop))
            })
        };
        request.set_onupgradeneeded(upgrade.as_ref());
        let connection: Connection = result(&request).await?.unchecked_into();
        let (connection, gone) = (Rc::new(connection), Rc::new(Cell::new(false)));
        let closing = {
            let (connection, gone) = (connection.clone(), gone.clone());
            Closure::new(move || {
                gone.set(true);
                connection.close();
            })
        };
        connection.set_onversionchange(closing.as_ref());
        connection.set_onclose(closing.as_ref());
        Ok(Db { connection, gone, _closing: closing })
    }
    /// Deletes a whole database. `Busy`: somebody did not let go in time; it is deleted when they do.
    pub async fn erase(name: &str) -> Result<(), StoreError> {
        let request = factory()?.delete_database(name)?;
        let timer = Rc::new(Cell::new(JsValue::UNDEFINED));
        let patience = {
            let timer = timer.clone();
            Promise::new(&mut move |late, _| timer.set(js::scope().set_timeout(&late, PATIENCE)))
        };
        let race = Promise::race(&Array::of2(&settled(&request), &patience));
        let outcome = JsFuture::from(race).await;
        js::scope().clear_timeout(&timer.take());
        match outcome {
            Err(_) => Err(StoreError::ended(request.error().ok().flatten())),
            Ok(event) if event.is_undefined() => Err(StoreError::Busy),
            Ok(_) => Ok(()),
        }
    }

    /// The values under these keys, in order.
    pub async fn get(&self, store: &str, keys: &[JsValue]) -> Result<Vec<JsValue>, StoreError> {
        let Some(last) = keys.len().checked_sub(1) else { return Ok(Vec::new()) };
        let store = self.transaction(&[store], "readonly")?.object_store(store)?;
        let requests = keys.iter().map(|key| store.get(key)).collect::<Result<Vec<_>, _>>()?;
        // requests of a transaction are answered in order, and when one fails all after it do
        if let Some(last) = requests.get(last) {
            result(last).await?;
        }
        requests.iter().map(|request| Ok(request.result()?)).collect()
    }
    /// How many rows it has.
    pub async fn count(&self, store: &str) -> Result<f64, StoreError> {
        let request = self.transaction(&[store], "readonly")?.object_store(store)?.count()?;
        Ok(result(&request).await?.as_f64().unwrap_or_default())
    }
    /// Keys and values from `lower` until before `upper`, in order.
    pub async fn range(&self, store: &str, lower: &[u8], upper: &[u8]) -> Result<Vec<(Uint8Array, JsValue)>, StoreError> {
        let store = self.transaction(&[store], "readonly")?.object_store(store)?;
        let range = Range::bound(&bytes(lower), &bytes(upper), false, true)?;
        pairs(&store.get_all_keys(&range)?, &store.get_all(&range)?).await
    }
    /// The last `count` of them.
    pub async fn last(&self, store: &str, lower: &[u8], upper: &[u8], count: u32) -> Result<Vec<(Uint8Array, JsValue)>, StoreError> {
        let store = self.transaction(&[store], "readonly")?.object_store(store)?;
        if lower >= upper {
            return Ok(Vec::new()); // which IndexedDB would call an error
        }
        let (lower, upper) = (bytes(lower), bytes(upper));
        let request = store.open_key_cursor(&Range::bound(&lower, &upper, false, true)?, "prev")?;
        // One step back over all but one of them: awaiting the transaction's own requests keeps it open.
        let mut first = lower;
        if let (Ok(cursor), Some(steps)) = (result(&request).await?.dyn_into::<js_sys::Object>(), count.checked_sub(1)) {
            let cursor: &Cursor = cursor.unchecked_ref();
            if steps == 0 {
                first = cursor.key();
            } else {
                let stepped = settled(&request);
                cursor.advance(steps)?;
                JsFuture::from(stepped).await.map_err(|_| StoreError::ended(request.error().ok().flatten()))?;
                if let Ok(cursor) = request.result()?.dyn_into::<js_sys::Object>() {
                    first = cursor.unchecked_ref::<Cursor>().key();
                }
            }
        } else {
            return Ok(Vec::new());
        }
        let range = Range::bound(&first, &upper, false, true)?;
        pairs(&store.get_all_keys(&range)?, &store.get_all(&range)?).await
    }

    /// Writes all or nothing, durable when the answer comes. `Ok(false)`: what `meta` holds under `guard` is not what `allows` wants,
    /// and nothing was written.
    ///
    /// Not async up to the point where the transaction goes on by itself: nothing can be awaited while it is open, and whoever drops
    /// the answer changes nothing about the guard.
    pub fn write(&self, guard: &str, allows: impl FnOnce(&JsValue) -> bool + 'static, writes: &[Write]) -> Result<Writing, StoreError> {
        let transaction = self.transaction(&[META, ROWS, ITEMS], "readwrite")?;
        let forbidden = Rc::new(Cell::new(false));
        let done = Promise::new(&mut |ok, no| {
            transaction.set_oncomplete(&ok);
            transaction.set_onabort(&no);
        });
        if let Err(error) = fill(&transaction, guard, allows, writes, &forbidden) {
            let _ = transaction.abort(); // or the rows before the one that was refused would be committed
            return Err(error.into());
        }
        Ok(Writing { done: JsFuture::from(done), forbidden, transaction })
    }

    /// `strict`: nothing may be released before it is durable, and that costs nothing that can be measured here.
    fn transaction(&self, stores: &[&str], mode: &str) -> Result<Transaction, StoreError> {
        if self.gone.get() {
            return Err(StoreError::Gone);
        }
        let stores: Array = stores.iter().map(|name| JsValue::from_str(name)).collect();
        Ok(self.connection.transaction(&stores, mode, &js::object(&[("durability", &"strict".into())]))?)
    }
}
/// A transaction that goes on by itself.
#[must_use]
pub struct Writing {
    done: JsFuture,
    forbidden: Rc<Cell<bool>>,
    transaction: Transaction,
}
impl Writing {
    /// Durable, or `Ok(false)`: the guard did not allow it.
    pub async fn ended(self) -> Result<bool, StoreError> {
        match self.done.await {
            Ok(_) => Ok(true),
            Err(_) if self.forbidden.get() => Ok(false),
            Err(_) => Err(StoreError::ended(self.transaction.reason())),
        }
    }
}
impl Drop for Db {
    fn drop(&mut self) {
        self.connection.set_onversionchange(&JsValue::NULL);
        self.connection.set_onclose(&JsValue::NULL);
        self.connection.close();
    }
}

/// Puts everything into a transaction that was just opened; it commits when the guard agrees.
fn fill(
    transaction: &Transaction,
    guard: &str,
    allows: impl FnOnce(&JsValue) -> bool + 'static,
    writes: &[Write],
    forbidden: &Rc<Cell<bool>>,
) -> Result<(), JsValue> {
    let request = transaction.object_store(META)?.get(&guard.into())?;
    let check = {
        let (transaction, request, forbidden) = (transaction.clone(), request.clone(), forbidden.clone());
        Closure::once_into_js(move || {
            let allowed = request.result().is_ok_and(|found| allows(&found));
            forbidden.set(!allowed);
            // Neither fails: the transaction is active in the answer to its own request.
            let _ = if allowed { transaction.commit() } else { transaction.abort() };
        })
    };
    request.set_onsuccess(&check);
    let mut store = (META, transaction.object_store(META)?);
    for (name, key, value) in writes {
        if store.0 != *name {
            store = (name, transaction.object_store(name)?);
        }
        match value {
            Some(value) => store.1.put(value, key)?,
            None => store.1.delete(key)?,
        };
    }
    Ok(())
}
fn factory() -> Result<Factory, StoreError> {
    js::scope().indexed_db().ok_or_else(|| StoreError::failed("this browser has no IndexedDB here"))
}
/// As a key or a value.
pub fn bytes(bytes: &[u8]) -> JsValue {
    Uint8Array::new_from_slice(bytes).into()
}
/// Resolves with an event when the request succeeds.
fn settled(request: &Request) -> Promise {
    Promise::new(&mut |ok, no| {
        request.set_onsuccess(&ok);
        request.set_onerror(&no);
    })
}
async fn result(request: &Request) -> Result<JsValue, StoreError> {
    match JsFuture::from(settled(request)).await {
        Ok(_) => Ok(request.result()?),
        Err(_) => Err(StoreError::ended(request.error().ok().flatten())),
    }
}
async fn pairs(keys: &Request, values: &Request) -> Result<Vec<(Uint8Array, JsValue)>, StoreError> {
    let values: Array = result(values).await?.unchecked_into();
    let keys: Array = keys.result()?.unchecked_into();
    Ok(keys.iter().map(|key| Uint8Array::new(&key)).zip(values.iter()).collect())
}
