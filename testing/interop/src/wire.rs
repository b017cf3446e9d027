//! A line between browsers and our gateway: keeps all that goes over it, and cuts it.
//!
//! It reads HTTP/1.1 and WebSocket in clear. What a browser sends in WebSocket frames is masked (RFC 6455 §5.3), so
//! a search in the bytes alone would find nothing.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::gateway::Gateway;

/// Listens on a port of its own and passes on to the gateway.
#[derive(Debug)]
pub struct Wire {
    /// Where the page is, ending in `/`, by this way.
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    down: bool,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    ends: [TcpStream; 2],
    from_browser: Vec<u8>,
    from_gateway: Vec<u8>,
}

impl Wire {
    /// Stands before `gateway`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn before(gateway: &Gateway) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let target = gateway.address().to_owned();
        let url = gateway.url.replacen(&target, &format!("127.0.0.1:{}", listener.local_addr()?.port()), 1);
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for browser in listener.incoming().flatten() {
                // A gateway that is away: the browser sees its connection closed.
                let _ = connect(browser, &target, &shared);
            }
        });
        Ok(Self { url, state })
    }

    /// Cuts all connections.
    pub fn cut(&self) {
        let state = lock(&self.state);
        for end in state.lines.iter().flat_map(|line| &line.ends) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Cuts all connections and lets nobody through. `false`: as before.
    pub fn down(&self, down: bool) {
        lock(&self.state).down = down;
        if down {
            self.cut();
        }
    }

    /// Whether `text` went over it, either way.
    pub fn has_carried(&self, text: &str) -> bool {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        !text.is_empty() && lock(&self.state).lines.iter().any(|line| has(&line.from_gateway) || has(&unmasked(&line.from_browser)))
    }

    /// How many bytes went over it, either way.
    pub fn carried(&self) -> usize {
        lock(&self.state).lines.iter().map(|line| line.from_browser.len() + line.from_gateway.len()).sum()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(browser: TcpStream, target: &str, shared: &Arc<Mutex<State>>) -> io::Result<()> {
    let gateway = TcpStream::connect(target)?;
    browser.set_nodelay(true)?;
    gateway.set_nodelay(true)?;
    let place = {
        let mut state = lock(shared);
        if state.down {
            return Ok(());
        }
        let ends = [browser.try_clone()?, gateway.try_clone()?];
        state.lines.push(Line { ends, from_browser: Vec::new(), from_gateway: Vec::new() });
        state.lines.len() - 1
    };
    let (mut from, mut to, there) = (gateway.try_clone()?, browser.try_clone()?, Arc::clone(shared));
    std::thread::spawn(move || pass(&mut from, &mut to, |bytes| lock(&there).lines[place].from_gateway.extend_from_slice(bytes)));
    let (mut from, mut to, here) = (browser, gateway, Arc::clone(shared));
    std::thread::spawn(move || pass(&mut from, &mut to, |bytes| lock(&here).lines[place].from_browser.extend_from_slice(bytes)));
    Ok(())
}

fn pass(from: &mut TcpStream, to: &mut TcpStream, mut keep: impl FnMut(&[u8])) {
    let mut part = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut part) {
        keep(&part[..length]);
        if to.write_all(&part[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// A browser's bytes with the masks taken off: up to an upgrade as they are, then what the frames hold.
fn unmasked(bytes: &[u8]) -> Vec<u8> {
    let find = |what: &[u8]| bytes.windows(what.len()).position(|part| part.eq_ignore_ascii_case(what));
    let Some(head) = find(b"upgrade: websocket").and_then(|at| Some(at + bytes[at..].windows(4).position(|end| end == b"\r\n\r\n")? + 4)) else {
        return bytes.to_vec();
    };
    let (head, mut rest) = bytes.split_at(head);
    let mut found = head.to_vec();
    while let Some(([_, second], after)) = rest.split_first_chunk::<2>() {
        let (length, after) = match second & 0x7f {
            126 => match after.split_first_chunk::<2>() {
                Some((length, after)) => (usize::from(u16::from_be_bytes(*length)), after),
                None => break,
            },
            127 => match after.split_first_chunk::<8>() {
                Some((length, after)) => (usize::try_from(u64::from_be_bytes(*length)).unwrap_or(usize::MAX), after),
                None => break,
            },
            short => (usize::from(short), after),
        };
        let (mask, after) =
            if second & 0x80 == 0 { ([0; 4], after) } else { after.split_first_chunk::<4>().map_or(([0; 4], &[][..]), |(m, a)| (*m, a)) };
        let (payload, after) = after.split_at(length.min(after.len()));
        found.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::unmasked;

    #[test]
    fn masks_are_taken_off() {
        let mut bytes = b"GET /api HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec();
        let mask = [7, 8, 9, 200];
        for text in [b"first words".to_vec(), vec![b'x'; 300], b"last words".to_vec()] {
            bytes.push(0x82);
            match u8::try_from(text.len()) {
                Ok(length @ ..126) => bytes.push(0x80 | length),
                _ => {
                    bytes.push(0x80 | 126);
                    bytes.extend(u16::try_from(text.len()).expect("short").to_be_bytes());
                }
            }
            bytes.extend(mask);
            bytes.extend(text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
        let text = String::from_utf8(unmasked(&bytes)).expect("text");
        assert!(text.starts_with("GET /api") && text.contains("first words") && text.ends_with("last words"), "{text}");
        assert_eq!(unmasked(b"POST /login HTTP/1.1\r\n\r\nsecret"), b"POST /login HTTP/1.1\r\n\r\nsecret");
        for cut in 0..bytes.len() {
            let _ = unmasked(&bytes[..cut]);
        }
    }
}
