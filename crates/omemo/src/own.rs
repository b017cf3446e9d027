//! What a person does with the devices of their own account: names this one, and takes others off that are not used any more. Only ever
//! on a person's command: how long a device is silent says nothing about whether it is lost.
use crate::{DeviceInfo, Omemo, atm, join, leave, records};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;
use subrosa_engine::*;

/// The longest label: under 53 code points (XEP-0384 §5.3.1).
pub const MAX_LABEL: usize = 52;

/// Why a device is not called so. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// It has no identity yet that could sign its label.
    #[error("this device has not joined the account yet; connect once, then name it")]
    NotJoined,
    /// Longer than [`MAX_LABEL`] code points.
    #[error("the name has {0} characters, more than the {MAX_LABEL} that others show; choose a shorter one")]
    TooLong(usize),
    /// A control character, or one that XML can't hold.
    #[error("the name holds a character that can't be shown in one line; choose another")]
    Character,
}
impl Coded for LabelError {
    fn code(&self) -> &'static str {
        match self {
            LabelError::NotJoined => "omemo.label.not-joined",
            LabelError::TooLong(_) => "omemo.label.too-long",
            LabelError::Character => "omemo.label.character",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}
/// Why an own device is not taken off. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveError {
    /// It is this one.
    #[error("device {0} is this one; log out here to take it off the account")]
    ThisDevice(u32),
    /// It is on none of the account's lists.
    #[error("device {0} is on no list of this account; look at the list of your devices")]
    NotListed(u32),
    /// The lists were not read since this device connected.
    #[error("the server has not shown the list of your devices yet; connect, and try again")]
    NotRead,
}
impl Coded for RemoveError {
    fn code(&self) -> &'static str {
        match self {
            RemoveError::ThisDevice(_) => "omemo.remove.this-device",
            RemoveError::NotListed(_) => "omemo.remove.not-listed",
            RemoveError::NotRead => "omemo.remove.not-read",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}

impl Omemo {
    /// What this device is called, for others to see beside its fingerprint: signed, and on the list of OMEMO 2 from here on
    /// (XEP-0384 §5.3.1). Anybody can read it there. Empty: no name.
    pub fn set_label(&self, cx: &mut Context<'_>, label: &str) -> Result<Result<(), LabelError>, Halt> {
        let label = label.trim();
        let length = label.chars().count();
        if length > MAX_LABEL {
            return Ok(Err(LabelError::TooLong(length)));
        }
        // bidirectional overrides would let a name pass for another
        if label.chars().any(|c| {
            c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
        }) {
            return Ok(Err(LabelError::Character));
        }
        let Some(identity) = cx.records.get(records::account())?.map(|a| a.identity.clone()) else { return Ok(Err(LabelError::NotJoined)) };
        if cx.records.get(records::label())?.is_some_and(|l| l.label == label) {
            return Ok(Ok(()));
        }
        let signature = if label.is_empty() { String::new() } else { STANDARD.encode(identity.sign(label.as_bytes(), cx.rng)) };
        cx.records.put(records::label(), records::Label { label: label.to_owned(), signature });
        join::renamed(cx)?;
        Ok(Ok(()))
    }
    /// Own devices on the lists, without this one, of which nothing was heard for so long: those that nothing was ever heard of since
    /// they were met. A suggestion, the longest silent first: a person decides ([`Omemo::remove_own_device`]).
    pub fn stale_devices(&self, cx: &mut Context<'_>, older_than: Duration) -> Result<Vec<DeviceInfo>, Halt> {
        let (now, me) = (cx.now, cx.me.clone());
        let last = |d: &DeviceInfo| d.last_heard.max(d.first_seen);
        let silent = |d: &DeviceInfo| last(d).is_some_and(|at| at.after(older_than) <= now);
        let stale = self.devices(cx, &me)?.into_iter().filter(|d| d.listed && !d.this_device && silent(d)).collect();
        Ok(sorted_by_key(stale, last))
    }
    /// Takes an own device off the account, by a person's command: off both lists, its bundles deleted. It is done when the server has
    /// answered. A program that still runs there puts itself back: then it awaits approval, here, like any new one. Our other devices go on
    /// trusting it: a device that somebody else has is to be distrusted, which they are told.
    pub fn remove_own_device(&self, cx: &mut Context<'_>, id: u32) -> Result<Result<(), RemoveError>, Halt> {
        if cx.records.get(records::account())?.is_some_and(|a| a.device == id) {
            return Ok(Err(RemoveError::ThisDevice(id)));
        }
        let me = cx.me.clone();
        let listed = cx.records.get(records::people(&me))?.and_then(|p| p.find(id)).is_some_and(|e| e.is_listed());
        if !listed {
            return Ok(Err(RemoveError::NotListed(id)));
        }
        if !leave::remove(cx, id)? {
            return Ok(Err(RemoveError::NotRead));
        }
        let gone = |i: &Identity| i.current && records::number(&i.device) == Some(id) && i.trust.is_trusted();
        if let Some(known) = cx.identities(&me)?.into_iter().find(gone) {
            atm::decide(cx, &known.device, &known.key, Trust::Undecided)?;
        }
        Ok(Ok(()))
    }
}
