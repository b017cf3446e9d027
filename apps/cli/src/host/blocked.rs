//! Who is blocked, as the server tells it, and who waits for a change of that.
use super::drive::Drive;
use super::notes;
use super::sends::Waiter;
use crate::failure::{Failure, FaultName};
use crate::rpc::types;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use subrosa_engine::Address;
use subrosa_xmpp::{BlockChange, BlockNews};

/// The block list of one account. Memory only: the server tells it with each new stream.
#[derive(Default)]
pub struct Blocked {
    /// `None`: the server has not told it.
    list: Option<BTreeSet<Address>>,
    waiting: Vec<(Option<BlockChange>, Waiter)>,
}
impl Blocked {
    /// Nobody is kept waiting.
    pub fn lost(&mut self, failure: &Failure) {
        self.list = None;
        self.waiting.drain(..).for_each(|(_, waiter)| drop(waiter.send(Err(failure.clone()))));
    }
    fn listed(&self) -> Option<Result<Value, Failure>> {
        let blocked = self.list.as_ref()?.iter().map(ToString::to_string).collect();
        Some(notes::value(&types::Blocked { blocked }))
    }
    /// As far as the server has told.
    pub fn contains(&self, who: &Address) -> bool {
        self.list.as_ref().is_some_and(|list| list.contains(who))
    }
    fn answer(&mut self, concerns: impl Fn(&Option<BlockChange>) -> bool, answer: &Result<Value, Failure>) {
        for (change, waiter) in std::mem::take(&mut self.waiting) {
            if concerns(&change) {
                let _ = waiter.send(answer.clone());
            } else {
                self.waiting.push((change, waiter));
            }
        }
    }
}
impl Drive {
    /// Why nothing leaves for somebody whom the account keeps away: the server lets nothing through in either direction.
    pub(super) fn blocked_oneself(&self, who: &Address) -> Option<Failure> {
        let sentence = || format!("nothing was sent to {who}: you have blocked them; `unblock` (`subrosa unblock {who}`) lets them write again");
        self.blocked.contains(who).then(|| Failure::new("send.blocked", FaultName::Caller, sentence()))
    }
    pub(super) fn block(&mut self, jid: &str, make: fn(Address) -> BlockChange, waiter: Waiter) {
        match crate::home::bare(jid) {
            Ok(jid) => {
                let change = make(Address::from(jid.as_str()));
                self.link.connect();
                self.link.block(change.clone());
                self.blocked.waiting.push((Some(change), waiter));
            }
            Err(failure) => drop(waiter.send(Err(failure))),
        }
    }
    pub(super) fn blocked(&mut self, waiter: Waiter) {
        match self.blocked.listed() {
            Some(list) => drop(waiter.send(list)),
            None => {
                self.link.connect();
                self.blocked.waiting.push((None, waiter));
            }
        }
    }
    pub(super) fn block_news(&mut self, news: BlockNews) {
        let known = &mut self.blocked;
        match news {
            BlockNews::List(all) => known.list = Some(all.into_iter().collect()),
            BlockNews::Blocked(some) => known.list.get_or_insert_default().extend(some),
            BlockNews::Unblocked(some) => known.list.get_or_insert_default().retain(|one| !some.contains(one)),
            BlockNews::UnblockedAll => known.list = Some(BTreeSet::new()),
            BlockNews::Unavailable => {
                let failure = Failure::new("block.unavailable", FaultName::Network, "this server keeps no list of who is blocked");
                known.answer(Option::is_none, &Err(failure));
            }
            BlockNews::Refused { change, condition } => {
                let sentence = format!("the server did not change who is blocked ({condition})");
                known.answer(|c| *c == Some(change.clone()), &Err(Failure::new("block.refused", FaultName::Network, sentence)));
            }
        }
        if let Some(list) = known.listed() {
            known.answer(Option::is_none, &list);
        }
        let is_so = |known: &Blocked, change: &BlockChange| {
            known.list.as_ref().is_some_and(|list| match change {
                BlockChange::Block(who) => list.contains(who),
                BlockChange::Unblock(who) => !list.contains(who),
                BlockChange::UnblockAll => list.is_empty(),
            })
        };
        let done: Vec<_> = known.waiting.iter().filter_map(|(change, _)| change.clone().filter(|change| is_so(known, change))).collect();
        done.into_iter().for_each(|change| known.answer(|c| c.as_ref() == Some(&change), &Ok(json!({}))));
    }
}
