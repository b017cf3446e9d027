//! Errors: a number for a `switch`, a code, a sentence. And the guard around every exported function: nothing unwinds into C.
#![allow(unsafe_code)] // exports, and the caller's place for an error
use crate::handle::{Handle, give, live, release};
use crate::text::{c_string, put};
use std::ffi::{CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use subrosa_engine::{Coded, CommitError, Fault, Status};

/// Whom to talk to: what every function that returns `int` returns when it is not 0, unless it says otherwise.
#[repr(C)]
#[allow(dead_code)] // for the header
pub enum FaultCode {
    /// It was done.
    None = 0,
    /// The application asked for what can't be.
    Caller = -1,
    /// The other side sent what it should not.
    Peer = -2,
    /// The server or the way to it.
    Network = -3,
    /// The disk.
    Store = -4,
    /// This library, or an engine in it.
    Bug = -5,
}

/// What went wrong. Read it, then give it back with `subrosa_error_free`.
pub struct CError {
    code: CString,
    message: CString,
    fault: Fault,
    status: u16,
}
impl Handle for CError {
    const NAME: &'static str = "subrosa_error";
}

/// What C did that can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AbiError {
    #[error("{0} is NULL, and must not be")]
    Null(&'static str),
    #[error("this is no {0}: it was freed before, or is of another type")]
    Handle(&'static str),
    #[error("{0} is not UTF-8")]
    Text(&'static str),
    #[error("{0} is empty, and must not be")]
    Empty(&'static str),
    #[error("{0} has a size that can't be: set its first member to its sizeof, and give lengths in bytes")]
    Size(&'static str),
    #[error("{0} is none of its values in subrosa.h")]
    Value(&'static str),
    #[error("{0} can't be called from inside a callback of the same machine: feed inputs there, and commit afterwards")]
    ReEntry(&'static str),
    #[error("this {0} is in use: by another thread, or by the call that called back here; use it when that has returned")]
    InUse(&'static str),
    #[error("an engine's name is 1 to 64 of a-z, 0-9, '-', '_' and '.', and not \"house\" or \"nobody\"")]
    EngineName,
    #[error("the table of an engine needs process_outgoing_message and process_incoming_message")]
    EngineTable,
    #[error("the table of a store needs load, begin, put and end")]
    StoreTable,
    #[error("no engine of that name is installed in this machine")]
    NotInstalled,
    #[error("OMEMO is not installed in this machine: call subrosa_machine_install_omemo first")]
    NoOmemo,
    #[error("the record is not in memory: return from the hook, it is called again when it is")]
    Cold,
    #[error("the engine failed; the log says more")]
    Failed,
    #[error("the log is already kept by another part of this program")]
    Log,
    #[error("this transfer ended before: free its cipher")]
    Ended,
    #[error("a fault of this library; please report it")]
    Panic,
}
impl Coded for AbiError {
    fn code(&self) -> &'static str {
        match self {
            AbiError::Null(_) => "c.null",
            AbiError::Handle(_) => "c.handle",
            AbiError::Text(_) => "c.text",
            AbiError::Empty(_) => "c.empty",
            AbiError::Size(_) => "c.size",
            AbiError::Value(_) => "c.value",
            AbiError::ReEntry(_) => "c.re-entry",
            AbiError::InUse(_) => "c.in-use",
            AbiError::EngineName => "c.engine-name",
            AbiError::EngineTable => "c.engine-table",
            AbiError::StoreTable => "c.store-table",
            AbiError::NotInstalled => "c.not-installed",
            AbiError::NoOmemo => "c.no-omemo",
            AbiError::Cold => "c.cold",
            AbiError::Failed => "c.engine-failed",
            AbiError::Log => "c.log",
            AbiError::Ended => "c.ended",
            AbiError::Panic => "c.panic",
        }
    }
    fn fault(&self) -> Fault {
        if let AbiError::Panic | AbiError::Failed = self { Fault::Bug } else { Fault::Caller }
    }
}

/// Any error on its way to C.
pub(crate) struct Failure {
    code: &'static str,
    sentence: String,
    fault: Fault,
    status: u16,
}
impl<E: Coded> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure { code: error.code(), sentence: error.to_string(), fault: error.fault(), status: 0 }
    }
}
impl Failure {
    /// The store said no: with what it said.
    pub fn from_commit<E: std::error::Error + 'static>(error: &CommitError<E>) -> Self {
        Failure { code: error.code(), sentence: format!("{error}: {}", error.source), fault: error.fault(), status: 0 }
    }
    /// An engine said no to a file.
    pub fn refused(code: &'static str, sentence: String, fault: Fault, status: Status) -> Self {
        Failure { code, sentence, fault, status: status.code() }
    }
}

/// Runs an exported function. `error`: where C wants to know more, or NULL.
pub(crate) fn call(error: *mut *mut CError, f: impl FnOnce() -> Result<(), Failure>) -> c_int {
    unsafe { put(error, std::ptr::null_mut()) };
    let result = catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| Err(AbiError::Panic.into()));
    let Err(Failure { code, sentence, fault, status }) = result else { return 0 };
    tracing::debug!(code, %sentence, "a call was refused");
    if !error.is_null() {
        let told = CError { code: c_string(code), message: c_string(&sentence), fault, status };
        unsafe { put(error, give(Arc::new(told))) };
    }
    fault as c_int
}
/// Runs one that gives something and has no place for an error: the log has it.
pub(crate) fn get<T>(otherwise: T, f: impl FnOnce() -> Result<T, AbiError>) -> T {
    let result = catch_unwind(AssertUnwindSafe(f)).unwrap_or(Err(AbiError::Panic));
    result.unwrap_or_else(|error| {
        tracing::warn!(code = error.code(), %error, "a call was refused");
        otherwise
    })
}
/// Runs one that makes something.
pub(crate) fn make<T>(error: *mut *mut CError, f: impl FnOnce() -> Result<*mut T, Failure>) -> *mut T {
    let mut made = std::ptr::null_mut();
    call(error, || {
        made = f()?;
        Ok(())
    });
    made
}

/// The stable name of the error, for programs: "store.commit". Lives as long as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_error_get_code(error: *const CError) -> *const c_char {
    get(std::ptr::null(), || unsafe { live(error) }.map(|error| error.code.as_ptr()))
}
/// What happened and what can be done about it, for people. Lives as long as the error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_error_get_message(error: *const CError) -> *const c_char {
    get(std::ptr::null(), || unsafe { live(error) }.map(|error| error.message.as_ptr()))
}
/// One of `subrosa_fault`: the number that the function returned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_error_get_fault(error: *const CError) -> c_int {
    get(Fault::Caller as c_int, || unsafe { live(error) }.map(|error| error.fault as c_int))
}
/// The code from 300 to 699 that an engine refused a file with; 0 for every other error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_error_get_status(error: *const CError) -> c_int {
    get(0, || unsafe { live(error) }.map(|error| error.status.into()))
}
/// Gives an error back. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_error_free(error: *mut CError) {
    if !error.is_null() {
        get((), || unsafe { release(error) });
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unwinds_into_c() {
        let mut error = std::ptr::null_mut();
        assert_eq!(call(&raw mut error, || panic!("on purpose")), FaultCode::Bug as c_int);
        let code = unsafe { std::ffi::CStr::from_ptr(subrosa_error_get_code(error)) };
        assert_eq!(code, c"c.panic");
        unsafe { subrosa_error_free(error) };
        assert_eq!(get(7, || panic!("on purpose")), 7);
        assert!(make::<CError>(&raw mut error, || panic!("on purpose")).is_null());
        unsafe { subrosa_error_free(error) };
    }
    #[test]
    fn the_faults_of_the_header_are_the_engines() {
        let pairs = [
            (FaultCode::Caller as c_int, Fault::Caller),
            (FaultCode::Peer as c_int, Fault::Peer),
            (FaultCode::Network as c_int, Fault::Network),
            (FaultCode::Store as c_int, Fault::Store),
            (FaultCode::Bug as c_int, Fault::Bug),
        ];
        assert!(pairs.into_iter().all(|(code, fault)| code == fault as c_int));
    }
}
