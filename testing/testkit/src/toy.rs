//! Engines that encrypt nothing worth the name, to try hosts and suites on.
use subrosa_engine::{
    Address, ContentType, Context, Decrypted, Encrypted, Engine, Halt, Hook, Incoming, Item, Keep, Node, Notice, Outcome, Outgoing, Plaintext,
    Reason, Recipients, Record, Request, RowOf, Status,
};

const TYPE: ContentType = ContentType(std::borrow::Cow::Borrowed("application/vnd.subrosa.toy"));
const BAD_REQUEST: Status = Status::new(400);

/// The XOR sample of Liblinphone: no state, no devices.
pub struct Xor(pub u8);
impl Engine for Xor {
    fn name(&self) -> &'static str {
        "toy-xor"
    }
    fn outgoing(&self, _: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        if message.plain.content_type != ContentType::TEXT {
            return Ok(Outcome::Rejected(Reason::Unsupported.into()));
        }
        let mut body = vec![self.0];
        body.extend(message.plain.bytes().iter().map(|b| b ^ self.0));
        Ok(Outcome::Done(Encrypted::new(TYPE, body)?))
    }
    fn incoming(&self, _: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        if *message.content_type != TYPE {
            return Ok(Outcome::Skipped);
        }
        let Some((key, body)) = message.body.split_first() else { return Ok(Outcome::Rejected(Reason::Damaged.with(BAD_REQUEST))) };
        if *key != self.0 {
            return Ok(Outcome::Rejected(Reason::NoSession.with(BAD_REQUEST)));
        }
        let plain = Plaintext::new(ContentType::TEXT, body.iter().map(|b| b ^ key).collect::<Vec<u8>>());
        Ok(Outcome::Done(Decrypted::new(plain)))
    }
}

/// Counts what it sends, in a record.
pub struct Counter;
impl Counter {
    /// How many messages were sent.
    pub fn count(&self, cx: &mut Context<'_>) -> Result<u64, Halt> {
        Ok(cx.records.get(RowOf::<Numbers>::single("count"))?.and_then(|n| n.0.first()).copied().unwrap_or(0))
    }
}
impl Engine for Counter {
    fn name(&self) -> &'static str {
        "toy-counter"
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        let next = self.count(cx)? + 1;
        cx.records.put(RowOf::single("count"), Numbers(vec![next]));
        Ok(Outcome::Done(Encrypted::new(TYPE, xor(message.plain.bytes(), next))?))
    }
    fn incoming(&self, _: &mut Context<'_>, _: &Incoming<'_>) -> Hook<Decrypted> {
        Ok(Outcome::Skipped)
    }
}

/// An engine with all that makes a real one hard: it publishes a key, fetches the keys of others, numbers its
/// messages in a record and refuses a number it has seen. Its messages are `to, from, number, text`, XORed.
pub struct Numbered;
/// The node where [`Numbered`] publishes.
pub const NODE: &str = "toy:numbered:key";

#[derive(Clone)]
struct Numbers(Vec<u64>);
impl Record for Numbers {
    fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|n| n.to_be_bytes()).collect()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        rest.is_empty().then(|| Numbers(numbers.iter().map(|n| u64::from_be_bytes(*n)).collect()))
    }
}
fn key_of(owner: &Address) -> RowOf<Numbers> {
    RowOf::person("key", owner)
}
fn sent_to(owner: &Address) -> RowOf<Numbers> {
    RowOf::person("sent", owner)
}
fn seen_from(owner: &Address) -> RowOf<Numbers> {
    RowOf::person("seen", owner)
}
fn node_of(owner: &Address) -> Node {
    Node { owner: owner.clone(), name: NODE.into(), item: None }
}
fn xor(bytes: &[u8], key: u64) -> Vec<u8> {
    bytes.iter().zip(key.to_be_bytes().iter().cycle()).map(|(b, k)| b ^ k).collect()
}
impl Numbered {
    fn learn(cx: &mut Context<'_>, owner: &Address, payload: &[u8]) {
        if let Some(key) = Numbers::decode(payload) {
            cx.records.put(key_of(owner), key);
        }
    }
    fn next(cx: &mut Context<'_>, to: &Address) -> Result<u64, Halt> {
        let row = sent_to(to);
        let next = cx.records.get(row)?.and_then(|n| n.0.first()).copied().unwrap_or(0) + 1;
        cx.records.put(sent_to(to), Numbers(vec![next]));
        Ok(next)
    }
}
impl Engine for Numbered {
    fn name(&self) -> &'static str {
        "toy-numbered"
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        if message.plain.content_type != ContentType::TEXT {
            return Ok(Outcome::Rejected(Reason::Unsupported.into()));
        }
        let to = match message.to {
            Recipients::People(people) => people.first().ok_or_else(|| std::io::Error::other("nobody"))?.clone(),
            Recipients::Device(device) => device.owner.clone(),
            Recipients::Room => return Ok(Outcome::Rejected(Reason::NotInRoom.into())),
        };
        let Some(key) = cx.records.get(key_of(&to))?.and_then(|k| k.0.first()).copied() else {
            if cx.records.get(RowOf::<Numbers>::person("missing", &to))?.is_some() {
                return Ok(Outcome::Rejected(Reason::NoDevice.with(Status::NOT_ACCEPTABLE)));
            }
            cx.network.ask(Request::Fetch(node_of(&to)));
            return Ok(cx.network.until_answered().map_or(Outcome::Skipped, Outcome::Pending));
        };
        let number = Self::next(cx, &to)?;
        let mut body = key.to_be_bytes().to_vec();
        body.extend(xor(&number.to_be_bytes(), key));
        body.extend(xor(message.plain.bytes(), key));
        Ok(Outcome::Done(Encrypted::new(TYPE, body)?))
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        if *message.content_type != TYPE {
            return Ok(Outcome::Skipped);
        }
        let Some((key, rest)) = message.body.split_first_chunk::<8>() else { return Ok(Outcome::Rejected(Reason::Damaged.with(BAD_REQUEST))) };
        let key = u64::from_be_bytes(*key);
        let Some((number, text)) = rest.split_first_chunk::<8>() else { return Ok(Outcome::Rejected(Reason::Damaged.with(BAD_REQUEST))) };
        let number = u64::from_be_bytes(xor(number, key).try_into().unwrap_or_default());
        let me = cx.me.clone();
        if cx.records.get(key_of(&me))?.is_none_or(|k| k.0 != [key]) {
            return Ok(Outcome::Rejected(Reason::NotForThisDevice.with(BAD_REQUEST)));
        }
        let mut seen = cx.records.get(seen_from(message.from))?.cloned().unwrap_or(Numbers(Vec::new()));
        if seen.0.contains(&number) {
            return Ok(Outcome::Rejected(Reason::Duplicate.with(BAD_REQUEST)));
        }
        seen.0.push(number);
        cx.records.put(seen_from(message.from), seen);
        Ok(Outcome::Done(Decrypted::new(Plaintext::new(ContentType::TEXT, xor(text, key)))))
    }
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> Result<(), Halt> {
        match notice {
            Notice::Online { .. } => {
                let me = cx.me.clone();
                let key = match cx.records.get(key_of(&me))? {
                    Some(key) => key.clone(),
                    None => {
                        let key = Numbers(vec![cx.rng.next_u64()]);
                        cx.records.put(key_of(&me), key.clone());
                        key
                    }
                };
                cx.network.ask(Request::Publish { node: node_of(&me), keep: Keep::One, payload: key.encode() });
            }
            Notice::Answer(_, Request::Fetch(node), answer) => match answer.as_deref() {
                Ok([Item { payload, .. }, ..]) => Self::learn(cx, &node.owner.clone(), payload),
                _ => cx.records.put(RowOf::person("missing", &node.owner), Numbers(Vec::new())),
            },
            Notice::Published(node, Some(payload)) if node.name == NODE && node.owner != *cx.me => Self::learn(cx, &node.owner, payload),
            _ => {}
        }
        Ok(())
    }
}
