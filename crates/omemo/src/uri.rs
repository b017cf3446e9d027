//! Keys as links and QR codes: what one device shows, and another reads so that nobody has to compare hex.
//!
//! Two forms are read. `xmpp:alice@example.org?omemo-sid-42=<64 hex>;omemo-sid-43=…` names keys by device, as Conversations, Dino and
//! Monal show them; the hex is the form that people compare, and where a client shows the Ed25519 form instead, that counts too.
//! `xmpp:alice@example.org?trust-message;encryption=urn:xmpp:omemo:2;trust=<64 hex>` (XEP-0434 §7.1) names Ed25519 keys without devices.
//! Knows no store and no trust.
//!
//! Invariants: nothing is guessed. An address that is none, a key of another length, a device with two keys: no key is taken from it.
use crate::atm::fingerprint;
use crate::wire::trust_message::ENCRYPTION;
use crate::wire::{self};
use std::borrow::Cow;
use std::fmt::Write as _;
use subrosa_engine::{Address, Coded, Fault, Fingerprint};

/// The longest link that is read. A QR code holds less than 3 KB.
const MAX_URI: usize = 64 * 1024;
/// The most keys that are read.
const MAX_KEYS: usize = 256;
/// Whose links of the web are read as links to people.
const WEB_HOST: &str = "conversations.im";

/// Why a link is not used. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// More than is read.
    #[error("the link has {0} bytes, more than a QR code can hold; scan the code of one person's devices")]
    TooLong(usize),
    /// Another kind of link, or none.
    #[error("this is no link of a chat account: it should begin with `xmpp:`; scan the code that the other device shows for its keys")]
    NotXmpp,
    /// A link of the web that does not lead to a person.
    #[error("this is a link to the web page {0}, not to a chat account; scan the code that the other device shows for its keys")]
    OtherHost(String),
    /// It says from which account it is to be opened, and that is not this one.
    #[error("the link is to be opened from the account {0}; do that there")]
    OtherAccount(String),
    /// A `%` without two hex digits behind it, or bytes that are no text.
    #[error("the link is damaged: what it escapes with % is no text; scan it again")]
    BadEscape,
    /// No address of a person.
    #[error("`{0}` is no address of a person; scan the code that the other device shows for its keys")]
    BadAddress(String),
    /// The keys are somebody else's.
    #[error("these are the keys of {found}, not of {expected}; ask {expected} to show theirs")]
    OtherOwner {
        /// Whose keys were to be verified.
        expected: Address,
        /// Whose they are.
        found: Address,
    },
    /// No key of OMEMO.
    #[error("the link to {0} holds no keys; ask for the code that their encryption settings show")]
    NoKeys(Address),
    /// Keys of another encryption.
    #[error("the link holds keys for `{0}`, which this program does not use; ask for the ones for OMEMO")]
    OtherEncryption(String),
    /// A device id that is no number in 1…2³¹−1.
    #[error("`{0}` is no number of a device; scan the code again, and if it stays, the other program is broken")]
    BadDevice(String),
    /// A key that is not 64 hex digits, or on no curve.
    #[error("the key `{0}` is none: it should be 64 hex digits; scan the code again, and if it stays, the other program is broken")]
    BadKey(String),
    /// One device, or one key, in two ways.
    #[error("the link says two things about {0}; do not use it, and ask its owner where it comes from")]
    Contradiction(String),
    /// More than [`MAX_KEYS`].
    #[error("the link holds more than {limit} keys; scan the code of one person's devices", limit = MAX_KEYS)]
    TooMany,
}
impl Coded for UriError {
    fn code(&self) -> &'static str {
        match self {
            UriError::TooLong(_) => "omemo.uri.too-long",
            UriError::NotXmpp => "omemo.uri.not-xmpp",
            UriError::OtherHost(_) => "omemo.uri.other-host",
            UriError::OtherAccount(_) => "omemo.uri.other-account",
            UriError::BadEscape => "omemo.uri.bad-escape",
            UriError::BadAddress(_) => "omemo.uri.bad-address",
            UriError::OtherOwner { .. } => "omemo.uri.other-owner",
            UriError::NoKeys(_) => "omemo.uri.no-keys",
            UriError::OtherEncryption(_) => "omemo.uri.other-encryption",
            UriError::BadDevice(_) => "omemo.uri.bad-device",
            UriError::BadKey(_) => "omemo.uri.bad-key",
            UriError::Contradiction(_) => "omemo.uri.contradiction",
            UriError::TooMany => "omemo.uri.too-many",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Caller
    }
}

/// One key of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriKey {
    /// The device whose key it is; `None`: any of its owner.
    pub device: Option<u32>,
    /// As the link has it.
    pub value: [u8; 32],
    /// `value` is the Ed25519 form for sure. Else it may be that or the one that people compare.
    pub ed25519: bool,
    /// `false`: the link says that it is not authentic.
    pub trust: bool,
}
impl UriKey {
    /// The key in the form that people compare: where the link leaves open which form it has, what both would be.
    /// No key but one with the same secret has either, so that this accepts nothing false.
    pub fn forms(&self) -> impl Iterator<Item = Fingerprint> + use<> {
        let shown = (!self.ed25519).then_some(Fingerprint(self.value));
        shown.into_iter().chain(fingerprint(&self.value))
    }
}
/// What a link says about the keys of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUri {
    /// Whose keys.
    pub owner: Address,
    /// From which account the link is to be opened (RFC 5122 §2.3).
    pub from: Option<Address>,
    /// At least one; each device and each key once.
    pub keys: Vec<UriKey>,
}

/// Reads a link. What it holds besides keys is passed over.
///
/// # Errors
/// [`UriError`]: nothing of it is to be used.
pub fn parse(uri: &str) -> Result<KeyUri, UriError> {
    let uri = uri.trim();
    if uri.len() > MAX_URI {
        return Err(UriError::TooLong(uri.len()));
    }
    let uri = uri.split('#').next().unwrap_or_default();
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let (from, owner) = people(path)?;
    let mut pairs = query.split([';', '&']).filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, "")));
    let message = query == "trust-message" || query.starts_with("trust-message;");
    if message {
        pairs.next();
        match pairs.next() {
            Some(("encryption", encryption)) if decode(encryption)? == ENCRYPTION => {}
            Some(("encryption", encryption)) => return Err(UriError::OtherEncryption(decode(encryption)?.into_owned())),
            _ => return Err(UriError::OtherEncryption(String::new())),
        }
    }
    let mut keys: Vec<UriKey> = Vec::new();
    for (name, value) in pairs {
        let name = decode(name)?;
        let (device, trust) = match (message, &*name) {
            (true, "trust") => (None, true),
            (true, "distrust") => (None, false),
            (true, _) => continue,
            (false, name) => {
                let Some(id) = name.strip_prefix("omemo-sid-") else { continue };
                let number = wire::id("omemo-sid", id).ok().filter(|id| *id != 0);
                (Some(number.ok_or_else(|| UriError::BadDevice(id.to_owned()))?), true)
            }
        };
        let key = UriKey { device, value: hex(&decode(value)?)?, ed25519: message, trust };
        if key.forms().next().is_none() {
            return Err(UriError::BadKey(decode(value)?.into_owned()));
        }
        match keys.iter().find(|k| if message { k.value == key.value } else { k.device == device }) {
            Some(same) if *same == key => continue,
            Some(_) if message => return Err(UriError::Contradiction(format!("the key {}", decode(value)?))),
            Some(_) => return Err(UriError::Contradiction(format!("the device {}", device.unwrap_or_default()))),
            None if keys.len() >= MAX_KEYS => return Err(UriError::TooMany),
            None => keys.push(key),
        }
    }
    if keys.is_empty() { Err(UriError::NoKeys(owner)) } else { Ok(KeyUri { owner, from, keys }) }
}
/// From which account, and to whom.
fn people(path: &str) -> Result<(Option<Address>, Address), UriError> {
    let scheme = |name: &str| path.get(..name.len()).filter(|s| s.eq_ignore_ascii_case(name)).and_then(|_| path.get(name.len()..));
    if let Some(rest) = scheme("xmpp:") {
        let Some(rest) = rest.strip_prefix("//") else { return Ok((None, address(rest)?)) };
        // an authority: the account to open it from. Some write the address itself there
        return match rest.split_once('/').filter(|(_, path)| !path.is_empty()) {
            Some((from, path)) => Ok((Some(address(from)?), address(path)?)),
            None => Ok((None, address(rest)?)),
        };
    }
    let Some(rest) = scheme("https://").or_else(|| scheme("http://")) else { return Err(UriError::NotXmpp) };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !host.eq_ignore_ascii_case(WEB_HOST) {
        return Err(UriError::OtherHost(host.to_owned()));
    }
    let whom = path.strip_prefix("i/").ok_or_else(|| UriError::OtherHost(host.to_owned()))?.trim_end_matches('/');
    match whom.split_once('/') {
        Some((local, domain)) => Ok((None, address(&format!("{local}@{domain}"))?)),
        None => Ok((None, address(whom)?)),
    }
}
/// A bare address as transports write it (RFC 7622, by the older profiles of RFC 6122 that they keep to): a resource is dropped, and
/// a domain that is written in ASCII is written out.
fn address(escaped: &str) -> Result<Address, UriError> {
    let text = decode(escaped)?;
    let bad = || UriError::BadAddress(text.chars().take(100).collect());
    let bare = text.split('/').next().unwrap_or_default();
    let (local, domain) = bare.split_once('@').ok_or_else(bad)?;
    let local = stringprep::nodeprep(local).map_err(|_| bad())?;
    let labels = domain.trim_end_matches('.').split('.').map(|label| {
        let label = stringprep::nameprep(label).ok()?;
        let decoded = match label.strip_prefix("xn--") {
            Some(code) => Cow::Owned(stringprep::nameprep(&idna::punycode::decode_to_string(code)?).ok()?.into_owned()),
            None => label,
        };
        let fits = !decoded.is_empty() && !decoded.contains(|c: char| c.is_control() || " @/:?#[]\"<>\\".contains(c));
        fits.then_some(decoded)
    });
    let domain = labels.collect::<Option<Vec<_>>>().ok_or_else(bad)?.join(".");
    if local.is_empty() || local.len() > 1023 || domain.len() > 1023 {
        return Err(bad());
    }
    Ok(format!("{local}@{domain}").as_str().into())
}
fn decode(escaped: &str) -> Result<Cow<'_, str>, UriError> {
    if !escaped.contains('%') {
        return Ok(Cow::Borrowed(escaped));
    }
    let mut out = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.bytes();
    while let Some(byte) = bytes.next() {
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).ok_or(UriError::BadEscape);
        out.push(match byte {
            b'%' => {
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                u8::try_from(high << 4 | low).map_err(|_| UriError::BadEscape)?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).map(Cow::Owned).map_err(|_| UriError::BadEscape)
}
/// 64 hex digits, as people copy them: with spaces and colons, in any case, and with libsignal's type byte or without.
fn hex(text: &str) -> Result<[u8; 32], UriError> {
    let bad = || UriError::BadKey(text.chars().take(100).collect());
    let digits: Vec<u32> = text.chars().filter(|c| !matches!(c, ' ' | ':')).map(|c| c.to_digit(16)).collect::<Option<_>>().ok_or_else(bad)?;
    let digits = match digits.as_slice() {
        [0, 5, digits @ ..] if digits.len() == 64 => digits,
        digits => digits,
    };
    if digits.len() != 64 {
        return Err(bad());
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(digits.chunks(2)) {
        *byte = pair.iter().fold(0u8, |all, digit| all << 4 | u8::try_from(*digit).unwrap_or_default());
    }
    Ok(key)
}

/// Writes a link that names keys by device, as all read it: keys in the form that people compare.
pub fn write<'k>(owner: &Address, keys: impl IntoIterator<Item = (u32, &'k Fingerprint)>) -> String {
    let mut out = start(owner);
    let mut separator = '?';
    for (device, key) in keys {
        let _ = write!(out, "{separator}omemo-sid-{device}=");
        push_hex(&mut out, &key.0);
        separator = ';';
    }
    out
}
/// Writes a link that is a trust message (XEP-0434 §7.1): Ed25519 keys.
pub fn write_trust_message<'k>(owner: &Address, trust: impl IntoIterator<Item = &'k [u8; 32]>) -> String {
    let mut out = start(owner);
    let _ = write!(out, "?trust-message;encryption={ENCRYPTION}");
    for key in trust {
        out.push_str(";trust=");
        push_hex(&mut out, key);
    }
    out
}
fn start(owner: &Address) -> String {
    let mut out = String::from("xmpp:");
    for byte in owner.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => out.push(char::from(byte)),
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}
fn push_hex(out: &mut String, key: &[u8; 32]) {
    for byte in key {
        let _ = write!(out, "{byte:02x}");
    }
}
