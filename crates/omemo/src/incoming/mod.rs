//! One message from one device. Reads as XEP-0384 §5.6 "receiving a message" does.
//!
//! Owns which session reads it and what follows: a used prekey is replaced, a new session answered, a heartbeat sent, a lost
//! session set up again. On a message that is refused for what it is, everything stays as it was.
use crate::atm;
use crate::directory::doubt;
use crate::heal;
use crate::join;
use crate::memory;
use crate::opt_out;
use crate::outgoing::send_empty;
use crate::records::{self, Ours, Part, Ratchet, SessionRecord, Spoken};
use crate::wire::encrypted::{self, Encrypted, Key};
use crate::wire::{Version, WireError};
use std::time::Duration;
use subrosa_engine::*;
use subrosa_ratchet::{AcceptError, DecryptError, KeyExchange, Legacy, MessageKind, Omemo2, Session};
use zeroize::Zeroizing;

mod rooms;
mod strangers;
mod unfold;

pub(crate) fn decrypt(cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
    if *message.content_type != ContentType::STANZA {
        return Ok(Outcome::Skipped);
    }
    let us = cx.records.get(records::account())?.map(|a| a.device);
    // without an identity of ours nothing is for us: still read, to know whether it is OMEMO at all
    let found = match encrypted::parse(message.body, cx.me.as_str(), us.unwrap_or_default()) {
        // anybody on the way can have written it (XEP-0420 §10)
        Ok(found) if found.encrypted.is_none() && found.envelope => return Ok(Outcome::Rejected(Reason::Malformed.into())),
        // it says that it is encrypted (XEP-0380), in a way that is not OMEMO's: what is beside it is no message in clear
        Ok(found) if found.encrypted.is_none() && found.encryption.is_some() => return Ok(Outcome::Rejected(Reason::Unsupported.into())),
        Ok(found) => found.encrypted.map(|encrypted| (encrypted, found.also, found.transient, (found.beside, found.said))),
        Err(WireError::TooLarge(_)) => return Ok(Outcome::Rejected(Reason::TooLarge.into())),
        Err(_) => return Ok(Outcome::Rejected(Reason::Malformed.into())),
    };
    let Some((found, also, transient, (beside, written))) = found else { return Ok(Outcome::Skipped) };
    // in a room it may be that nobody says who sent it: then the key has to
    let hidden = message.room.filter(|_| *message.from == message.chat.0);
    let named = Device::of(message.from, found.sid);
    let senders = match hidden {
        None => vec![named.clone()],
        Some(room) => rooms::senders(cx, room, found.sid)?,
    };
    let no = |reason: Reason| Ok(Outcome::Rejected(Refusal { device: hidden.is_none().then(|| named.clone()), ..reason.into() }));
    // our own reflection; nobody encrypts to the device that it writes with
    if us == Some(found.sid) && (message.from == cx.me || hidden.is_some_and(|_| found.keys.is_empty())) {
        if message.from == cx.me {
            memory::reflected(cx, message, &found)?;
        }
        return Ok(Outcome::Silent);
    }
    if us.is_none() || found.keys.is_empty() {
        // a notice goes to whom there is a session with; who gets none misses nothing
        let mut is_missed = !transient;
        if found.payload.is_some() {
            for device in &senders {
                is_missed &= !is_other_part(cx, device, Part::of(found.version, message.id), also)?;
            }
        }
        return if found.payload.is_some() && is_missed { no(Reason::NotForThisDevice) } else { Ok(Outcome::Silent) };
    }
    let (device, read) = match hidden {
        Some(room) => match rooms::read_any(cx, message, room, senders, &found)? {
            Some(read) => read,
            None => return no(Reason::UnknownMember),
        },
        None => {
            // a device that is on no list: perhaps ours is old (XEP-0384 §6)
            if cx.records.get(records::people(message.from))?.and_then(|p| p.find(found.sid)).is_none_or(|e| !e.is_listed()) {
                doubt(cx, message.from)?;
            }
            if message.room.is_some()
                && let Some(pending) = rooms::vouched(cx, &named, &found)?
            {
                return Ok(Outcome::Pending(pending));
            }
            let read = read(cx, message, &named, &found, &found.keys)?;
            (named, read)
        }
    };
    let no = |reason: Reason| Ok(Outcome::Rejected(Refusal::from(reason).by(device.clone())));
    let (opened, plain) = match read {
        Ok(read) => read,
        Err(Unread::Duplicate) => return Ok(Outcome::Silent),
        Err(Unread::NoSession) => {
            heal::start_over(cx, &device, found.version)?;
            return no(Reason::NoSession);
        }
        Err(Unread::KeyChanged(key)) => {
            cx.learn(&device, &key, Origin::Seen)?; // what the attempt told the person is undone with it
            return no(Reason::KeyChanged);
        }
        Err(Unread::Reason(reason)) => {
            if found.payload.is_some() && matches!(reason, Reason::Damaged | Reason::UnknownPreKey | Reason::TooFarAhead) {
                heal::unreadable(cx, &device, found.version)?;
            }
            return no(reason);
        }
    };
    let sender = match cx.sender(&device, &opened.key, found.version.protocol())? {
        Ok(sender) => sender,
        Err(refusal) => return Ok(Outcome::Rejected(refusal)),
    };
    settle(cx, &device, found.version, opened.then)?;
    atm::session(cx, &device)?;
    let said = match (plain, found.version) {
        (None, _) => None,
        (Some(text), Version::Legacy) => Some(unfold::legacy(&text, &beside, message.kind)),
        (Some(envelope), Version::Omemo2) => {
            let envelope = match unfold::unfold(cx.me, message, written, &device.owner, &envelope) {
                Ok(envelope) => envelope,
                Err(reason) => return no(reason),
            };
            match atm::received(cx, message, &sender, &envelope)? {
                Ok(true) => None,
                Ok(false) => match unfold::content(envelope, &beside, message.kind) {
                    Ok(said) => said,
                    Err(reason) => return no(reason),
                },
                Err(reason) => return no(reason),
            }
        }
    };
    let Some(said) = said else { return Ok(Outcome::Silent) };
    match said.opt_out {
        Some(reason) if message.room.is_none() => opt_out::heard(cx, message.chat, &sender, message.sent, reason)?,
        None if said.words => opt_out::words(cx, message.chat, &sender, message.sent)?,
        _ => {}
    }
    Ok(Outcome::Done(Decrypted { kind: said.kind, ..Decrypted::new(said.plain).by(sender) }))
}

/// How long behind its omemo:2 part the legacy part of a message may come.
const PARTS: Duration = Duration::from_secs(60);
/// Whether a message without a key for us is the other part of one that was read: a message for devices of both versions may travel as
/// two stanzas. Ours say so (`also`), and have omemo:2 first. Of others it is what comes in the other version under the id of what was
/// read last. Where the sender left us out, the part in our version says so; where the network lost it, and we have just read another of
/// the device, nobody does.
fn is_other_part(cx: &mut Context<'_>, device: &Device, part: Part, also: bool) -> Result<bool, Halt> {
    let Some(session) = cx.records.get(records::session(device))? else { return Ok(false) };
    let newer = |r: &Ratchet| r.version() == Version::Omemo2;
    let heard = (session.heard.0 > 0 && session.current.as_ref().is_some_and(newer)).then_some(session.heard);
    let says_so = also && part.version == Version::Legacy && heard.is_some_and(|heard| heard <= cx.now && cx.now < heard.after(PARTS));
    Ok(says_so || session.last.is_some_and(|read| read.version != part.version && read.id == part.id))
}

/// Why nothing came out.
enum Unread {
    Duplicate,
    NoSession,
    KeyChanged(Fingerprint),
    Reason(Reason),
}
/// What came through the ratchet.
struct Opened {
    material: Zeroizing<Vec<u8>>,
    key: Fingerprint,
    /// What the message asks for.
    then: Then,
}
/// What follows a message.
#[derive(Clone, Copy, Default)]
struct Then {
    /// It spent a one-time prekey: the bundle has to change.
    republish: bool,
    /// Say that the session stands, or move its ratchet.
    answer: bool,
    /// The other has a session that is closed here.
    start_over: bool,
}
impl From<DecryptError> for Unread {
    fn from(error: DecryptError) -> Self {
        match error {
            DecryptError::Duplicate => Unread::Duplicate,
            DecryptError::TooFarAhead(_) => Unread::Reason(Reason::TooFarAhead),
            DecryptError::Message(_) => Unread::Reason(Reason::Malformed),
            _ => Unread::Reason(Reason::Damaged),
        }
    }
}
impl From<AcceptError> for Unread {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::UnknownPreKey(_) | AcceptError::UnknownSignedPreKey(_) => Unread::Reason(Reason::UnknownPreKey),
            AcceptError::Decrypt(error) => error.into(),
            _ => Unread::Reason(Reason::Malformed),
        }
    }
}

/// What came out, with the payload in clear where there is one; or why nothing did.
type Read = Result<(Opened, Option<Zeroizing<Vec<u8>>>), Unread>;
/// Through the ratchet and the payload's cipher, with one of these keys. Where nothing comes out, everything is as it was.
fn read(cx: &mut Context<'_>, message: &Incoming<'_>, device: &Device, found: &Encrypted, keys: &[Key]) -> Result<Read, Halt> {
    let entry = cx.records.get(records::people(&device.owner))?.zip(records::number(device)).and_then(|(people, id)| people.find(id));
    let speaks_both = entry.is_some_and(|entry| Version::ALL.into_iter().all(|version| entry.in_list(version)));
    // whose key a room says it is, and nobody else does, is not trusted for that
    let origin = if message.room.is_some() { Origin::Decided(Trust::Undecided, Decider::Policy) } else { Origin::Seen };
    cx.attempt(|cx| {
        let opened = match found.version {
            Version::Omemo2 => open::<Omemo2>(cx, device, origin, keys)?,
            Version::Legacy => open::<Legacy>(cx, device, origin, keys)?,
        };
        let read = opened.and_then(|opened| match unfold::decrypt_payload(found, &opened.material) {
            Ok(plain) => Ok((opened, plain)),
            Err(reason) => Err(Unread::Reason(reason)),
        });
        if speaks_both
            && let Ok((_, Some(_))) = &read
            && let Some(session) = cx.records.edit(records::session(device))?
        {
            session.last = Some(Part::of(found.version, message.id));
        }
        Ok(read)
    })
}
/// Tries each key that may be ours (legacy ids are not qualified by an address).
fn open<P: Spoken>(cx: &mut Context<'_>, device: &Device, origin: Origin, keys: &[Key]) -> Result<Result<Opened, Unread>, Halt> {
    let mut why = Unread::Reason(Reason::NotForThisDevice);
    for Key { data, .. } in keys {
        // by the bytes: the attribute is wrong with some peers
        let read = match MessageKind::sniff::<P>(data) {
            Some(MessageKind::KeyExchange) => exchange::<P>(cx, device, origin, data)?,
            Some(MessageKind::Message) => established::<P>(cx, device, data)?,
            None => Err(Unread::Reason(Reason::Malformed)),
        };
        match read {
            Ok(opened) => return Ok(Ok(opened)),
            Err(Unread::Duplicate) => return Ok(Err(Unread::Duplicate)),
            Err(reason) => why = reason,
        }
    }
    Ok(Err(why))
}
/// A message of a session that stands.
fn established<P: Spoken>(cx: &mut Context<'_>, device: &Device, data: &[u8]) -> Result<Result<Opened, Unread>, Halt> {
    let (now, epoch, compared) = (cx.now, memory::epoch(cx)?, memory::is_compared(cx)?);
    let Some(record) = cx.records.edit(records::session(device))? else { return Ok(Err(Unread::NoSession)) };
    let old = record.epoch != epoch;
    let Some(session) = record.of::<P>() else { return Ok(Err(Unread::NoSession)) };
    let key = Fingerprint(session.peer().fingerprint());
    Ok(match session.decrypt(data) {
        Ok(material) => {
            let closed = old || session.is_closed();
            let then = Then { republish: false, answer: compared && !closed && session.heartbeat_due(), start_over: closed };
            record.heard = now;
            Ok(Opened { material, key, then })
        }
        Err(error) => Err(error.into()),
    })
}
/// A key exchange: one that we know is only its message (XEP-0384 §4.3); else a new session.
fn exchange<P: Spoken>(cx: &mut Context<'_>, device: &Device, origin: Origin, data: &[u8]) -> Result<Result<Opened, Unread>, Halt> {
    let Ok(exchange) = KeyExchange::<P>::parse(data) else { return Ok(Err(Unread::Reason(Reason::Malformed))) };
    let known = cx.records.edit(records::session(device))?.and_then(|r| r.of::<P>()).is_some_and(|s| s.knows(&exchange));
    if known {
        return established::<P>(cx, device, exchange.message());
    }
    accept(cx, device, origin, &exchange)
}
/// A new session (XEP-0384 §5.6).
fn accept<P: Spoken>(cx: &mut Context<'_>, device: &Device, origin: Origin, exchange: &KeyExchange<'_, P>) -> Result<Result<Opened, Unread>, Halt> {
    let now = cx.now;
    let key = Fingerprint(exchange.identity().fingerprint());
    atm::met(cx, device, &key)?;
    if let Standing::Changed { .. } = cx.learn(device, &key, origin)? {
        return Ok(Err(Unread::KeyChanged(key)));
    }
    let signed = exchange.signed_pre_key().0;
    let Some(account) = cx.records.get(records::account())? else { return Ok(Err(Unread::Reason(Reason::NotForThisDevice))) };
    let identity = account.identity.clone();
    let ours = account.signed_pre_key(signed).cloned();
    let theirs = cx.records.get(records::imported())?.and_then(|i| i.signed_pre_key(P::VERSION, signed)).cloned();
    let signed = theirs.or(ours).map(|pair| (signed, pair));
    let one_time = match exchange.pre_key() {
        None => None,
        Some(id) => cx.records.get(records::pool(P::VERSION))?.and_then(|pool| pool.find(id.0)).map(|pair| (id.0, pair.clone())),
    };
    let accepted = match Session::accept(&identity, &Ours { one_time, signed }, exchange) {
        Ok(accepted) => accepted,
        Err(error) => return Ok(Err(error.into())),
    };
    let (keep, epoch) = (join::may_come_late(cx)?, memory::epoch(cx)?);
    if let Some(used) = accepted.used
        && let Some(pool) = cx.records.edit(records::pool(P::VERSION))?
    {
        pool.spend(used.0, keep);
    }
    cx.records.remove(records::absent(device, P::VERSION));
    let (spent, material, session) = (accepted.used.is_some(), accepted.plaintext, accepted.session);
    let crossed = match cx.records.edit(records::session(device))? {
        None => {
            cx.records.put(records::session(device), SessionRecord { heard: now, ..SessionRecord::new(P::wrap(session), epoch) });
            strangers::bound(cx, device)?;
            false
        }
        Some(record) => {
            record.heard = now;
            match P::VERSION {
                Version::Omemo2 => record.replace(session, epoch),
                Version::Legacy => record.receive(session, epoch), // a device that speaks both is spoken to in the newer one
            }
            record.of::<P>().is_some_and(|s| s.is_unacknowledged())
        }
    };
    memory::met(cx, &device.owner)?;
    // where the exchanges crossed, ours goes on, and whoever reads it needs no answer to its own
    Ok(Ok(Opened { material, key, then: Then { republish: spent, answer: !crossed, start_over: false } }))
}

/// Does what the message asks for.
fn settle(cx: &mut Context<'_>, device: &Device, version: Version, then: Then) -> Result<(), Halt> {
    if then.republish {
        join::forget_used(cx)?; // now or later
        join::bundle_changed(cx, version)?;
    }
    if then.answer {
        send_empty(cx, device, version)?;
    }
    if then.start_over {
        heal::start_over(cx, device, version)?;
    }
    Ok(())
}
/// Whether an address as a peer wrote it is this one. Some write a resource, some capitals.
fn is_bare(claimed: &str, real: &Address) -> bool {
    claimed.split('/').next().is_some_and(|bare| bare.eq_ignore_ascii_case(real.as_str()))
}
