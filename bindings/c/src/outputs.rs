//! What a machine wants done: a list that C walks through. What belongs to a message is asked for here, requests and files in `wanted`,
//! what a person is told in `told`.
#![allow(unsafe_code)] // exports
use crate::engine::kind_code;
use crate::error::get;
use crate::feed::CDevice;
use crate::handle::{Handle, give, live, lock, release, share};
use crate::machine::Released;
use crate::text::{Texts, put};
use std::ffi::{c_char, c_int};
use std::sync::{Arc, Mutex};
use subrosa_engine::*;

/// What an output is, and which functions say more about it. All have `subrosa_output_get_id` and `subrosa_output_is_owed`.
#[repr(C)]
#[allow(dead_code)] // for the header
pub enum OutputCode {
    /// There are no more.
    None = 0,
    /// Put this on the network: message id, part, chat, recipients or device, kind, content type, body, headers, whether it is in clear.
    Transmit = 1,
    /// The answer to an incoming message that its transport holds: yes. Message id, chat, from.
    Accept = 2,
    /// The answer to an incoming message: no. Message id, chat, from, status.
    Refuse = 3,
    /// Ask a server for what is published: request id, node. Answer it.
    Fetch = 4,
    /// Publish something that anybody may read: request id, node, whether it keeps many, body. Answer it.
    Publish = 5,
    /// Delete an item, or the whole node where there is no item: request id, node. Answer it.
    Delete = 6,
    /// One exchange with a named service: request id, service, body. Answer it.
    Exchange = 7,
    /// Upload a file: message id, file, cipher. In clear where a person allowed that: then there is no cipher.
    Upload = 8,
    /// A message was received: message id, chat, from, time, kind, content type, body, sender, whether it is in clear.
    Message = 9,
    /// The whole message is among the outputs: message id, kind, report, who was left out, what is unsaid.
    Sent = 10,
    /// Kept until keys arrive, somebody completes it, or its patience ends: message id.
    Waiting = 11,
    /// Nothing of it left: message id, kind, status, reason, report, question, who can't read it.
    NotSent = 12,
    /// A message that can't be shown: message id, chat, from, device, status, reason.
    NotReceived = 13,
    /// A device that was not known before: device, key, trust.
    DeviceNew = 14,
    /// A known device showed another key, and is refused until a person decides: device, key, known key.
    KeyChanged = 15,
    /// Something that this version of the header has no word for.
    Other = 16,
    /// A person should know: reason, sentence; chat and device where it is about one.
    Warning = 17,
}

/// What one commit gave. One thread at a time uses it. What the functions that look at an output give lives until the next one is
/// taken, and they give NULL or 0 where the output has no such thing.
pub struct COutputs(pub(crate) Mutex<Cursor>);
pub(crate) struct Cursor {
    rest: std::vec::IntoIter<Released>,
    pub current: Option<Released>,
    /// The cipher of the current output is C's.
    pub cipher_taken: bool,
    pub texts: Texts,
}
impl Handle for COutputs {
    const NAME: &'static str = "subrosa_outputs";
}
impl COutputs {
    pub(crate) fn give(released: Vec<Released>) -> *mut Self {
        let cursor = Cursor { rest: released.into_iter(), current: None, cipher_taken: false, texts: Texts::default() };
        give(Arc::new(COutputs(Mutex::new(cursor))))
    }
}
/// Looks at the current output.
pub(crate) fn look<T: Copy>(outputs: *const COutputs, otherwise: T, f: impl FnOnce(&mut Output, &mut Texts) -> Option<T>) -> T {
    get(otherwise, || {
        let mut cursor = lock(&unsafe { live(outputs) }?.0);
        let Cursor { current, texts, .. } = &mut *cursor;
        Ok(current.as_mut().and_then(|current| f(&mut current.output, texts)).unwrap_or(otherwise))
    })
}
/// Looks at it for a text.
pub(crate) fn words(outputs: *const COutputs, f: impl FnOnce(&mut Output) -> Option<&str>) -> *const c_char {
    look(outputs, std::ptr::null(), |output, texts| f(output).map(|text| texts.give(text)))
}
/// A device as C sees it.
pub(crate) fn device(device: &Device, texts: &mut Texts) -> CDevice {
    let owner = texts.give(device.owner.as_str());
    match &device.id {
        DeviceId::Number(number) => CDevice { owner, number: *number, name: std::ptr::null() },
        DeviceId::Name(name) => CDevice { owner, number: 0, name: texts.give(name) },
    }
}

fn code(output: &Output) -> OutputCode {
    match output {
        Output::Transmit { .. } => OutputCode::Transmit,
        Output::Accept { .. } => OutputCode::Accept,
        Output::Refuse { .. } => OutputCode::Refuse,
        Output::Request(_, Request::Fetch(_)) => OutputCode::Fetch,
        Output::Request(_, Request::Publish { .. }) => OutputCode::Publish,
        Output::Request(_, Request::Delete(_)) => OutputCode::Delete,
        Output::Request(_, Request::Exchange { .. }) => OutputCode::Exchange,
        Output::Upload { .. } => OutputCode::Upload,
        Output::Event(Event::Message { .. }) => OutputCode::Message,
        Output::Event(Event::Sent { .. }) => OutputCode::Sent,
        Output::Event(Event::Waiting { .. }) => OutputCode::Waiting,
        Output::Event(Event::NotSent { .. }) => OutputCode::NotSent,
        Output::Event(Event::NotReceived { .. }) => OutputCode::NotReceived,
        Output::Event(Event::DeviceNew { .. }) => OutputCode::DeviceNew,
        Output::Event(Event::KeyChanged { .. }) => OutputCode::KeyChanged,
        Output::Event(Event::Warning { .. }) => OutputCode::Warning,
        _ => OutputCode::Other,
    }
}

/// Takes the next output: one of `subrosa_output`, `SUBROSA_OUTPUT_NONE` after the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_outputs_next(outputs: *mut COutputs) -> c_int {
    get(OutputCode::None as c_int, || {
        let outputs = unsafe { share(outputs) }?;
        let mut cursor = lock(&outputs.0);
        cursor.texts.clear();
        cursor.cipher_taken = false;
        let next = cursor.rest.next();
        let code = next.as_ref().map_or(OutputCode::None, |next| code(&next.output)) as c_int;
        let before = std::mem::replace(&mut cursor.current, next);
        drop(cursor);
        drop(before); // with a cipher that nobody took it may be the last that has an engine: outside the lock, as that calls C
        Ok(code)
    })
}
/// Gives a list of outputs back. NULL is fine. What was not taken from it comes again only after a restart, if it is owed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_outputs_free(outputs: *mut COutputs) {
    if !outputs.is_null() {
        get((), || unsafe { release(outputs) });
    }
}
/// Names it until it is done. The same over restarts, never used for another.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_id(outputs: *const COutputs) -> u64 {
    get(0, || Ok(lock(&unsafe { live(outputs) }?.0).current.as_ref().map_or(0, |current| current.id.0)))
}
/// Whether it comes again after a restart until `subrosa_machine_done`: not 0 for one that does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_is_owed(outputs: *const COutputs) -> c_int {
    look(outputs, 0, |output, _| Some(output.is_owed().into()))
}
/// Whether it may have been given before, by an earlier process or on an earlier connection: not 0 for one that may.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_is_again(outputs: *const COutputs) -> c_int {
    get(0, || Ok(lock(&unsafe { live(outputs) }?.0).current.as_ref().is_some_and(|current| current.again).into()))
}

/// The message's id: yours, or the sender's. What engines send by themselves has one too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_message_id(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| match output {
        Output::Transmit { id, .. } | Output::Accept { id, .. } | Output::Refuse { id, .. } | Output::Upload { id, .. } => Some(id.as_str()),
        Output::Event(
            Event::Message { id, .. } | Event::Sent { id, .. } | Event::Waiting { id } | Event::NotSent { id, .. } | Event::NotReceived { id, .. },
        ) => Some(id.as_str()),
        _ => None,
    })
}
/// Which of the message's bodies this is, from 0: each travels by itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_part(outputs: *const COutputs) -> c_int {
    look(outputs, 0, |output, _| if let Output::Transmit { part, .. } = output { Some((*part).into()) } else { None })
}
/// The conversation.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_chat(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| match output {
        Output::Transmit { chat, .. } | Output::Accept { chat, .. } | Output::Refuse { chat, .. } => Some(chat.0.as_str()),
        Output::Event(Event::Message { chat, .. } | Event::NotReceived { chat, .. }) => Some(chat.0.as_str()),
        Output::Event(Event::Warning { chat, .. }) => chat.as_ref().map(|chat| chat.0.as_str()),
        _ => None,
    })
}
/// Who sent the message, as the server vouches.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_from(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| match output {
        Output::Accept { from, .. } | Output::Refuse { from, .. } | Output::Event(Event::NotReceived { from, .. }) => Some(from.as_str()),
        Output::Event(Event::Message { message, .. }) => Some(message.from().as_str()),
        _ => None,
    })
}
/// When a received message was sent, by the server's clock; when one that is to leave was made: if that is a minute ago or more, put it
/// beside the message (`<delay xmlns='urn:xmpp:delay' stamp='...'/>`, XEP-0203), because recipients compare the two. Milliseconds since 1970;
/// 0: not known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_time(outputs: *const COutputs) -> u64 {
    look(outputs, 0, |output, _| match output {
        Output::Event(Event::Message { message, .. }) => Some(message.sent().0),
        Output::Transmit { made, .. } => Some(made.0),
        _ => None,
    })
}
/// What the message is for: one of `subrosa_kind`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_kind(outputs: *const COutputs) -> c_int {
    look(outputs, kind_code(Kind::Other), |output, _| match output {
        Output::Transmit { kind, .. } | Output::Event(Event::Sent { kind, .. } | Event::NotSent { kind, .. }) => Some(kind_code(*kind)),
        Output::Event(Event::Message { message, .. }) => Some(kind_code(message.kind())),
        Output::Upload { .. } => Some(kind_code(Kind::FileOffer)),
        _ => None,
    })
}
fn body_of(output: &Output) -> Option<(&ContentType, &[u8])> {
    match output {
        Output::Transmit { wire: Wire::Encrypted(part), .. } => Some((&part.content_type, &part.body)),
        Output::Transmit { wire: Wire::Clear { plain, .. }, .. } => Some((&plain.content_type, plain.bytes())),
        Output::Event(Event::Message { message, .. }) => Some((&message.plaintext().content_type, message.plaintext().bytes())),
        _ => None,
    }
}
/// The content type of the body.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_content_type(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| body_of(output).map(|(content_type, _)| &*content_type.0))
}
/// The body of a message that leaves or was received, the payload of a publication, what a service is told: any bytes, NULs among them,
/// and no NUL after them. `size`: becomes their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_body(outputs: *const COutputs, size: *mut usize) -> *const u8 {
    unsafe { put(size, 0) };
    look(outputs, std::ptr::null(), |output, _| {
        let bytes = match output {
            Output::Request(_, Request::Publish { payload, .. }) => payload,
            Output::Request(_, Request::Exchange { body, .. }) => body,
            _ => body_of(output)?.1,
        };
        unsafe { put(size, bytes.len()) };
        Some(bytes.as_ptr())
    })
}
/// The body as a string. NULL where it is not UTF-8, or has a NUL inside.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_utf8_text(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| std::str::from_utf8(body_of(output)?.1).ok().filter(|text| !text.contains('\0')))
}
/// Whether it is not encrypted: not 0 for what leaves or came in clear, or is to be uploaded so, as a person allowed for this chat or as
/// typing notices do. Show it so.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_is_in_clear(outputs: *const COutputs) -> c_int {
    look(outputs, 0, |output, _| match output {
        Output::Transmit { wire, .. } => Some(matches!(wire, Wire::Clear { .. }).into()),
        Output::Event(Event::Message { message, .. }) => Some(message.in_clear().into()),
        Output::Upload { encryption, .. } => Some(encryption.is_none().into()),
        _ => None,
    })
}
/// How many people it is for: all their devices, and our others. 0 where it is for one device: `subrosa_output_get_device`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_recipient_count(outputs: *const COutputs) -> usize {
    look(outputs, 0, |output, _| if let Output::Transmit { to: Recipients::People(people), .. } = output { Some(people.len()) } else { None })
}
/// One of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_recipient(outputs: *const COutputs, index: usize) -> *const c_char {
    words(
        outputs,
        |output| {
            if let Output::Transmit { to: Recipients::People(people), .. } = output { people.get(index).map(Address::as_str) } else { None }
        },
    )
}
/// How many headers go beside it, in clear.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_header_count(outputs: *const COutputs) -> usize {
    look(outputs, 0, |output, _| if let Output::Transmit { headers, .. } = output { Some(headers.0.len()) } else { None })
}
/// The name of one of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_header_name(outputs: *const COutputs, index: usize) -> *const c_char {
    words(outputs, |output| if let Output::Transmit { headers, .. } = output { Some(headers.0.get(index)?.0.as_str()) } else { None })
}
/// The value of one of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_header_value(outputs: *const COutputs, index: usize) -> *const c_char {
    words(outputs, |output| if let Output::Transmit { headers, .. } = output { Some(headers.0.get(index)?.1.as_str()) } else { None })
}
