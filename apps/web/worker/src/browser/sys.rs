//! Clock, timer, fetch: the same in a window and in every kind of worker.
use js_sys::{Object, Promise, Reflect, Uint8Array};
use subrosa_engine::Time;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(f: &JsValue, milliseconds: f64) -> JsValue;
    #[wasm_bindgen(js_name = fetch)]
    fn fetch_with(url: &str, init: &Object) -> Promise;
    type Response;
    #[wasm_bindgen(method, getter)]
    fn status(this: &Response) -> u16;
    #[wasm_bindgen(method, js_name = arrayBuffer)]
    fn array_buffer(this: &Response) -> Promise;
    #[wasm_bindgen(js_namespace = navigator, js_name = userAgent, thread_local_v2)]
    static USER_AGENT: String;
}

/// This browser's clock.
pub fn now() -> Time {
    // milliseconds since 1970 as a double: exact, and never negative on a clock that is worth the name
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Time(js_sys::Date::now().max(0.0) as u64)
}
/// Calls once, after so many milliseconds.
pub fn after(milliseconds: u64, f: impl FnOnce() + 'static) {
    #[allow(clippy::cast_precision_loss)] // a day at most
    set_timeout(&Closure::once_into_js(f), milliseconds.min(86_400_000) as f64);
}
/// A number from 0 to below 1 that need not be secret.
pub fn jitter() -> f64 {
    js_sys::Math::random()
}
/// What the browser calls itself.
pub fn user_agent() -> String {
    USER_AGENT.with(Clone::clone)
}

/// One exchange, with the cookie. `None`: there was no answer.
pub async fn fetch(method: &str, url: &str, body: Option<&[u8]>) -> Option<(u16, Vec<u8>)> {
    let init = Object::new();
    let set = |name: &str, value: &JsValue| Reflect::set(&init, &name.into(), value).is_ok();
    set("method", &method.into());
    set("credentials", &"include".into());
    set("cache", &"no-store".into());
    set("redirect", &"error".into());
    if let Some(body) = body {
        set("body", &Uint8Array::new_from_slice(body));
        let headers = Object::new();
        Reflect::set(&headers, &"content-type".into(), &"application/octet-stream".into()).ok()?;
        set("headers", &headers);
    }
    let response: Response = JsFuture::from(fetch_with(url, &init)).await.ok()?.unchecked_into();
    let buffer = JsFuture::from(response.array_buffer()).await.ok()?;
    Some((response.status(), Uint8Array::new(&buffer).to_vec()))
}
