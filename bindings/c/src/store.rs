//! A store by callbacks, and one in memory.
#![allow(unsafe_code)] // an export, and calls into C
use crate::content::DestroyCb;
use crate::error::{AbiError, call};
use crate::handle::{Handle, Lent, live, lock};
use crate::text::{array, c_string};
use std::ffi::{c_char, c_int, c_void};
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, Ordering};
use subrosa_engine::{Batch, Key, MemoryStore, Store};

/// Where `load` puts what it found. Lives for the call.
pub struct Row(Mutex<Option<Vec<u8>>>);
impl Handle for Row {
    const NAME: &'static str = "subrosa_row";
}

/// Looks for a row and calls `subrosa_row_set` with what it finds; a row that is not there is left alone. Not 0: it could not look.
pub type LoadCb = Option<unsafe extern "C" fn(user_data: *mut c_void, key: *const c_char, row: *mut Row) -> c_int>;
/// Begins a transaction. Not 0: it could not, and `end` does not follow.
pub type BeginCb = Option<unsafe extern "C" fn(user_data: *mut c_void) -> c_int>;
/// Writes a row in the transaction; `bytes` NULL: deletes it, whether it is there or not. Not 0: it could not; `end` with 0 follows.
pub type PutCb = Option<unsafe extern "C" fn(user_data: *mut c_void, key: *const c_char, bytes: *const u8, size: usize) -> c_int>;
/// Ends the transaction: `commit` 0 undoes it, anything else makes it durable, all of it or nothing. Not 0: nothing of it is stored.
pub type EndCb = Option<unsafe extern "C" fn(user_data: *mut c_void, commit: c_int) -> c_int>;

/// A store of your own: rows with a text for a key and secret bytes, which the store should seal. Called by
/// `subrosa_machine_commit` and the functions that ask an engine something, on their thread, one at a time. What they are given lives
/// for the call. None may unwind or jump out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct StoreCbs {
    /// `sizeof (subrosa_store_cbs)`.
    pub size: usize,
    /// The first argument of all of them.
    pub user_data: *mut c_void,
    /// Needed.
    pub load: LoadCb,
    /// Needed.
    pub begin: BeginCb,
    /// Needed.
    pub put: PutCb,
    /// Needed.
    pub end: EndCb,
    /// Called with the user data when the machine needs the store no longer, or NULL.
    pub destroy: DestroyCb,
}

/// What the store of C said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the store's {function} returned {code}")]
    Said { function: &'static str, code: c_int },
    #[error("{0}")]
    Abi(#[from] AbiError),
}
/// The store of one machine.
pub(crate) enum Shelf {
    Memory(MemoryStore),
    Table(TableStore),
}
pub(crate) struct TableStore {
    load: LoadCb,
    begin: BeginCb,
    put: PutCb,
    end: EndCb,
    destroy: DestroyCb,
    user_data: AtomicPtr<c_void>,
}
impl Drop for TableStore {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            unsafe { destroy(self.user_data.load(Ordering::Acquire)) }
        }
    }
}
impl TableStore {
    pub fn new(cbs: &StoreCbs) -> Result<Self, AbiError> {
        let StoreCbs { load, begin, put, end, destroy, user_data, .. } = *cbs;
        if load.is_none() || begin.is_none() || put.is_none() || end.is_none() {
            return Err(AbiError::StoreTable);
        }
        Ok(TableStore { load, begin, put, end, destroy, user_data: AtomicPtr::new(user_data) })
    }
    fn row(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let load = self.load.ok_or(AbiError::StoreTable)?;
        let (row, key) = (Row(Mutex::default()), c_string(&key.to_string()));
        {
            let row = Lent::new(&row);
            said("load", unsafe { load(self.user_data.load(Ordering::Acquire), key.as_ptr(), row.pointer()) })?;
        }
        Ok(lock(&row.0).take())
    }
    fn write(&self, batch: &Batch) -> Result<(), StoreError> {
        let (Some(begin), Some(put), Some(end)) = (self.begin, self.put, self.end) else { return Err(AbiError::StoreTable.into()) };
        let user_data = self.user_data.load(Ordering::Acquire);
        said("begin", unsafe { begin(user_data) })?;
        let written = batch.writes().iter().try_for_each(|(key, bytes)| {
            let key = c_string(&key.to_string());
            let (pointer, size) = bytes.as_ref().map_or((std::ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
            said("put", unsafe { put(user_data, key.as_ptr(), pointer, size) })
        });
        let ended = said("end", unsafe { end(user_data, written.is_ok().into()) });
        written.and(ended)
    }
}
fn said(function: &'static str, code: c_int) -> Result<(), StoreError> {
    if code == 0 { Ok(()) } else { Err(StoreError::Said { function, code }) }
}
impl Store for Shelf {
    type Error = StoreError;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        match self {
            Shelf::Memory(store) => store.load(keys).map_err(|never| match never {}),
            Shelf::Table(store) => keys.iter().map(|key| store.row(key)).collect(),
        }
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        match self {
            Shelf::Memory(store) => store.commit(batch).map_err(|never| match never {}),
            Shelf::Table(store) => store.write(batch),
        }
    }
}

/// In `load`: this is the row. Copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_row_set(row: *mut Row, bytes: *const u8, size: usize) -> c_int {
    call(std::ptr::null_mut(), || {
        let (row, bytes) = unsafe { (live(row)?, array(bytes, size, "bytes")?) };
        *lock(&row.0) = Some(bytes.to_vec());
        Ok(())
    })
}
