//! What the checks do behind the store's back: `web/scope.js`.
use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

fn scope(name: &str, args: &[JsValue]) -> JsValue {
    let scope = js_sys::global();
    let Ok(function) = Reflect::get(&scope, &name.into()).and_then(|f| f.dyn_into::<Function>()) else { return JsValue::UNDEFINED };
    function.apply(&scope, &args.iter().collect()).unwrap_or(JsValue::UNDEFINED)
}
async fn later(name: &str, args: &[JsValue]) -> JsValue {
    let promise: Promise = scope(name, args).dyn_into().unwrap_or_else(|_| panic!("{name} is not there"));
    JsFuture::from(promise).await.unwrap_or_else(|e| panic!("{name}: {e:?}"))
}
/// Tells the words of a panic.
pub fn panicked(words: &str) {
    scope("panicked", &[words.into()]);
}
/// Lets the eleventh put from now on fail as on a full disk.
pub fn break_puts(broken: bool) {
    scope("breakPuts", &[broken.into()]);
}
/// Every byte in the database: keys and values, one after the other. A `CryptoKey` stands there as its name and whether it can be exported.
pub async fn dump(name: &str) -> Vec<u8> {
    later("dump", &[name.into()]).await.unchecked_into::<Uint8Array>().to_vec()
}
/// How many rows an object store has.
pub async fn count(name: &str, store: &str) -> usize {
    later("count", &[name.into(), store.into()]).await.as_f64().map_or(0, |n| n as usize)
}
/// Exchanges the values of the first two rows of an object store.
pub async fn swap(name: &str, store: &str) {
    later("swap", &[name.into(), store.into()]).await;
}
/// Deletes a row of `meta`.
pub async fn lose(name: &str, key: &str) {
    later("lose", &[name.into(), key.into()]).await;
}
/// Tells that a round is over.
pub fn told(round: u32) {
    scope("told", &[round.into()]);
}
/// Milliseconds since the page or worker began.
pub fn now() -> f64 {
    scope("clock", &[]).as_f64().unwrap_or_default()
}
