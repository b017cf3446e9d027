//! The sample of Linphone's documentation: XOR with a key that everybody knows. **No protection.** To try the hooks, and the ways of a
//! file, against a Linphone that runs the sample.
use crate::cover::{cover, uncover};
use subrosa_engine::*;
use zeroize::Zeroizing;

/// The key of the sample.
pub const XOR_SAMPLE_KEY: &[u8] = b"SuperSecretXorKey";
const RAW: &str = "cipher/xor";
const HEX: &str = "cipher/xor-hex";
/// Bytes of a file's key.
const FILE_KEY: usize = 32;

/// XOR: **no protection**, as in Linphone's documentation.
///
/// Bodies are the bytes themselves under `cipher/xor`, or hexadecimal digits under `cipher/xor-hex` ([`Xor::hex`]); both are
/// understood. A message with nothing in it can't be sent: XOR of nothing is nothing.
#[derive(Clone, Debug)]
pub struct Xor {
    key: Vec<u8>,
    hex: bool,
}
impl Xor {
    /// With the key of the sample, bodies as the sample makes them.
    pub fn new() -> Self {
        Xor { key: XOR_SAMPLE_KEY.to_vec(), hex: false }
    }
    /// With the key of the sample, bodies as hexadecimal digits: where a Liblinphone is on the other side, whose bodies end at the first
    /// NUL.
    pub fn hex() -> Self {
        Xor { hex: true, ..Xor::new() }
    }
    /// With another key, which is no protection either. An empty one changes nothing.
    pub fn key(self, key: impl Into<Vec<u8>>) -> Self {
        Xor { key: key.into(), ..self }
    }
}
impl Default for Xor {
    fn default() -> Self {
        Xor::new()
    }
}
/// `offset`: of the first byte, within what the key runs over.
fn xor(key: &[u8], offset: u64, bytes: &[u8]) -> Vec<u8> {
    let length = u64::try_from(key.len()).unwrap_or(u64::MAX);
    let first = offset.checked_rem(length).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    if key.is_empty() { bytes.to_vec() } else { bytes.iter().zip(key.iter().cycle().skip(first)).map(|(b, k)| b ^ k).collect() }
}

impl Engine for Xor {
    fn name(&self) -> &'static str {
        "xor"
    }
    fn outgoing(&self, _: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        let content_type = match cover(if self.hex { HEX } else { RAW }, message.plain) {
            Ok(content_type) => content_type,
            Err(why) => return Ok(Outcome::Rejected(why)),
        };
        let body = xor(&self.key, 0, message.plain.bytes());
        Ok(Outcome::Done(Encrypted::new(content_type, if self.hex { crate::hex::encode(&body) } else { body })?))
    }
    fn incoming(&self, _: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        let (covered, body) = if let Some(covered) = uncover(RAW, message.content_type) {
            (covered, Some(message.body.to_vec()))
        } else if let Some(covered) = uncover(HEX, message.content_type) {
            (covered, crate::hex::decode(message.body))
        } else {
            return Ok(Outcome::Skipped);
        };
        Ok(match body.filter(|body| !body.is_empty()) {
            Some(body) => Outcome::Done(Decrypted::new(covered.plain(xor(&self.key, 0, &body)))),
            None => Outcome::Rejected(Reason::Malformed.into()),
        })
    }
    fn file_key(&self, cx: &mut Context<'_>, _: &Outgoing<'_>, _: &FileInfo) -> Hook<FileKey> {
        let mut key = Zeroizing::new(vec![0; FILE_KEY]);
        cx.rng.fill_bytes(&mut key);
        Ok(Outcome::Done(FileKey(key)))
    }
    fn upload(&self, _: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        // any length but none: a peer's sample may have another
        if key.0.is_empty() { Err(Status::BAD_REQUEST) } else { Ok(Box::new(XorFile(key.clone()))) }
    }
    fn download(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        self.upload(file, key)
    }
}

/// The same both ways.
struct XorFile(FileKey);
impl FileCipher for XorFile {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        output.extend(xor(&self.0.0, offset, input));
        Ok(input.len())
    }
    fn finish(self: Box<Self>, _: &mut FileInfo, _: &mut Vec<u8>) -> Result<(), Status> {
        Ok(())
    }
}
