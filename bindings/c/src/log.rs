//! The log: one callback for the whole process, over `tracing`. Says why a message was answered with 500; never what was in it.
#![allow(unsafe_code)] // an export, and a call into C
use crate::error::{AbiError, CError, call};
use crate::text::c_string;
use std::ffi::{c_char, c_int, c_void};
use std::fmt::Write;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::sync::{PoisonError, RwLock};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Level, Metadata, Subscriber};

/// How much a line of the log matters.
#[repr(C)]
#[allow(dead_code)] // for the header
pub enum LogLevel {
    /// Nothing is told.
    Off = 0,
    /// Something is lost.
    Error = 1,
    /// Something was refused that should not have come: what an engine did wrong is told here.
    Warning = 2,
    /// What an operator may want to know.
    Info = 3,
    /// What a developer may want to know: calls that were refused.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

/// Takes a line: one of `subrosa_log_level`, and a text that lives for the call.
pub type LogCb = Option<unsafe extern "C" fn(user_data: *mut c_void, level: c_int, message: *const c_char)>;

struct Sink {
    log: LogCb,
    user_data: AtomicPtr<c_void>,
}
static SINK: RwLock<Sink> = RwLock::new(Sink { log: None, user_data: AtomicPtr::new(std::ptr::null_mut()) });
static LEVEL: AtomicU8 = AtomicU8::new(0);

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

struct ToC;
impl Subscriber for ToC {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && number(*metadata.level()) <= LEVEL.load(Ordering::Relaxed)
    }
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let text = c_string(&format!("{}: {}", event.metadata().target(), line.0));
        let sink = SINK.read().unwrap_or_else(PoisonError::into_inner);
        let (log, user_data) = (sink.log, sink.user_data.load(Ordering::Relaxed));
        drop(sink); // the callback may set another
        if let Some(log) = log {
            unsafe { log(user_data, number(*event.metadata().level()).into(), text.as_ptr()) }
        }
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
/// `an engine failed; error=…`
struct Line(String);
impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => {
                self.0.insert_str(0, &format!("{value:?}"));
                Ok(())
            }
            name => write!(self.0, "; {name}={value:?}"),
        };
    }
}

/// Says where the log goes: once for the whole process, from any thread, again at any time. `level`: the least that matters, of
/// `subrosa_log_level`. The callback is called from whichever thread has something to say, also inside calls of this library and while
/// a machine commits; it must return and may call nothing but `subrosa_set_log`. `log` NULL: no more lines, but for those that other
/// threads are just telling.
///
/// Fails where the program already has a log of its own for `tracing`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_set_log(level: c_int, log: LogCb, user_data: *mut c_void, error: *mut *mut CError) -> c_int {
    static STARTED: AtomicU8 = AtomicU8::new(0);
    call(error, || {
        let level = u8::try_from(level).ok().filter(|level| *level <= 5).ok_or(AbiError::Value("level"))?;
        let mut sink = SINK.write().unwrap_or_else(PoisonError::into_inner);
        if STARTED.load(Ordering::Relaxed) == 0 && log.is_some() {
            set_global_default(ToC).map_err(|_| AbiError::Log)?;
            STARTED.store(1, Ordering::Relaxed);
        }
        sink.log = log;
        sink.user_data.store(user_data, Ordering::Relaxed);
        LEVEL.store(if log.is_some() { level } else { 0 }, Ordering::Relaxed);
        Ok(())
    })
}
