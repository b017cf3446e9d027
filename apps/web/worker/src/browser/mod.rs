//! The host in a browser: ports to the pages, the socket to the gateway, the database, the clock.
mod front;
mod http;
mod ports;
mod shelf;
mod socket;
mod sys;

use front::Front;
use futures_channel::mpsc;
use std::cell::RefCell;
use subrosa_web_api::decode;
use subrosa_web_api::page::ToWorker;
use wasm_bindgen::prelude::*;
use web_sys::MessagePort;

/// What comes to the one loop there is.
enum Job {
    /// A page said something; `None`: what is no frame.
    Page(u32, Option<ToWorker>),
    /// Of the socket with this number.
    Socket(u32, socket::Said),
    /// A login ended.
    LoggedIn(Box<front::LoggedIn>),
    /// Where the gateway is.
    Site(Result<String, subrosa_web_api::Failure>),
    /// The gateway knows this browser, which has nothing stored.
    Lost,
    /// The time that was waited for.
    Timer(u32),
}
type Jobs = mpsc::UnboundedSender<Job>;

thread_local! {
    static WORKER: RefCell<Option<(Jobs, ports::Ports)>> = const { RefCell::new(None) };
}
/// Starts the loop with the first port.
fn with<T>(f: impl FnOnce(&Jobs, &ports::Ports) -> T) -> T {
    WORKER.with_borrow_mut(|worker| {
        let (jobs, ports) = worker.get_or_insert_with(|| {
            let (jobs, inbox) = mpsc::unbounded();
            let ports = ports::Ports::default();
            wasm_bindgen_futures::spawn_local(Front::new(jobs.clone(), ports.clone()).run(inbox));
            (jobs, ports)
        });
        f(jobs, ports)
    })
}

/// A page's port: frames of [`subrosa_web_api::page`] as `Uint8Array`, both ways. Gives its number for [`detach`].
#[wasm_bindgen]
#[must_use]
pub fn attach(port: MessagePort) -> u32 {
    with(|jobs, ports| {
        let jobs = jobs.clone();
        ports.add(port, move |id, bytes| {
            let _ = jobs.unbounded_send(Job::Page(id, decode(&bytes)));
        })
    })
}
/// The page is gone.
#[wasm_bindgen]
pub fn detach(id: u32) {
    with(|_, ports| ports.remove(id));
}
