//! The stored form of everything the house remembers: outputs that are owed, messages that wait, requests that are open.
//! Knows shapes, no rule. Numbers that stand for a variant never change.
use crate::codec::{Reader, Writer};
use crate::hooks::Wait;
use crate::house::{AnswerBy, Message};
use crate::*;
use std::borrow::Cow;

/// What can be written into a row and read from one.
pub(crate) trait Stored: Sized {
    fn write(&self, out: &mut Writer);
    fn read(input: &mut Reader<'_>) -> Option<Self>;
}

/// Structs: their fields, one after the other.
macro_rules! fields {
    ($($type:ident { $($field:ident),* })*) => { $(
        impl Stored for $type {
            fn write(&self, out: &mut Writer) {
                $(self.$field.write(out);)*
            }
            fn read(input: &mut Reader<'_>) -> Option<Self> {
                $(let $field = Stored::read(input)?;)*
                Some($type { $($field),* })
            }
        }
    )* };
}
/// Enums: a number, then the fields of the variant.
macro_rules! variants {
    ($($type:ident { $($n:literal = $variant:ident $({ $($field:ident),* })? $(( $($place:ident),* ))?;)* })*) => { $(
        impl Stored for $type {
            fn write(&self, out: &mut Writer) {
                match self {
                    $($type::$variant $({ $($field),* })? $(( $($place),* ))? => {
                        out.u8($n);
                        $($($field.write(out);)*)?
                        $($($place.write(out);)*)?
                    })*
                }
            }
            fn read(input: &mut Reader<'_>) -> Option<Self> {
                Some(match input.u8()? {
                    $($n => {
                        $($(let $field = Stored::read(input)?;)*)?
                        $($(let $place = Stored::read(input)?;)*)?
                        $type::$variant $({ $($field),* })? $(( $($place),* ))?
                    })*
                    _ => return None,
                })
            }
        }
    )* };
}
/// Types around one value.
macro_rules! around {
    ($($type:ident)*) => { $(
        impl Stored for $type {
            fn write(&self, out: &mut Writer) {
                self.0.write(out);
            }
            fn read(input: &mut Reader<'_>) -> Option<Self> {
                Stored::read(input).map($type)
            }
        }
    )* };
}

fields! {
    Device { owner, id }
    Node { owner, name, item }
    Part { content_type, body }
    Sender { device, key, trust, protocol }
    Received { kind, from, sent, decrypted, in_clear }
    FileInfo { name, content_type, size, tag }
}
variants! {
    DeviceId { 0 = Number(n); 1 = Name(name); }
    Kind { 0 = Text; 1 = Typing; 2 = Receipt; 3 = FileOffer; 4 = Call; 5 = Other; }
    Keep { 0 = One; 1 = Many; }
    Recipients { 0 = People(people); 1 = Device(device); 2 = Room; }
    Request { 0 = Fetch(node); 1 = Publish { node, keep, payload }; 2 = Delete(node); 3 = Exchange { service, body }; }
    Wait { 0 = Answers(ids); 1 = Completion(token); 2 = Turn; }
    Message {
        0 = Out { id, chat, to, kind, plain, headers };
        1 = In { id, chat, from, sent, kind, content_type, body, headers, answer_by };
        2 = File { id, chat, to, file };
    }
    Wire { 0 = Encrypted(part); 1 = Clear { plain }; }
    Event {
        0 = Message { id, chat, message };
        1 = Sent { id, kind, report, left_out, unsaid };
        2 = Waiting { id };
        3 = NotSent { id, kind, why, report, ask };
        4 = NotReceived { id, chat, from, device, why };
        5 = DeviceNew { device, key, trust };
        6 = KeyChanged { device, known, shown };
        7 = Warning { warning, chat, device };
        8 = TrustChanged { device, key, trust, by };
    }
}
around! { MessageId ChatId ContentType Fingerprint Time RequestId Token }

impl Stored for u8 {
    fn write(&self, out: &mut Writer) {
        out.u8(*self);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.u8()
    }
}
impl Stored for bool {
    fn write(&self, out: &mut Writer) {
        out.bool(*self);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.bool()
    }
}
impl Stored for u16 {
    fn write(&self, out: &mut Writer) {
        out.varint((*self).into());
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.varint()?.try_into().ok()
    }
}
impl Stored for u32 {
    fn write(&self, out: &mut Writer) {
        out.varint((*self).into());
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.varint32()
    }
}
impl Stored for u64 {
    fn write(&self, out: &mut Writer) {
        out.varint(*self);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.varint()
    }
}
impl<const N: usize> Stored for [u8; N] {
    fn write(&self, out: &mut Writer) {
        out.raw(self);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.array()
    }
}
impl Stored for String {
    fn write(&self, out: &mut Writer) {
        out.str(self);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.str().map(String::from)
    }
}
impl Stored for std::sync::Arc<str> {
    fn write(&self, out: &mut Writer) {
        out.str(self);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.str().map(Into::into)
    }
}
impl Stored for Cow<'static, str> {
    fn write(&self, out: &mut Writer) {
        out.str(self);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        String::read(input).map(Cow::Owned)
    }
}
impl Stored for Address {
    fn write(&self, out: &mut Writer) {
        out.str(self.as_str());
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.str().map(Address::from)
    }
}
impl<T: Stored> Stored for Option<T> {
    fn write(&self, out: &mut Writer) {
        out.option(self.as_ref(), |out, value| value.write(out));
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.option(T::read)
    }
}
impl Stored for Vec<u8> {
    fn write(&self, out: &mut Writer) {
        out.bytes(self);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        input.bytes().map(<[u8]>::to_vec)
    }
}
/// Lists of everything that is longer than a byte. One that a row ends before is empty: the row is older than the list.
macro_rules! lists {
    ($($type:ident)*) => { $(
        impl Stored for Vec<$type> {
            fn write(&self, out: &mut Writer) {
                out.len(self.len());
                self.iter().for_each(|item| item.write(out));
            }
            fn read(input: &mut Reader<'_>) -> Option<Self> {
                if input.is_empty() {
                    return Some(Vec::new());
                }
                (0..input.len()?).map(|_| Stored::read(input)).collect()
            }
        }
    )* };
}
lists! { Address RequestId Omission }

impl Stored for Plaintext {
    fn write(&self, out: &mut Writer) {
        self.content_type.write(out);
        out.bytes(self.bytes());
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        Some(Plaintext::new(Stored::read(input)?, input.bytes()?))
    }
}
impl Stored for Trust {
    fn write(&self, out: &mut Writer) {
        out.u8(*self as u8);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        let n = input.u8()?;
        Trust::ALL.into_iter().find(|t| *t as u8 == n)
    }
}
impl Stored for Status {
    fn write(&self, out: &mut Writer) {
        self.code().write(out);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        Stored::read(input).map(Status::new)
    }
}
/// What has codes is stored by them.
macro_rules! codes {
    ($($type:ident)*) => { $(
        impl Stored for $type {
            fn write(&self, out: &mut Writer) {
                out.str(self.code());
            }
            fn read(input: &mut Reader<'_>) -> Option<Self> {
                $type::from_code(input.str()?)
            }
        }
    )* };
}
codes! { Reason Exclusion Omission Warning }

/// What the message is for is in what was received.
impl Stored for Decrypted {
    fn write(&self, out: &mut Writer) {
        self.plain.write(out);
        self.sender.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        Some(Decrypted { plain: Stored::read(input)?, sender: Stored::read(input)?, kind: None })
    }
}
/// With nobody whom it is about it has the form that it had before there was such a thing.
impl Stored for Refusal {
    fn write(&self, out: &mut Writer) {
        self.status.code().saturating_add(if self.people.is_empty() { 0 } else { PEOPLE }).write(out);
        self.reason.write(out);
        self.device.write(out);
        if !self.people.is_empty() {
            self.people.write(out);
        }
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        let code = u16::read(input)?;
        let status = Status::new(code.checked_sub(PEOPLE).unwrap_or(code));
        let (reason, device) = (Stored::read(input)?, Stored::read(input)?);
        let people = if code >= PEOPLE { Stored::read(input)? } else { Vec::new() };
        Some(Refusal { status, reason, device, people })
    }
}
/// Above all statuses.
const PEOPLE: u16 = 1000;
impl Stored for ClearTextQuestion {
    fn write(&self, out: &mut Writer) {
        self.chat().write(out);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        Stored::read(input).map(|chat| ClearTextQuestion::about(&chat))
    }
}

/// A report names the same owner and protocol over and over: once is enough.
const SAME_OWNER: u8 = 1;
const SAME_PROTOCOL: u8 = 2;
const EXCLUDED: u8 = 4;
impl Stored for Vec<DeviceReport> {
    fn write(&self, out: &mut Writer) {
        out.len(self.len());
        let mut last: Option<&DeviceReport> = None;
        for line in self {
            let same_owner = last.is_some_and(|l| l.device.owner == line.device.owner);
            let same_protocol = last.is_some_and(|l| l.protocol == line.protocol);
            let flag = |set: bool, bit: u8| if set { bit } else { 0 };
            out.u8(flag(same_owner, SAME_OWNER) | flag(same_protocol, SAME_PROTOCOL) | flag(line.result.is_err(), EXCLUDED));
            if !same_owner {
                line.device.owner.write(out);
            }
            line.device.id.write(out);
            if !same_protocol {
                line.protocol.write(out);
            }
            if let Err(why) = &line.result {
                why.write(out);
            }
            last = Some(line);
        }
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        let mut report: Vec<DeviceReport> = Vec::new();
        for _ in 0..input.len()? {
            let flags = input.u8()?;
            let owner = if flags & SAME_OWNER != 0 { report.last()?.device.owner.clone() } else { Stored::read(input)? };
            let id = Stored::read(input)?;
            let protocol = if flags & SAME_PROTOCOL != 0 { report.last()?.protocol.clone() } else { Stored::read(input)? };
            let result = if flags & EXCLUDED != 0 { Err(Stored::read(input)?) } else { Ok(()) };
            report.push(DeviceReport { device: Device { owner, id }, protocol, result });
        }
        Some(report)
    }
}

/// Last in their rows: rows written before there were any end here.
impl Stored for Headers {
    fn write(&self, out: &mut Writer) {
        out.len(self.0.len());
        for (name, value) in &self.0 {
            out.str(name).str(value);
        }
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        if input.is_empty() {
            return Some(Headers::default());
        }
        (0..input.len()?).map(|_| Some((Stored::read(input)?, Stored::read(input)?))).collect::<Option<_>>().map(Headers)
    }
}
impl Stored for AnswerBy {
    fn write(&self, out: &mut Writer) {
        self.0.write(out);
    }
    fn read(input: &mut Reader<'_>) -> Option<Self> {
        if input.is_empty() { Some(AnswerBy(None)) } else { Stored::read(input).map(AnswerBy) }
    }
}

/// What is owed.
pub(crate) fn write_output(out: &mut Writer, output: &Output) {
    match output {
        Output::Transmit { id, part, chat, to, kind, wire, headers, made } => {
            out.u8(3);
            made.write(out);
            id.write(out);
            part.write(out);
            chat.write(out);
            to.write(out);
            kind.write(out);
            wire.write(out);
            if *headers != Headers::default() {
                headers.write(out);
            }
        }
        Output::Refuse { id, chat, from, status } => {
            out.u8(1);
            id.write(out);
            chat.write(out);
            from.write(out);
            status.write(out);
        }
        Output::Event(event) => {
            out.u8(2);
            event.write(out);
        }
        Output::Request(..) | Output::Upload { .. } | Output::Accept { .. } => {} // never owed
    }
}
pub(crate) fn read_output(input: &mut Reader<'_>) -> Option<Output> {
    let tag = input.u8()?;
    // 0: of a version that did not keep the time
    let made = if tag == 3 { Stored::read(input)? } else { Time(0) };
    Some(match tag {
        0 | 3 => Output::Transmit {
            id: Stored::read(input)?,
            part: Stored::read(input)?,
            chat: Stored::read(input)?,
            to: Stored::read(input)?,
            kind: Stored::read(input)?,
            wire: Stored::read(input)?,
            headers: Stored::read(input)?,
            made,
        },
        1 => Output::Refuse { id: Stored::read(input)?, chat: Stored::read(input)?, from: Stored::read(input)?, status: Stored::read(input)? },
        2 => Output::Event(Stored::read(input)?),
        _ => return None,
    })
}
