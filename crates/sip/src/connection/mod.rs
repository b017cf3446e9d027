//! MESSAGE over sockets: what is sent and answered, what comes and how it is answered, and a registration that stays.
//!
//! ```no_run
//! use subrosa_sip::{Answer, Config, Connection, ContentType, Happening, SipMessage, Transport};
//!
//! # async fn host() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = Config::new("sip:alice@example.org")?;
//! config.proxy = Some("sip:127.0.0.1:5070;transport=tcp".into());
//! let connection = Connection::start(config).await?;
//!
//! let hello = SipMessage::new("1@alice".into(), "sip:alice@example.org".into(), "sip:bob@example.org".into(), ContentType::TEXT, "hello");
//! println!("{:?}", connection.send(hello).await); // Delivered(200)
//!
//! while let Some(happening) = connection.next().await {
//!     if let Happening::Arrived(arrived) = happening {
//!         println!("{:?}", arrived.message);
//!         arrived.answer.answer(Answer::Accept); // now, or within the next seconds, from any thread
//!     }
//! }
//! connection.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What is whose
//! [`Transport`] is all that the rest of the house knows. [`Connection`] is it over rsipstack, which owns transactions, timers, DNS and the shapes
//! of header fields. Digests are ours: rsipstack's know no `SHA-256` (it wants `SHA256`) and no list of `qop`. Sockets, framing and the reading of heads are ours, before it: strangers write there, and each module
//! says what rsipstack would do with it.
//!
//! # What strangers can't do
//! Every queue is bounded, every wait ends ([`Limits`], [`Timeouts`]). A message that is held is answered 480 at the latest after
//! [`Timeouts::hold`]. What is not well-formed is answered 400 where it says enough to be answered, other methods 405, OPTIONS 200.
//!
//! # Logs
//! No message, no body and no credential is logged. rsipstack writes the header fields of answers at `debug` and `trace`.
mod config;
mod error;
mod flow;
mod frame;
#[doc(hidden)]
pub mod fuzz;
mod head;
mod inbound;
mod outbound;
mod register;
mod target;
pub(crate) mod tls;

pub use config::{Config, Limits, Listen, Roots, Timeouts, Way};
pub use error::{ConfigError, RegisterError, StartError};

use crate::message::{Arrived, Delivery, NotDelivered, SipMessage};
use flow::{Datagrams, Flow};
use outbound::Ask;
use rsipstack::platform::CancellationToken;
use rsipstack::resolver::SipResolver;
use rsipstack::sip::headers::make_header;
use rsipstack::sip::{Domain, Header, Method, Scheme, Uri};
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption};
use rsipstack::transaction::random_text;
use rsipstack::transport::transport_layer::DomainResolver;
use rsipstack::transport::{SipAddr, TransportLayer};
use rsipstack::{EndpointBuilder, sip};
use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use subrosa_engine::Status;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, OnceCell, RwLock, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// The agent of our Warning fields (RFC 3261 §20.43): what it warns of is one of our codes.
const NAME: &str = "subrosa";
/// What can be asked of a semaphore at once.
const MAX_PERMITS: usize = u32::MAX as usize >> 3;
/// How long answers that are due may hold up the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What carries messages. Small, so that it is easily another one: a test's, or another stack.
pub trait Transport: Send + Sync + 'static {
    /// Sends one message; ready when it is known what became of it, at the latest when the transport gives up.
    fn send(&self, message: SipMessage) -> impl Future<Output = Delivery> + Send;
    /// What happened next. `None`: it is closed. One caller at a time; dropping the future loses nothing.
    fn next(&self) -> impl Future<Output = Option<Happening>> + Send;
    /// Ends in order: takes a registration back, sends the answers that were given, says 480 to who still waits for one, then closes.
    /// What is being sent is not delivered.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// What a [`Transport`] tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Happening {
    /// A message came, and waits for its answer.
    Arrived(Arrived),
    /// The registration changed.
    Registration(Registration),
}

/// How the registration is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Registration {
    /// An attempt began.
    Registering,
    /// It holds, and is refreshed by itself. Told again after each refresh.
    Registered {
        /// For so long.
        expires: Duration,
    },
    /// It does not hold; it is tried again by itself.
    Offline {
        /// Why.
        why: RegisterError,
        /// When, from now.
        retry: Duration,
    },
    /// It does not hold, and is not tried again: a person has to look.
    Failed(RegisterError),
    /// Taken back at the end.
    Unregistered,
}

/// Where a stream is, or is being opened by whoever has the lock.
type Place = Arc<Mutex<Option<Flow>>>;
/// What all tasks of a connection have in common.
struct Shared {
    config: Config,
    endpoint: EndpointInnerRef,
    token: CancellationToken,
    /// It ends: nobody will answer what waits.
    ending: CancellationToken,
    /// Read by whoever writes to a socket: written when all of them are done.
    writers: Arc<RwLock<()>>,
    happenings: mpsc::UnboundedSender<Happening>,
    held: Arc<Semaphore>,
    held_bytes: Arc<Semaphore>,
    accepted: Arc<Semaphore>,
    /// How many of these are from whom.
    accepted_from: std::sync::Mutex<HashMap<IpAddr, usize>>,
    datagrams: Vec<Datagrams>,
    listening: Vec<(Way, SocketAddr)>,
    to_peers: Mutex<HashMap<SocketAddr, Flow>>,
    streams: Mutex<HashMap<(Way, SocketAddr, String), Place>>,
    resolver: OnceCell<SipResolver>,
    tls: OnceCell<Arc<rustls::ClientConfig>>,
    /// Of the registrar, once it accepted us.
    realm: std::sync::Mutex<String>,
}
impl Shared {
    /// Reading the system's roots takes a while, and is needed only where a stream over TLS is opened.
    async fn client_tls(&self) -> Result<Arc<rustls::ClientConfig>, String> {
        let roots = self.config.roots.clone();
        let made = self.tls.get_or_try_init(|| async {
            let made = tokio::task::spawn_blocking(move || tls::client(&roots)).await.map_err(|e| e.to_string())?;
            made.map(Arc::new).map_err(|why| format!("root certificates: {why}"))
        });
        made.await.cloned()
    }
}

/// One account's sockets, and the tasks behind them. Dropped, it closes at once; [`Transport::close`] does it in order.
pub struct Connection {
    shared: Arc<Shared>,
    happenings: Mutex<mpsc::UnboundedReceiver<Happening>>,
    end: std::sync::Mutex<Option<oneshot::Sender<oneshot::Sender<()>>>>,
}
impl Connection {
    /// Listens, and begins to register if it is to. In tasks of the present tokio runtime, any flavour.
    ///
    /// # Errors
    /// [`StartError`]: what can't be, or can't be listened on.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        config.check()?;
        let token = CancellationToken::new();
        let guard = token.clone().drop_guard();
        let (mut datagrams, mut receiving, mut listeners, mut listening) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for listen in &config.listen {
            let failed = |way, address| move |source| StartError::Listen { way, address, source };
            match listen {
                Listen::Udp(address) => {
                    let (udp, out) = Datagrams::bind(*address, config.limits.queued).await.map_err(failed(Way::Udp, *address))?;
                    listening.push((Way::Udp, udp.local));
                    receiving.push(out);
                    datagrams.push(udp);
                }
                Listen::Tcp(address) => {
                    let listener = TcpListener::bind(address).await.map_err(failed(Way::Tcp, *address))?;
                    listening.push((Way::Tcp, listener.local_addr().map_err(failed(Way::Tcp, *address))?));
                    listeners.push((listener, None));
                }
                Listen::Tls { address, certificate, key } => {
                    let tls = Arc::new(tls::server(certificate, key).map_err(StartError::Certificate)?);
                    let listener = TcpListener::bind(address).await.map_err(failed(Way::Tls, *address))?;
                    listening.push((Way::Tls, listener.local_addr().map_err(failed(Way::Tls, *address))?));
                    listeners.push((listener, Some(tokio_rustls::TlsAcceptor::from(tls))));
                }
            }
        }
        if let Roots::Pem(_) = config.roots {
            tls::client(&config.roots).map_err(StartError::Roots)?;
        }
        let (endpoint, incoming) = stack(&config, &token);
        let (happenings, outbox) = mpsc::unbounded_channel();
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(MAX_PERMITS)));
        let shared = Arc::new(Shared {
            held: semaphore(config.limits.held),
            held_bytes: semaphore(config.limits.held_bytes),
            accepted: semaphore(config.limits.connections),
            accepted_from: std::sync::Mutex::default(),
            config,
            endpoint,
            token,
            ending: CancellationToken::new(),
            writers: Arc::default(),
            happenings,
            datagrams,
            listening,
            to_peers: Mutex::default(),
            streams: Mutex::default(),
            resolver: OnceCell::new(),
            tls: OnceCell::new(),
            realm: std::sync::Mutex::default(),
        });
        for (udp, out) in shared.datagrams.iter().zip(receiving) {
            tokio::spawn(flow::send_datagrams(shared.clone(), udp.socket.clone(), out));
            if let Some(flow) = udp.flow(None, &shared.token).await {
                tokio::spawn(flow::receive_datagrams(shared.clone(), udp.socket.clone(), flow));
            }
        }
        for (listener, tls) in listeners {
            tokio::spawn(flow::accept(shared.clone(), listener, tls));
        }
        tokio::spawn(until_closed(shared.clone(), inbound::serve(shared.clone(), incoming)));
        let (end, ended) = oneshot::channel();
        if shared.config.register {
            tokio::spawn(until_closed(shared.clone(), register::stay(shared.clone(), ended)));
        }
        guard.disarm();
        Ok(Connection { shared, happenings: Mutex::new(outbox), end: std::sync::Mutex::new(Some(end)) })
    }
    /// Where it listens by this way: the port is one that others can use.
    pub fn listens(&self, way: Way) -> Option<SocketAddr> {
        self.shared.listening.iter().find(|(listening, _)| *listening == way).map(|(_, address)| *address)
    }
    /// Messages that wait for their answer.
    pub fn held(&self) -> usize {
        self.shared.config.limits.held.saturating_sub(self.shared.held.available_permits())
    }
}
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("config", &self.shared.config).finish_non_exhaustive()
    }
}
impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.token.cancel();
    }
}
async fn until_closed(shared: Arc<Shared>, task: impl Future<Output = ()>) {
    tokio::select! {
        () = shared.token.cancelled() => {}
        () = task => {}
    }
}
/// rsipstack without its sockets: transactions and timers.
fn stack(config: &Config, token: &CancellationToken) -> (EndpointInnerRef, mpsc::UnboundedReceiver<rsipstack::transaction::Transaction>) {
    // Timer J is 64 T1 over datagrams, and never shorter than Timer F, which is ours
    let kept = Duration::from_secs(32).max(config.timeouts.answer.saturating_add(Duration::from_secs(1)));
    let option = EndpointOption { t1: config.timeouts.resend, t1x64: kept, ..EndpointOption::default() };
    let layer = TransportLayer::new_with_domain_resolver(token.child_token(), Box::new(NoNames));
    let endpoint = EndpointBuilder::new()
        .with_option(option)
        .with_user_agent(&config.user_agent)
        .with_cancel_token(token.child_token())
        .with_transport_layer(layer)
        .build();
    let incoming = endpoint.incoming_transactions().unwrap_or_else(|_| mpsc::unbounded_channel().1);
    let inner = endpoint.inner;
    tokio::spawn({
        let (inner, token) = (inner.clone(), token.clone());
        async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = inner.process_timer() => {}
            }
        }
    });
    (inner, incoming)
}
/// Names are resolved before rsipstack is asked for anything.
struct NoNames;
impl DomainResolver for NoNames {
    fn resolve<'s, 't, 'f>(&'s self, target: &'t SipAddr) -> Pin<Box<dyn Future<Output = rsipstack::Result<SipAddr>> + Send + 'f>>
    where
        's: 'f,
        't: 'f,
        Self: 'f,
    {
        Box::pin(std::future::ready(Err(rsipstack::Error::DnsResolutionError(target.to_string()))))
    }
}
/// A URI that is written as it stands: rsipstack's writer escapes what is escaped again.
fn verbatim(uri: &str) -> Uri {
    let (scheme, rest) = uri.split_once(':').unwrap_or(("sip", uri));
    Uri { scheme: Some(Scheme::Other(scheme.into())), host_with_port: Domain(rest.into()).into(), ..Uri::default() }
}

impl Transport for Connection {
    async fn send(&self, message: SipMessage) -> Delivery {
        if let Err(why) = message.check() {
            return Delivery::local(400, why.to_string());
        }
        let mut fields: Vec<Header> = message.headers.0.into_iter().map(|(name, value)| make_header(&name, value)).collect();
        fields.push(Header::ContentType(sip::ContentType::new(message.content_type.0)));
        let mut ask = Ask {
            method: Method::Message,
            uri: message.to.as_str().into(),
            next: None,
            from: message.from.as_str().into(),
            from_tag: random_text(10),
            to: message.to.as_str().into(),
            call_id: message.id.as_str().into(),
            cseq: 0,
            contact: false,
            fields,
            body: message.body,
        };
        let closed = self.shared.token.cancelled();
        let answered = tokio::select! {
            answered = outbound::ask(&self.shared, &mut ask) => answered,
            () = closed => return Delivery::local(503, "the connection was closed"),
        };
        let response = match answered {
            Ok(answered) => answered.response,
            Err(why) => return Delivery::local(why.status, why.cause),
        };
        let code = response.status_code.code();
        if code < 300 {
            return Delivery::Delivered(code);
        }
        let ours = |value: &str| value.strip_prefix("399 subrosa \"")?.strip_suffix('"').map(str::to_owned);
        let reason = response.headers.iter().find_map(|h| if let Header::Warning(value) = h { ours(value.value()) } else { None });
        let cause = response.wire_reason.unwrap_or_else(|| response.status_code.text().into());
        Delivery::NotDelivered(NotDelivered { status: Status::new(code), cause, reason, local: false })
    }
    async fn next(&self) -> Option<Happening> {
        let mut happenings = self.happenings.lock().await;
        tokio::select! {
            biased;
            happening = happenings.recv() => happening,
            () = self.shared.token.cancelled() => happenings.try_recv().ok(),
        }
    }
    async fn close(&self) {
        let end = self.end.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(end) = end {
            let (done, is_done) = oneshot::channel();
            if end.send(done).is_ok() {
                let _ = is_done.await;
            }
        }
        self.shared.ending.cancel();
        let all = u32::try_from(self.shared.config.limits.held.min(MAX_PERMITS)).unwrap_or(u32::MAX);
        let said = async {
            // each is given back when its answer is on its way
            let _ = self.shared.held.acquire_many(all).await;
            self.shared.token.cancel();
            drop(self.shared.writers.write().await);
        };
        let _ = timeout(LAST_WORDS, said).await;
        self.shared.token.cancel();
    }
}
