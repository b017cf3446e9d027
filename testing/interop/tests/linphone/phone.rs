//! One side of a pairing: ours, or a Linphone with samples in C, or one with a Subrosa machine in it. What is asked of each is the
//! same; what each application gets to know is not.

use std::path::Path;

use subrosa_interop::{Build, FileServer, Linphone, Offer, Tap, Transport};

use crate::good;
use crate::ours::Ours;

/// What its engine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine {
    pub text: Text,
    /// Every message is finished later.
    pub later: bool,
    /// What every message that comes is refused with; 0: none is.
    pub refuses: u16,
    /// What every message that is to leave is refused with.
    pub keeps: u16,
    /// Takes multiples of 16 from an upload, but for its end.
    pub shrinks: bool,
    /// What the chunk of an upload in which byte 30 000 is is refused with.
    pub upload: u16,
    /// The same of a download.
    pub download: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// As the sample has it: bytes.
    Xor,
    /// For bodies that are C strings.
    XorHex,
    Base64,
    /// AES-256-GCM, files too; not a sample.
    Preshared,
    /// All is left as it is.
    Skip,
}

impl Engine {
    pub const fn new(text: Text) -> Self {
        Self { text, later: false, refuses: 0, keeps: 0, shrinks: false, upload: 0, download: 0 }
    }

    /// As the head of `peers/linphone/engines.c` has it.
    fn words(self) -> String {
        let text = match self.text {
            Text::Xor => "xor",
            Text::XorHex => "hex",
            Text::Base64 => "b64",
            Text::Preshared => panic!("no sample has a key"),
            Text::Skip => "skip",
        };
        let mut words = format!("text={text} in={} out={} up={} down={}", self.refuses, self.keeps, self.upload, self.download);
        for (word, is) in [(" files=xor", self.text != Text::Skip), (" async", self.later), (" shrink", self.shrinks)] {
            words.push_str(if is { word } else { "" });
        }
        words
    }

    /// The one of the library that is the same, as `subrosa_engine_by_name` has it.
    pub fn name(self) -> Option<&'static str> {
        let plain = Self { later: self.later, ..Self::new(self.text) } == self;
        match (self.text, self.later) {
            _ if !plain => None,
            (Text::Xor, false) => Some("xor"),
            (Text::XorHex, false) => Some("xor-hex"),
            (Text::Base64, false) => Some("base64"),
            (Text::Base64, true) => Some("base64-async"),
            (Text::Preshared, false) => Some("preshared-base64:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
            _ => None,
        }
    }
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Ours,
    /// A Linphone with an engine in C over liblinphone alone.
    Sample,
    /// A Linphone with a Subrosa machine, by `examples/linphone`.
    Adapter,
}

/// What became of a message, as the sender's application is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    /// The other side said no; 0: the code can't be known.
    Refused(u16),
    /// Nothing left; 0: the code can't be known.
    Kept(u16),
}

/// A message as it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub content_type: String,
    pub text: Vec<u8>,
    pub encrypted: bool,
}

pub enum Phone {
    Ours(Ours),
    Linphone(Side, Linphone),
}

impl Phone {
    /// `sip:<name>@sip.test`, sending to the phone behind this tap.
    pub fn start(side: Side, name: &str, to: &Tap, files: &FileServer, engine: Engine) -> Self {
        let build = match side {
            Side::Ours => return Self::Ours(Ours::start(name, to.port, files, engine)),
            Side::Sample => Build::Bare,
            Side::Adapter => Build::Adapter,
        };
        let mut linphone = good(Linphone::start_build(build, name, Transport::Tcp, files));
        good(linphone.route(to.port));
        let mut phone = Self::Linphone(side, linphone);
        phone.set_engine(engine);
        phone
    }

    pub fn port(&self) -> u16 {
        match self {
            Self::Ours(ours) => ours.port,
            Self::Linphone(_, linphone) => linphone.port,
        }
    }

    pub fn set_engine(&mut self, engine: Engine) {
        match self {
            Self::Ours(ours) => ours.set_engine(engine),
            Self::Linphone(Side::Adapter, linphone) => good(linphone.engine(&match engine.name() {
                Some(name) => format!("subrosa clear {name}"),
                None => format!("subrosa-c clear {}", engine.words()),
            })),
            Self::Linphone(_, linphone) => good(linphone.engine(&engine.words())),
        }
    }

    /// A person says yes to clear text, where that is asked. Takes a message that is not sent.
    pub fn allow_clear(&mut self, to: &str) {
        match self {
            Self::Ours(ours) => ours.allow_clear(to),
            Self::Linphone(Side::Adapter, linphone) => {
                let number = good(linphone.send(to, "the first is asked about"));
                good(linphone.until(number, &["NotDelivered"]));
                assert_eq!(good(linphone.not_sent()), 488);
            }
            Self::Linphone(..) => {}
        }
    }

    /// Sends it and waits for what is told of it.
    pub fn send(&mut self, to: &str, text: &str) -> Fate {
        let message = self.begin(to, text);
        self.fate(&message)
    }

    pub fn begin(&mut self, to: &str, text: &str) -> String {
        match self {
            Self::Ours(ours) => ours.send(to, text),
            Self::Linphone(_, linphone) => good(linphone.send(to, text)).to_string(),
        }
    }

    pub fn send_file(&mut self, to: &str, name: &str, bytes: &[u8], from_memory: bool) -> String {
        match self {
            Self::Ours(ours) => ours.send_file(to, name, bytes),
            Self::Linphone(_, linphone) => good(linphone.send_file(to, name, bytes, from_memory)).to_string(),
        }
    }

    pub fn fate(&mut self, message: &str) -> Fate {
        let (side, linphone) = match self {
            Self::Ours(ours) => return ours.fate(message),
            Self::Linphone(side, linphone) => (*side, linphone),
        };
        let state = good(linphone.until(message.parse().unwrap(), &["Delivered", "DeliveredToUser", "NotDelivered"]));
        match state.name.as_str() {
            "NotDelivered" if side == Side::Adapter && !linphone.has_left(message.parse().unwrap()) => {
                Fate::Kept(u16::try_from(good(linphone.not_sent())).unwrap())
            }
            "NotDelivered" => Fate::Refused(u16::try_from(state.code).unwrap()),
            _ => Fate::Delivered,
        }
    }

    pub fn read(&mut self) -> Shown {
        match self {
            Self::Ours(ours) => ours.read(),
            Self::Linphone(_, linphone) => {
                let read = good(linphone.read());
                Shown { content_type: read.content_type, text: read.text, encrypted: read.secured }
            }
        }
    }

    /// Waits until it says that something was not shown: the code, where it can say it.
    pub fn not_shown(&mut self) -> Option<u16> {
        match self {
            Self::Ours(ours) => Some(ours.not_shown()),
            Self::Linphone(side, linphone) => {
                good(linphone.undecryptable());
                (*side == Side::Adapter).then(|| u16::try_from(good(linphone.not_received())).unwrap())
            }
        }
    }

    /// What it showed that nobody asked for.
    pub fn shown(&mut self) -> Vec<String> {
        match self {
            Self::Ours(ours) => ours.shown(),
            Self::Linphone(_, linphone) => linphone.shown().iter().map(ToString::to_string).collect(),
        }
    }

    pub fn typing(&mut self, to: &str) {
        match self {
            Self::Ours(ours) => ours.typing(to),
            Self::Linphone(_, linphone) => good(linphone.typing(to)),
        }
    }

    pub fn sees_typing(&mut self) {
        match self {
            Self::Ours(ours) => ours.sees_typing(),
            Self::Linphone(_, linphone) => good(linphone.composing()),
        }
    }

    /// All from there has been read.
    pub fn mark_read(&mut self, from: &str) {
        match self {
            Self::Ours(ours) => ours.mark_read(from),
            Self::Linphone(_, linphone) => good(linphone.mark_read(from)),
        }
    }

    pub fn sees_read(&mut self, message: &str) {
        match self {
            Self::Ours(ours) => ours.sees_read(message),
            Self::Linphone(_, linphone) => drop(good(linphone.until(message.parse().unwrap(), &["Displayed"]))),
        }
    }

    /// The next file, fetched: its name and bytes. `None`: it could not be.
    pub fn fetch(&mut self) -> Option<(String, Vec<u8>)> {
        let linphone = match self {
            Self::Ours(ours) => return ours.fetch(),
            Self::Linphone(_, linphone) => linphone,
        };
        let offer = good(linphone.offer());
        let path = linphone.dir().join("received");
        let bytes = fetched(linphone, &offer, &path)?;
        Some((String::from_utf8(offer.name).unwrap(), bytes))
    }

    /// Whether something of a file that could not be fetched is on its disk.
    pub fn has_a_part(&mut self) -> bool {
        match self {
            Self::Ours(ours) => ours.has_a_part(),
            Self::Linphone(side, linphone) => {
                if *side == Side::Adapter {
                    good(linphone.not_received()); // said when it has been seen to
                }
                linphone.dir().join("received").exists()
            }
        }
    }
}

fn fetched(linphone: &mut Linphone, offer: &Offer, path: &Path) -> Option<Vec<u8>> {
    good(linphone.download(offer, path));
    let state = good(linphone.until(offer.number, &["FileTransferDone", "FileTransferError"]));
    (state.name == "FileTransferDone").then(|| std::fs::read(path).unwrap())
}
