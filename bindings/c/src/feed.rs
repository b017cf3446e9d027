//! What goes into a machine. All of it only waits, from any thread and inside any callback, until the next commit.
#![allow(unsafe_code)] // exports
use crate::content::Content;
use crate::engine::{kind_of, status};
use crate::error::{AbiError, CError, Failure, call};
use crate::handle::{live, share};
use crate::machine::CMachine;
use crate::message::token_of;
use crate::text::{array, name, optional, sized, text, texts};
use std::ffi::{c_char, c_int};
use subrosa_engine::*;

/// One device of a person.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CDevice {
    /// Whose it is.
    pub owner: *const c_char,
    /// Its number, where devices have numbers: OMEMO.
    pub number: u32,
    /// Its name where devices have names; else NULL.
    pub name: *const c_char,
}
/// A header that travels beside the body, in clear, where the transport has such a thing: SIP.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CHeader {
    /// Its name.
    pub name: *const c_char,
    /// Its value.
    pub value: *const c_char,
}
/// A message to send. What is zero is left out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CSend {
    /// `sizeof (subrosa_send)`.
    pub size: usize,
    /// Needed: your id of it, echoed in everything about it. On XMPP the stanza id.
    pub message_id: *const c_char,
    /// Needed: the conversation.
    pub chat: *const c_char,
    /// Whom it is for; NULL: the chat's address.
    pub recipients: *const *const c_char,
    /// How many those are.
    pub recipient_count: usize,
    /// One of `subrosa_kind`.
    pub kind: c_int,
    /// NULL: "text/plain".
    pub content_type: *const c_char,
    /// Any bytes.
    pub body: *const u8,
    /// How many.
    pub body_size: usize,
    /// NULL: none.
    pub headers: *const CHeader,
    /// How many.
    pub header_count: usize,
}
/// A message that came. What is zero is left out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CReceive {
    /// `sizeof (subrosa_receive)`.
    pub size: usize,
    /// Needed: the sender's id of it.
    pub message_id: *const c_char,
    /// Needed: the conversation: the peer's address, also for what our other devices sent.
    pub chat: *const c_char,
    /// Who sent it, as the server vouches; our own address for what our other devices sent. NULL: the chat's address.
    pub from: *const c_char,
    /// When it was sent, by the server's clock, else now. Milliseconds since 1970.
    pub sent: u64,
    /// One of `subrosa_kind`.
    pub kind: c_int,
    /// NULL: "text/plain".
    pub content_type: *const c_char,
    /// Any bytes.
    pub body: *const u8,
    /// How many.
    pub body_size: usize,
    /// NULL: none.
    pub headers: *const CHeader,
    /// How many.
    pub header_count: usize,
    /// The transport holds its answer until then: exactly one `SUBROSA_OUTPUT_ACCEPT` or `SUBROSA_OUTPUT_REFUSE` comes, the latter with
    /// 480 when that time has passed. Milliseconds since 1970; 0: it needs no answer.
    pub answer_by: u64,
}
/// One published thing, as a server gave it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CItem {
    /// Its name within the node, or NULL.
    pub id: *const c_char,
    /// One XML element, or what a key server answered.
    pub payload: *const u8,
    /// Bytes.
    pub payload_size: usize,
}
/// Why a server did not do what it was asked.
#[repr(C)]
#[allow(dead_code)] // for the header
pub enum RequestErrorCode {
    /// It does not exist.
    NotFound = 1,
    /// It exists, or may, but not for us.
    Forbidden = 2,
    /// The server was asked and gave no answer. Who is offline does not answer at all.
    Unreachable = 3,
    /// Too much, too often, or it would break a limit.
    Refused = 4,
    /// What we sent, or what it sent, is not what the protocol says.
    Malformed = 5,
}
/// What a key is worth.
#[repr(C)]
#[allow(dead_code)] // for the header
pub enum TrustCode {
    /// A person said no.
    Untrusted = 0,
    /// Nobody said anything.
    Undecided = 1,
    /// Blindly, or a person said yes without comparing.
    Trusted = 2,
    /// A person compared it.
    Verified = 3,
}
pub(crate) fn trust_code(trust: Trust) -> c_int {
    match trust {
        Trust::Untrusted => TrustCode::Untrusted as c_int,
        Trust::Undecided => TrustCode::Undecided as c_int,
        Trust::Trusted => TrustCode::Trusted as c_int,
        Trust::Verified => TrustCode::Verified as c_int,
    }
}

pub(crate) fn feed(machine: *mut CMachine, error: *mut *mut CError, input: impl FnOnce() -> Result<Input, AbiError>) -> c_int {
    call(error, || {
        let machine = unsafe { share(machine) }?; // the bell may give it back
        machine.feed(input()?);
        Ok::<(), Failure>(())
    })
}
pub(crate) unsafe fn device_of(device: *const CDevice) -> Result<Device, AbiError> {
    let device = unsafe { array(device, 1, "device") }?.first().ok_or(AbiError::Null("device"))?;
    let owner: Address = unsafe { name(device.owner, "the owner of the device") }?.into();
    let id = match unsafe { optional(device.name, "the name of the device") }? {
        Some(name) => DeviceId::Name(name.into()),
        None => DeviceId::Number(device.number),
    };
    Ok(Device { owner, id })
}
unsafe fn headers_of(headers: *const CHeader, count: usize) -> Result<Headers, AbiError> {
    let pair = |header: &CHeader| {
        Ok((unsafe { name(header.name, "the name of a header") }?.into(), unsafe { text(header.value, "the value of a header") }?.into()))
    };
    unsafe { array(headers, count, "headers") }?.iter().map(pair).collect::<Result<_, _>>().map(Headers)
}
unsafe fn type_of(content_type: *const c_char) -> Result<ContentType, AbiError> {
    Ok(unsafe { optional(content_type, "content_type") }?.map_or(ContentType::TEXT, |text| ContentType(text.to_owned().into())))
}
fn people(chat: &str, recipients: &[&str]) -> Recipients {
    let recipients = if recipients.is_empty() { &[chat][..] } else { recipients };
    Recipients::People(recipients.iter().map(|address| Address::from(*address)).collect())
}

/// Sends a message: answered by one or more `SUBROSA_OUTPUT_TRANSMIT` and a `SUBROSA_OUTPUT_SENT`, or by `SUBROSA_OUTPUT_NOT_SENT`; by
/// `SUBROSA_OUTPUT_WAITING` first, where it has to wait. Messages of one chat leave in the order they were given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_send(machine: *mut CMachine, message: *const CSend, error: *mut *mut CError) -> c_int {
    feed(machine, error, || unsafe { send_of(message, false) })
}
pub(crate) unsafe fn send_of(message: *const CSend, to_room: bool) -> Result<Input, AbiError> {
    unsafe {
        let message = sized(message, "message")?;
        let (id, chat) = (name(message.message_id, "message_id")?, name(message.chat, "chat")?);
        let to = match to_room {
            true => Recipients::Room,
            false => people(chat, &texts(message.recipients, message.recipient_count, "recipients")?),
        };
        let plain = Plaintext::new(type_of(message.content_type)?, array(message.body, message.body_size, "body")?);
        let (kind, headers) = (kind_of(message.kind)?, headers_of(message.headers, message.header_count)?);
        Ok(Input::Send { id: id.into(), chat: ChatId(chat.into()), to, kind, plain, headers })
    }
}
/// Sends words to a chat: the same with everything else left out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_send_text(
    machine: *mut CMachine,
    message_id: *const c_char,
    chat: *const c_char,
    utf8_text: *const c_char,
    error: *mut *mut CError,
) -> c_int {
    feed(machine, error, || unsafe {
        let (id, chat, plain) = (name(message_id, "message_id")?, name(chat, "chat")?, Plaintext::text(text(utf8_text, "utf8_text")?));
        let (to, chat) = (people(chat, &[]), ChatId(chat.into()));
        Ok(Input::Send { id: id.into(), chat, to, kind: Kind::Text, plain, headers: Headers::default() })
    })
}
/// Offers a file: answered by `SUBROSA_OUTPUT_UPLOAD` or `SUBROSA_OUTPUT_NOT_SENT`. The message that says where the file is, with its key
/// and tag, is sent after the upload, by you. `file`: what is said about it is copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_offer_file(
    machine: *mut CMachine,
    message_id: *const c_char,
    chat: *const c_char,
    file: *const Content,
    error: *mut *mut CError,
) -> c_int {
    feed(machine, error, || unsafe {
        let (id, chat, file) = (name(message_id, "message_id")?, name(chat, "chat")?, live(file)?.info());
        Ok(Input::OfferFile { id: id.into(), to: people(chat, &[]), chat: ChatId(chat.into()), file })
    })
}
/// A message came: answered by `SUBROSA_OUTPUT_MESSAGE` or by `SUBROSA_OUTPUT_NOT_RECEIVED` with a `SUBROSA_OUTPUT_REFUSE`, or by nothing
/// where its engine says that there is nothing to show.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_receive(machine: *mut CMachine, message: *const CReceive, error: *mut *mut CError) -> c_int {
    feed(machine, error, || unsafe {
        let message = sized(message, "message")?;
        let (id, chat) = (name(message.message_id, "message_id")?, name(message.chat, "chat")?);
        let from = optional(message.from, "from")?.unwrap_or(chat);
        let (content_type, body) = (type_of(message.content_type)?, array(message.body, message.body_size, "body")?.to_vec());
        let (kind, headers) = (kind_of(message.kind)?, headers_of(message.headers, message.header_count)?);
        let answer_by = (message.answer_by != 0).then_some(Time(message.answer_by));
        let (id, chat, from, sent) = (id.into(), ChatId(chat.into()), from.into(), Time(message.sent));
        Ok(Input::Receive { id, chat, from, sent, kind, content_type, body, headers, answer_by })
    })
}
/// The answer to a request: what was found, or none where it was a publication or there is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_answer(
    machine: *mut CMachine,
    request_id: u64,
    items: *const CItem,
    count: usize,
    error: *mut *mut CError,
) -> c_int {
    feed(machine, error, || {
        let item = |item: &CItem| unsafe {
            let id = optional(item.id, "the id of an item")?.map(str::to_owned);
            Ok(Item { id, payload: array(item.payload, item.payload_size, "the payload of an item")?.to_vec() })
        };
        let items = unsafe { array(items, count, "items") }?.iter().map(item).collect::<Result<Vec<_>, AbiError>>()?;
        Ok(Input::Answer(RequestId(request_id), Ok(items)))
    })
}
/// The answer to a request was no: one of `subrosa_request_error`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_answer_error(machine: *mut CMachine, request_id: u64, why: c_int, error: *mut *mut CError) -> c_int {
    feed(machine, error, || {
        let why = match why {
            1 => RequestError::NotFound,
            2 => RequestError::Forbidden,
            3 => RequestError::Unreachable,
            4 => RequestError::Refused,
            5 => RequestError::Malformed,
            _ => return Err(AbiError::Value("why")),
        };
        Ok(Input::Answer(RequestId(request_id), Err(why)))
    })
}
/// Connected. `resumed` 0: a new stream, and all requests that were not answered come again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_online(machine: *mut CMachine, resumed: c_int, error: *mut *mut CError) -> c_int {
    feed(machine, error, || Ok(Input::Online { resumed: resumed != 0 }))
}
/// The server pushed what somebody published. `item`: its name, or NULL. `payload` NULL: it was retracted, or the node was deleted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_published(
    machine: *mut CMachine,
    owner: *const c_char,
    node: *const c_char,
    item: *const c_char,
    payload: *const u8,
    payload_size: usize,
    error: *mut *mut CError,
) -> c_int {
    feed(machine, error, || unsafe {
        let (owner, node, item) = (name(owner, "owner")?, name(node, "node")?, optional(item, "item")?);
        let payload = if payload.is_null() { None } else { Some(array(payload, payload_size, "payload")?.to_vec()) };
        Ok(Input::Published(Node { owner: owner.into(), name: node.into(), item: item.map(str::to_owned) }, payload))
    })
}
/// Archived messages are being read; `running` 0: that ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_catch_up(machine: *mut CMachine, running: c_int, error: *mut *mut CError) -> c_int {
    feed(machine, error, || Ok(Input::CatchUp { running: running != 0 }))
}
/// The time of `subrosa_machine_wake_at` has come.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_tick(machine: *mut CMachine, error: *mut *mut CError) -> c_int {
    feed(machine, error, || Ok(Input::Tick))
}
/// A person decided about a key of a device: 32 bytes, and one of `subrosa_trust`. For a key that the device did not have, anything from
/// `SUBROSA_TRUST_TRUSTED` up accepts it as the device's new key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_set_trust(
    machine: *mut CMachine,
    device: *const CDevice,
    key: *const u8,
    trust: c_int,
    error: *mut *mut CError,
) -> c_int {
    feed(machine, error, || unsafe {
        let key = array(key, 32, "key")?.try_into().map_err(|_| AbiError::Size("key"))?;
        let trust = usize::try_from(trust).ok().and_then(|at| Trust::ALL.get(at)).ok_or(AbiError::Value("trust"))?;
        Ok(Input::SetTrust(device_of(device)?, Fingerprint(key), *trust))
    })
}
/// Completes a message that an engine left with somebody: with the body that is to leave, or that is to be shown. From any thread. A
/// token that nothing waits for does nothing. An empty body for a message that is to leave counts as a refusal with 500.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_complete(
    machine: *mut CMachine,
    token: u64,
    content_type: *const c_char,
    body: *const u8,
    body_size: usize,
    error: *mut *mut CError,
) -> c_int {
    feed(machine, error, || unsafe {
        let (content_type, body) = (ContentType(name(content_type, "content_type")?.to_owned().into()), array(body, body_size, "body")?);
        let (token, incoming) = token_of(token);
        let completion = if incoming {
            Completion::Decrypted(Decrypted::new(Plaintext::new(content_type, body)))
        } else {
            Encrypted::new(content_type, body.to_vec()).map_or_else(
                |empty| {
                    tracing::warn!("a pending message ends with 500: {empty}");
                    Completion::Rejected(Status::INTERNAL.into())
                },
                Completion::Encrypted,
            )
        };
        Ok(Input::Complete(token, completion))
    })
}
/// Refuses a message that an engine left with somebody, with a status from 300 to 699; anything else counts as 500. From any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_complete_rejected(machine: *mut CMachine, token: u64, code: c_int, error: *mut *mut CError) -> c_int {
    feed(machine, error, || {
        let status = status(code).unwrap_or_else(|| {
            tracing::warn!("a pending message ends with 500: it was refused with {code}, which is not 300 to 699");
            Status::INTERNAL
        });
        Ok(Input::Complete(token_of(token).0, Completion::Rejected(status.into())))
    })
}
/// An output of this id is not needed any more: acknowledged by the server, stored in the history. Until then what is owed comes again
/// after a restart.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_done(machine: *mut CMachine, output_id: u64, error: *mut *mut CError) -> c_int {
    feed(machine, error, || Ok(Input::Done(OutputId(output_id))))
}
/// This chat allows only encrypted messages, as all chats do at first. The other way round goes only over a question that a person
/// answered: `subrosa_question_confirmed_by_user`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_forbid_clear_text(machine: *mut CMachine, chat: *const c_char, error: *mut *mut CError) -> c_int {
    feed(machine, error, || Ok(Input::SetPolicy(ChatId(unsafe { name(chat, "chat") }?.into()), Policy::Mandatory)))
}
