//! A store that answers late, as IndexedDB does: nothing is on disk when a call begins, and whoever waits may
//! go away before it is.
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use subrosa_engine::{AsyncStore, Batch, Key, Store};

/// What happened in a [`LateStore`], in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LateEvent {
    /// A load began.
    Load,
    /// It answered.
    Loaded,
    /// A commit began.
    Commit,
    /// Its batch is on disk.
    Written,
    /// It answered.
    Committed,
    /// Whoever waited went away.
    Abandoned,
}

/// Makes a store answer after so many polls.
pub struct LateStore<S> {
    inner: S,
    polls: usize,
    writes_at: usize,
    log: Rc<RefCell<Vec<LateEvent>>>,
}
impl<S: Store> LateStore<S> {
    /// Pending for `polls` polls; a commit is on disk just before it answers.
    pub fn new(inner: S, polls: usize) -> Self {
        LateStore { inner, polls, writes_at: polls, log: Rc::default() }
    }
    /// A commit is on disk after so many polls already, so that one abandoned later has happened all the same.
    pub fn writes_at(mut self, polls: usize) -> Self {
        self.writes_at = polls.min(self.polls);
        self
    }
    /// What happened so far, shared: it can be read while a future holds the store.
    pub fn log(&self) -> Rc<RefCell<Vec<LateEvent>>> {
        self.log.clone()
    }
    /// The store inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
    /// The store inside.
    pub fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }
    fn begin(&self, event: LateEvent) -> Running {
        self.log.borrow_mut().push(event);
        Running { log: self.log.clone(), ended: Cell::new(false) }
    }
}
/// Notes that a future was dropped before its end.
struct Running {
    log: Rc<RefCell<Vec<LateEvent>>>,
    ended: Cell<bool>,
}
impl Running {
    fn end(&self, event: LateEvent) {
        self.log.borrow_mut().push(event);
        self.ended.set(true);
    }
}
impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended.get() {
            self.log.borrow_mut().push(LateEvent::Abandoned);
        }
    }
}
impl<S: Store> AsyncStore for LateStore<S> {
    type Error = S::Error;
    async fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, S::Error> {
        let running = self.begin(LateEvent::Load);
        for _ in 0..self.polls {
            Later(false).await;
        }
        let rows = self.inner.load(keys);
        running.end(LateEvent::Loaded);
        rows
    }
    async fn commit(&mut self, batch: &Batch) -> Result<(), S::Error> {
        let running = self.begin(LateEvent::Commit);
        let mut result = Ok(());
        for poll in 0..=self.polls {
            if poll == self.writes_at {
                result = self.inner.commit(batch);
                self.log.borrow_mut().push(LateEvent::Written);
            }
            if poll < self.polls {
                Later(false).await;
            }
        }
        running.end(LateEvent::Committed);
        result
    }
}

/// A store that answers at once, where one that answers late is wanted.
pub struct Ready<S>(
    /// The store.
    pub S,
);
impl<S: Store> AsyncStore for Ready<S> {
    type Error = S::Error;
    async fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, S::Error> {
        self.0.load(keys)
    }
    async fn commit(&mut self, batch: &Batch) -> Result<(), S::Error> {
        self.0.commit(batch)
    }
}

/// Pending once.
struct Later(bool);
impl Future for Later {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Polls to the end. For futures that wait for nothing outside themselves.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}
/// Polls so many times, then drops the future. `None`: it was not finished.
pub fn abandon_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut cx) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}
