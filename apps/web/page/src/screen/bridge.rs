//! The way to the worker: bytes over the one object that `boot.js` gives. Owns the calls that wait for their answers and the watch over a
//! worker that went silent; which worker it is, and how it is replaced, is `boot.js`'s.
use super::model::Model;
use crate::calls::{Calls, Due};
use js_sys::{Function, Uint8Array};
use leptos::prelude::*;
use std::cell::{Cell, RefCell};
use std::time::Duration;
use subrosa_web_api::page::{Answer, Call, FromWorker, ToWorker, Told};
use subrosa_web_api::{Failure, VERSION, decode, encode};
use wasm_bindgen::prelude::*;

/// A sign of life is asked for this often; unanswered twice, the worker is replaced.
const TICK: Duration = Duration::from_secs(5);
const SILENT_TICKS: u32 = 2;

#[wasm_bindgen]
extern "C" {
    type Engine;
    #[wasm_bindgen(thread_local_v2, js_name = subrosaEngine)]
    static ENGINE: Engine;
    #[wasm_bindgen(method, getter)]
    fn site(this: &Engine) -> String;
    #[wasm_bindgen(method)]
    fn post(this: &Engine, bytes: Uint8Array);
    #[wasm_bindgen(method)]
    fn listen(this: &Engine);
    #[wasm_bindgen(method)]
    fn replace(this: &Engine);
    #[wasm_bindgen(method)]
    fn reload(this: &Engine);
    #[wasm_bindgen(method, setter)]
    fn set_onmessage(this: &Engine, f: &Function);
    #[wasm_bindgen(method, setter)]
    fn set_onrestart(this: &Engine, f: &Function);
    #[wasm_bindgen(method, setter)]
    fn set_onlost(this: &Engine, f: &Function);
    #[wasm_bindgen(method, setter)]
    fn set_onstuck(this: &Engine, f: &Function);
}

type Done = Box<dyn FnOnce(Result<Answer, Failure>)>;

thread_local! {
    static CALLS: RefCell<Calls<Done>> = RefCell::default();
    /// Ticks since the worker was last heard.
    static SILENT: Cell<u32> = const { Cell::new(0) };
}

/// Asks the worker; `done` runs once, after the death of any number of workers.
pub fn call(call: Call, done: impl FnOnce(Result<Answer, Failure>) + 'static) {
    let due = CALLS.with_borrow_mut(|calls| calls.add(call, Box::new(done)));
    perform(due);
}
/// All tabs begin anew, with a new worker.
pub fn reload() {
    ENGINE.with(Engine::reload);
}

/// Begins. Once.
pub fn start(model: Model) {
    ENGINE.with(|engine| {
        engine.set_onmessage(&function(Closure::new(move |bytes: Uint8Array| heard(model, &bytes.to_vec()))));
        engine.set_onrestart(&action(move || {
            SILENT.set(0);
            model.up.set(true);
            CALLS.with_borrow_mut(Calls::restart);
            post(&ToWorker::Hello { version: VERSION, site: ENGINE.with(Engine::site) });
        }));
        engine.set_onlost(&action(move || model.up.set(false)));
        engine.set_onstuck(&action(move || model.stuck.set(true)));
        engine.listen();
    });
    let tick = move || {
        if !model.up.get_untracked() {
            return;
        }
        if SILENT.get() >= SILENT_TICKS {
            SILENT.set(0);
            ENGINE.with(Engine::replace);
        } else {
            SILENT.set(SILENT.get().saturating_add(1));
            post(&ToWorker::Ping);
        }
    };
    let _ = set_interval_with_handle(tick, TICK);
}

fn heard(model: Model, bytes: &[u8]) {
    SILENT.set(0);
    match decode(bytes) {
        Some(FromWorker::Reply { n, result }) => {
            if let Some(done) = CALLS.with_borrow_mut(|calls| calls.answered(n)) {
                done(result);
            }
        }
        Some(FromWorker::Told(told)) => {
            let phase = if let Told::Phase(phase) = &told { Some(phase.clone()) } else { None };
            model.told(told);
            if let Some(phase) = phase {
                perform(CALLS.with_borrow_mut(|calls| calls.phase(phase)));
            }
        }
        Some(FromWorker::Alive) => {}
        Some(FromWorker::WrongVersion) | None => model.outdated.set(true),
    }
}
fn perform(due: Due<Done>) {
    for (n, call) in due.send {
        post(&ToWorker::Call { n, call });
    }
    for (done, result) in due.settled {
        done(result);
    }
}
fn post(message: &ToWorker) {
    ENGINE.with(|engine| engine.post(Uint8Array::from(encode(message).as_slice())));
}
/// For as long as the page lives.
fn function(closure: Closure<dyn FnMut(Uint8Array)>) -> Function {
    closure.into_js_value().unchecked_into()
}
fn action(f: impl FnMut() + 'static) -> Function {
    Closure::<dyn FnMut()>::new(f).into_js_value().unchecked_into()
}
