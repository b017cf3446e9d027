//! A man in the middle of our own connection, for what a network does: holds stanzas back, lets them go in
//! another order, cuts the line.
//!
//! It reads clear-text XMPP, so it stands between our client and a server on the loopback without TLS. It only
//! ever holds `<message/>`; everything else passes at once.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::server::Server;

/// Listens on a port of its own and passes on to the server.
#[derive(Debug)]
pub struct Proxy {
    /// Where to connect instead of the server's port.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    holding: bool,
    held: Vec<Vec<u8>>,
    /// The two ends of the newest connection.
    client: Option<TcpStream>,
    server: Option<TcpStream>,
}

impl Proxy {
    /// Stands before `server`'s clear-text port.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn before(server: &Server) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (state, target) = (Arc::new(Mutex::new(State::default())), server.port);
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is away: the client sees its connection closed.
                let _ = connect(client, target, &shared);
            }
        });
        Ok(Self { port, state })
    }

    /// From now on the client's messages wait here.
    pub fn hold(&self) {
        lock(&self.state).holding = true;
    }

    /// Waits until at least `count` messages are held; how many are.
    ///
    /// # Errors
    /// When they do not come.
    pub fn wait_for(&self, count: usize) -> io::Result<usize> {
        let start = Instant::now();
        loop {
            let held = lock(&self.state).held.len();
            if held >= count {
                return Ok(held);
            }
            if start.elapsed() > Duration::from_secs(60) {
                return Err(io::Error::other(format!("{held} of {count} messages came to the proxy")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Lets the held messages go, in the order that `arrange` makes of them, and holds no more.
    ///
    /// # Errors
    /// When the connection to the server is gone.
    pub fn release(&self, arrange: impl FnOnce(&mut Vec<Vec<u8>>)) -> io::Result<()> {
        let mut state = lock(&self.state);
        let mut held = std::mem::take(&mut state.held);
        state.holding = false;
        arrange(&mut held);
        let server = state.server.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        held.iter().try_for_each(|stanza| server.write_all(stanza))
    }

    /// Cuts the connection on both sides; what was held is lost, as on a network.
    pub fn cut(&self) {
        let mut state = lock(&self.state);
        state.held.clear();
        for end in [state.client.take(), state.server.take()].into_iter().flatten() {
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(client: TcpStream, port: u16, shared: &Arc<Mutex<State>>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    {
        let mut state = lock(shared);
        state.client = Some(client.try_clone()?);
        state.server = Some(server.try_clone()?);
    }
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let (shared, mut client) = (Arc::clone(shared), client);
    std::thread::spawn(move || {
        let (mut splitter, mut part) = (Splitter::default(), [0; 16 * 1024]);
        while let Ok(length @ 1..) = client.read(&mut part) {
            for piece in splitter.split(&part[..length]) {
                let mut state = lock(&shared);
                if state.holding && piece.starts_with(b"<message") {
                    state.held.push(piece);
                    continue;
                }
                drop(state);
                if (&server).write_all(&piece).is_err() {
                    return;
                }
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// Cuts a client's stream into its stanzas. The stream's own opening and closing tags are pieces too.
#[derive(Debug, Default)]
struct Splitter {
    piece: Vec<u8>,
    depth: usize,
    /// Where the tag that is being read began, in `piece`.
    tag: Option<usize>,
    quote: Option<u8>,
}

impl Splitter {
    fn split(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut done = Vec::new();
        for &byte in bytes {
            if self.tag.is_none() && byte == b'<' {
                self.tag = Some(self.piece.len());
            }
            self.piece.push(byte);
            let Some(start) = self.tag else {
                // White space between stanzas is a keep-alive: it does not wait for the next one.
                if self.depth == 0 {
                    done.push(std::mem::take(&mut self.piece));
                }
                continue;
            };
            match (self.quote, byte) {
                (None, b'"' | b'\'') => self.quote = Some(byte),
                (Some(open), _) if open == byte => self.quote = None,
                (None, b'>') => {
                    let tag = &self.piece[start..];
                    let whole = if tag.starts_with(b"<?") || tag.starts_with(b"<stream:") || tag.starts_with(b"</stream:") {
                        true
                    } else if tag.starts_with(b"</") {
                        self.depth = self.depth.saturating_sub(1);
                        self.depth == 0
                    } else if tag.ends_with(b"/>") {
                        self.depth == 0
                    } else {
                        self.depth += 1;
                        false
                    };
                    self.tag = None;
                    if whole {
                        done.push(std::mem::take(&mut self.piece));
                    }
                }
                _ => {}
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::Splitter;

    #[test]
    fn a_stream_is_cut_into_stanzas_wherever_the_reads_fall() {
        let stream = b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='x'><iq id='1'><q a='>'/></iq> <r/>\
                       <message to=\"b\"><body>a &lt; b ></body><message/></message></stream:stream>";
        let whole: Vec<String> = pieces(stream, stream.len());
        assert_eq!(
            whole,
            [
                "<?xml version='1.0'?>",
                "<stream:stream xmlns='jabber:client' to='x'>",
                "<iq id='1'><q a='>'/></iq>",
                " ",
                "<r/>",
                "<message to=\"b\"><body>a &lt; b ></body><message/></message>",
                "</stream:stream>"
            ]
        );
        for size in 1..40 {
            assert_eq!(pieces(stream, size), whole, "reads of {size}");
        }
    }

    fn pieces(stream: &[u8], size: usize) -> Vec<String> {
        let mut splitter = Splitter::default();
        let parts = stream.chunks(size).flat_map(|part| splitter.split(part)).collect::<Vec<_>>();
        parts.into_iter().map(|part| String::from_utf8(part).expect("text")).collect()
    }
}
