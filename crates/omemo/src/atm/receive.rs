//! A trust message came (XEP-0434, XEP-0450 §4).
use super::{apply, authenticated, may_decide};
use crate::records::{self, Kept, Statement};
use crate::wire::sce::Envelope;
use crate::wire::trust_message::{self, Found, KeyOwner};
use subrosa_engine::*;

/// Takes in the trust message that an envelope of OMEMO 2 holds. `true`: there was one, and nothing of it is for a person to see.
/// Inner `Err`: it is refused. The envelope has been compared with its stanza.
pub(crate) fn received(cx: &mut Context<'_>, message: &Incoming<'_>, sender: &Sender, envelope: &Envelope) -> Result<Result<bool, Reason>, Halt> {
    let owners = match trust_message::find(&envelope.content) {
        Ok(Found::Nothing) => return Ok(Ok(false)),
        Ok(Found::Foreign) => return Ok(Ok(true)),
        Ok(Found::Message(owners)) => owners,
        Err(_) => return Ok(Err(Reason::Malformed)),
    };
    if !cx.settings().trust_messages {
        return Ok(Ok(true));
    }
    // without these it could be moved, or come again (XEP-0434, SCE profile); rooms have no trust messages
    let Some(time) = envelope.time.filter(|_| envelope.padded && envelope.from.is_some() && envelope.to.is_some()) else {
        return Ok(Err(Reason::Malformed));
    };
    if message.room.is_some() {
        return Ok(Err(Reason::Malformed));
    }
    if sender.trust == Trust::Untrusted {
        return Ok(Err(Reason::Untrusted));
    }
    let (statements, strange) = statements(cx, &sender.device, owners, time.min(cx.now));
    if strange {
        let chat = Some(message.chat.clone());
        cx.network.emit(Event::Warning { warning: Warning::TrustMessage, chat, device: Some(sender.device.clone()) });
    }
    if sender.trust != Trust::Verified {
        keep(cx, sender, statements)?;
        return Ok(Ok(true));
    }
    for statement in &statements {
        for (device, key) in apply(cx, &sender.device, statement)? {
            authenticated(cx, device, key)?;
        }
    }
    Ok(Ok(true))
}
/// Those that the sender may make, distrust last: of a key that is named in both ways it is what counts. And whether there were others.
fn statements(cx: &Context<'_>, sender: &Device, owners: Vec<KeyOwner>, time: Time) -> (Vec<Statement>, bool) {
    let (mut all, mut strange) = (Vec::new(), false);
    for said in owners {
        let owner = address(&said.jid);
        if !may_decide(cx, sender, &owner) {
            strange = true;
            continue;
        }
        // nobody can decide later than they say it
        let time = said.decided.map_or(time, |decided| decided.min(time));
        let of = |trust| {
            let owner = owner.clone();
            move |key| Statement { owner: owner.clone(), key, trust, time }
        };
        all.extend(said.trust.into_iter().map(of(true)));
        all.extend(said.distrust.into_iter().map(of(false)));
    }
    all.sort_by_key(|s: &Statement| !s.trust);
    (all, strange)
}
/// The bare address that a peer names; the transport's are in this form already.
fn address(jid: &str) -> Address {
    jid.split('/').next().unwrap_or_default().to_lowercase().as_str().into()
}
/// Until its sender is verified.
fn keep(cx: &mut Context<'_>, sender: &Sender, statements: Vec<Statement>) -> Result<(), Halt> {
    let row = records::kept(&sender.device);
    let there = cx.records.get(row.clone())?.filter(|k| k.sender == sender.key).cloned();
    let mut kept = there.unwrap_or(Kept { sender: sender.key, statements: Vec::new() });
    statements.into_iter().for_each(|s| kept.add(s));
    if !kept.statements.is_empty() {
        cx.records.put(row, kept);
    }
    Ok(())
}
