//! Outputs that tell a person something: why not, who can read it, which device, which key. And the question that allows clear text.
#![allow(unsafe_code)] // exports
use crate::error::{AbiError, CError, call, get};
use crate::feed::{CDevice, trust_code};
use crate::handle::{Handle, give, live, lock, release, share};
use crate::machine::CMachine;
use crate::outputs::{COutputs, device, look, words};
use crate::text::put;
use std::ffi::{c_char, c_int};
use std::sync::{Arc, Mutex};
use subrosa_engine::*;

/// One line of the answer to "who can read it".
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CReport {
    /// Which device.
    pub device: CDevice,
    /// The version spoken to it, "omemo:2"; empty where none was chosen.
    pub protocol: *const c_char,
    /// NULL: it can read the message. Else the stable name of the reason: "untrusted".
    pub excluded: *const c_char,
    /// NULL, or the reason in words.
    pub sentence: *const c_char,
}
/// The device a message came from, and the key that proved it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CSender {
    /// Which device.
    pub device: CDevice,
    /// 32 bytes.
    pub key: *const u8,
    /// What that key is worth to us: one of `subrosa_trust`.
    pub trust: c_int,
    /// The version it spoke: "omemo:2".
    pub protocol: *const c_char,
}

fn why(output: &Output) -> Option<&Refusal> {
    match output {
        Output::Event(Event::NotSent { why, .. } | Event::NotReceived { why, .. }) => Some(why),
        _ => None,
    }
}
/// The code that a message was refused with: 300 to 699. In `SUBROSA_OUTPUT_REFUSE` it is what goes on the wire.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_status(outputs: *const COutputs) -> c_int {
    look(outputs, 0, |output, _| match output {
        Output::Refuse { status, .. } => Some(status.code().into()),
        _ => Some(why(output)?.status.code().into()),
    })
}
/// Why not: the stable name of the reason, "not-encrypted".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_reason(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| match output {
        Output::Event(Event::Warning { warning, .. }) => Some(warning.code()),
        _ => Some(why(output)?.reason.code()),
    })
}
/// Why not: in words that a person can act on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_sentence(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| match output {
        Output::Event(Event::Warning { warning, .. }) => Some(warning.sentence()),
        _ => Some(why(output)?.reason.sentence()),
    })
}
fn report_of(output: &Output) -> Option<&[DeviceReport]> {
    match output {
        Output::Event(Event::Sent { report, .. } | Event::NotSent { report, .. }) => Some(report),
        _ => None,
    }
}
/// How many devices the report is about; 0 for engines without devices.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_report_count(outputs: *const COutputs) -> usize {
    look(outputs, 0, |output, _| report_of(output).map(<[_]>::len))
}
/// One line of the report. Not 0 where there is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_report(outputs: *const COutputs, index: usize, report: *mut CReport) -> c_int {
    look(outputs, 0, |output, texts| {
        let line = report_of(output)?.get(index)?;
        let why = line.result.err();
        let line = CReport {
            device: device(&line.device, texts),
            protocol: texts.give(&line.protocol),
            excluded: why.map_or(std::ptr::null(), |why| texts.give(why.code())),
            sentence: why.map_or(std::ptr::null(), |why| texts.give(why.sentence())),
        };
        unsafe { put(report, line) };
        Some(1)
    })
}
/// Which device wrote a received message. Not 0 where that is known: not in clear, and by an engine with devices.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_sender(outputs: *const COutputs, sender: *mut CSender) -> c_int {
    look(outputs, 0, |output, texts| {
        let Output::Event(Event::Message { message, .. }) = output else { return None };
        let from = message.sender()?;
        let line = CSender {
            device: device(&from.device, texts),
            key: from.key.0.as_ptr(),
            trust: trust_code(from.trust),
            protocol: texts.give(&from.protocol),
        };
        unsafe { put(sender, line) };
        Some(1)
    })
}
/// The device that the output is about, or for. Not 0 where there is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_device(outputs: *const COutputs, about: *mut CDevice) -> c_int {
    look(outputs, 0, |output, texts| {
        let found = match output {
            Output::Transmit { to: Recipients::Device(device), .. } => device,
            Output::Event(Event::DeviceNew { device, .. } | Event::KeyChanged { device, .. }) => device,
            Output::Event(Event::NotReceived { device, .. } | Event::Warning { device, .. }) => device.as_ref()?,
            _ => return None,
        };
        unsafe { put(about, device(found, texts)) };
        Some(1)
    })
}
/// The identity key that the device shows: 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_key(outputs: *const COutputs) -> *const u8 {
    look(outputs, std::ptr::null(), |output, _| match output {
        Output::Event(Event::DeviceNew { key, .. } | Event::KeyChanged { shown: key, .. }) => Some(key.0.as_ptr()),
        _ => None,
    })
}
/// The identity key that the device had before: 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_known_key(outputs: *const COutputs) -> *const u8 {
    look(outputs, std::ptr::null(), |output, _| match output {
        Output::Event(Event::KeyChanged { known, .. }) => Some(known.0.as_ptr()),
        _ => None,
    })
}
/// What the key of a new device is worth for now: one of `subrosa_trust`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_trust(outputs: *const COutputs) -> c_int {
    look(outputs, trust_code(Trust::Undecided), |output, _| match output {
        Output::Event(Event::DeviceNew { trust, .. }) => Some(trust_code(*trust)),
        _ => None,
    })
}

/// Comes with a message that was not sent because it would have gone in clear. Only this allows clear text in a chat.
pub struct Question {
    question: Mutex<Option<ClearTextQuestion>>,
    chat: std::ffi::CString,
}
impl Handle for Question {
    const NAME: &'static str = "subrosa_question";
}
/// For a person: send it in clear? NULL where clear text is not what a yes would mean. It is yours: give it back with
/// `subrosa_question_free`, answered or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_take_question(outputs: *mut COutputs) -> *mut Question {
    look(outputs, std::ptr::null_mut(), |output, _| {
        let Output::Event(Event::NotSent { ask, .. }) = output else { return None };
        let question = ask.take()?;
        let chat = crate::text::c_string(question.chat().0.as_str());
        Some(give(Arc::new(Question { question: Mutex::new(Some(question)), chat })))
    })
}
/// The chat it is about. Lives as long as the question.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_question_get_chat(question: *const Question) -> *const c_char {
    get(std::ptr::null(), || Ok(unsafe { live(question) }?.chat.as_ptr()))
}
/// A person said yes: this chat allows clear text from the next commit on. Call it from the handler of a button and from nowhere else,
/// once for each question.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_question_confirmed_by_user(question: *mut Question, machine: *mut CMachine, error: *mut *mut CError) -> c_int {
    call(error, || {
        let (question, machine) = unsafe { (share(question)?, share(machine)?) };
        let question = lock(&question.question).take().ok_or(AbiError::Ended)?;
        let choice = question.confirmed_by_user();
        machine.feed(Input::SetPolicy(choice.chat().clone(), Policy::Optional(choice)));
        Ok(())
    })
}
/// Gives a question back. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_question_free(question: *mut Question) {
    if !question.is_null() {
        get((), || unsafe { release(question) });
    }
}
