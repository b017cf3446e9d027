//! A contact who will not be sent encrypted messages any more (XEP-0384 §5.7): nothing is sent until a person said how to go on. What a
//! person wrote is told as not sent, receipts and typing notices are dropped, also where a person then chose clear text, and what is
//! said about keys (XEP-0450) waits. Empty messages go on: they keep the sessions whole.
//!
//! Owns when a chat is stopped and when it goes on. It stops on the word of a trusted device of the contact, inside an envelope, in a chat
//! of two: a room is not one member's to stop. It goes on when a person says so ([`Omemo::go_on`]), in clear when a person chooses that
//! after the stop, or when the device that stopped it writes encrypted words again. The sessions stay as they are.
use crate::Omemo;
use crate::atm;
use crate::records::{self, OptOut};
use subrosa_engine::*;

/// The contact's device wrote this: it asks not to be sent encrypted messages.
pub(crate) fn heard(cx: &mut Context<'_>, chat: &ChatId, from: &Sender, sent: Time, reason: String) -> Result<(), Halt> {
    let device = from.device.clone();
    if device.owner != chat.0 || !from.trust.is_trusted() {
        return Ok(());
    }
    if cx.records.get(records::opt_out(chat))?.is_some_and(|known| known.at >= sent) {
        return Ok(()); // told late
    }
    // whoever allowed clear text before did not know of this
    cx.withdraw_clear(chat);
    cx.records.put(records::opt_out(chat), OptOut { device: device.clone(), at: sent, reason });
    cx.network.emit(Event::Warning { warning: Warning::OptOut, chat: Some(chat.clone()), device: Some(device) });
    Ok(())
}
/// Encrypted words came: whoever had opted out with this device has thought better of it.
pub(crate) fn words(cx: &mut Context<'_>, chat: &ChatId, from: &Sender, sent: Time) -> Result<(), Halt> {
    if cx.records.get(records::opt_out(chat))?.is_some_and(|known| known.device == from.device && known.at < sent) {
        end(cx, chat)?;
    }
    Ok(())
}
fn end(cx: &mut Context<'_>, chat: &ChatId) -> Result<(), Halt> {
    cx.records.remove(records::opt_out(chat));
    atm::resumed(cx, &chat.0)
}
/// Whether nothing may be sent encrypted in this chat.
pub(crate) fn stands(cx: &mut Context<'_>, chat: &ChatId) -> Result<bool, Halt> {
    Ok(cx.records.get(records::opt_out(chat))?.is_some())
}

impl Omemo {
    /// Why the contact asks not to be sent encrypted messages, in their words, which may be none. `None`: they do not ask that, or
    /// it was decided to go on.
    pub fn opt_out_reason(&self, cx: &mut Context<'_>, chat: &ChatId) -> Result<Option<String>, Halt> {
        Ok(cx.records.get(records::opt_out(chat))?.map(|known| known.reason.clone()))
    }
    /// A person said: messages of this chat are encrypted all the same. Whether they were stopped.
    pub fn go_on(&self, cx: &mut Context<'_>, chat: &ChatId) -> Result<bool, Halt> {
        let stopped = stands(cx, chat)?;
        if stopped {
            end(cx, chat)?;
        }
        Ok(stopped)
    }
}
