//! Sockets: what leaves by them, what comes by them. Knows bytes and frames; what a message means is `inbound`'s and `outbound`'s.
//!
//! rsipstack sends on a channel here, and is handed what came. Its own sockets write every message into the log at `info`, words and
//! credentials included, cut datagrams at 8 KiB, leave Nagle's algorithm on, and put no bound on connections, handshakes, and
//! what waits to be written to a peer that does not read.
use super::Shared;
use super::config::Way;
use super::frame::{self, Framer};
use super::inbound;
use bytes::BytesMut;
use rsipstack::platform::CancellationToken;
use rsipstack::sip::{HeadersExt as _, HostWithPort, SipMessage};
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// So much is written at once.
const BATCH: usize = 64 * 1024;
/// The largest datagram there is.
const DATAGRAM: usize = 65_535;

/// One way to one peer. Cheap to clone.
#[derive(Clone)]
pub(super) struct Flow {
    pub way: Way,
    pub local: SocketAddr,
    /// What rsipstack sends on.
    pub connection: SipConnection,
    /// For what needs no transaction.
    pub raw: mpsc::Sender<Vec<u8>>,
    /// Nothing comes or goes any more.
    pub closed: CancellationToken,
    /// When something came last.
    heard: Arc<Mutex<Instant>>,
}
impl Flow {
    fn new(way: Way, local: SocketAddr, connection: SipConnection, raw: mpsc::Sender<Vec<u8>>, closed: CancellationToken) -> Self {
        Flow { way, local, connection, raw, closed, heard: Arc::new(Mutex::new(Instant::now())) }
    }
    pub fn heard(&self) -> Instant {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn hears(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}
type Outbox = mpsc::Receiver<TransportEvent>;

/// A channel that looks like a connection to rsipstack, and its other end.
async fn channel(way: Way, peer: SocketAddr, queued: usize, closed: &CancellationToken) -> Option<(SipConnection, Outbox)> {
    let (outbox, out) = mpsc::channel(queued.max(1));
    connection_over(way, peer, outbox, closed).await.map(|connection| (connection, out))
}
async fn connection_over(way: Way, peer: SocketAddr, outbox: mpsc::Sender<TransportEvent>, closed: &CancellationToken) -> Option<SipConnection> {
    let transport = match way {
        Way::Udp => rsipstack::sip::Transport::Udp,
        Way::Tcp => rsipstack::sip::Transport::Tcp,
        Way::Tls => rsipstack::sip::Transport::Tls,
    };
    let address = SipAddr::new(transport, HostWithPort::from(peer));
    let (_, nothing) = mpsc::unbounded_channel();
    ChannelConnection::create_connection_bounded(nothing, outbox, address, Some(closed.clone())).await.ok().map(SipConnection::Channel)
}

/// The socket for datagrams, both ways.
pub(super) struct Datagrams {
    pub socket: Arc<UdpSocket>,
    pub local: SocketAddr,
    outbox: mpsc::Sender<TransportEvent>,
    raw: mpsc::Sender<Vec<u8>>,
}
impl Datagrams {
    pub async fn bind(address: SocketAddr, queued: usize) -> std::io::Result<(Self, Outbox)> {
        let socket = Arc::new(UdpSocket::bind(address).await?);
        let (outbox, out) = mpsc::channel(queued.max(1));
        let local = socket.local_addr()?;
        Ok((Datagrams { socket, local, outbox, raw: mpsc::channel(1).0 }, out))
    }
    /// To one peer, or with [`None`] to where the top Via of an answer points.
    pub async fn flow(&self, peer: Option<SocketAddr>, closed: &CancellationToken) -> Option<Flow> {
        let to = peer.unwrap_or(self.local);
        let connection = connection_over(Way::Udp, to, self.outbox.clone(), closed).await?;
        Some(Flow::new(Way::Udp, self.local, connection, self.raw.clone(), closed.clone()))
    }
}
/// Sends what rsipstack gives. What can't be sent is lost, as datagrams are.
pub(super) async fn send_datagrams(shared: Arc<Shared>, socket: Arc<UdpSocket>, mut out: Outbox) {
    let Ok(_writing) = shared.writers.clone().try_read_owned() else { return };
    loop {
        let event = tokio::select! {
            biased;
            event = out.recv() => event,
            () = shared.token.cancelled() => None,
        };
        let Some(event) = event else { return };
        let TransportEvent::Incoming(message, _, peer) = event else { continue };
        let to = match &message {
            SipMessage::Request(_) => peer.get_socketaddr().ok(),
            SipMessage::Response(response) => {
                response.via_header().ok().and_then(|via| SipConnection::parse_target_from_via(via).ok()).and_then(|(_, to)| to.try_into().ok())
            }
        };
        if let Some(to) = to
            && let Err(error) = socket.send_to(&message.to_bytes(), to).await
        {
            tracing::debug!(%to, %error, "a datagram could not be sent");
        }
    }
}
pub(super) async fn receive_datagrams(shared: Arc<Shared>, socket: Arc<UdpSocket>, flow: Flow) {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let (length, peer) = tokio::select! {
            () = shared.token.cancelled() => return,
            received = socket.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                // an ICMP answer to an earlier datagram: nothing is wrong with the socket
                Err(error) => {
                    tracing::debug!(%error, "a datagram could not be received");
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        if bytes == b"\r\n\r\n" {
            let _ = socket.try_send_to(b"\r\n", peer);
        } else if let Some(frame) = frame::datagram(bytes, &shared.config.limits)
            && let inbound::Turn::Answer(answer, to) = inbound::take(&shared, frame, &flow, peer).await
        {
            let _ = socket.try_send_to(&answer, to);
        }
    }
}

/// Takes the streams that others open, as many as there may be.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener, tls: Option<tokio_rustls::TlsAcceptor>) {
    loop {
        let (stream, peer) = tokio::select! {
            () = shared.token.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // out of file descriptors: it would fail again at once
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (Ok(permit), Some(share)) = (shared.accepted.clone().try_acquire_owned(), Share::take(&shared, peer.ip())) else {
            tracing::debug!(%peer, "too many connections");
            continue;
        };
        let (shared, tls) = (shared.clone(), tls.clone());
        tokio::spawn(async move {
            let _kept = (permit, share);
            let Ok(local) = stream.local_addr() else { return };
            let _ = stream.set_nodelay(true);
            let closed = match tls {
                None => start(&shared, stream, Way::Tcp, local, peer, false).await.map(|flow| flow.closed),
                Some(acceptor) => match timeout(shared.config.timeouts.connect, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => start(&shared, stream, Way::Tls, local, peer, false).await.map(|flow| flow.closed),
                    _ => None,
                },
            };
            if let Some(closed) = closed {
                closed.cancelled().await;
            }
        });
    }
}

/// One of the streams that somebody may have.
struct Share {
    shared: Arc<Shared>,
    from: IpAddr,
}
impl Share {
    fn take(shared: &Arc<Shared>, from: IpAddr) -> Option<Self> {
        let from = from.to_canonical();
        let mut all = shared.accepted_from.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = all.entry(from).or_default();
        if *theirs >= shared.config.limits.connections_each {
            return None;
        }
        *theirs = theirs.saturating_add(1);
        Some(Share { shared: shared.clone(), from })
    }
}
impl Drop for Share {
    fn drop(&mut self) {
        let mut all = self.shared.accepted_from.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = all.get_mut(&self.from) {
            *theirs = theirs.saturating_sub(1);
            if *theirs == 0 {
                all.remove(&self.from);
            }
        }
    }
}

/// Opens a stream. `host`: whom the certificate must be for.
pub(super) async fn open(shared: &Arc<Shared>, way: Way, peer: SocketAddr, host: &str) -> Result<Flow, String> {
    let limit = shared.config.timeouts.connect;
    let stream = match timeout(limit, TcpStream::connect(peer)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(e)) => return Err(format!("{peer} ({}): {e}", way.name())),
        Err(_) => return Err(format!("{peer} ({}): no answer", way.name())),
    };
    // messages are small and answered: Nagle's algorithm would hold each back for 40 ms
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let local = stream.local_addr().map_err(|e| e.to_string())?;
    let flow = match way {
        Way::Tls => {
            let name = rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|e| format!("{host:?}: {e}"))?;
            let connector = tokio_rustls::TlsConnector::from(shared.client_tls().await?);
            let stream = match timeout(limit, connector.connect(name, stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(e)) => return Err(format!("no TLS with {peer} for {host:?}: {e}")),
                Err(_) => return Err(format!("no TLS with {peer}: no answer")),
            };
            start(shared, stream, way, local, peer, true).await
        }
        _ => start(shared, stream, way, local, peer, true).await,
    };
    flow.ok_or_else(|| "the connection is closing".into())
}

async fn start<S>(shared: &Arc<Shared>, stream: S, way: Way, local: SocketAddr, peer: SocketAddr, opened: bool) -> Option<Flow>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let closed = shared.token.child_token();
    let (connection, out) = channel(way, peer, shared.config.limits.queued, &closed).await?;
    let writing = shared.writers.clone().try_read_owned().ok()?;
    let (raw, raw_out) = mpsc::channel(16);
    let flow = Flow::new(way, local, connection, raw, closed);
    let (reader, writer) = tokio::io::split(stream);
    tokio::spawn({
        let (closed, limit) = (flow.closed.clone(), shared.config.timeouts.message);
        async move {
            let _writing = writing;
            write(writer, out, raw_out, closed, limit).await;
        }
    });
    tokio::spawn({
        let (shared, flow) = (shared.clone(), flow.clone());
        async move {
            read(&shared, reader, &flow, peer, opened).await;
            flow.closed.cancel();
        }
    });
    Some(flow)
}
/// Ends when nobody sends any more, the peer does not read, or the flow is closed; then it closes the flow.
async fn write(mut stream: impl AsyncWrite + Unpin, mut out: Outbox, mut raw: mpsc::Receiver<Vec<u8>>, closed: CancellationToken, limit: Duration) {
    let mut buffer = Vec::new();
    let put = |buffer: &mut Vec<u8>, event: TransportEvent| {
        if let TransportEvent::Incoming(message, ..) = event {
            buffer.extend_from_slice(&message.to_bytes());
        }
    };
    let mut ending = false;
    loop {
        // what was given before the end still goes out
        tokio::select! {
            biased;
            Some(event) = out.recv() => put(&mut buffer, event),
            Some(bytes) = raw.recv() => buffer.extend_from_slice(&bytes),
            () = closed.cancelled(), if !ending => ending = true,
            else => break,
        }
        if ending {
            out.close();
            raw.close();
        }
        while buffer.len() < BATCH {
            match out.try_recv() {
                Ok(event) => put(&mut buffer, event),
                Err(_) => break,
            }
        }
        if buffer.is_empty() {
            continue;
        }
        let written = timeout(limit, async {
            stream.write_all(&buffer).await?;
            stream.flush().await
        });
        if !matches!(written.await, Ok(Ok(()))) {
            break;
        }
        buffer.clear();
        buffer.shrink_to(BATCH);
    }
    closed.cancel();
    let _ = timeout(Duration::from_secs(1), stream.shutdown()).await;
}
async fn read(shared: &Arc<Shared>, mut stream: impl AsyncRead + Unpin, flow: &Flow, peer: SocketAddr, opened: bool) {
    let timeouts = &shared.config.timeouts;
    let (mut framer, mut buffer) = (Framer::new(&shared.config.limits), BytesMut::new());
    let mut within_since: Option<Instant> = None;
    let mut pinged = flow.heard();
    loop {
        while let Some(frame) = framer.next(&mut buffer) {
            let last = matches!(frame, frame::Frame::Last(..));
            within_since = None;
            if let inbound::Turn::Answer(answer, _) = inbound::take(shared, frame, flow, peer).await
                && flow.raw.send(answer).await.is_err()
            {
                return;
            }
            if last {
                return;
            }
        }
        within_since = if framer.is_within(&buffer) { within_since.or(Some(Instant::now())) } else { None };
        let until = match within_since {
            Some(since) => since.checked_add(timeouts.message),
            None if opened => pinged.checked_add(timeouts.keepalive),
            None => flow.heard().checked_add(timeouts.idle),
        };
        buffer.reserve(8 * 1024);
        let read = tokio::select! {
            () = flow.closed.cancelled() => return,
            read = timeout_at(until.unwrap_or(pinged), stream.read_buf(&mut buffer)) => read,
        };
        match read {
            Ok(Ok(0)) | Ok(Err(_)) => return,
            Ok(Ok(_)) => {
                flow.hears();
                pinged = flow.heard();
            }
            Err(_) if within_since.is_none() && opened && flow.heard().elapsed() < timeouts.idle => {
                pinged = Instant::now();
                let _ = flow.raw.try_send(b"\r\n\r\n".to_vec());
            }
            Err(_) => {
                tracing::debug!(%peer, "closed: nothing came in time");
                return;
            }
        }
    }
}
