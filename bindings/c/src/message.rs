//! The message in a hook's hands, and its chat. Both live for one call of a hook.
#![allow(unsafe_code)] // exports
use crate::content::Content;
use crate::engine::{KindCode, kind_code};
use crate::error::{AbiError, Failure, call, get};
use crate::handle::{Handle, live, lock};
use crate::text::{Texts, array, c_string, name, put, text};
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{Arc, Mutex};
use subrosa_engine::*;
use zeroize::Zeroizing;

/// A conversation. Lives for the call of a hook.
pub struct Chat {
    address: CString,
    core: *mut c_void,
}
impl Handle for Chat {
    const NAME: &'static str = "subrosa_chat";
}
impl Chat {
    pub(crate) fn new(chat: &ChatId, core: *mut c_void) -> Self {
        Chat { address: c_string(chat.0.as_str()), core }
    }
}

/// A message on its way through an engine: Liblinphone's LinphoneChatMessage. Lives for the call of a hook, on its thread; so does what
/// its getters give, but for the body, which lives until it is set.
pub struct Message<'a, 'c> {
    source: Source<'a>,
    core: *mut c_void,
    file: Option<Arc<Content>>,
    state: Mutex<State<'a, 'c>>,
}
pub(crate) enum Source<'a> {
    Out(&'a Outgoing<'a>),
    In(&'a Incoming<'a>),
    /// A transfer: it knows its file and nothing else.
    Transfer,
}
struct State<'a, 'c> {
    cx: Option<&'a mut Context<'c>>,
    chat: *mut Chat,
    content_type: Option<ContentType>,
    body: Option<Zeroizing<Vec<u8>>>,
    texts: Texts,
    record: Zeroizing<Vec<u8>>,
    pending: Option<(Pending, Token)>,
    halt: Option<Halt>,
}
/// What a hook left.
pub(crate) struct Left {
    pub set: Option<(ContentType, Vec<u8>)>,
    pub pending: Option<Pending>,
    pub halt: Option<Halt>,
}
impl Handle for Message<'_, '_> {
    const NAME: &'static str = "subrosa_message";
}

impl<'a, 'c> Message<'a, 'c> {
    pub(crate) fn new(source: Source<'a>, core: *mut c_void, cx: Option<&'a mut Context<'c>>) -> Self {
        let (chat, texts, record) = (std::ptr::null_mut(), Texts::default(), Zeroizing::default());
        let state = State { cx, chat, content_type: None, body: None, texts, record, pending: None, halt: None };
        Message { source, core, file: None, state: Mutex::new(state) }
    }
    pub(crate) fn of_file(self, content: Arc<Content>) -> Self {
        Message { file: Some(content), ..self }
    }
    pub(crate) fn into_left(self) -> Left {
        let original = self.content_type().cloned();
        let mut state = self.state.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let content_type = state.content_type.take().or(original);
        let body = state.body.take().map(|mut body| std::mem::take(&mut *body));
        Left { set: content_type.zip(body), pending: state.pending.map(|(pending, _)| pending), halt: state.halt }
    }
    fn content_type(&self) -> Option<&ContentType> {
        match &self.source {
            Source::Out(message) => Some(&message.plain.content_type),
            Source::In(message) => Some(message.content_type),
            Source::Transfer => None,
        }
    }
    fn body<'b>(&self, state: &'b State<'_, '_>) -> &'b [u8]
    where
        'a: 'b,
    {
        match (&state.body, &self.source) {
            (Some(body), _) => body.as_slice(),
            (None, Source::Out(message)) => message.plain.bytes(),
            (None, Source::In(message)) => message.body,
            (None, Source::Transfer) => &[],
        }
    }
    fn headers(&self) -> Option<&Headers> {
        match &self.source {
            Source::Out(message) => Some(message.headers),
            Source::In(message) => Some(message.headers),
            Source::Transfer => None,
        }
    }
    fn give(&self, text: Option<&str>) -> *const c_char {
        text.map_or(std::ptr::null(), |text| lock(&self.state).texts.give(text))
    }
}
impl crate::handle::Lent<'_, Message<'_, '_>> {
    pub fn with_chat(&self, chat: *mut Chat) {
        lock(&self.value().state).chat = chat;
    }
}

/// The address of the chat: the peer's, or the room's. Lives as long as the chat.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_chat_get_peer_address(chat: *const Chat) -> *const c_char {
    get(std::ptr::null(), || Ok(unsafe { live(chat) }?.address.as_ptr()))
}
/// What the application left with `subrosa_machine_set_user_data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_chat_get_core(chat: *const Chat) -> *mut c_void {
    get(std::ptr::null_mut(), || Ok(unsafe { live(chat) }?.core))
}

/// What the application left with `subrosa_machine_set_user_data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_core(message: *const Message<'_, '_>) -> *mut c_void {
    get(std::ptr::null_mut(), || Ok(unsafe { live(message) }?.core))
}
/// Its chat; NULL in the hooks that work on files.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_chat(message: *const Message<'_, '_>) -> *mut Chat {
    get(std::ptr::null_mut(), || Ok(lock(&unsafe { live(message) }?.state).chat))
}
/// Whether it leaves: not 0 for one that does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_is_outgoing(message: *const Message<'_, '_>) -> c_int {
    get(0, || Ok(matches!(unsafe { live(message) }?.source, Source::Out(_)).into()))
}
/// What it is for: one of `subrosa_kind`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_kind(message: *const Message<'_, '_>) -> c_int {
    get(KindCode::Other as c_int, || match &unsafe { live(message) }?.source {
        Source::Out(message) => Ok(kind_code(message.kind)),
        Source::In(message) => Ok(kind_code(message.kind)),
        Source::Transfer => Ok(KindCode::FileOffer as c_int),
    })
}
/// Its id: the application's for one that leaves, the sender's for one that came.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_message_id(message: *const Message<'_, '_>) -> *const c_char {
    get(std::ptr::null(), || {
        let message = unsafe { live(message) }?;
        Ok(message.give(match &message.source {
            Source::Out(message) => Some(message.id.as_str()),
            Source::In(message) => Some(message.id.as_str()),
            Source::Transfer => None,
        }))
    })
}
/// Who sent it: our own address for one that leaves, and for what our other devices sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_from_address(message: *const Message<'_, '_>) -> *const c_char {
    get(std::ptr::null(), || {
        let message = unsafe { live(message) }?;
        let me = lock(&message.state).cx.as_ref().map(|cx| cx.me.clone());
        Ok(message.give(match &message.source {
            Source::Out(_) => me.as_ref().map(Address::as_str),
            Source::In(message) => Some(message.from.as_str()),
            Source::Transfer => None,
        }))
    })
}
/// How many people it is for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_recipient_count(message: *const Message<'_, '_>) -> usize {
    get(0, || match &unsafe { live(message) }?.source {
        Source::Out(Outgoing { to: Recipients::People(people), .. }) => Ok(people.len()),
        Source::Out(_) | Source::In(_) => Ok(1),
        Source::Transfer => Ok(0),
    })
}
/// One of the people it is for; NULL where there are not so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_recipient(message: *const Message<'_, '_>, index: usize) -> *const c_char {
    get(std::ptr::null(), || {
        let message = unsafe { live(message) }?;
        let me = lock(&message.state).cx.as_ref().map(|cx| cx.me.clone());
        Ok(message.give(match &message.source {
            Source::Out(Outgoing { to: Recipients::People(people), .. }) => people.get(index).map(Address::as_str),
            Source::Out(Outgoing { to: Recipients::Device(device), .. }) if index == 0 => Some(device.owner.as_str()),
            Source::In(_) if index == 0 => me.as_ref().map(Address::as_str),
            _ => None,
        }))
    })
}
/// When it was sent, by the server's clock; for one that leaves, now. Milliseconds since 1970.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_time(message: *const Message<'_, '_>) -> u64 {
    get(0, || {
        let message = unsafe { live(message) }?;
        let now = lock(&message.state).cx.as_ref().map_or(0, |cx| cx.now.0);
        Ok(if let Source::In(message) = &message.source { message.sent.0 } else { now })
    })
}
/// A header that travels beside the body, in clear, where the transport has such a thing: SIP. NULL where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_custom_header(message: *const Message<'_, '_>, header_name: *const c_char) -> *const c_char {
    get(std::ptr::null(), || {
        let (message, name) = unsafe { (live(message)?, name(header_name, "header_name")?) };
        Ok(message.give(message.headers().and_then(|headers| headers.get(name))))
    })
}
/// The content type of the body.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_content_type(message: *const Message<'_, '_>) -> *const c_char {
    get(std::ptr::null(), || {
        let message = unsafe { live(message) }?;
        let set = lock(&message.state).content_type.clone();
        Ok(message.give(set.as_ref().or(message.content_type()).map(|content_type| &*content_type.0)))
    })
}
/// Sets the content type; copied. Where an engine does not, it stays as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_set_content_type(message: *mut Message<'_, '_>, content_type: *const c_char) -> c_int {
    call(std::ptr::null_mut(), || {
        let (message, content_type) = unsafe { (live(message)?, name(content_type, "content_type")?) };
        lock(&message.state).content_type = Some(ContentType(content_type.to_owned().into()));
        Ok(())
    })
}
/// The body: any bytes, NULs among them, and no NUL after them. `size`: becomes their number. Never NULL but for a handle that is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_body(message: *const Message<'_, '_>, size: *mut usize) -> *const u8 {
    unsafe { put(size, 0) };
    get(std::ptr::null(), || {
        let message = unsafe { live(message) }?;
        let state = lock(&message.state);
        let body = message.body(&state);
        unsafe { put(size, body.len()) };
        Ok(body.as_ptr())
    })
}
/// Sets the body; copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_set_body(message: *mut Message<'_, '_>, body: *const u8, size: usize) -> c_int {
    call(std::ptr::null_mut(), || {
        let (message, body) = unsafe { (live(message)?, array(body, size, "body")?) };
        let body = Zeroizing::new(body.to_vec()); // before what it may be a part of goes
        lock(&message.state).body = Some(body);
        Ok(())
    })
}
/// The body as a string. NULL where it is not UTF-8, or has a NUL inside: then use `subrosa_message_get_body`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_utf8_text(message: *const Message<'_, '_>) -> *const c_char {
    get(std::ptr::null(), || {
        let message = unsafe { live(message) }?;
        let mut state = lock(&message.state);
        let text = std::str::from_utf8(message.body(&state)).ok().filter(|text| !text.contains('\0')).map(str::to_owned);
        Ok(text.map_or(std::ptr::null(), |text| state.texts.give(&text)))
    })
}
/// Sets the body to a string; copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_set_utf8_text(message: *mut Message<'_, '_>, utf8_text: *const c_char) -> c_int {
    call(std::ptr::null_mut(), || {
        let (message, text) = unsafe { (live(message)?, text(utf8_text, "utf8_text")?) };
        lock(&message.state).body = Some(Zeroizing::new(text.as_bytes().to_vec()));
        Ok(())
    })
}
/// The file that this hook is about, lent for the call: in `generate_file_transfer_key` and the two hooks that work on files. NULL
/// elsewhere. It is that file's and no other's, however many the message has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_get_file_transfer_information(message: *const Message<'_, '_>) -> *mut Content {
    get(std::ptr::null_mut(), || Ok(unsafe { live(message) }?.file.as_ref().map_or(std::ptr::null_mut(), |file| Arc::as_ptr(file).cast_mut())))
}
/// Leaves the message with whoever gets this token; return `SUBROSA_HOOK_PENDING` then. `subrosa_machine_complete` ends it, from any
/// thread and also after a restart of the program; if nobody does in time, it is refused. The same token however often a hook asks; 0, and
/// no token: this hook can't wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_defer(message: *mut Message<'_, '_>) -> u64 {
    get(0, || {
        let message = unsafe { live(message) }?;
        if message.file.is_some() {
            return Ok(0);
        }
        let State { cx, pending, .. } = &mut *lock(&message.state);
        let Some(cx) = cx else { return Ok(0) };
        let (_, token) = pending.get_or_insert_with(|| cx.network.until_completed());
        Ok(c_token(*token, matches!(message.source, Source::In(_))))
    })
}
/// C's token says too which way its message goes, so that one function completes both.
fn c_token(Token(number): Token, incoming: bool) -> u64 {
    number.wrapping_shl(1) | u64::from(incoming)
}
pub(crate) fn token_of(c_token: u64) -> (Token, bool) {
    (Token(c_token >> 1), c_token & 1 == 1)
}

/// An engine's own memory: a row that is stored with the message that is being worked on, or not at all.
#[derive(Clone)]
struct Memo(Zeroizing<Vec<u8>>);
impl Record for Memo {
    fn encode(&self) -> Vec<u8> {
        self.0.to_vec()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Memo(bytes.to_vec().into()))
    }
}
fn memo(name: &str) -> RowOf<Memo> {
    RowOf::person("c", &name.into())
}
/// Reads one of the engine's own records, in a hook about a message. `record` and `size`: become its bytes, which live until the next
/// record is read, or NULL and 0 where there is none.
///
/// Not 0: it is not in memory. The hook must return at once, whatever it likes: the record is loaded, and the hook is called again from
/// its start. What it did to the message is forgotten; what it did elsewhere is not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_load_record(
    message: *mut Message<'_, '_>,
    record_name: *const c_char,
    record: *mut *const u8,
    size: *mut usize,
) -> c_int {
    unsafe {
        put(record, std::ptr::null());
        put(size, 0);
    }
    call(std::ptr::null_mut(), || {
        let (message, name) = unsafe { (live(message)?, name(record_name, "record_name")?) };
        let mut state = lock(&message.state);
        let cx = state.cx.as_mut().ok_or(AbiError::Value("message"))?;
        let found = cx.records.get(memo(name)).map(|memo| memo.map(|memo| memo.0.to_vec()));
        match found {
            Ok(None) => Ok(()),
            Ok(Some(bytes)) => {
                state.record = Zeroizing::new(bytes);
                unsafe {
                    put(record, state.record.as_ptr());
                    put(size, state.record.len());
                }
                Ok(())
            }
            Err(halt) => {
                state.halt = Some(halt);
                Err(AbiError::Cold.into())
            }
        }
    })
}
/// Writes one of the engine's own records, in a hook about a message; copied. It is stored together with what becomes of the message.
/// `record` NULL: deletes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_message_store_record(
    message: *mut Message<'_, '_>,
    record_name: *const c_char,
    record: *const u8,
    size: usize,
) -> c_int {
    call(std::ptr::null_mut(), || {
        let (message, name) = unsafe { (live(message)?, name(record_name, "record_name")?) };
        let mut state = lock(&message.state);
        let cx = state.cx.as_mut().ok_or(AbiError::Value("message"))?;
        if record.is_null() {
            cx.records.remove(memo(name));
        } else {
            let bytes = unsafe { array(record, size, "record") }?.to_vec();
            cx.records.put(memo(name), Memo(bytes.into()));
        }
        Ok::<(), Failure>(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_of_the_engine_comes_back_from_c() {
        let largest = u64::MAX >> 1; // engine: tokens are below 2⁶³
        for number in [1, 2, (1 << 32) - 1, 1 << 32, (1 << 62) - 1, 1 << 62, (1 << 62) + 1, 0x5555_5555_5555_5555, largest - 1, largest] {
            for incoming in [false, true] {
                let token = c_token(Token(number), incoming);
                assert_ne!(token, 0);
                assert_eq!(token_of(token), (Token(number), incoming));
            }
        }
    }
}
