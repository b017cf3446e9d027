//! The engine under test, with a switch to make its message hooks misbehave.
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use subrosa_engine::{
    Completion, Context, Decrypted, Encrypted, Engine, FileCipher, FileInfo, FileKey, Halt, Hook, Incoming, Kind, Notice, Outcome, Outgoing, Status,
    Token,
};

type Next = Box<dyn FnMut() -> (Token, Completion)>;

/// An engine to be tested.
pub struct Subject {
    pub(super) engine: Box<dyn Engine>,
    pub(super) next: Option<Next>,
}
impl<E: Engine> From<E> for Subject {
    fn from(engine: E) -> Self {
        Subject { engine: Box::new(engine), next: None }
    }
}
impl Subject {
    /// An engine whose messages are all finished later: `next` waits for the next one that is, and is called once for each message that
    /// a hook left pending.
    pub fn completed_by(engine: impl Engine, next: impl FnMut() -> (Token, Completion) + 'static) -> Self {
        Subject { engine: Box::new(engine), next: Some(Box::new(next)) }
    }
}

/// How a hook misbehaves after the engine has done its work in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Misbehaviour {
    /// It does not.
    #[default]
    None,
    /// It returns an error.
    Fails,
    /// It panics.
    Panics,
    /// It leaves the message as it is.
    Skips,
    /// It refuses, with this code.
    Refuses(u16),
}

/// The switch of all engines of one test.
#[derive(Clone, Default)]
pub(super) struct Switch(Arc<Mutex<Misbehaviour>>);
impl Switch {
    /// From now on.
    pub fn set(&self, to: Misbehaviour) {
        *self.0.lock().unwrap() = to;
    }
    fn throw<T>(&self, result: Hook<T>) -> Hook<T> {
        let how = *self.0.lock().unwrap();
        match how {
            Misbehaviour::None => result,
            Misbehaviour::Fails => Err(std::io::Error::other("misbehaves because the test says so").into()),
            // without a backtrace on the screen
            Misbehaviour::Panics => std::panic::resume_unwind(Box::new("misbehaves because the test says so")),
            Misbehaviour::Skips => result.map(|_| Outcome::Skipped),
            Misbehaviour::Refuses(code) => result.map(|_| Outcome::Rejected(Status::new(code).into())),
        }
    }
}

/// What one engine has yet to finish.
#[derive(Clone)]
pub(super) struct Open {
    next: Rc<RefCell<Option<Next>>>,
    pending: Arc<AtomicUsize>,
}
impl Open {
    /// Whether messages are finished later at all.
    pub fn is_later(&self) -> bool {
        self.next.borrow().is_some()
    }
    /// All that hooks left pending since the last time.
    pub fn take(&self) -> Vec<(Token, Completion)> {
        let pending = self.pending.swap(0, Ordering::SeqCst);
        self.next.borrow_mut().as_mut().map(|next| (0..pending).map(|_| next()).collect()).unwrap_or_default()
    }
}

pub(super) struct Switched {
    engine: Box<dyn Engine>,
    switch: Switch,
    pending: Arc<AtomicUsize>,
}
impl Switched {
    pub fn new(subject: Subject, switch: Switch) -> (Self, Open) {
        let pending = Arc::<AtomicUsize>::default();
        let open = Open { next: Rc::new(RefCell::new(subject.next)), pending: pending.clone() };
        (Switched { engine: subject.engine, switch, pending }, open)
    }
    fn count<T>(&self, result: &Hook<T>) {
        if matches!(result, Ok(Outcome::Pending(_))) {
            self.pending.fetch_add(1, Ordering::SeqCst);
        }
    }
}
impl Engine for Switched {
    fn name(&self) -> &'static str {
        self.engine.name()
    }
    fn wants(&self, kind: Kind) -> bool {
        self.engine.wants(kind)
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        let result = self.engine.outgoing(cx, message);
        self.count(&result);
        self.switch.throw(result)
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        let result = self.engine.incoming(cx, message);
        self.count(&result);
        self.switch.throw(result)
    }
    fn file_key(&self, cx: &mut Context<'_>, message: &Outgoing<'_>, file: &FileInfo) -> Hook<FileKey> {
        self.engine.file_key(cx, message, file)
    }
    fn upload(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        self.engine.upload(file, key)
    }
    fn download(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        self.engine.download(file, key)
    }
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> Result<(), Halt> {
        self.engine.notice(cx, notice)
    }
}
