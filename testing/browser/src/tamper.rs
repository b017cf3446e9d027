//! A gateway that lies: between browsers and the real one, it changes what comes out of the socket and hears what goes in.
//!
//! HTTP passes as it is. Of WebSocket (RFC 6455 §5) it knows whole binary frames, which is what both sides send.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use subrosa_interop::Gateway;
use subrosa_web_api::socket::{FromGateway, Request, ToGateway};
use subrosa_web_api::{decode, encode};

/// What is done to a frame of the gateway; for an answer also what was asked.
type Change = dyn FnMut(FromGateway, Option<&Request>) -> Vec<FromGateway> + Send;

/// Listens on a port of its own.
pub struct Tamper {
    /// Where the page is, ending in `/`, by this way.
    pub url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    change: Box<Change>,
    heard: Vec<ToGateway>,
    asked: HashMap<u64, Request>,
    /// The browser's end of the newest socket.
    browser: Option<TcpStream>,
}

impl Tamper {
    /// Stands before `gateway` and does `change` to every frame that it sends.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn before(gateway: &Gateway, change: impl FnMut(FromGateway, Option<&Request>) -> Vec<FromGateway> + Send + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let target = gateway.address().to_owned();
        let url = gateway.url.replacen(&target, &format!("127.0.0.1:{}", listener.local_addr()?.port()), 1);
        let state = State { change: Box::new(change), heard: Vec::new(), asked: HashMap::new(), browser: None };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for browser in listener.incoming().flatten() {
                let _ = connect(browser, &target, &shared);
            }
        });
        Ok(Tamper { url, state })
    }

    /// Every frame that browsers sent, in order.
    pub fn heard(&self) -> Vec<ToGateway> {
        lock(&self.state).heard.clone()
    }

    /// Sends a frame that the gateway never sent, on the newest socket.
    ///
    /// # Errors
    /// When there is none.
    pub fn say(&self, frame: &FromGateway) -> io::Result<()> {
        let state = lock(&self.state);
        let mut browser = state.browser.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        browser.write_all(&framed(&encode(frame)))
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(browser: TcpStream, target: &str, shared: &Arc<Mutex<State>>) -> io::Result<()> {
    let gateway = TcpStream::connect(target)?;
    browser.set_nodelay(true)?;
    gateway.set_nodelay(true)?;
    let (mut from, mut to, heard) = (browser.try_clone()?, gateway.try_clone()?, Arc::clone(shared));
    // Browsers open a connection of its own for a socket: its first bytes tell what it is.
    let mut first = vec![0; 16 * 1024];
    let length = from.read(&mut first)?;
    first.truncate(length);
    to.write_all(&first)?;
    let is_socket = String::from_utf8_lossy(&first).to_ascii_lowercase().contains("upgrade: websocket");
    if is_socket {
        lock(shared).browser = Some(browser.try_clone()?);
    }
    std::thread::spawn(move || {
        let mut frames = Frames::default();
        copy(&mut from, &mut to, |bytes, to| {
            if is_socket {
                for payload in frames.take(bytes) {
                    let mut state = lock(&heard);
                    if let Some(frame) = decode::<ToGateway>(&payload) {
                        if let ToGateway::Request { id, what } = &frame {
                            state.asked.insert(*id, what.clone());
                        }
                        state.heard.push(frame);
                    }
                }
            }
            to.write_all(bytes)
        });
    });
    let (mut from, mut to, shared) = (gateway, browser, Arc::clone(shared));
    std::thread::spawn(move || {
        let (mut frames, mut head) = (Frames::default(), Vec::new());
        copy(&mut from, &mut to, |bytes, to| {
            if !is_socket {
                return to.write_all(bytes);
            }
            let mut bytes = bytes.to_vec();
            if !head.ends_with(b"\r\n\r\n") {
                head.extend_from_slice(&bytes);
                let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(()) };
                bytes = head.split_off(end + 4);
                to.write_all(&head)?;
            }
            for payload in frames.take(&bytes) {
                let mut state = lock(&shared);
                let State { change, asked, .. } = &mut *state;
                let Some(frame) = decode::<FromGateway>(&payload) else { continue };
                let asked = if let FromGateway::Answer { id, .. } = &frame { asked.get(id) } else { None };
                for frame in change(frame, asked) {
                    to.write_all(&framed(&encode(&frame)))?;
                }
            }
            // pings and the end
            to.write_all(&frames.others())
        });
    });
    Ok(())
}

fn copy(from: &mut TcpStream, to: &mut TcpStream, mut pass: impl FnMut(&[u8], &mut TcpStream) -> io::Result<()>) {
    let mut part = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut part) {
        if pass(&part[..length], to).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// A whole binary frame of a server.
fn framed(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x82];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => frame.push(length),
        (_, Ok(length)) => {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// Cuts a stream into frames.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    others: Vec<u8>,
}
impl Frames {
    /// The payloads of the binary frames that are whole now.
    fn take(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.bytes.extend_from_slice(bytes);
        let mut payloads = Vec::new();
        while let Some((head, length, mask)) = self.head() {
            if self.bytes.len() < head + length {
                break;
            }
            let rest = self.bytes.split_off(head + length);
            let mut frame = std::mem::replace(&mut self.bytes, rest);
            if frame[0] & 0x0f != 2 {
                self.others.extend_from_slice(&frame);
                continue;
            }
            let mut payload = frame.split_off(head);
            payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
            payloads.push(payload);
        }
        payloads
    }
    /// Frames that are not binary, as they came.
    fn others(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.others)
    }
    /// The length of the head, that of the payload, and the mask.
    fn head(&self) -> Option<(usize, usize, [u8; 4])> {
        let second = *self.bytes.get(1)?;
        let (at, length) = match second & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes(self.bytes.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(self.bytes.get(2..10)?.try_into().ok()?)).ok()?),
            short => (2, usize::from(short)),
        };
        if second & 0x80 == 0 { Some((at, length, [0; 4])) } else { Some((at + 4, length, self.bytes.get(at..at + 4)?.try_into().ok()?)) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Frames, framed};

    #[test]
    fn frames_are_found_wherever_the_reads_fall() {
        let payloads: Vec<Vec<u8>> = [0, 1, 125, 126, 65_535, 70_000].map(|length| vec![7; length]).into();
        let mut stream: Vec<u8> = payloads.iter().flat_map(|payload| framed(payload)).collect();
        stream.extend([0x89, 2, b'h', b'i']);
        for size in [1, 2, 3, 1000, stream.len()] {
            let mut frames = Frames::default();
            let found: Vec<Vec<u8>> = stream.chunks(size).flat_map(|part| frames.take(part)).collect();
            assert_eq!(found, payloads);
            assert_eq!(frames.others(), [0x89, 2, b'h', b'i']);
        }
    }
}
