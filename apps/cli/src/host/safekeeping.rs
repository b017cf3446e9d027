//! The history on its way elsewhere: into a sealed file and out of one, to another device of the account and from one.
//!
//! Files are made and read on a thread of their own; the account's gives and takes some rows at a time, and messages go on meanwhile.
use super::chats::After;
use super::drive::{Drive, Job, now};
use super::notes;
use super::sends::Waiter;
use super::step::Fact;
use crate::failure::{Failure, FaultName};
use crate::rpc::server::closed;
use crate::rpc::types::{DeviceNumber, HistoryProgress, Kept, Notification, Sealed};
use getrandom::SysRng;
use rand_core::UnwrapErr;
use serde_json::Value;
use std::sync::{Arc, Weak};
use subrosa_engine::{Address, ChatId, Coded, Device, DeviceId, Headers, Input, Kind, MessageId, OutputId, Plaintext, Received, Recipients, Trust};
use subrosa_history::backup::{Cost, Opened, Position, Wanted, Writing};
use subrosa_history::transfer::{Handled, Happened, OwnDevice, TransferError};
use subrosa_history::{Decision, History};
use tokio::sync::mpsc;

/// What a thread beside the account's needs of it.
pub type Work = Box<dyn FnOnce(&mut Drive) + Send>;

/// How a thread beside the account's reaches it; one at a time does.
pub struct Beside {
    jobs: mpsc::WeakUnboundedSender<Job>,
    running: Weak<()>,
}
impl Beside {
    /// None runs.
    pub fn new(jobs: mpsc::WeakUnboundedSender<Job>) -> Self {
        Beside { jobs, running: Weak::new() }
    }
    /// Starts `work`, whose answer goes to `waiter`.
    fn start(&mut self, me: &Address, waiter: Waiter, work: impl FnOnce(&Account) -> Result<Value, Failure> + Send + 'static) {
        if self.running.upgrade().is_some() {
            let sentence = "a backup of this account is being made or restored; try again when that is done";
            return drop(waiter.send(Err(Failure::new("backup.running", FaultName::Caller, sentence))));
        }
        let running = Arc::new(());
        self.running = Arc::downgrade(&running);
        let account = Account { me: me.clone(), jobs: self.jobs.clone() };
        super::open::keep(std::thread::spawn(move || {
            let answer = work(&account);
            drop(running);
            let _ = waiter.send(answer);
        }));
    }
}
/// The account, from beside its thread.
struct Account {
    me: Address,
    jobs: mpsc::WeakUnboundedSender<Job>,
}
impl Account {
    /// What comes of `work` on the account's thread, in turn with its messages.
    fn ask<T: Send + 'static>(&self, work: impl FnOnce(&mut Drive) -> T + Send + 'static) -> Result<T, Failure> {
        let (answer, reply) = std::sync::mpsc::sync_channel(1);
        let work: Work = Box::new(move |drive| drop(answer.send(work(drive))));
        self.jobs.upgrade().ok_or_else(closed)?.send(Job::Beside(work)).map_err(|_| closed())?;
        reply.recv().map_err(|_| closed())
    }
    fn back_up(&self, wanted: &Sealed, decisions: &[Decision]) -> Result<Value, Failure> {
        let sealed = Wanted { passphrase: &wanted.passphrase, sections: &[], decisions, cost: Cost::OURS };
        let mut writing = Writing::begin(&wanted.path, &self.me, &sealed, now(), &mut UnwrapErr(SysRng)).map_err(coded)?;
        let of = self.ask(|drive| drive.chats.history.count_items())?.map_err(coded)?;
        let (mut position, mut done, mut told) = (Position::default(), 0, None);
        loop {
            let tell = is_news(&mut told, done, of);
            let (part, behind) = self.ask(move |drive| {
                if tell {
                    drive.file_progress(done, of, true);
                }
                (drive.chats.history.read_part(&mut position), position)
            })?;
            let Some(part) = part.map_err(coded)? else { break };
            writing.write(&part).map_err(coded)?;
            (position, done) = (behind, done + part.rows());
        }
        may_be_written(wanted)?; // something may have come there meanwhile
        let made = writing.finish().map_err(coded)?;
        self.ask(move |drive| drive.file_progress(made.rows, made.rows, true))?;
        notes::value(&Kept { messages: made.rows })
    }
    fn restore(&self, wanted: &Sealed) -> Result<Value, Failure> {
        let mut opened = Opened::open(&wanted.path, &wanted.passphrase).map_err(coded)?;
        let (of, mut done, mut new, mut told) = (opened.rows(), 0, 0, None);
        let mut parts = opened.parts(&self.me).map_err(coded)?;
        while let Some(part) = parts.next_part().map_err(coded)? {
            done += part.rows();
            let tell = is_news(&mut told, done, of);
            new += self
                .ask(move |drive| {
                    let new = drive.chats.history.take_part(part, now())?;
                    if tell {
                        drive.file_progress(done, of, false);
                    }
                    Ok(new)
                })?
                .map_err(|e: subrosa_history::HistoryError| coded(e))?;
        }
        let decisions = opened.decisions().to_vec();
        self.ask(|drive| {
            let chats = drive.chats.history.chats().map_err(coded)?;
            chats.into_iter().filter(|chat| chat.room).for_each(|chat| drive.chats.set_room(chat.chat));
            drive.take_over(decisions)
        })??;
        notes::value(&Kept { messages: new })
    }
}
fn coded(e: impl Coded) -> Failure {
    Failure::coded(&e)
}
/// Whether that is a hundredth more than was told.
fn is_news(told: &mut Option<u64>, done: u64, of: u64) -> bool {
    let now = Some(done.saturating_mul(100) / of.max(1));
    std::mem::replace(told, now) != now
}
fn may_be_written(wanted: &Sealed) -> Result<(), Failure> {
    if !wanted.replace && wanted.path.symlink_metadata().is_ok() {
        let sentence = format!("{} is there already; name another file, or take its place with --replace", wanted.path.display());
        return Err(Failure::usage(sentence));
    }
    Ok(())
}

impl Drive {
    /// On a thread of its own.
    pub(super) fn backup(&mut self, wanted: Sealed, waiter: Waiter) {
        match may_be_written(&wanted).and_then(|()| self.decisions()) {
            Ok(decisions) => self.beside.start(&self.me, waiter, move |account| account.back_up(&wanted, &decisions)),
            Err(failure) => drop(waiter.send(Err(failure))),
        }
    }
    /// On a thread of its own.
    pub(super) fn restore(&mut self, wanted: Sealed, waiter: Waiter) {
        self.beside.start(&self.me, waiter, move |account| account.restore(&wanted));
    }
    fn file_progress(&mut self, done: u64, of: u64, outgoing: bool) {
        let note = HistoryProgress { account: self.account.clone(), device: None, done, of: Some(of), outgoing };
        self.hub.tell(&Notification::HistoryProgress(note));
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
        let note = HistoryProgress { account: self.account.clone(), device: Some(DeviceNumber::from(from.id())), done, of, outgoing };
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
