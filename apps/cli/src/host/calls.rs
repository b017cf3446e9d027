//! The answers to calls: what is asked of the account, in the words of the RPC.
use super::drive::{Drive, Settling};
use super::ledger::{Ledger, Login, Sent};
use super::notes;
use super::sends::Waiter;
use super::step::Fact;
use crate::failure::{Failure, FaultName};
use crate::rpc::Call;
use crate::rpc::types;
use serde_json::{Value, json};
use subrosa_engine::{Address, Device, Fingerprint, Trust};
use subrosa_xmpp::BlockChange;

impl Drive {
    /// Answers, or sees to it that somebody will.
    pub(super) fn call(&mut self, call: Call, waiter: Waiter) {
        let answer = match call {
            Call::Send(send) => return self.send(send, waiter),
            Call::Trust(trust) => match self.decide(&trust) {
                Ok((device, key, level)) => return self.facts.push(Fact::Decide(device, key, level, Ok(json!({})), waiter)),
                Err(failure) => Err(failure),
            },
            Call::Status(_) => self.status(),
            Call::Devices(devices) => return self.devices(devices.jid.as_deref(), waiter),
            Call::Reply(reply) => return self.reply(reply, waiter),
            Call::React(react) => return self.react(react, waiter),
            Call::Edit(edit) => return self.edit(edit, waiter),
            Call::Retract(retract) => return self.retract(retract, waiter),
            Call::Typing(typing) => self.typing(&typing),
            Call::MarkRead(read) => self.mark_read(&read),
            Call::Chats(_) => self.conversations().and_then(|chats| notes::value(&types::Chats { chats })),
            Call::History(wanted) => self.page(&wanted),
            Call::Search(wanted) => self.search(&wanted),
            Call::Erase(of) => self.erase(&of.chat),
            Call::Rooms(_) => self.rooms(),
            Call::RoomCreate(create) => return self.room_create(create, waiter),
            Call::RoomJoin(join) => return self.room_join(join, waiter),
            Call::RoomLeave(leave) => return self.room_leave(&leave, waiter),
            Call::RoomInvite(invite) => return self.room_invite(invite, waiter),
            Call::RoomRemove(remove) => return self.room_remove(&remove, waiter),
            Call::RoomMembers(of) => return self.room_members(&of, waiter),
            Call::RoomAvatar(wanted) => return self.room_avatar(wanted, waiter),
            Call::RoomLeaveOut(choice) => self.room_leave_out(&choice),
            Call::Block(of) => return self.block(&of.jid, BlockChange::Block, waiter),
            Call::Unblock(of) => return self.block(&of.jid, BlockChange::Unblock, waiter),
            Call::Blocked(_) => return self.blocked(waiter),
            Call::SendFile(_) => Err(Failure::new("method.sip", FaultName::Caller, "files go over SIP only; use `subrosa sip`")),
            Call::Verify(wanted) => return self.verify(wanted, waiter),
            Call::Approve(wanted) => return self.approve(&wanted, waiter),
            Call::ReplaceSession(wanted) => return self.replace_session(wanted, waiter),
            Call::RemoveDevice(wanted) => return self.remove_device(&wanted, waiter),
            Call::StaleDevices(_) => self.stale_devices(),
            Call::OptOut(wanted) => return self.opt_out(wanted, waiter),
            Call::GoOn(of) => self.go_on(&of.chat),
            Call::AllowClear(wanted) => return self.allow_clear(&wanted, waiter),
            Call::Backup(wanted) => return self.backup(wanted, waiter),
            Call::Restore(wanted) => return self.restore(wanted, waiter),
            Call::Logout(_) | Call::Version(_) | Call::Subscribe(_) | Call::Shown(_) => Err(Failure::bug("this call is answered elsewhere")),
        };
        let _ = waiter.send(answer);
    }
    pub(super) fn sent(&mut self, id: &str) -> Result<Option<Sent>, Failure> {
        let id = id.to_owned();
        self.look(self.ledger, move |_, cx| Ledger::sent(cx, &id))
    }
    pub(super) fn decide(&mut self, wanted: &types::SetTrust) -> Result<(Device, Fingerprint, Trust), Failure> {
        let owner = Address::from(crate::home::bare(&wanted.jid)?.as_str());
        let device = Device::of(&owner, wanted.device);
        let known = self.identities(&owner)?;
        let current = known.iter().find(|i| i.device == device && i.current).map(|i| i.key);
        let key = match &wanted.fingerprint {
            Some(text) => {
                let key = notes::fingerprint(text)?;
                let met = known.iter().any(|i| i.device == device && i.key == key);
                if !met {
                    return Err(Failure::new(
                        "trust.key",
                        FaultName::Caller,
                        format!("device {device} has not shown that key; compare with `subrosa devices {owner}`"),
                    ));
                }
                key
            }
            None => current.ok_or_else(|| {
                let sentence = format!("no key of device {device} is known yet; see `subrosa devices {owner}`");
                Failure::new("trust.device", FaultName::Caller, sentence)
            })?,
        };
        Ok((device, key, notes::trust_of(wanted.level)))
    }
    fn status(&mut self) -> Result<Value, Failure> {
        let queued = self.look(self.ledger, |_, cx| Ledger::queued(cx))?;
        let own = self.look(self.omemo, |omemo, cx| Ok(omemo.own_device(cx)?.zip(omemo.fingerprint(cx)?)))?;
        notes::value(&types::AccountStatus {
            account: self.account.clone(),
            device: own.as_ref().and_then(|(device, _)| super::ledger::number(&device.id)),
            fingerprint: own.map(|(_, key)| crate::home::hex(&key.0)),
            connection: self.state,
            queued: usize::try_from(queued).unwrap_or(usize::MAX),
            unread: self.hub.unseen(),
            policy: self.policy,
            engine: self.engine.other().map(str::to_owned),
        })
    }
    /// Of somebody who was never met the server is asked first.
    fn devices(&mut self, jid: Option<&str>, waiter: Waiter) {
        let owner = match jid.map(crate::home::bare).transpose() {
            Ok(jid) => jid.map_or_else(|| self.me.clone(), |jid| Address::from(jid.as_str())),
            Err(failure) => return drop(waiter.send(Err(failure))),
        };
        let known = self.look(self.omemo, |omemo, cx| omemo.devices(cx, &owner).map(|all| !all.is_empty()));
        match known {
            Ok(false) => {
                self.link.connect();
                self.facts.push(Fact::Refresh(owner.clone()));
                self.settling.push(Settling::Devices(owner, waiter));
            }
            Ok(true) => drop(waiter.send(self.listed(&owner))),
            Err(failure) => drop(waiter.send(Err(failure))),
        }
    }
    pub(super) fn listed(&mut self, owner: &Address) -> Result<Value, Failure> {
        let all = self.look(self.omemo, |omemo, cx| omemo.devices(cx, owner))?;
        let mut devices: Vec<_> = all.iter().map(notes::device_info).collect();
        devices.extend(self.identities(owner)?.iter().filter(|i| !i.current).map(notes::former));
        notes::value(&types::DeviceList { devices })
    }
    pub(super) fn identities(&mut self, owner: &Address) -> Result<Vec<subrosa_engine::Identity>, Failure> {
        self.look(self.omemo, |_, cx| cx.identities(owner))
    }
    /// How to log in, if that is stored.
    pub fn login(&mut self) -> Result<Option<Login>, Failure> {
        self.look(self.ledger, |_, cx| Ledger::login(cx))
    }
}
