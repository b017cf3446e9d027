//! Why the store does not open, and why it fails later: each a sentence that says what happened and what to do.
use crate::js::Exception;
use subrosa_engine::{Coded, Fault};
use wasm_bindgen::{JsCast, JsValue};

/// What the browser said, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cause(pub(crate) String);

/// Why something was not read or not stored. A commit that failed changed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No room: the disk, or what the browser gives to one site.
    #[error("the browser has no room left for this site, nothing was stored: free some space and try again")]
    Full(#[source] Cause),
    /// Another handle has opened the database since.
    #[error("another window of this browser has taken over, nothing was stored: reload the page")]
    Fenced,
    /// Not the passphrase that the database was sealed with, or none was given.
    #[error("that passphrase does not open what is stored in this browser: try again, or erase it and sign in as a new device")]
    WrongPassphrase,
    /// It does not read as it was written, or a part is gone: the browser evicted it, or somebody changed it.
    #[error("what this browser stored is damaged or partly gone: erase it and sign in as a new device")]
    Damaged(#[source] Cause),
    /// The database was erased or closed under the handle.
    #[error("what this browser stored was erased or closed elsewhere: reload the page")]
    Gone,
    /// There is nothing to unlock.
    #[error("nothing is stored in this browser yet: sign in first")]
    Empty,
    /// There is something already, which creating would destroy.
    #[error("this browser already stores a device: unlock it, or erase it first")]
    Exists,
    /// A newer program wrote it.
    #[error("a newer version wrote what is stored in this browser: reload the page to get that version")]
    Newer,
    /// Somebody else holds it open and does not let go.
    #[error("another window holds what is stored in this browser: close the other windows and try again")]
    Busy,
    /// Anything else.
    #[error("the browser's storage failed ({0}), nothing was stored: try again, and reload the page if that does not help")]
    Failed(#[source] Cause),
}
impl StoreError {
    pub(crate) fn damaged(how: &str) -> Self {
        StoreError::Damaged(Cause(how.into()))
    }
    pub(crate) fn failed(how: &str) -> Self {
        StoreError::Failed(Cause(how.into()))
    }
    /// Of a request or a transaction that ended; `None`: it was aborted and nobody says why.
    pub(crate) fn ended(error: Option<Exception>) -> Self {
        error.map_or_else(|| StoreError::failed("aborted"), |e| StoreError::from(JsValue::from(e)))
    }
    /// What a cipher throws says only that it did not work: the bytes are not what was sealed.
    pub(crate) fn unreadable(error: JsValue) -> Self {
        StoreError::Damaged(Cause(text(&error)))
    }
}
impl Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            StoreError::Full(_) => "store.full",
            StoreError::Fenced => "store.fenced",
            StoreError::WrongPassphrase => "store.wrong-passphrase",
            StoreError::Damaged(_) => "store.damaged",
            StoreError::Gone => "store.gone",
            StoreError::Empty => "store.empty",
            StoreError::Exists => "store.exists",
            StoreError::Newer => "store.newer",
            StoreError::Busy => "store.busy",
            StoreError::Failed(_) => "store.failed",
        }
    }
    fn fault(&self) -> Fault {
        match self {
            StoreError::WrongPassphrase | StoreError::Empty | StoreError::Exists => Fault::Caller,
            _ => Fault::Store,
        }
    }
}
impl From<JsValue> for StoreError {
    fn from(error: JsValue) -> Self {
        let cause = Cause(text(&error));
        match error.dyn_ref::<Exception>().map(Exception::name).as_deref() {
            Some("QuotaExceededError") => StoreError::Full(cause),
            Some("VersionError") => StoreError::Newer,
            Some("InvalidStateError") => StoreError::Gone, // a transaction on a closed connection
            Some("NotFoundError" | "DataError" | "NotReadableError") => StoreError::Damaged(cause),
            _ => StoreError::Failed(cause),
        }
    }
}
/// Name and sentence of an exception. They come from the browser and name no content.
fn text(error: &JsValue) -> String {
    match error.dyn_ref::<Exception>() {
        Some(e) => format!("{}: {}", e.name(), e.message()),
        None => error.dyn_ref::<js_sys::Error>().map_or_else(|| "no reason given".into(), |e| format!("{}: {}", e.name(), e.message())),
    }
}
