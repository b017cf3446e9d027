//! Two agents over loopback with an engine of the test's own: words, codes, held answers, clear text, notices, files, restarts.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs, dead_code)]
mod common;

use common::{ALICE, BOB, PATIENCE, certificate, config, loopback, uri};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use subrosa_engine::*;
use subrosa_files::{AesGcm, Layout};
use subrosa_interop::FileServer;
use subrosa_sip::agent::{Agent, AgentError, AgentEvent, Handle, Settings, TransferFailure, TransferState, runs_on_sip};
use subrosa_sip::{Answer, Composing, Config, Connection, Cpim, Fate, Imdn, Listen, Offer, Wanted, Way, bare};

/// Turns bits over, and does what the words say: `refuse 488`, `skip`, `panic`, `later` (until somebody completes), `as a/b`.
struct Toy {
    later: Mutex<mpsc::Sender<(Token, Vec<u8>)>>,
    files: bool,
}
fn turned(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|b| b ^ 0xff).collect()
}
fn packed(plain: &Plaintext) -> Vec<u8> {
    turned(&[plain.content_type.0.as_bytes(), b"\0", plain.bytes()].concat())
}
fn unpacked(body: &[u8]) -> Plaintext {
    let body = turned(body);
    let at = body.iter().position(|b| *b == 0).unwrap();
    Plaintext::new(ContentType(String::from_utf8(body[..at].to_vec()).unwrap().into()), &body[at + 1..])
}
impl Engine for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }
    fn outgoing(&self, _: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        Ok(match message.plain.bytes() {
            b"skip" => Outcome::Skipped,
            b"refuse here" => Outcome::Rejected(Status::new(486).into()),
            _ => Outcome::Done(Encrypted::new(ContentType("cipher/toy".into()), packed(message.plain))?),
        })
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        if message.content_type.0 != "cipher/toy" {
            return Ok(Outcome::Skipped);
        }
        let mut plain = unpacked(message.body);
        let words = String::from_utf8_lossy(plain.bytes()).into_owned();
        if let Some(code) = words.strip_prefix("refuse ") {
            return Ok(Outcome::Rejected(Status::new(code.parse().unwrap()).into()));
        }
        if let Some(other) = words.strip_prefix("as ") {
            plain.content_type = ContentType(other.to_owned().into());
        }
        if words == "panic" {
            panic!("as asked for");
        }
        if words.starts_with("later") {
            let (pending, token) = cx.network.until_completed();
            self.later.lock().unwrap().send((token, message.body.to_vec())).unwrap();
            return Ok(Outcome::Pending(pending));
        }
        Ok(Outcome::Done(Decrypted::new(plain)))
    }
    fn file_key(&self, cx: &mut Context<'_>, _: &Outgoing<'_>, _: &FileInfo) -> Hook<FileKey> {
        Ok(if self.files { Outcome::Done(Layout::AES256.generate(cx.rng)) } else { Outcome::Skipped })
    }
    fn upload(&self, _: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        Ok(Box::new(AesGcm::upload(key, Layout::AES256).map_err(|_| Status::INTERNAL)?))
    }
    fn download(&self, _: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        Ok(Box::new(AesGcm::download(key, Layout::AES256).map_err(|_| Status::NOT_ACCEPTABLE)?))
    }
}

/// A store that outlives its agent, and fails while it is told to.
#[derive(Clone, Default)]
struct Disk {
    rows: Arc<Mutex<MemoryStore>>,
    broken: Arc<Mutex<bool>>,
}
impl Store for Disk {
    type Error = std::io::Error;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, std::io::Error> {
        Ok(self.rows.lock().unwrap().load(keys).unwrap())
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), std::io::Error> {
        if *self.broken.lock().unwrap() {
            return Err(std::io::Error::other("the disk is full"));
        }
        self.rows.lock().unwrap().commit(batch).unwrap();
        Ok(())
    }
}

type TestAgent = Agent<Connection>;
struct Peer {
    agent: TestAgent,
    pending: mpsc::Receiver<(Token, Vec<u8>)>,
}
impl Peer {
    fn me(&self) -> Address {
        self.agent.handle().me().clone()
    }
    /// The next event that is not of the kind that always comes.
    async fn event(&self) -> AgentEvent {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.agent.next()).await.expect("no event").expect("closed");
            if !matches!(event, AgentEvent::InProgress { .. } | AgentEvent::Registration(_)) {
                return event;
            }
        }
    }
    /// What the engine left pending next.
    async fn pending(&self) -> (Token, Vec<u8>) {
        loop {
            match self.pending.try_recv() {
                Ok(pending) => return pending,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }
    async fn is_quiet(&self) -> bool {
        tokio::time::timeout(Duration::from_millis(200), self.event()).await.is_err()
    }
}
fn machine(account: &str, files: bool) -> (Machine, mpsc::Receiver<(Token, Vec<u8>)>) {
    let (later, pending) = mpsc::channel();
    let mut machine = Machine::new(bare(account).unwrap());
    let toy = machine.install(Toy { later: Mutex::new(later), files });
    machine.route(move |_| Some(toy.id()));
    (machine, pending)
}
async fn peer(config: Config, store: Disk, settings: Settings) -> Peer {
    let (machine, pending) = machine(config.account().as_str(), true);
    Peer { agent: Agent::start(machine, store, Connection::start(config).await.unwrap(), settings).unwrap(), pending }
}
fn quiet() -> Settings {
    let mut settings = Settings::default();
    settings.receipts = false;
    settings
}
/// Both have each other as their proxy.
async fn pair(settings: Settings) -> (Peer, Peer) {
    let tls = certificate();
    let port = {
        let taken = std::net::TcpListener::bind(loopback()).unwrap();
        taken.local_addr().unwrap()
    };
    let mut alice = config(ALICE, &tls);
    alice.listen = vec![Listen::Tcp(port)];
    let mut bob = config(BOB, &tls);
    bob.proxy = Some(format!("sip:{port};transport=tcp"));
    let bob = peer(bob, Disk::default(), settings.clone()).await;
    alice.proxy = Some(uri(Way::Tcp, bob.agent.transport()));
    (peer(alice, Disk::default(), settings).await, bob)
}
fn words(event: &AgentEvent) -> Option<(MessageId, Address, String, bool)> {
    match event {
        AgentEvent::Message { id, from, plain, in_clear, .. } => {
            Some((id.clone(), from.clone(), String::from_utf8_lossy(plain.bytes()).into_owned(), *in_clear))
        }
        _ => None,
    }
}

#[tokio::test]
async fn words_arrive_and_their_sender_is_told() {
    let (alice, bob) = pair(Settings::default()).await;
    for text in ["hello", "h\u{e9}llo \u{1f600}\0 with a NUL", &"long ".repeat(2000)] {
        let id = alice.agent.handle().text(&bob.me(), text);
        assert_eq!(words(&bob.event().await), Some((id.clone(), alice.me(), text.to_owned(), false)));
        // the answer and the receipt race each other, from here on
        let (mut delivered, mut receipt) = (false, false);
        while !(delivered && receipt) {
            match alice.event().await {
                AgentEvent::Delivered { id: which, code: 200 } if which == id => delivered = true,
                AgentEvent::Receipt { from, receipt: got } if from == bob.me() => {
                    assert_eq!(got, Imdn::delivered(id.as_str()));
                    receipt = true;
                }
                other => panic!("{other:?}"),
            }
        }
        bob.agent.handle().displayed(&alice.me(), &id);
        let event = alice.event().await;
        assert!(matches!(&event, AgentEvent::Receipt { receipt, .. } if *receipt == Imdn::displayed(id.as_str())), "{event:?}");
    }
}

#[tokio::test]
async fn the_engines_code_is_what_the_sender_is_told() {
    let (alice, bob) = pair(quiet()).await;
    for code in [300, 400, 403, 404, 415, 480, 486, 488, 500, 503, 600, 603] {
        let id = alice.agent.handle().text(&bob.me(), &format!("refuse {code}"));
        let AgentEvent::NotDelivered { id: which, why } = alice.event().await else { panic!("{code}") };
        assert_eq!((which, why.status.code(), why.reason.as_deref(), why.local), (id.clone(), code, Some("engine"), false));
        let AgentEvent::NotReceived { id: which, why, .. } = bob.event().await else { panic!("{code}") };
        assert_eq!((which, why.status.code()), (id, code));
    }
    for (text, code, reason) in [("panic", 500, "engine"), ("as application/x-odd", 415, "content-type")] {
        alice.agent.handle().text(&bob.me(), text);
        let AgentEvent::NotDelivered { why, .. } = alice.event().await else { panic!("{text}") };
        assert_eq!((why.status.code(), why.reason.as_deref()), (code, Some(reason)));
        assert!(matches!(bob.event().await, AgentEvent::NotReceived { .. }));
    }
    let id = alice.agent.handle().text(&bob.me(), "refuse here");
    let event = alice.event().await;
    assert!(matches!(&event, AgentEvent::NotSent { id: which, why, ask: None } if *which == id && why.status.code() == 486), "{event:?}");
    assert!(bob.is_quiet().await);
}

#[tokio::test]
async fn what_is_pending_is_answered_when_it_is_done_or_480_when_it_is_late() {
    let mut settings = quiet();
    settings.hold = Duration::from_millis(600);
    let (alice, bob) = pair(settings).await;
    // done in time, by another thread
    let id = alice.agent.handle().text(&bob.me(), "later please");
    let (token, body) = bob.pending().await;
    let handle: Handle = bob.agent.handle().clone();
    std::thread::spawn(move || handle.complete(token, Completion::Decrypted(Decrypted::new(unpacked(&body))))).join().unwrap();
    assert!(matches!(alice.event().await, AgentEvent::Delivered { code: 200, .. }));
    assert_eq!(words(&bob.event().await).unwrap().0, id);
    // refused in time
    alice.agent.handle().text(&bob.me(), "later no");
    let (token, _) = bob.pending().await;
    bob.agent.handle().complete(token, Completion::Rejected(Status::new(603).into()));
    assert!(matches!(alice.event().await, AgentEvent::NotDelivered { why, .. } if why.status.code() == 603));
    assert!(matches!(bob.event().await, AgentEvent::NotReceived { .. }));
    // too late: nothing is shown, not even when it is done afterwards
    alice.agent.handle().text(&bob.me(), "later never");
    let (token, body) = bob.pending().await;
    assert!(matches!(alice.event().await, AgentEvent::NotDelivered { why, .. } if why.status.code() == 480));
    assert!(matches!(bob.event().await, AgentEvent::NotReceived { why, .. } if why.status.code() == 480));
    bob.agent.handle().complete(token, Completion::Decrypted(Decrypted::new(unpacked(&body))));
    assert!(bob.is_quiet().await);
}
#[tokio::test]
async fn clear_text_goes_only_where_a_person_chose_so() {
    let (alice, bob) = pair(quiet()).await;
    let first = alice.agent.handle().text(&bob.me(), "skip");
    let AgentEvent::NotSent { id, why, ask: Some(question) } = alice.event().await else { panic!() };
    assert_eq!((id, why.reason), (first, Reason::NotEncrypted));
    alice.agent.handle().set_policy(&bob.me(), Policy::Optional(question.confirmed_by_user()));
    alice.agent.handle().text(&bob.me(), "skip");
    let AgentEvent::NotDelivered { why, .. } = alice.event().await else { panic!() };
    assert_eq!((why.status.code(), why.reason.as_deref()), (488, Some("not-encrypted")));
    assert!(matches!(bob.event().await, AgentEvent::NotReceived { .. }));
    // Bob chooses so too
    bob.agent.handle().text(&alice.me(), "skip");
    let AgentEvent::NotSent { ask: Some(question), .. } = bob.event().await else { panic!() };
    bob.agent.handle().set_policy(&alice.me(), Policy::Optional(question.confirmed_by_user()));
    alice.agent.handle().text(&bob.me(), "skip");
    let (.., text, in_clear) = words(&bob.event().await).unwrap();
    assert_eq!((text.as_str(), in_clear), ("skip", true));
    assert!(matches!(alice.event().await, AgentEvent::Delivered { .. }));
}

#[tokio::test]
async fn notices_envelopes_and_odd_bodies() {
    let (alice, bob) = pair(quiet()).await;
    alice.agent.handle().composing(&bob.me(), true);
    assert!(matches!(bob.event().await, AgentEvent::Typing { from, composing: Composing { active: true, .. } } if from == alice.me()));
    alice.agent.handle().composing(&bob.me(), false);
    assert!(matches!(bob.event().await, AgentEvent::Typing { composing: Composing { active: false, .. }, .. }));
    // an envelope that asks for a receipt, encrypted whole, and names the message
    let envelope = Cpim {
        from: alice.me(),
        to: bob.me(),
        message_id: Some("inner-id".into()),
        wanted: Wanted::ALL,
        notification: false,
        plain: Plaintext::text("in an envelope"),
    };
    alice.agent.handle().send(&bob.me(), envelope.write(), Headers::default());
    let (id, _, text, _) = words(&bob.event().await).unwrap();
    assert_eq!((id.as_str(), text.as_str()), ("inner-id", "in an envelope"));
    let mut receipt = None;
    while receipt.is_none() {
        if let AgentEvent::Receipt { receipt: got, .. } = alice.event().await {
            receipt = Some(got);
        }
    }
    assert_eq!(receipt, Some(Imdn::delivered("inner-id")));
    // what is not what it says it is: in clear it is refused, encrypted it is told
    let sip = alice.agent.transport();
    for content_type in [Composing::CONTENT_TYPE, Imdn::CONTENT_TYPE, Offer::CONTENT_TYPE, Cpim::CONTENT_TYPE] {
        use subrosa_sip::Transport as _;
        let odd = subrosa_sip::SipMessage::new("odd".into(), alice.me(), bob.me(), content_type.clone(), "<nonsense");
        let delivery = sip.send(odd).await;
        assert_eq!(delivery.code(), 400, "{content_type:?}");
    }
    alice.agent.handle().send(&bob.me(), Plaintext::new(ContentType("application/x-thing".into()), "as message/imdn+xml"), Headers::default());
    assert!(matches!(bob.event().await, AgentEvent::NotReceived { why, .. } if why.reason == Reason::Malformed));
    let failed = loop {
        if let AgentEvent::Receipt { receipt, .. } = alice.event().await {
            break receipt;
        }
    };
    assert!(matches!(failed.fate, Fate::Failed { code: Some(400), .. }));
}

#[tokio::test]
async fn files_go_by_the_server_and_through_the_engine() {
    let server = FileServer::start().unwrap();
    let mut settings = quiet();
    settings.file_server = Some(server.url.clone());
    let (alice, bob) = pair(settings).await;
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for size in [0usize, 1, 16, 50_001] {
        let bytes: Vec<u8> = (0..size).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
        let path = from.path().join(format!("file {size}.bin"));
        std::fs::write(&path, &bytes).unwrap();
        let id = alice.agent.handle().send_file(&bob.me(), &path, "application/x-thing");
        let mut states = Vec::new();
        let (offered, offer) = loop {
            tokio::select! {
                event = alice.event() => states.push(format!("{event:?}")),
                event = bob.event() => match event {
                    AgentEvent::FileOffered { id, offer, in_clear: false, .. } => break (id, offer),
                    other => panic!("{other:?}"),
                }
            }
        };
        assert_eq!(offered, id);
        assert_eq!((offer.file.name.as_str(), offer.file.size), (format!("file {size}.bin").as_str(), size as u64));
        assert!(size < 16 || server.uploads().last().unwrap().bytes != bytes);
        let download = bob.agent.handle().download(&alice.me(), offer, to.path());
        let saved = loop {
            match bob.event().await {
                AgentEvent::Transfer { id, state: TransferState::Downloading } if id == download => {}
                AgentEvent::Transfer { id, state: TransferState::Downloaded(path) } if id == download => break path,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(std::fs::read(saved).unwrap(), bytes);
        while states.len() < 3 {
            states.push(format!("{:?}", alice.event().await));
        }
        assert!(states[0].contains("Uploading") && states[1].contains("Uploaded") && states[2].contains("Delivered"), "{states:?}");
    }
    // tampered with on the server
    let path = from.path().join("file 50001.bin");
    server.tamper();
    alice.agent.handle().send_file(&bob.me(), &path, "application/x-thing");
    let AgentEvent::FileOffered { offer, .. } = bob.event().await else { panic!() };
    let before = std::fs::read_dir(to.path()).unwrap().count();
    bob.agent.handle().download(&alice.me(), offer, to.path());
    assert!(matches!(bob.event().await, AgentEvent::Transfer { state: TransferState::Downloading, .. }));
    let AgentEvent::Transfer { state: TransferState::Failed(why), .. } = bob.event().await else { panic!() };
    assert!(!why.to_string().is_empty());
    assert_eq!(std::fs::read_dir(to.path()).unwrap().count(), before);
}

#[tokio::test]
async fn transfers_that_can_t_be_end_with_a_state() {
    let (alice, bob) = pair(quiet()).await;
    let failure = |event: AgentEvent| match event {
        AgentEvent::Transfer { state: TransferState::Failed(why), .. } => why,
        other => panic!("{other:?}"),
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("there");
    std::fs::write(&path, "x").unwrap();
    alice.agent.handle().send_file(&bob.me(), &path, "text/plain");
    assert!(matches!(failure(alice.event().await), TransferFailure::NoServer));
    alice.agent.handle().send_file(&bob.me(), &directory.path().join("not there"), "text/plain");
    assert!(matches!(failure(alice.event().await), TransferFailure::File { .. }));

    // a server that takes the connection and says nothing: cancelled
    let deaf = std::net::TcpListener::bind(loopback()).unwrap();
    let mut settings = quiet();
    settings.file_server = Some(format!("http://{}/", deaf.local_addr().unwrap()));
    let (alice, bob) = pair(settings).await;
    let id = alice.agent.handle().send_file(&bob.me(), &path, "text/plain");
    assert!(matches!(alice.event().await, AgentEvent::Transfer { state: TransferState::Uploading, .. }));
    alice.agent.handle().cancel(&id);
    assert!(matches!(failure(alice.event().await), TransferFailure::Cancelled));
    assert!(bob.is_quiet().await);

    // an engine without ciphers for files, and nobody chose clear text
    let (machine, _pending) = machine(ALICE, false);
    let mut settings = quiet();
    settings.file_server = Some(format!("http://{}/", deaf.local_addr().unwrap()));
    let agent = Agent::start(machine, Disk::default(), Connection::start(config(ALICE, &certificate())).await.unwrap(), settings).unwrap();
    let plain = Peer { agent, pending: mpsc::channel().1 };
    plain.agent.handle().send_file(&bob.me(), &path, "text/plain");
    let event = plain.event().await;
    assert!(matches!(&event, AgentEvent::NotSent { why, ask: Some(_), .. } if why.reason == Reason::NotEncrypted), "{event:?}");
}

#[tokio::test]
async fn few_files_are_fetched_at_once() {
    let deaf = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let mut settings = quiet();
    settings.file_server = Some(format!("http://{}/", deaf.local_addr().unwrap()));
    let bob = peer(config(BOB, &certificate()), Disk::default(), settings).await;
    let (to, offered_by) = (tempfile::tempdir().unwrap(), bare(ALICE).unwrap());
    let url = format!("http://{}/f", deaf.local_addr().unwrap());
    let file = FileInfo { name: "f".into(), content_type: "x/y".into(), size: 1, tag: None };
    let offer = Offer { file, key: Some(Layout::AES256.generate(&mut getrandom::rand_core::UnwrapErr(getrandom::SysRng))), url, until: None };
    let downloads: Vec<_> = (0..20).map(|_| bob.agent.handle().download(&offered_by, offer.clone(), to.path())).collect();
    let mut open = Vec::new();
    while let Ok(Ok((stream, _))) = tokio::time::timeout(Duration::from_millis(500), deaf.accept()).await {
        open.push(stream);
    }
    assert_eq!(open.len(), 8);
    downloads.iter().for_each(|download| bob.agent.handle().cancel(download));
    let mut cancelled = 0;
    while cancelled < 20 {
        if let AgentEvent::Transfer { state: TransferState::Failed(TransferFailure::Cancelled), .. } = bob.event().await {
            cancelled += 1;
        }
    }
    bob.agent.handle().download(&offered_by, offer, to.path());
    assert!(tokio::time::timeout(PATIENCE, deaf.accept()).await.is_ok(), "there is room again");
}

/// A stranger who writes under a thousand names must not make this end send and keep as much.
#[tokio::test]
async fn receipts_are_few_where_nobody_takes_them() {
    use tokio::io::AsyncReadExt as _;
    let deaf = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let mut bob = config(BOB, &certificate());
    bob.proxy = Some(format!("sip:{};transport=tcp", deaf.local_addr().unwrap()));
    let bob = peer(bob, Disk::default(), Settings::default()).await;
    let heard = tokio::spawn(async move {
        let (mut stream, _) = deaf.accept().await.unwrap();
        let (mut heard, mut buffer) = (String::new(), [0; 65_536]);
        while let Ok(Ok(n @ 1..)) = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut buffer)).await {
            heard.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        heard.matches("MESSAGE sip:").count()
    });
    let mut stream = tokio::net::TcpStream::connect(bob.agent.transport().listens(Way::Tcp).unwrap()).await.unwrap();
    let body = packed(&Plaintext::text("hello"));
    for round in 0..30 {
        let mut many = Vec::new();
        for i in 0..100 {
            let head = String::from_utf8(common::raw("TCP", &format!("n{round}.{i}"), &format!("Content-Length: {}\r\n", body.len()), "")).unwrap();
            many.extend(head.replace("text/plain", "cipher/toy").replace("sip:eve@", &format!("sip:eve{round}.{i}@")).into_bytes());
            many.extend(&body);
        }
        let answers = common::talk(&mut stream, &many, |heard| heard.matches("SIP/2.0 200").count() >= 100).await;
        assert_eq!(answers.matches("SIP/2.0 ").count(), 100);
    }
    let receipts = heard.await.unwrap();
    assert!((1000..1200).contains(&receipts), "{receipts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_arrive_in_their_order() {
    let (alice, bob) = pair(quiet()).await;
    for i in 0..300 {
        alice.agent.handle().text(&bob.me(), &format!("{i}"));
    }
    for i in 0..300 {
        assert_eq!(words(&bob.event().await).unwrap().2, i.to_string());
    }
}

#[tokio::test]
async fn who_does_not_take_events_gets_no_more_messages() {
    let mut settings = quiet();
    settings.untaken = 3;
    let (alice, bob) = pair(settings).await;
    let mut codes = Vec::new();
    for i in 0..6 {
        alice.agent.handle().text(&bob.me(), &format!("{i}"));
        codes.push(match alice.event().await {
            AgentEvent::Delivered { code, .. } => code,
            AgentEvent::NotDelivered { why, .. } => why.status.code(),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(codes, [200, 200, 200, 480, 480, 480]);
    bob.event().await;
    alice.agent.handle().text(&bob.me(), "again");
    assert!(matches!(alice.event().await, AgentEvent::Delivered { .. }));
}

#[tokio::test]
async fn large_messages_that_nobody_takes_are_fewer() {
    let mut settings = quiet();
    settings.untaken_bytes = 5000;
    let (alice, bob) = pair(settings).await;
    let send = async |code: u16| {
        alice.agent.handle().text(&bob.me(), &"x".repeat(3000));
        let told = match alice.event().await {
            AgentEvent::Delivered { code, .. } => code,
            AgentEvent::NotDelivered { why, .. } => why.status.code(),
            other => panic!("{other:?}"),
        };
        assert_eq!(told, code);
    };
    send(200).await;
    send(200).await;
    send(480).await;
    bob.event().await;
    send(200).await;
}

#[tokio::test]
async fn what_is_owed_comes_again_after_a_restart() {
    let (tls, disk) = (certificate(), Disk::default());
    // nobody answers: the message stays owed when Alice closes
    let deaf = std::net::TcpListener::bind(loopback()).unwrap();
    let address = deaf.local_addr().unwrap();
    let mut alice = config(ALICE, &tls);
    alice.proxy = Some(format!("sip:{address};transport=tcp"));
    let first = peer(alice.clone(), disk.clone(), quiet()).await;
    let id = first.agent.handle().text(&bare(BOB).unwrap(), "hello again");
    let event = tokio::time::timeout(PATIENCE, first.agent.next()).await.unwrap();
    assert!(matches!(event, Some(AgentEvent::InProgress { .. })), "{event:?}");
    first.agent.close().await;
    drop((first, deaf));
    let mut bob = config(BOB, &tls);
    bob.listen = vec![Listen::Tcp(address)];
    let bob = peer(bob, Disk::default(), quiet()).await;
    let second = peer(alice.clone(), disk.clone(), quiet()).await;
    assert_eq!(words(&bob.event().await).unwrap().0, id);
    assert!(matches!(second.event().await, AgentEvent::Delivered { id: which, .. } if which == id));
    second.agent.close().await;
    assert!(second.agent.next().await.is_none());
    // an event that was told and not taken comes again, one that was taken does not
    let disk = Disk::default();
    let mut bob_config = config(BOB, &tls);
    bob_config.listen = vec![Listen::Tcp(loopback())];
    let one = peer(bob_config.clone(), disk.clone(), quiet()).await;
    alice.proxy = Some(uri(Way::Tcp, one.agent.transport()));
    let alice = peer(alice, Disk::default(), quiet()).await;
    alice.agent.handle().text(&one.me(), "taken");
    alice.agent.handle().text(&one.me(), "not taken");
    for _ in 0..2 {
        assert!(matches!(alice.event().await, AgentEvent::Delivered { .. }));
    }
    assert_eq!(words(&one.event().await).unwrap().2, "taken");
    one.agent.taken();
    one.agent.close().await;
    let two = peer(bob_config.clone(), disk.clone(), quiet()).await;
    assert_eq!(words(&two.event().await).unwrap().2, "not taken");
    two.agent.close().await;
    let three = peer(bob_config, disk, quiet()).await;
    assert_eq!(words(&three.event().await).unwrap().2, "not taken");
    assert!(three.is_quiet().await);
}

#[tokio::test]
async fn after_a_commit_that_failed_nothing_leaves_or_is_told_twice() {
    let (tls, disk) = (certificate(), Disk::default());
    let bob = Connection::start(config(BOB, &tls)).await.unwrap();
    let mut alice = config(ALICE, &tls);
    alice.proxy = Some(uri(Way::Tcp, &bob));
    let to_alice = Connection::start(config(BOB, &tls)).await.unwrap();
    let alice = peer(alice, disk.clone(), quiet()).await;
    // under way
    alice.agent.handle().text(&bare(BOB).unwrap(), "one");
    let under_way = common::arrived(&bob).await;
    // told, not taken
    let mut hello = common::message("hello", packed(&Plaintext::text("hello")));
    (hello.from, hello.to, hello.content_type) = (BOB.into(), ALICE.into(), ContentType("cipher/toy".into()));
    hello.to = bare(&format!("sip:alice@{}", alice.agent.transport().listens(Way::Udp).unwrap())).unwrap();
    assert_eq!(subrosa_sip::Transport::send(&to_alice, hello).await.code(), 200);
    assert_eq!(words(&alice.event().await).unwrap().2, "hello");
    *disk.broken.lock().unwrap() = true;
    alice.agent.handle().text(&bare(BOB).unwrap(), "two");
    tokio::time::sleep(Duration::from_millis(100)).await;
    *disk.broken.lock().unwrap() = false;
    assert!(matches!(alice.event().await, AgentEvent::StoreFailed { .. }));
    assert!(alice.is_quiet().await, "it was told again");
    // the second try
    tokio::time::sleep(Duration::from_millis(1500)).await;
    under_way.answer.answer(Answer::Accept);
    assert!(matches!(alice.event().await, AgentEvent::Delivered { .. }));
    let next = common::arrived(&bob).await;
    assert_eq!(unpacked(&next.message.body).bytes(), b"two");
    next.answer.answer(Answer::Accept);
    assert!(matches!(alice.event().await, AgentEvent::Delivered { .. }));
    assert!(alice.is_quiet().await);
}

#[tokio::test]
async fn a_message_that_comes_again_is_answered_as_it_was_and_told_once() {
    let bob = peer(config(BOB, &certificate()), Disk::default(), quiet()).await;
    let address = bob.agent.transport().listens(Way::Tcp).unwrap();
    let body = packed(&Plaintext::text("once"));
    let branch = std::cell::Cell::new(0);
    let once = |id: &str, body: &[u8]| {
        branch.set(branch.get() + 1);
        let head = String::from_utf8(common::raw("TCP", id, "X: y\r\n", "")).unwrap().replace("text/plain", "cipher/toy");
        let head = head.replace("branch=z9hG4bK", &format!("branch=z9hG4bK{}", branch.get()));
        let head = head.replace("X: y", &format!("Content-Length: {}", body.len()));
        [head.as_bytes(), body].concat()
    };
    let ask = |bytes: Vec<u8>| async move {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        common::code_of(&common::talk(&mut stream, &bytes, |heard| heard.contains("\r\n\r\n")).await)
    };
    // as on a new stream, when the one before broke
    for _ in 0..3 {
        assert_eq!(ask(once("once", &body)).await, Some(200));
    }
    assert_eq!(words(&bob.event().await).unwrap().2, "once");
    assert!(bob.is_quiet().await, "it was told again");
    // while the first waits for its answer
    let later = packed(&Plaintext::text("later"));
    let waiting = [tokio::spawn(ask(once("later", &later))), tokio::spawn(ask(once("later", &later)))];
    let (token, body) = bob.pending().await;
    while bob.agent.transport().held() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(once("later", &packed(&Plaintext::text("other words")))).await, Some(491));
    bob.agent.handle().complete(token, Completion::Decrypted(Decrypted::new(unpacked(&body))));
    for one in waiting {
        assert_eq!(one.await.unwrap(), Some(200));
    }
    assert_eq!(words(&bob.event().await).unwrap().2, "later");
    assert!(bob.is_quiet().await);
}

#[tokio::test]
async fn what_the_transport_answers_by_itself_is_not_shown() {
    let tls = certificate();
    let mut bob = config(BOB, &tls);
    bob.timeouts.hold = Duration::from_millis(600);
    let mut settings = quiet();
    settings.hold = Duration::from_secs(3600);
    let bob = peer(bob, Disk::default(), settings).await;
    let mut alice = config(ALICE, &tls);
    alice.proxy = Some(uri(Way::Tcp, bob.agent.transport()));
    let alice = peer(alice, Disk::default(), quiet()).await;
    alice.agent.handle().text(&bob.me(), "later");
    let (token, body) = bob.pending().await;
    assert!(
        matches!(alice.event().await, AgentEvent::NotDelivered { why, .. } if why.status.code() == 480 && why.reason.as_deref() == Some("expired"))
    );
    assert!(matches!(bob.event().await, AgentEvent::NotReceived { why, .. } if why.status.code() == 480));
    bob.agent.handle().complete(token, Completion::Decrypted(Decrypted::new(unpacked(&body))));
    assert!(bob.is_quiet().await);
}

#[tokio::test]
async fn a_store_that_fails_holds_everything_back_until_it_works() {
    let (tls, disk) = (certificate(), Disk::default());
    let bob = peer(config(BOB, &tls), disk.clone(), quiet()).await;
    let mut alice = config(ALICE, &tls);
    alice.proxy = Some(uri(Way::Tcp, bob.agent.transport()));
    let alice = peer(alice, Disk::default(), quiet()).await;
    alice.agent.handle().text(&bob.me(), "before");
    assert_eq!(words(&bob.event().await).unwrap().2, "before");
    assert!(matches!(alice.event().await, AgentEvent::Delivered { .. }));
    *disk.broken.lock().unwrap() = true;
    alice.agent.handle().text(&bob.me(), "meanwhile");
    let event = bob.event().await;
    assert!(matches!(&event, AgentEvent::StoreFailed { cause } if cause.contains("full")), "{event:?}");
    assert!(alice.is_quiet().await, "it was answered before it was stored");
    *disk.broken.lock().unwrap() = false;
    assert_eq!(words(&bob.event().await).unwrap().2, "meanwhile");
    assert!(matches!(alice.event().await, AgentEvent::Delivered { .. }));
}

#[tokio::test]
async fn a_store_that_fails_for_too_long_shows_nothing_that_was_refused() {
    let (tls, disk) = (certificate(), Disk::default());
    let mut settings = quiet();
    settings.hold = Duration::from_millis(500);
    let bob = peer(config(BOB, &tls), disk.clone(), settings).await;
    let mut alice = config(ALICE, &tls);
    alice.proxy = Some(uri(Way::Tcp, bob.agent.transport()));
    let alice = peer(alice, Disk::default(), quiet()).await;
    *disk.broken.lock().unwrap() = true;
    alice.agent.handle().text(&bob.me(), "meanwhile");
    assert!(matches!(alice.event().await, AgentEvent::NotDelivered { why, .. } if why.status.code() == 480));
    assert!(matches!(bob.event().await, AgentEvent::StoreFailed { .. }));
    *disk.broken.lock().unwrap() = false;
    alice.agent.handle().text(&bob.me(), "afterwards");
    assert_eq!(words(&bob.event().await).unwrap().2, "afterwards");
}

#[tokio::test]
async fn engines_come_and_go_while_it_runs() {
    let (alice, bob) = pair(quiet()).await;
    // Bob's engine goes: nothing takes its place
    bob.agent.handle().change(|machine| {
        let (later, _) = mpsc::channel();
        let other = machine.install(Toy { later: Mutex::new(later), files: false });
        machine.remove(other.id());
    });
    alice.agent.handle().text(&bob.me(), "hello");
    assert!(matches!(alice.event().await, AgentEvent::NotDelivered { why, .. } if why.status.code() == 500));
    assert!(matches!(bob.event().await, AgentEvent::NotReceived { .. }));
    bob.agent.handle().change(|machine| {
        let (later, _) = mpsc::channel();
        machine.install(Toy { later: Mutex::new(later), files: false });
    });
    alice.agent.handle().text(&bob.me(), "hello");
    assert_eq!(words(&bob.event().await).unwrap().2, "hello");
}

/// As far as an agent sees it.
struct Omemo;
impl Engine for Omemo {
    fn name(&self) -> &'static str {
        "omemo"
    }
    fn outgoing(&self, _: &mut Context<'_>, _: &Outgoing<'_>) -> Hook<Encrypted> {
        Ok(Outcome::Skipped)
    }
    fn incoming(&self, _: &mut Context<'_>, _: &Incoming<'_>) -> Hook<Decrypted> {
        Ok(Outcome::Skipped)
    }
}
#[tokio::test]
async fn omemo_is_refused_with_a_sentence() {
    let mut machine = Machine::new(bare(ALICE).unwrap());
    machine.install(Omemo);
    let connection = Connection::start(config(ALICE, &certificate())).await.unwrap();
    let Err(AgentError::Engine(why)) = Agent::start(machine, Disk::default(), connection, quiet()) else { panic!() };
    assert!(why.to_string().starts_with("OMEMO runs on XMPP only"));
    assert!(runs_on_sip("omemo:2").is_err() && runs_on_sip("xor").is_ok());
}
