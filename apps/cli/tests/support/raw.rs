//! A program without any encryption: one stream in clear on the loopback, written and read as text.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use subrosa_interop::Prosody;

pub struct Raw {
    stream: TcpStream,
    read: String,
}
impl Raw {
    /// Logged in and here for everybody; it publishes nothing.
    pub fn login(server: &Prosody, user: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut raw = Raw { stream, read: String::new() };
        raw.open(server);
        // base64 of what RFC 4616 §2 puts together
        let plain = base64(format!("\0{user}\0pw-{user}").as_bytes());
        raw.say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"));
        raw.hears("<success");
        raw.open(server);
        raw.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>raw</resource></bind></iq>");
        raw.hears("<jid>");
        raw.say("<presence/>");
        raw.hears("<presence");
        raw
    }
    fn open(&mut self, server: &Prosody) {
        self.read.clear();
        let header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'";
        self.say(&format!("{header} to='{}'>", server.domain));
        self.hears("</stream:features>");
    }
    pub fn say(&mut self, xml: &str) {
        self.stream.write_all(xml.as_bytes()).unwrap();
    }
    pub fn message(&mut self, to: &str, id: &str, text: &str) {
        self.say(&format!("<message type='chat' to='{to}' id='{id}'><body>{text}</body></message>"));
    }
    /// Until this came, since the stream began.
    #[track_caller]
    pub fn hears(&mut self, what: &str) {
        let end = Instant::now() + super::PATIENCE;
        let mut bytes = [0; 4096];
        while !self.read.contains(what) {
            assert!(Instant::now() < end, "no {what}: {}", self.read);
            match self.stream.read(&mut bytes) {
                Ok(0) => panic!("the stream ended before {what}: {}", self.read),
                Ok(n) => self.read.push_str(&String::from_utf8_lossy(&bytes[..n])),
                Err(_) => {}
            }
        }
    }
}
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |part: &[u8]| {
        let bits = part.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - part.len()));
        (0..4).map(|n| if n <= part.len() { SIGNS[(bits >> (18 - 6 * n)) as usize & 63] as char } else { '=' }).collect::<String>()
    };
    bytes.chunks(3).map(group).collect()
}
