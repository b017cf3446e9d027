//! A line between two SIP phones over TCP: keeps all that goes over it, so that a test can say what a network sees and which
//! code stands on the wire, whatever the phones say of it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::lines::PATIENCE;

/// Listens on a port of its own and passes on to a phone.
#[derive(Debug)]
pub struct Tap {
    /// Where to send instead of the phone's own port.
    pub port: u16,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Debug, Default)]
struct Heard {
    phone: u16,
    there: Vec<u8>,
    back: Vec<u8>,
}

impl Tap {
    /// Opens a port; whom it leads to is said by [`Tap::lead_to`], before anybody connects.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let own = listener.local_addr()?.port();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let phone = lock(&shared).phone;
                // A phone that is away: the other one sees its connection closed.
                let _ = connect(client, phone, &shared);
            }
        });
        Ok(Self { port: own, heard })
    }

    /// The phone that listens on `port` is on the other end.
    pub fn lead_to(&self, port: u16) {
        lock(&self.heard).phone = port;
    }

    /// Whether these bytes went over the line, in either direction.
    pub fn carried(&self, what: &[u8]) -> bool {
        let heard = lock(&self.heard);
        [&heard.there, &heard.back].into_iter().any(|bytes| bytes.windows(what.len()).any(|part| part == what))
    }

    /// The same, once there are so many of them; after a minute those that there are. A receipt may be quicker than an answer.
    pub fn wait_for_answers(&self, count: usize) -> Vec<u16> {
        let start = Instant::now();
        loop {
            let answers = self.answers();
            if answers.len() >= count || start.elapsed() > PATIENCE {
                return answers;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The codes of the final answers to MESSAGE requests that went there, in order.
    pub fn answers(&self) -> Vec<u16> {
        let heard = lock(&self.heard);
        // A status line only: a Via has `SIP/2.0/TCP`, a request line ends with `SIP/2.0`.
        let back = String::from_utf8_lossy(&heard.back);
        let to_messages =
            back.split("SIP/2.0 ").skip(1).filter(|answer| answer.lines().any(|line| line.starts_with("CSeq:") && line.ends_with("MESSAGE")));
        to_messages.filter_map(|answer| answer.get(..3)?.parse().ok()).filter(|code| *code >= 200).collect()
    }
}

fn connect(client: TcpStream, port: u16, heard: &Arc<Mutex<Heard>>) -> io::Result<()> {
    let phone = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let (from_client, to_phone, from_phone, to_client) = (client.try_clone()?, phone.try_clone()?, phone, client);
    let (there, back) = (Arc::clone(heard), Arc::clone(heard));
    std::thread::spawn(move || pass_on(from_client, to_phone, &there, |heard| &mut heard.there));
    std::thread::spawn(move || pass_on(from_phone, to_client, &back, |heard| &mut heard.back));
    Ok(())
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, heard: &Mutex<Heard>, kept: fn(&mut Heard) -> &mut Vec<u8>) {
    let mut part = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut part) {
        kept(&mut lock(heard)).extend_from_slice(&part[..length]);
        if to.write_all(&part[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
