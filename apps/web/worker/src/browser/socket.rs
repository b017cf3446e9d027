//! The WebSocket to the gateway. Says what happens; decides nothing.
use super::{Job, Jobs, http};
use js_sys::{ArrayBuffer, Uint8Array};
use subrosa_web_api::http::SOCKET;
use subrosa_web_api::socket::{FromGateway, ToGateway};
use subrosa_web_api::{VERSION, decode, encode};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

/// What a socket says.
pub enum Said {
    /// It is open.
    Open,
    /// `None`: no frame of this version.
    Frame(Option<Box<FromGateway>>),
    /// It is gone, with this code.
    Closed(u16),
}

/// One socket. Closes when dropped, and says nothing then.
pub struct Socket {
    socket: WebSocket,
    _open: Closure<dyn FnMut(Event)>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _close: Closure<dyn FnMut(CloseEvent)>,
}
impl Socket {
    /// Opens one, called `number` in what it says. `None`: the URL is none.
    pub fn open(api: &str, number: u32, jobs: &Jobs) -> Option<Self> {
        let url = http::resolve(api, &format!("{SOCKET}?v={VERSION}"))?;
        let rest = url.strip_prefix("http")?;
        let socket = WebSocket::new(&format!("ws{rest}")).ok()?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let say = |jobs: &Jobs| {
            let jobs = jobs.clone();
            move |said| {
                let _ = jobs.unbounded_send(Job::Socket(number, said));
            }
        };
        let (opened, came, closed) = (say(jobs), say(jobs), say(jobs));
        let on_open = Closure::new(move |_: Event| opened(Said::Open));
        let on_message = Closure::new(move |event: MessageEvent| {
            let bytes = event.data().dyn_into::<ArrayBuffer>().map(|buffer| Uint8Array::new(&buffer).to_vec());
            came(Said::Frame(bytes.ok().and_then(|bytes| decode(&bytes)).map(Box::new)));
        });
        let on_close = Closure::new(move |event: CloseEvent| closed(Said::Closed(event.code())));
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Some(Socket { socket, _open: on_open, _message: on_message, _close: on_close })
    }
    /// Sends, or does not: what has to arrive is sent again on the next one.
    pub fn send(&self, frame: &ToGateway) {
        let _ = self.socket.send_with_u8_array(&encode(frame));
    }
}
impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        let _ = self.socket.close();
    }
}
