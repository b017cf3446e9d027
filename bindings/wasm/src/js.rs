//! The few calls of the browser that the store needs, as the browser names them. Every scope has them: page, worker, shared worker.
//!
//! Not from web-sys: there the durability of a transaction needs an unstable flag, and the scope's properties need its type first.
#![allow(unsafe_code)] // what `#[wasm_bindgen]` expands to
use js_sys::{Array, Function, Object, Promise, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// What is global here.
    pub type Scope;
    #[wasm_bindgen(method, getter, js_name = indexedDB)]
    pub fn indexed_db(this: &Scope) -> Option<Factory>;
    #[wasm_bindgen(method, getter)]
    pub fn crypto(this: &Scope) -> Option<Crypto>;
    #[wasm_bindgen(method, js_name = setTimeout)]
    pub fn set_timeout(this: &Scope, f: &Function, milliseconds: u32) -> JsValue;
    #[wasm_bindgen(method, js_name = clearTimeout)]
    pub fn clear_timeout(this: &Scope, timer: &JsValue);

    #[wasm_bindgen(js_name = DOMException)]
    pub type Exception;
    #[wasm_bindgen(method, getter)]
    pub fn name(this: &Exception) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn message(this: &Exception) -> String;

    pub type Factory;
    #[wasm_bindgen(method, catch)]
    pub fn open(this: &Factory, name: &str, version: u32) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch, js_name = deleteDatabase)]
    pub fn delete_database(this: &Factory, name: &str) -> Result<Request, JsValue>;

    #[derive(Clone)]
    pub type Request;
    #[wasm_bindgen(method, getter, catch)]
    pub fn result(this: &Request) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter, catch)]
    pub fn error(this: &Request) -> Result<Option<Exception>, JsValue>;
    #[wasm_bindgen(method, setter)]
    pub fn set_onsuccess(this: &Request, f: &JsValue);
    #[wasm_bindgen(method, setter)]
    pub fn set_onerror(this: &Request, f: &JsValue);
    #[wasm_bindgen(method, setter)]
    pub fn set_onupgradeneeded(this: &Request, f: &JsValue);

    pub type Connection;
    #[wasm_bindgen(method)]
    pub fn close(this: &Connection);
    #[wasm_bindgen(method, catch, js_name = createObjectStore)]
    pub fn create_object_store(this: &Connection, name: &str) -> Result<ObjectStore, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn transaction(this: &Connection, stores: &Array, mode: &str, options: &Object) -> Result<Transaction, JsValue>;
    #[wasm_bindgen(method, setter)]
    pub fn set_onversionchange(this: &Connection, f: &JsValue);
    #[wasm_bindgen(method, setter)]
    pub fn set_onclose(this: &Connection, f: &JsValue);

    #[derive(Clone)]
    pub type Transaction;
    #[wasm_bindgen(method, catch, js_name = objectStore)]
    pub fn object_store(this: &Transaction, name: &str) -> Result<ObjectStore, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn commit(this: &Transaction) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn abort(this: &Transaction) -> Result<(), JsValue>;
    #[wasm_bindgen(method, getter, js_name = error)]
    pub fn reason(this: &Transaction) -> Option<Exception>;
    #[wasm_bindgen(method, setter)]
    pub fn set_oncomplete(this: &Transaction, f: &JsValue);
    #[wasm_bindgen(method, setter)]
    pub fn set_onabort(this: &Transaction, f: &JsValue);

    pub type ObjectStore;
    #[wasm_bindgen(method, catch)]
    pub fn get(this: &ObjectStore, key: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn put(this: &ObjectStore, value: &JsValue, key: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn delete(this: &ObjectStore, key: &JsValue) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn count(this: &ObjectStore) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getAll)]
    pub fn get_all(this: &ObjectStore, range: &Range) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getAllKeys)]
    pub fn get_all_keys(this: &ObjectStore, range: &Range) -> Result<Request, JsValue>;
    #[wasm_bindgen(method, catch, js_name = openKeyCursor)]
    pub fn open_key_cursor(this: &ObjectStore, range: &Range, direction: &str) -> Result<Request, JsValue>;

    pub type Cursor;
    #[wasm_bindgen(method, getter)]
    pub fn key(this: &Cursor) -> JsValue;
    #[wasm_bindgen(method, catch)]
    pub fn advance(this: &Cursor, count: u32) -> Result<(), JsValue>;

    #[wasm_bindgen(js_name = IDBKeyRange)]
    pub type Range;
    #[wasm_bindgen(static_method_of = Range, js_class = "IDBKeyRange", catch)]
    pub fn bound(lower: &JsValue, upper: &JsValue, lower_open: bool, upper_open: bool) -> Result<Range, JsValue>;

    #[derive(Clone)]
    pub type Crypto;
    #[wasm_bindgen(method, getter)]
    pub fn subtle(this: &Crypto) -> Option<Subtle>;
    #[wasm_bindgen(method, catch, js_name = getRandomValues)]
    pub fn get_random_values(this: &Crypto, array: &Uint8Array) -> Result<JsValue, JsValue>;

    #[derive(Clone)]
    #[wasm_bindgen(js_name = CryptoKey)]
    pub type CryptoKey;

    #[derive(Clone)]
    pub type Subtle;
    #[wasm_bindgen(method, catch)]
    pub fn encrypt(this: &Subtle, algorithm: &Object, key: &CryptoKey, data: &[u8]) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub fn decrypt(this: &Subtle, algorithm: &Object, key: &CryptoKey, data: &Uint8Array) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = generateKey)]
    pub fn generate_key(this: &Subtle, algorithm: &Object, extractable: bool, usages: &Array) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = importKey)]
    pub fn import_key(this: &Subtle, format: &str, data: &[u8], algorithm: &str, extractable: bool, usages: &Array) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = wrapKey)]
    pub fn wrap_key(this: &Subtle, format: &str, key: &CryptoKey, under: &CryptoKey, algorithm: &Object) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = unwrapKey)]
    pub fn unwrap_key(
        this: &Subtle,
        format: &str,
        wrapped: &Uint8Array,
        under: &CryptoKey,
        algorithm: &Object,
        key: &str,
        extractable: bool,
        usages: &Array,
    ) -> Result<Promise, JsValue>;
}

/// What is global here.
pub fn scope() -> Scope {
    js_sys::global().unchecked_into()
}
/// `{name: value, …}`
pub fn object(fields: &[(&str, &JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in fields {
        // A plain object takes every field.
        let _ = js_sys::Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object
}
/// `object.name`, `undefined` where there is none.
pub fn field(object: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}
