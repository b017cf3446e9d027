//! A link with somebody's keys was scanned: what each of them means here. Knows no syntax.
use crate::uri::{self, UriError, UriKey};
use crate::{Omemo, atm, records};
use subrosa_engine::*;

/// What became of one key of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// Whose it is; `None`: the link names no device, and no known one has the key.
    pub device: Option<Device>,
    /// As the link has it, in the form that people compare.
    pub key: Fingerprint,
    /// What it means.
    pub result: KeyCheck,
}
/// What a key of a link means here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyCheck {
    /// It is the device's key, which is verified from here on.
    Verified,
    /// It is the key of this device itself.
    ThisDevice,
    /// An alarm: the device has another key here. Nothing was changed.
    Differs {
        /// The key that the device has here.
        known: Fingerprint,
    },
    /// No device has shown the key yet. One that does is verified, or refused if the link says so, when it does.
    NotSeen,
    /// The link says that the key is not authentic; its device is refused from here on.
    Refused,
}

impl Omemo {
    /// Takes a link or QR code with somebody's keys (XEP-0434 §7.1, and as Conversations writes them). A person has seen where it comes
    /// from: that is what makes it count. `of`: whose keys the person means to verify, if they began with a contact.
    ///
    /// The inner `Err`: nothing of the link was used.
    pub fn verify_uri(&self, cx: &mut Context<'_>, link: &str, of: Option<&Address>) -> Result<Result<Vec<Checked>, UriError>, Halt> {
        let link = match uri::parse(link) {
            Ok(link) => link,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(from) = link.from.filter(|from| from != cx.me) {
            return Ok(Err(UriError::OtherAccount(from.to_string())));
        }
        if let Some(expected) = of.filter(|of| **of != link.owner).cloned() {
            return Ok(Err(UriError::OtherOwner { expected, found: link.owner }));
        }
        let mut all = Vec::with_capacity(link.keys.len());
        for key in &link.keys {
            all.extend(check(cx, &link.owner, key)?);
        }
        Ok(Ok(all))
    }
    /// What the QR code of this device says: `xmpp:alice@example.org?omemo-sid-42=` and 64 hex digits, as all clients read it.
    /// `None` until it has joined.
    pub fn xmpp_uri(&self, cx: &mut Context<'_>) -> Result<Option<String>, Halt> {
        let account = cx.records.get(records::account())?;
        let us = account.map(|a| (a.device, Fingerprint(a.identity.public().fingerprint())));
        Ok(us.map(|(device, key)| uri::write(cx.me, [(device, &key)])))
    }
    /// The same as a trust message (XEP-0434 §7.1), for clients that read only that.
    pub fn trust_message_uri(&self, cx: &mut Context<'_>) -> Result<Option<String>, Halt> {
        let account = cx.records.get(records::account())?;
        let key = account.map(|a| *a.identity.public().ed25519());
        Ok(key.map(|key| uri::write_trust_message(cx.me, [&key])))
    }
}

/// One key; `None`: it is none in the form that it is said to have.
fn check(cx: &mut Context<'_>, owner: &Address, key: &UriKey) -> Result<Option<Checked>, Halt> {
    let forms: Vec<Fingerprint> = key.forms().collect();
    let Some(first) = forms.first().copied() else { return Ok(None) };
    let ours = if owner == cx.me { cx.records.get(records::account())? } else { None };
    if let Some((id, known)) = ours.map(|a| (a.device, Fingerprint(a.identity.public().fingerprint())))
        && (key.device == Some(id) || (key.device.is_none() && forms.contains(&known)))
    {
        let result = if forms.contains(&known) { KeyCheck::ThisDevice } else { KeyCheck::Differs { known } };
        return Ok(Some(Checked { device: Some(Device::of(owner, id)), key: first, result }));
    }
    let of = key.device.map(|id| Device::of(owner, id));
    let is = |i: &Identity| i.current && of.as_ref().map_or(forms.contains(&i.key), |of| *of == i.device);
    let Some(known) = cx.identities(owner)?.into_iter().find(is) else {
        let trust = if key.trust { Trust::Verified } else { Trust::Untrusted };
        for form in &forms {
            atm::await_key(cx, owner, *form, key.device, trust)?;
        }
        return Ok(Some(Checked { device: of, key: first, result: KeyCheck::NotSeen }));
    };
    let (device, known) = (known.device, known.key);
    if !forms.contains(&known) {
        return Ok(Some(Checked { device: Some(device), key: first, result: KeyCheck::Differs { known } }));
    }
    let (trust, result) = if key.trust { (Trust::Verified, KeyCheck::Verified) } else { (Trust::Untrusted, KeyCheck::Refused) };
    atm::decide(cx, &device, &known, trust)?;
    Ok(Some(Checked { device: Some(device), key: known, result }))
}
