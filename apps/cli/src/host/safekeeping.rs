//! The history on its way elsewhere: into a sealed file, to another device of the account and from one.
use super::chats::After;
use super::drive::{Drive, now};
use super::notes;
use super::step::Fact;
use crate::failure::{Failure, FaultName};
use crate::rpc::types::{DeviceNumber, HistoryProgress, Kept, Notification, Sealed};
use serde_json::Value;
use subrosa_engine::{ChatId, Coded, Device, DeviceId, Headers, Input, Kind, MessageId, OutputId, Plaintext, Received, Recipients, Trust};
use subrosa_history::History;
use subrosa_history::backup::Opened;
use subrosa_history::transfer::{Handled, Happened, OwnDevice, TransferError};

impl Drive {
    pub(super) fn backup(&mut self, wanted: &Sealed) -> Result<Value, Failure> {
        if !wanted.replace && wanted.path.symlink_metadata().is_ok() {
            let sentence = format!("{} is there already; name another file, or take its place with --replace", wanted.path.display());
            return Err(Failure::usage(sentence));
        }
        let decisions = self.decisions()?;
        let done = self.chats.history.back_up(&wanted.path, &wanted.passphrase, &[], &decisions, now(), &mut self.rng);
        notes::value(&Kept { messages: done.map_err(|e| Failure::coded(&e))?.rows })
    }
    pub(super) fn restore(&mut self, wanted: &Sealed) -> Result<Value, Failure> {
        let mut opened = Opened::open(&wanted.path, &wanted.passphrase).map_err(|e| Failure::coded(&e))?;
        let restored = opened.restore_into(&mut self.chats.history, now(), |_| {}).map_err(|e| Failure::coded(&e))?;
        let chats = self.chats.history.chats().map_err(|e| Failure::coded(&e))?;
        chats.into_iter().filter(|chat| chat.room).for_each(|chat| self.chats.set_room(chat.chat));
        self.take_over(opened.decisions().to_vec())?;
        notes::value(&Kept { messages: restored.new })
    }

    /// A person approved that device for this: it is offered the history, or, where it offers its own, that is taken.
    pub(super) fn hand_over(&mut self, device: &Device) -> Result<(), Failure> {
        let foreign = || Failure::new("transfer.not-own", FaultName::Caller, "a history travels between trusted devices of one account only");
        let with = OwnDevice::approved(&self.me, device, Trust::Trusted).ok_or_else(foreign)?;
        let transfers = self.chats.history.transfers().map_err(|e| Failure::coded(&e))?;
        let said = if transfers.into_iter().any(|t| t.with == device.id && !t.giving) {
            self.chats.history.accept_transfer(&with)
        } else {
            let decisions = self.decisions()?;
            self.chats.history.offer_transfer(&with, &decisions, &mut self.rng)
        };
        self.tell_device(&device.id, said.map_err(|e| Failure::coded(&e))?);
        Ok(())
    }
    fn tell_device(&mut self, to: &DeviceId, plain: Plaintext) {
        let device = Device { owner: self.me.clone(), id: to.clone() };
        self.facts.push(Fact::Input(Input::Send {
            id: MessageId::from(super::new_id().as_str()),
            chat: ChatId(self.me.clone()),
            to: Recipients::Device(device),
            kind: Kind::Other,
            plain,
            headers: Headers::default(),
        }));
    }
    /// A part of a history that another device of ours sends or asks for. `false`: it is none.
    pub(super) fn is_transferred(&mut self, output: OutputId, message: &Received) -> bool {
        if !History::is_transfer(message.plaintext()) {
            return false;
        }
        let taken = match OwnDevice::that_sent(&self.me, message) {
            Some(from) => self.chats.history.take_transfer(&from, message.plaintext(), now()).map(|handled| Some((from, handled?))),
            None => {
                tracing::warn!("somebody who is no trusted device of this account speaks of a history; nothing was done");
                Ok(None)
            }
        };
        match taken {
            Ok(Some((from, Handled { reply, happened, .. }))) => {
                reply.into_iter().for_each(|reply| self.tell_device(from.id(), reply));
                self.transferred(&from, message, happened);
            }
            Ok(None) => {}
            // not stored: the machine gives the message again, to the next process
            Err(TransferError::Store(e)) => {
                tracing::error!(code = e.code(), "a part of a history can't be stored");
                return true;
            }
            Err(e) => tracing::warn!(code = e.code(), "{e}"),
        }
        self.chats.after(After::Done(output));
        true
    }
    fn transferred(&mut self, from: &OwnDevice, message: &Received, happened: Happened) {
        let (done, of) = match happened {
            Happened::Offered { total } => (0, Some(total)),
            Happened::Progress { done, total } => (done, Some(total)),
            Happened::Finished { done, .. } => {
                // another device's word counts where a person verified its key
                if message.sender().is_some_and(|sender| sender.trust == Trust::Verified) {
                    let told = self.chats.history.told_decisions(from).unwrap_or_default();
                    if let Err(failure) = self.take_over(told) {
                        tracing::error!(code = %failure.code, "decisions about keys were not taken over");
                    }
                }
                let _ = self.chats.history.forget_told_decisions(from);
                (done, Some(done))
            }
            _ => return,
        };
        let outgoing = self.chats.history.transfers().is_ok_and(|all| all.iter().any(|t| t.with == *from.id() && t.giving));
        let note = HistoryProgress { account: self.account.clone(), device: DeviceNumber::from(from.id()), done, of, outgoing };
        self.hub.tell(&Notification::HistoryProgress(note));
    }
    /// On a new stream: what may have been lost is said again.
    pub(super) fn resume_transfers(&mut self) {
        let me = self.me.clone();
        let own = self.look(self.omemo, |omemo, cx| omemo.devices(cx, &me)).unwrap_or_default();
        let listed: Vec<_> = own.into_iter().filter(|d| d.listed).map(|d| d.device).collect();
        for transfer in self.chats.history.transfers().unwrap_or_default() {
            let device = Device { owner: self.me.clone(), id: transfer.with.clone() };
            let known = self.identities(&device.owner).unwrap_or_default();
            let trust = known.iter().find(|i| i.device == device && i.current).map(|i| i.trust);
            if !listed.contains(&device) {
                continue; // it was taken off the account, or is not back yet
            }
            let Some(with) = trust.and_then(|trust| OwnDevice::approved(&self.me, &device, trust)) else { continue };
            for said in self.chats.history.resume_transfer(&with).unwrap_or_default() {
                self.tell_device(&transfer.with, said);
            }
        }
    }
}
