//! Chats of many: who is in them, and who or what was left out of a message.
#![allow(unsafe_code)] // exports
use crate::error::{AbiError, CError};
use crate::feed::{CSend, feed, send_of};
use crate::machine::CMachine;
use crate::outputs::{COutputs, look, words};
use crate::text::{name, texts};
use std::ffi::{c_char, c_int};
use subrosa_engine::*;

/// The chat is a room, and these are in it: members, admins, owners, whether they are there or not. Each time that changes, and once on
/// each new stream: until then messages wait, because who is in it may have changed meanwhile.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_set_room(
    machine: *mut CMachine,
    chat: *const c_char,
    members: *const *const c_char,
    count: usize,
    error: *mut *mut CError,
) -> c_int {
    feed(machine, error, || unsafe {
        let members = texts(members, count, "members")?.iter().map(|member| Address::from(*member)).collect();
        Ok(Input::Room(chat_of(chat)?, Some(members)))
    })
}
/// This account is out of the room and means to come in again, while the stream lasts: who is in it may change unseen. Messages wait until
/// it is set anew.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_room_unknown(machine: *mut CMachine, chat: *const c_char, error: *mut *mut CError) -> c_int {
    feed(machine, error, || Ok(Input::RoomUnknown(unsafe { chat_of(chat) }?)))
}
/// The chat is no room any more, or one where encryption is not possible: nothing leaves.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_unset_room(machine: *mut CMachine, chat: *const c_char, error: *mut *mut CError) -> c_int {
    feed(machine, error, || Ok(Input::Room(unsafe { chat_of(chat) }?, None)))
}
/// A person chose for this room: those who have no device that can read are left out (not 0), or stop the message (0, as at first).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_leave_out(machine: *mut CMachine, chat: *const c_char, leave_out: c_int, error: *mut *mut CError) -> c_int {
    feed(machine, error, || Ok(Input::LeaveOut(unsafe { chat_of(chat) }?, leave_out != 0)))
}
/// Sends a message to everybody in the room that its chat is: those who are in it when it is encrypted. Its recipients are not read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_send_to_room(machine: *mut CMachine, message: *const CSend, error: *mut *mut CError) -> c_int {
    feed(machine, error, || unsafe { send_of(message, true) })
}
unsafe fn chat_of(chat: *const c_char) -> Result<ChatId, AbiError> {
    Ok(ChatId(unsafe { name(chat, "chat") }?.into()))
}

/// Whether it goes to everybody in the room that the chat is: not 0 for one that does. Then it has no recipients.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_is_to_room(outputs: *const COutputs) -> c_int {
    look(outputs, 0, |output, _| if let Output::Transmit { to, .. } = output { Some((*to == Recipients::Room).into()) } else { None })
}
fn left_out(output: &Output) -> Option<&[Address]> {
    match output {
        Output::Event(Event::Sent { left_out, .. }) => Some(left_out),
        Output::Event(Event::NotSent { why, .. }) => Some(&why.people),
        _ => None,
    }
}
/// How many people of the room have no device that can read the message: they were left out, or it was not sent because of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_left_out_count(outputs: *const COutputs) -> usize {
    look(outputs, 0, |output, _| left_out(output).map(<[_]>::len))
}
/// One of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_left_out(outputs: *const COutputs, index: usize) -> *const c_char {
    words(outputs, |output| Some(left_out(output)?.get(index)?.as_str()))
}
fn unsaid(output: &Output, index: usize) -> Option<&Omission> {
    if let Output::Event(Event::Sent { unsaid, .. }) = output { unsaid.get(index) } else { None }
}
/// How many things some devices do not get of the message, because their version of the protocol has no form for them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_unsaid_count(outputs: *const COutputs) -> usize {
    look(outputs, 0, |output, _| if let Output::Event(Event::Sent { unsaid, .. }) = output { Some(unsaid.len()) } else { None })
}
/// One of them: its stable name, "reaction".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_unsaid(outputs: *const COutputs, index: usize) -> *const c_char {
    words(outputs, |output| unsaid(output, index).map(|unsaid| unsaid.code()))
}
/// The same in words for a person.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_unsaid_sentence(outputs: *const COutputs, index: usize) -> *const c_char {
    words(outputs, |output| unsaid(output, index).map(|unsaid| unsaid.sentence()))
}
