//! A store that fails on demand, and the ways a process can die around a commit.
use std::collections::BTreeMap;
use subrosa_engine::{Batch, Key, Store};

/// What goes wrong at one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The store says no (full disk), nothing is written; the process lives on and tries again.
    StoreFails,
    /// The process dies before anything is written.
    BeforeCommit,
    /// The batch is on disk; the process dies before anything left.
    AfterCommit,
    /// The batch is on disk and so many outputs left; then the process dies, before it could say that they did.
    AfterOutputs(usize),
}
impl Crash {
    /// One of each.
    pub const ALL: [Crash; 5] = [Crash::StoreFails, Crash::BeforeCommit, Crash::AfterCommit, Crash::AfterOutputs(1), Crash::AfterOutputs(usize::MAX)];
}

/// The error of a [`CrashStore`].
#[derive(Debug, thiserror::Error)]
pub enum CrashError<E: std::error::Error + Send + Sync + 'static> {
    /// As the plan says.
    #[error("the store fails because the test says so")]
    Planned(Crash),
    /// The store itself failed.
    #[error(transparent)]
    Store(E),
}

/// Counts commits and fails at the planned ones.
pub struct CrashStore<S> {
    inner: S,
    commits: usize,
    plan: BTreeMap<usize, Crash>,
    tripped: Option<Crash>,
}
impl<S: Store> CrashStore<S> {
    /// Fails nowhere yet.
    pub fn new(inner: S) -> Self {
        CrashStore { inner, commits: 0, plan: BTreeMap::new(), tripped: None }
    }
    /// Something happens at the commit of this number (the first is 0).
    pub fn plan(&mut self, commit: usize, crash: Crash) {
        self.plan.insert(commit, crash);
    }
    /// How many commits were tried.
    pub fn commits(&self) -> usize {
        self.commits
    }
    /// What happened at the last commit, once.
    pub fn take_tripped(&mut self) -> Option<Crash> {
        self.tripped.take()
    }
    /// The store inside.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}
impl<S: Store> Store for CrashStore<S> {
    type Error = CrashError<S::Error>;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
        self.inner.load(keys).map_err(CrashError::Store)
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        self.tripped = self.plan.remove(&self.commits);
        self.commits += 1;
        match self.tripped {
            Some(crash @ (Crash::StoreFails | Crash::BeforeCommit)) => Err(CrashError::Planned(crash)),
            _ => self.inner.commit(batch).map_err(CrashError::Store),
        }
    }
}
