//! The pages' ports.
use js_sys::{Array, Uint8Array};
use std::cell::RefCell;
use std::rc::Rc;
use subrosa_web_api::encode;
use subrosa_web_api::page::FromWorker;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

struct Port {
    id: u32,
    port: MessagePort,
    /// A page that did not say hello is told nothing.
    greeted: bool,
    _listener: Closure<dyn FnMut(MessageEvent)>,
}
/// All of them. Cheap to clone.
#[derive(Clone, Default)]
pub struct Ports(Rc<RefCell<(u32, Vec<Port>)>>);

impl Ports {
    /// A new one; what it says goes to `listener`.
    pub fn add(&self, port: MessagePort, mut listener: impl FnMut(u32, Vec<u8>) + 'static) -> u32 {
        let id = {
            let mut inner = self.0.borrow_mut();
            inner.0 = inner.0.wrapping_add(1);
            inner.0
        };
        let closure = Closure::new(move |event: MessageEvent| {
            if let Ok(bytes) = event.data().dyn_into::<Uint8Array>() {
                listener(id, bytes.to_vec());
            }
        });
        port.set_onmessage(Some(closure.as_ref().unchecked_ref()));
        self.0.borrow_mut().1.push(Port { id, port: port.clone(), greeted: false, _listener: closure });
        port.start();
        id
    }
    /// It is gone.
    pub fn remove(&self, id: u32) {
        self.0.borrow_mut().1.retain(|port| {
            let gone = port.id == id;
            if gone {
                port.port.set_onmessage(None);
                port.port.close();
            }
            !gone
        });
    }
    /// It said hello.
    pub fn greet(&self, id: u32) {
        if let Some(port) = self.0.borrow_mut().1.iter_mut().find(|port| port.id == id) {
            port.greeted = true;
        }
    }
    /// To one.
    pub fn post(&self, id: u32, frame: &FromWorker) {
        if let Some(port) = self.0.borrow().1.iter().find(|port| port.id == id) {
            transfer(&port.port, &encode(frame));
        }
    }
    /// To all that said hello.
    pub fn post_all(&self, frame: &FromWorker) {
        let bytes = encode(frame);
        self.0.borrow().1.iter().filter(|port| port.greeted).for_each(|port| transfer(&port.port, &bytes));
    }
}
fn transfer(port: &MessagePort, bytes: &[u8]) {
    let array = Uint8Array::new_from_slice(bytes);
    // a port whose page is gone takes everything in silence
    let _ = port.post_message_with_transferable(&array, &Array::of1(&array.buffer()));
}
