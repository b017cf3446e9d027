//! One key that all sides were given by hand: AES-256-GCM over messages, and over files with a key of their own each.
//!
//! Owns the form of its messages, who may have sent them, and which were received before. It knows no key exchange: who has the key
//! reads everything, also what was recorded earlier, and can write in the name of everybody else who has it.
//!
//! The body (NIST SP 800-38D, random IVs of 96 bits, §8.2.2), and what the encrypted part of it is:
//! ```text
//! 1 │ key id, 8 bytes │ nonce, 12 bytes │ encrypted part │ tag, 16 bytes       the tag covers version and key id too
//!     from │ chat │ sender, 8 bytes │ number │ content type │ content         in the form of subrosa_engine::codec
//! ```
//! `from` and `chat` are addresses as the sender's transport knows them, `sender` is a random number of this installation, `number`
//! counts its messages from 1.
use crate::hex;
use crate::window::{Seen, Window};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::*;
use subrosa_files::{AesGcm, Layout};
use zeroize::Zeroizing;

const TYPE: &str = "application/vnd.subrosa.aead";
const TYPE_BASE64: &str = "application/vnd.subrosa.aead-base64";
const VERSION: u8 = 1;
const KEY_ID: usize = 8;
const NONCE: usize = 12;
const TAG: usize = 16;
/// What the tag covers besides the encrypted part: version and key id.
const ASSOCIATED: usize = 1 + KEY_ID;
/// Messages under one key with random IVs (NIST SP 800-38D §8.3).
const MOST: u64 = 1 << 32;
/// A file with a key is read so far.
const KEY_FILE: u64 = 4096;

type KeyId = [u8; KEY_ID];

/// AES-256-GCM with a key that all sides were given.
///
/// Refuses: another key ([`Reason::OtherKey`]), a changed message ([`Reason::Damaged`]), one that was moved to another chat or put under
/// another's name ([`Reason::EnvelopeMismatch`]), and one older than the last 1024 of its sender, of which nobody knows whether it was
/// received ([`Reason::Duplicate`]). What is known to have been received is dropped without a word. What it can't do: tell those who have
/// the key apart, protect what was sent before the key was stolen, hide how long a message is. One key encrypts 2³² messages of all
/// senders together; each sender counts its own and stops there. It keeps 150 bytes of every installation that ever wrote.
pub struct PresharedAead {
    cipher: Box<Aes256Gcm>,
    id: KeyId,
    base64: bool,
    addresses: bool,
}
impl std::fmt::Debug for PresharedAead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PresharedAead({:02x?})", self.id)
    }
}

/// What was given is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Too few, too many, or something else.
    #[error("a preshared key is 64 hexadecimal digits, and this has {0} characters or others than digits: make one with `openssl rand -hex 32`")]
    Form(usize),
    /// No such file, or not for us.
    #[error("the file {path} with the preshared key can't be read: {source}")]
    File {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
impl Coded for KeyError {
    fn code(&self) -> &'static str {
        match self {
            KeyError::Form(_) => "preshared.form",
            KeyError::File { .. } => "preshared.file",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}

impl PresharedAead {
    /// With these 32 random bytes. A password is not that.
    pub fn new(key: &[u8; 32]) -> Self {
        let digest = Sha256::new().chain_update(b"subrosa preshared key id").chain_update(key).finalize();
        let id = digest.first_chunk().copied().unwrap_or_default();
        PresharedAead { cipher: Box::new(Aes256Gcm::new(key.into())), id, base64: false, addresses: true }
    }
    /// With 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`KeyError::Form`]
    pub fn from_hex(digits: &str) -> Result<Self, KeyError> {
        let key = hex::decode(digits.as_bytes()).map(Zeroizing::new);
        let key = key.as_ref().and_then(|key| <&[u8; 32]>::try_from(key.as_slice()).ok());
        key.map(Self::new).ok_or_else(|| KeyError::Form(digits.chars().count()))
    }
    /// With the 64 hexadecimal digits in this file, white space around them aside.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        let path = path.as_ref();
        let mut digits = Zeroizing::new(String::with_capacity(128));
        let read = std::fs::File::open(path).and_then(|file| file.take(KEY_FILE).read_to_string(&mut digits));
        read.map_err(|source| KeyError::File { path: path.into(), source })?;
        Self::from_hex(digits.trim())
    }
    /// Writes bodies as Base64, under a content type of their own: where a Liblinphone is on the other side, whose bodies end at the
    /// first NUL. Both are always understood.
    pub fn base64(self) -> Self {
        PresharedAead { base64: true, ..self }
    }
    /// Does not look at the addresses within: for networks whose proxies change them on the way. Whoever is on the way can then put a
    /// message under another's name, or into another chat, of those who have the key. Replays and reflections are still refused.
    pub fn without_addresses(self) -> Self {
        PresharedAead { addresses: false, ..self }
    }

    fn seal(&self, cx: &mut Context<'_>, message: &Outgoing<'_>, sender: u64, number: u64) -> Result<Vec<u8>, Halt> {
        let (mut nonce, from, chat) = ([0; NONCE], cx.me.as_str(), message.chat.0.as_str());
        cx.rng.fill_bytes(&mut nonce);
        let content = message.plain.bytes();
        let length = [from.len(), chat.len(), message.plain.content_type.0.len(), content.len(), 128].into_iter().fold(0, usize::saturating_add);
        let mut out = Writer::with_capacity(length);
        out.u8(VERSION).raw(&self.id).raw(&nonce);
        out.str(from).str(chat).u64(sender).varint(number).str(&message.plain.content_type.0).bytes(content);
        let mut body = out.into_bytes();
        let (head, text) = body.split_at_mut_checked(ASSOCIATED + NONCE).ok_or(AeadError)?;
        let associated = head.get(..ASSOCIATED).ok_or(AeadError)?;
        let tag = self.cipher.encrypt_inout_detached(&nonce.into(), associated, text.into()).map_err(|_| AeadError)?;
        body.extend_from_slice(&tag);
        Ok(body)
    }
    fn open(&self, body: &[u8]) -> Result<Opened, Reason> {
        let (associated, rest) = body.split_at_checked(ASSOCIATED).ok_or(Reason::Malformed)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(Reason::Malformed)?;
        let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(Reason::Malformed)?;
        match associated.split_first() {
            Some((&VERSION, id)) if id == self.id => {}
            Some((&VERSION, _)) => return Err(Reason::OtherKey),
            _ => return Err(Reason::Unsupported),
        }
        let mut text = Zeroizing::new(text.to_vec());
        self.cipher.decrypt_inout_detached(nonce.into(), associated, text.as_mut_slice().into(), tag.into()).map_err(|_| Reason::Damaged)?;
        let mut input = Reader::new(&text);
        let mut read = || {
            let (from, chat, sender, number) = (input.str()?.into(), input.str()?.into(), input.u64()?, input.varint()?);
            let (content_type, content) = (input.str()?.to_owned(), input.bytes()?.len());
            input.end()?;
            Some((from, chat, sender, number, ContentType(content_type.into()), content))
        };
        let (from, chat, sender, number, content_type, content) = read().ok_or(Reason::Malformed)?;
        let head = text.len().saturating_sub(content);
        text.drain(..head);
        Ok(Opened { from, chat, sender, number, plain: Plaintext::new(content_type, std::mem::take(&mut *text)) })
    }
}

/// The encrypted part.
struct Opened {
    from: Address,
    chat: Address,
    sender: u64,
    number: u64,
    plain: Plaintext,
}
impl Opened {
    /// What was received of this installation of this person: whoever has the key could use up the numbers of another one else, so that
    /// what that one writes is taken for received.
    fn seen(&self) -> RowOf<Window> {
        let digest = Sha256::new().chain_update(self.sender.to_le_bytes()).chain_update(self.from.as_str()).finalize();
        RowOf::numbered("seen", digest.first_chunk().map_or(self.sender, |first| u64::from_le_bytes(*first)))
    }
    /// Between two people the chat has another name on each side. A room's, and that of one's own other devices, is the same.
    fn is_where_it_belongs(&self, me: &Address, message: &Incoming<'_>) -> bool {
        let between_two = message.chat.0 == *message.from && message.from != me;
        self.from == *message.from && self.chat == if between_two { me.clone() } else { message.chat.0.clone() }
    }
}

impl Engine for PresharedAead {
    fn name(&self) -> &'static str {
        "preshared"
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        let old = cx.records.get(sending())?.filter(|s| s.key == self.id).cloned();
        let mut now = old.unwrap_or_else(|| Sending { key: self.id, sender: cx.rng.next_u64(), count: 0 });
        now.count = now.count.saturating_add(1);
        if now.count > MOST {
            return Err(WornOut.into());
        }
        let body = self.seal(cx, message, now.sender, now.count)?;
        cx.records.put(sending(), now);
        Ok(Outcome::Done(if self.base64 {
            Encrypted::new(ContentType(TYPE_BASE64.into()), BASE64_STANDARD.encode(body).into_bytes())?
        } else {
            Encrypted::new(ContentType(TYPE.into()), body)?
        }))
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        let no = |reason: Reason| Ok(Outcome::Rejected(reason.into()));
        let essence = message.content_type.0.split(';').next().unwrap_or_default().trim();
        let opened = if essence.eq_ignore_ascii_case(TYPE) {
            self.open(message.body)
        } else if essence.eq_ignore_ascii_case(TYPE_BASE64) {
            BASE64_STANDARD.decode(message.body.trim_ascii()).map_err(|_| Reason::Malformed).and_then(|body| self.open(&body))
        } else {
            return Ok(Outcome::Skipped);
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(reason) => return no(reason),
        };
        if self.addresses && !opened.is_where_it_belongs(cx.me, message) {
            return no(Reason::EnvelopeMismatch);
        }
        if cx.records.get(sending())?.is_some_and(|s| s.sender == opened.sender) {
            // one's own: a room sends it back, or somebody pretends that another wrote it
            return if message.from == cx.me { Ok(Outcome::Silent) } else { no(Reason::EnvelopeMismatch) };
        }
        let row = opened.seen();
        if cx.records.get(row.clone())?.is_none() {
            cx.records.put(row.clone(), Window::default());
        }
        match cx.records.edit(row)?.map_or(Seen::Perhaps, |window| window.insert(opened.number)) {
            Seen::Never => Ok(Outcome::Done(Decrypted::new(opened.plain))),
            // as a network does that did not hear our answer: it would be wrong to tell the sender no
            Seen::Before => Ok(Outcome::Silent),
            Seen::Perhaps => no(Reason::Duplicate),
        }
    }
    fn file_key(&self, cx: &mut Context<'_>, _: &Outgoing<'_>, _: &FileInfo) -> Hook<FileKey> {
        Ok(Outcome::Done(Layout::AES256.generate(cx.rng)))
    }
    fn upload(&self, _: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        Ok(Box::new(AesGcm::upload(key, Layout::AES256)?))
    }
    fn download(&self, _: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        Ok(Box::new(AesGcm::download(key, Layout::AES256)?))
    }
}

/// What this installation has sent under the key.
#[derive(Clone)]
struct Sending {
    key: KeyId,
    sender: u64,
    count: u64,
}
fn sending() -> RowOf<Sending> {
    RowOf::single("sending")
}
impl Record for Sending {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(1);
        out.raw(&self.key).u64(self.sender).varint(self.count);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, 1)?;
        let record = Sending { key: input.array()?, sender: input.u64()?, count: input.varint()? };
        input.end().map(|()| record)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the message is longer than AES-GCM encrypts")]
struct AeadError;
#[derive(Debug, thiserror::Error)]
#[error("the preshared key has encrypted 2^32 messages, which is all that it may: give all sides a new one")]
struct WornOut;
