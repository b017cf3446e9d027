//! One element, `<history xmlns='urn:subrosa:history:0'>`: Base64 of the zlib form of the words. Every size is bounded before it
//! costs anything.
use super::TransferError;
use crate::item::Item;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rxml::{Event, Parse as _, WithOptions as _};
use std::io::{Read as _, Write as _};
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{ContentType, Plaintext};

const NAME: &str = "history";
const NS: &str = "urn:subrosa:history:0";
/// 1 did not say whose word each row is; it is read.
const VERSION: u8 = 2;
/// The largest element.
pub(super) const ELEMENT: usize = 160 * 1024;
/// The most that it unpacks to.
const UNPACKED: usize = 512 * 1024;
/// The most rows in a batch.
pub(super) const ROWS: usize = 2000;
/// The largest cursor: two names, and numbers.
const CURSOR: usize = 8 * 1024;

/// What one device says to the other about a transfer.
#[derive(Debug, PartialEq)]
pub(super) struct Words {
    pub id: i64,
    pub account: String,
    pub said: Said,
}
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Offer {
        total: u64,
    },
    /// Acknowledges all batches before this number.
    Request {
        number: u32,
        cursor: Vec<u8>,
    },
    Batch(Batch),
    /// How many rows there are, and how many were too large to travel.
    Done {
        done: u64,
        left_out: u64,
    },
    Cancel,
}
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    /// From 1.
    pub number: u32,
    /// Behind its last row: what the next request says.
    pub cursor: Vec<u8>,
    pub last: bool,
    /// Rows so far that were too large to travel.
    pub left_out: u64,
    pub items: Vec<Item>,
}

impl Words {
    /// `None`: it would be larger than an element may be.
    pub fn written(&self) -> Option<Plaintext> {
        let mut out = Writer::versioned(VERSION);
        out.u64(self.id.cast_unsigned()).str(&self.account);
        match &self.said {
            Said::Offer { total } => {
                out.u8(1).u64(*total);
            }
            Said::Request { number, cursor } => {
                out.u8(2).u32(*number).bytes(cursor);
            }
            Said::Batch(batch) => {
                out.u8(3).u32(batch.number).bytes(&batch.cursor).bool(batch.last).u64(batch.left_out).len(batch.items.len());
                batch.items.iter().for_each(|item| item.write(&mut out));
            }
            Said::Done { done, left_out } => {
                out.u8(4).u64(*done).u64(*left_out);
            }
            Said::Cancel => {
                out.u8(5);
            }
        }
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(&out.into_bytes()).ok()?;
        let xml = format!("<{NAME} xmlns='{NS}'>{}</{NAME}>", STANDARD.encode(packed.finish().ok()?));
        (xml.len() <= ELEMENT).then(|| Plaintext::new(ContentType::STANZA, xml))
    }
    pub fn read(text: &str) -> Result<Self, TransferError> {
        if text.len() > ELEMENT {
            return Err(TransferError::TooLarge);
        }
        let packed = STANDARD.decode(text.trim()).map_err(|_| TransferError::Malformed("no Base64"))?;
        let mut bytes = Vec::new();
        let room = u64::try_from(UNPACKED).unwrap_or(u64::MAX).saturating_add(1);
        flate2::read::ZlibDecoder::new(&*packed).take(room).read_to_end(&mut bytes).map_err(|_| TransferError::Malformed("no zlib"))?;
        match bytes.first() {
            _ if bytes.len() > UNPACKED => Err(TransferError::TooLarge),
            Some(version) if *version > VERSION => Err(TransferError::Newer),
            _ => Words::parse(&bytes).ok_or(TransferError::Malformed("no rows")),
        }
    }
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut input = (1..=VERSION).find_map(|version| Reader::versioned(bytes, version))?;
        let (id, account) = (input.u64()?.cast_signed(), input.str()?.to_owned());
        let cursor = |input: &mut Reader<'_>| input.bytes().filter(|bytes| bytes.len() <= CURSOR).map(<[u8]>::to_vec);
        let said = match input.u8()? {
            1 => Said::Offer { total: input.u64()? },
            2 => Said::Request { number: input.u32()?, cursor: cursor(&mut input)? },
            3 => {
                let (number, cursor, last, left_out) = (input.u32()?, cursor(&mut input)?, input.bool()?, input.u64()?);
                let count = input.len().filter(|n| *n <= ROWS && (*n > 0 || last))?;
                let items = (0..count).map(|_| Item::read(&mut input)).collect::<Option<_>>()?;
                Said::Batch(Batch { number, cursor, last, left_out, items })
            }
            4 => Said::Done { done: input.u64()?, left_out: input.u64()? },
            5 => Said::Cancel,
            _ => return None,
        };
        input.end()?;
        Some(Words { id, account, said })
    }
}

/// The text of the first element, if that is ours. Longer ones are cut, and then refused.
pub(super) fn text_of(plain: &Plaintext) -> Option<String> {
    if plain.content_type != ContentType::STANZA {
        return None;
    }
    let mut parser = rxml::Parser::with_options(rxml::Options { max_token_length: ELEMENT, ..rxml::Options::default() });
    let mut chunks: [&[u8]; 2] = [b"<r xmlns='jabber:client'>", plain.bytes()];
    let mut next = || {
        let [open, inner] = &mut chunks;
        parser.parse(open, false).or_else(|_| parser.parse(inner, false)).ok().flatten()
    };
    next().filter(|event| matches!(event, Event::StartElement(..)))?; // the root
    let mut text = String::new();
    loop {
        match next()? {
            Event::StartElement(_, (namespace, name), _) if namespace.as_str() == NS && name.as_str() == NAME => break,
            Event::Text(_, space) if space.trim().is_empty() => {}
            _ => return None,
        }
    }
    loop {
        match next()? {
            Event::Text(_, part) if text.len() <= ELEMENT => text.push_str(&part),
            Event::Text(..) => {}
            Event::EndElement(_) => return Some(text),
            _ => return None,
        }
    }
}
