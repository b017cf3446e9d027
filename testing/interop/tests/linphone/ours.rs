//! Our side: an agent over the loopback, in this process, so that its engine may be anything.

use std::net::SocketAddr;
use std::time::Duration;

use subrosa_engine::{
    Address, Context, Decrypted, Encrypted, FileCipher, FileInfo, FileKey, Hook, Incoming, Machine, MemoryStore, MessageId, Outcome, Outgoing,
    Policy, Status,
};
use subrosa_engines::{Completions, by_name};
use subrosa_files::{CipherError, SendError};
use subrosa_interop::FileServer;
use subrosa_sip::agent::{Agent, AgentEvent, Settings, TransferFailure, TransferState};
use subrosa_sip::transfer::{Cause, TransferError};
use subrosa_sip::{Config, Connection, Fate as Reported, Listen, Way, bare};
use tokio::runtime::Runtime;

use crate::phone::{Engine, Fate, Shown, Text};

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Ours {
    pub port: u16,
    runtime: Runtime,
    agent: Agent<Connection>,
    unread: Vec<AgentEvent>,
    /// What was shown last, for a receipt.
    last: Option<MessageId>,
    home: tempfile::TempDir,
    downloads: tempfile::TempDir,
}

fn address(name: &str) -> Address {
    bare(&format!("sip:{name}@sip.test")).unwrap()
}

impl Ours {
    pub fn start(name: &str, peer: u16, files: &FileServer, engine: Engine) -> Self {
        let mut config = Config::new(address(name).as_str()).unwrap();
        config.listen = vec![Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))];
        config.proxy = Some(format!("sip:127.0.0.1:{peer};transport=tcp"));
        let mut settings = Settings::default();
        settings.file_server = Some(files.url.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let machine = Machine::new(config.account().clone());
        let agent = runtime.block_on(async {
            let connection = Connection::start(config).await.unwrap();
            Agent::start(machine, MemoryStore::default(), connection, settings).unwrap()
        });
        let port = agent.transport().listens(Way::Tcp).unwrap().port();
        let mut ours = Self {
            port,
            runtime,
            agent,
            unread: Vec::new(),
            last: None,
            home: tempfile::tempdir().unwrap(),
            downloads: tempfile::tempdir().unwrap(),
        };
        ours.set_engine(engine);
        ours
    }

    pub fn set_engine(&mut self, engine: Engine) {
        let (sample, completions) = Sample::new(engine);
        let handle = self.agent.handle().clone();
        if let Some(completions) = completions {
            let bell = handle.clone();
            completions.on_ready(move || bell.wake());
            handle.attend(move || completions.drain().collect());
        }
        handle.change(move |machine| {
            let engine = machine.install(sample);
            machine.route(move |_| Some(engine.id()));
        });
    }

    fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&AgentEvent) -> Option<T>) -> T {
        let mut next = 0;
        loop {
            while let Some(event) = self.unread.get(next) {
                if let Some(picked) = pick(event) {
                    self.unread.remove(next);
                    return picked;
                }
                next += 1;
            }
            let event = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.agent.next()).await });
            match event {
                Ok(Some(event)) => self.unread.push(event),
                _ => panic!("ours was silent while we waited for {what}; it said: {:?}", self.unread),
            }
        }
    }

    pub fn allow_clear(&mut self, to: &str) {
        let id = self.agent.handle().text(&address(to), "the first is asked about");
        let mut asked = None;
        self.unread.clear();
        while asked.is_none() {
            let event = self.runtime.block_on(self.agent.next());
            if let Some(AgentEvent::NotSent { id: which, ask, .. }) = event
                && which == id
            {
                asked = Some(ask.unwrap());
            }
        }
        self.agent.handle().set_policy(&address(to), Policy::Optional(asked.unwrap().confirmed_by_user()));
    }

    pub fn send(&mut self, to: &str, text: &str) -> String {
        self.agent.handle().text(&address(to), text).to_string()
    }

    pub fn fate(&mut self, message: &str) -> Fate {
        self.wait("what became of it", |event| match event {
            AgentEvent::Delivered { id, .. } if id.as_str() == message => Some(Fate::Delivered),
            AgentEvent::NotDelivered { id, why } if id.as_str() == message => Some(Fate::Refused(why.status.code())),
            AgentEvent::NotSent { id, why, .. } if id.as_str() == message => Some(Fate::Kept(why.status.code())),
            AgentEvent::Transfer { id, state: TransferState::Failed(why) } if id.as_str() == message => Some(Fate::Kept(code(why))),
            _ => None,
        })
    }

    pub fn read(&mut self) -> Shown {
        let (id, shown) = self.wait("a message", |event| match event {
            AgentEvent::Message { id, plain, in_clear, .. } => {
                let shown = Shown { content_type: plain.content_type.0.to_string(), text: plain.bytes().to_vec(), encrypted: !in_clear };
                Some((id.clone(), shown))
            }
            _ => None,
        });
        self.last = Some(id);
        shown
    }

    pub fn not_shown(&mut self) -> u16 {
        self.wait("word of a message that is not shown", |event| match event {
            AgentEvent::NotReceived { why, .. } => Some(why.status.code()),
            _ => None,
        })
    }

    pub fn shown(&mut self) -> Vec<String> {
        let is_shown = |event: &&AgentEvent| matches!(event, AgentEvent::Message { .. } | AgentEvent::FileOffered { .. });
        self.unread.iter().filter(is_shown).map(|event| format!("{event:?}")).collect()
    }

    pub fn typing(&mut self, to: &str) {
        self.agent.handle().composing(&address(to), true);
    }

    pub fn sees_typing(&mut self) {
        self.wait("a typing notice", |event| matches!(event, AgentEvent::Typing { composing, .. } if composing.active).then_some(()));
    }

    pub fn mark_read(&mut self, from: &str) {
        self.agent.handle().displayed(&address(from), self.last.as_ref().unwrap());
    }

    pub fn sees_read(&mut self, message: &str) {
        self.wait("that it was read", |event| match event {
            AgentEvent::Receipt { receipt, .. } if receipt.message_id == message && receipt.fate == Reported::Displayed => Some(()),
            _ => None,
        });
    }

    pub fn send_file(&mut self, to: &str, name: &str, bytes: &[u8]) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        self.agent.handle().send_file(&address(to), &path, "image/jpeg").to_string()
    }

    pub fn fetch(&mut self) -> Option<(String, Vec<u8>)> {
        let (from, offer) = self.wait("a file", |event| match event {
            AgentEvent::FileOffered { from, offer, .. } => Some((from.clone(), offer.clone())),
            _ => None,
        });
        let name = offer.file.name.clone();
        // Each into a place of its own.
        self.downloads = tempfile::tempdir().unwrap();
        let download = self.agent.handle().download(&from, offer, self.downloads.path());
        let path = self.wait("the file", |event| match event {
            AgentEvent::Transfer { id, state: TransferState::Downloaded(path) } if *id == download => Some(Some(path.clone())),
            AgentEvent::Transfer { id, state: TransferState::Failed(_) } if *id == download => Some(None),
            _ => None,
        });
        path.map(|path| (name, std::fs::read(path).unwrap()))
    }

    pub fn has_a_part(&mut self) -> bool {
        std::fs::read_dir(self.downloads.path()).unwrap().next().is_some()
    }
}

fn code(why: &TransferFailure) -> u16 {
    match why {
        TransferFailure::Engine(status) => status.code(),
        TransferFailure::Transfer(TransferError { cause: Cause::Send(SendError::Cipher(CipherError::Refused(status))), .. }) => status.code(),
        other => panic!("{other}"),
    }
}

/// An engine of the library, with what is asked of it besides.
struct Sample {
    is: Engine,
    inner: Box<dyn subrosa_engine::Engine>,
}

impl Sample {
    fn new(is: Engine) -> (Self, Option<Completions>) {
        let plain = Engine { later: is.later, ..Engine::new(is.text) };
        let name = plain.name().unwrap_or("xor-hex");
        let named = by_name(name).unwrap();
        (Self { is, inner: named.engine }, named.completions)
    }

    fn cipher(&self, cipher: Result<Box<dyn FileCipher>, Status>, refuses: u16, size: u64) -> Result<Box<dyn FileCipher>, Status> {
        Ok(Box::new(Chunks { inner: cipher?, shrinks: self.is.shrinks, refuses, size }))
    }
}

impl subrosa_engine::Engine for Sample {
    fn name(&self) -> &'static str {
        "sample"
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        match self.is {
            Engine { keeps: 1.., .. } => Ok(Outcome::Rejected(Status::new(self.is.keeps).into())),
            Engine { text: Text::Skip, .. } => Ok(Outcome::Skipped),
            _ => self.inner.outgoing(cx, message),
        }
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        match self.is {
            Engine { refuses: 1.., .. } => Ok(Outcome::Rejected(Status::new(self.is.refuses).into())),
            Engine { text: Text::Skip, .. } => Ok(Outcome::Skipped),
            _ => self.inner.incoming(cx, message),
        }
    }
    fn file_key(&self, cx: &mut Context<'_>, message: &Outgoing<'_>, file: &FileInfo) -> Hook<FileKey> {
        self.inner.file_key(cx, message, file)
    }
    fn upload(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        self.cipher(self.inner.upload(file, key), self.is.upload, file.size)
    }
    fn download(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        self.cipher(self.inner.download(file, key), self.is.download, 0)
    }
}

struct Chunks {
    inner: Box<dyn FileCipher>,
    shrinks: bool,
    refuses: u16,
    /// Of the file; 0: does not matter.
    size: u64,
}

impl FileCipher for Chunks {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        let end = offset + input.len() as u64;
        if self.refuses != 0 && (offset..end).contains(&30_000) {
            return Err(Status::new(self.refuses));
        }
        let taken = if self.shrinks && end < self.size { input.len() - input.len() % 16 } else { input.len() };
        self.inner.chunk(offset, &input[..taken], output)
    }
    fn finish(self: Box<Self>, file: &mut FileInfo, output: &mut Vec<u8>) -> Result<(), Status> {
        self.inner.finish(file, output)
    }
}
