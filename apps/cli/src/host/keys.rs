//! Decisions about devices and sessions beyond `trust`, in the engine's own words.
use super::drive::{Drive, Settling};
use super::notes;
use super::sends::Waiter;
use super::step::Fact;
use crate::args::Level;
use crate::failure::{Failure, FaultName};
use crate::rpc::types::{self, SetTrust, StaleDevice, StaleDevices, Verified};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use subrosa_engine::{Address, ChatId, Content, Device, Input, Trust};
use subrosa_history::Decision;
use subrosa_omemo::{Checked, Imported, KeyCheck};

/// A device that was silent for so long is stale.
const STALE: Duration = Duration::from_secs(60 * 24 * 60 * 60);

impl Drive {
    pub(super) fn verify(&mut self, wanted: types::Verify, waiter: Waiter) {
        let types::Verify { uri, jid, device, fingerprint, .. } = wanted;
        let answer = match (uri, jid, device, fingerprint) {
            (Some(uri), None, None, None) => self.verify_uri(uri),
            (None, Some(jid), Some(device), Some(fingerprint)) => {
                let wanted = SetTrust { jid, device, fingerprint: Some(fingerprint), level: Level::Verified, account: None };
                match self.decide(&wanted) {
                    Ok((device, key, level)) => {
                        let (jid, number) = (device.owner.to_string(), super::ledger::number(&device.id));
                        let answer = notes::value(&Verified { jid, devices: number.into_iter().collect(), later: Vec::new() });
                        return self.facts.push(Fact::Decide(device, key, level, answer, waiter));
                    }
                    Err(failure) => Err(failure),
                }
            }
            _ => Err(Failure::usage("say what was compared: either `uri`, or `jid`, `device` and `fingerprint`")),
        };
        let _ = waiter.send(answer);
    }
    fn verify_uri(&mut self, uri: String) -> Result<Value, Failure> {
        let checked = self.look(self.omemo, move |omemo, cx| omemo.verify_uri(cx, &uri, None))?;
        let checked = checked.map_err(|e| Failure::coded(&e))?;
        let (mut jid, mut devices, mut later) = (String::new(), Vec::new(), Vec::new());
        for Checked { device, key, result, .. } in checked {
            if let Some(device) = &device {
                jid = device.owner.to_string();
            }
            match result {
                KeyCheck::Verified | KeyCheck::ThisDevice => devices.extend(device.and_then(|d| super::ledger::number(&d.id))),
                KeyCheck::NotSeen => later.push(crate::home::hex(&key.0)),
                KeyCheck::Differs { known } => {
                    let (whose, known) = (device.map(|d| d.to_string()).unwrap_or_default(), crate::home::hex(&known.0));
                    let what = "has another key here than the one that was scanned: somebody may be reading along";
                    let sentence = format!("device {whose} {what} (here it is {known}). Nothing was changed for it; compare again, in person");
                    return Err(Failure::new("verify.differs", FaultName::Peer, sentence));
                }
                _ => {}
            }
        }
        notes::value(&Verified { jid, devices, later })
    }
    /// A new device of the account's own, verified where its key was compared: it gets messages from here on, and what was said before where that is wished. Where that device
    /// offers its history, the wish accepts it.
    pub(super) fn approve(&mut self, approve: &types::Approve, waiter: Waiter) {
        let (jid, device, fingerprint) = (self.account.clone(), approve.device, approve.fingerprint.clone());
        let wanted = SetTrust { jid, device, fingerprint, level: Level::Trusted, account: None };
        let own = self.look(self.omemo, |omemo, cx| omemo.own_device(cx));
        let decided = match own {
            Ok(Some(own)) if own == Device::of(&self.me, approve.device) => {
                Err(own_device("trust.device", approve.device, "a new one is approved on another device of the account"))
            }
            Ok(_) => self.decide(&wanted),
            Err(failure) => Err(failure),
        };
        let (device, key) = match decided {
            Ok((device, key, _)) => (device, key),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        let known = self.identities(&device.owner).unwrap_or_default();
        if !known.iter().any(|i| i.device == device && i.key == key && i.current) {
            let sentence = format!("device {} shows another key now than that one; nothing was changed. Compare again", approve.device);
            return drop(waiter.send(Err(Failure::new("trust.key", FaultName::Caller, sentence))));
        }
        // who compared has verified, and that is told (XEP-0450 §4); who names a number only lets it in
        let verified = approve.fingerprint.is_some() || known.iter().any(|i| i.device == device && i.key == key && i.trust == Trust::Verified);
        let trust = if verified { Trust::Verified } else { Trust::Trusted };
        self.facts.push(Fact::Decide(device.clone(), key, trust, Ok(json!({})), waiter));
        if approve.history
            && let Err(failure) = self.hand_over(&device)
        {
            tracing::error!(code = %failure.code, "the history can't be handed over");
        }
    }
    /// Once the account is connected: only then the device's keys can be had.
    pub(super) fn replace_session(&mut self, wanted: types::ReplaceSession, waiter: Waiter) {
        if let Err(failure) = crate::home::bare(&wanted.jid) {
            return drop(waiter.send(Err(failure)));
        }
        self.link.connect();
        self.settling.push(Settling::Replace(wanted, waiter));
    }
    pub(super) fn replace_now(&mut self, wanted: &types::ReplaceSession) -> Result<(), Failure> {
        let owner = Address::from(crate::home::bare(&wanted.jid)?.as_str());
        let device = Device::of(&owner, wanted.device);
        if self.look(self.omemo, |omemo, cx| omemo.own_device(cx))?.is_some_and(|own| own == device) {
            return Err(own_device("trust.device", wanted.device, "there is no session with oneself"));
        }
        self.look(self.omemo, move |omemo, cx| omemo.replace_session(cx, &device))?.map_err(|e| Failure::coded(&e))
    }
    /// Once the account is connected, and answered when the server has taken it.
    pub(super) fn remove_device(&mut self, wanted: &types::RemoveDevice, waiter: Waiter) {
        self.link.connect();
        self.settling.push(Settling::Remove(wanted.device, waiter));
    }
    pub(super) fn remove_now(&mut self, id: u32, waiter: Waiter) {
        match self.look(self.omemo, move |omemo, cx| omemo.remove_own_device(cx, id)) {
            Ok(Ok(())) => self.when_answered(waiter),
            Ok(Err(e)) => drop(waiter.send(Err(Failure::coded(&e)))),
            Err(failure) => drop(waiter.send(Err(failure))),
        }
    }
    pub(super) fn stale_devices(&mut self) -> Result<Value, Failure> {
        let stale = self.look(self.omemo, |omemo, cx| omemo.stale_devices(cx, STALE))?;
        let device = |d: subrosa_omemo::DeviceInfo| {
            Some(StaleDevice { device: super::ledger::number(&d.device.id)?, label: d.label, heard: d.last_heard.map(|at| at.0) })
        };
        notes::value(&StaleDevices { devices: stale.into_iter().filter_map(device).collect() })
    }
    pub(super) fn opt_out(&mut self, wanted: types::OptOut, waiter: Waiter) {
        let reason = wanted.reason.unwrap_or_default();
        self.say(wanted.id, &wanted.chat, |_, _| Ok(Content::OptOut { reason }), waiter);
    }
    pub(super) fn go_on(&mut self, chat: &str) -> Result<Value, Failure> {
        let chat = ChatId(crate::home::bare(chat)?.as_str().into());
        self.look(self.omemo, move |omemo, cx| omemo.go_on(cx, &chat))?;
        Ok(json!({}))
    }

    /// Before the first connection.
    pub(super) fn import(&mut self, imported: Imported, waiter: Waiter) {
        let done = self.look(self.omemo, move |omemo, cx| omemo.import(cx, &imported));
        let _ = waiter.send(done.and_then(|done| done.map(|()| json!({})).map_err(|e| Failure::coded(&e))));
    }

    /// What was decided about keys, of everybody who was met.
    pub(super) fn decisions(&mut self) -> Result<Vec<Decision>, Failure> {
        let chats = self.chats.history.chats().map_err(|e| Failure::coded(&e))?;
        let met = chats.into_iter().filter(|chat| !chat.room).map(|chat| chat.chat.0).chain([self.me.clone()]);
        let mut all = Vec::new();
        for owner in met.collect::<BTreeSet<Address>>() {
            let decided = self.identities(&owner)?.into_iter().filter(|i| i.current && i.trust != Trust::Undecided);
            all.extend(decided.map(|i| Decision { device: i.device, key: i.key, trust: i.trust }));
        }
        Ok(all)
    }
    /// Decisions of another device of ours, or of an earlier life of this one: about keys that are known here, and only towards more
    /// certainty.
    pub(super) fn take_over(&mut self, decisions: Vec<Decision>) -> Result<(), Failure> {
        for Decision { device, key, trust } in decisions {
            let known = self.identities(&device.owner)?.into_iter().find(|i| i.device == device && i.key == key && i.current);
            let weaker = |known: Trust| matches!((known, trust), (Trust::Undecided, _) | (Trust::Trusted, Trust::Verified | Trust::Untrusted));
            if known.is_some_and(|known| weaker(known.trust)) {
                self.facts.push(Fact::Input(Input::SetTrust(device, key, trust)));
            }
        }
        Ok(())
    }
}
/// What was asked is about other devices than this one.
fn own_device(code: &str, id: u32, why: &str) -> Failure {
    Failure::new(code, FaultName::Caller, format!("device {id} is this one: {why}; `subrosa devices` lists all of them"))
}
