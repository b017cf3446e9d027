//! What the application itself must not forget: the password, what became of each message it was asked to send, what
//! may have been shown. Kept as records of an engine that encrypts nothing, so that they are stored in the same
//! transaction as the step they belong to.
use crate::rpc::types::{DeviceNumber, DeviceResult, SendOutcome};
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::{
    Address, ChatId, Context, Decrypted, DeviceId, DeviceReport, Encrypted, Engine, Exclusion, Halt, Hook, Incoming, Outcome, Outgoing, Record,
    RowOf, Time,
};
use zeroize::Zeroizing;

/// Messages whose fate is remembered: a caller that tries again does so within these.
const REMEMBERED: u64 = 4096;

/// The engine that encrypts nothing and remembers.
pub struct Ledger;

impl Engine for Ledger {
    fn name(&self) -> &'static str {
        "app"
    }
    fn outgoing(&self, _: &mut Context<'_>, _: &Outgoing<'_>) -> Hook<Encrypted> {
        Ok(Outcome::Skipped)
    }
    fn incoming(&self, _: &mut Context<'_>, _: &Incoming<'_>) -> Hook<Decrypted> {
        Ok(Outcome::Skipped)
    }
}

/// What logging in needs without a person.
#[derive(Clone, Default)]
pub struct Login {
    /// The account's password.
    pub password: Zeroizing<String>,
    /// The strongest way of logging in that this account has shown, in the connection's words: never a weaker one again.
    pub pin: Option<String>,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Whom it is for.
    pub to: String,
    /// How far it is.
    pub stage: Stage,
    /// Who can read it, once it is known.
    pub report: Report,
}
/// Who can read a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Device by device.
    pub devices: Vec<DeviceResult>,
    /// Members of the room who have none that can.
    pub left_out: Vec<String>,
    /// What some devices do not get of it.
    pub unsaid: Vec<String>,
    /// It left in clear.
    pub in_clear: bool,
}
/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Stored; waits for keys.
    Accepted,
    /// Encrypted; the server has not acknowledged all of it.
    Leaving,
    /// The server has it.
    Acknowledged,
}

/// What may have been shown before this process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Everything owed up to this output may have been.
    pub up_to: u64,
    /// A process shows messages now (or was killed while it did).
    pub showing: bool,
}

impl Ledger {
    /// How to log in.
    pub fn login(cx: &mut Context<'_>) -> Result<Option<Login>, Halt> {
        Ok(cx.records.get(RowOf::<Login>::single("login"))?.cloned())
    }
    /// Remembers it.
    pub fn set_login(cx: &mut Context<'_>, login: &Login) -> Result<(), Halt> {
        cx.records.put(RowOf::single("login"), login.clone());
        Ok(())
    }
    /// A stronger way of logging in was seen.
    pub fn set_pin(cx: &mut Context<'_>, pin: &str) -> Result<(), Halt> {
        if let Some(login) = cx.records.edit(RowOf::<Login>::single("login"))? {
            login.pin = Some(pin.into());
        }
        Ok(())
    }
    /// What became of a message.
    pub fn sent(cx: &mut Context<'_>, id: &str) -> Result<Option<Sent>, Halt> {
        Ok(cx.records.get(row(id))?.cloned())
    }
    /// A new message; the oldest one that is over is forgotten for it.
    pub fn accept(cx: &mut Context<'_>, id: &str, to: &str) -> Result<(), Halt> {
        let count = RowOf::<Count>::single("sent-count");
        let number = cx.records.get(count.clone())?.map_or(0, |c| c.0);
        let slot = RowOf::<Slot>::numbered("sent-slot", number % REMEMBERED);
        let oldest = cx.records.get(slot.clone())?.map(|s| s.0.clone());
        if let Some(oldest) = oldest {
            let over = cx.records.get(row(&oldest))?.is_some_and(|sent| sent.stage == Stage::Acknowledged);
            if over {
                cx.records.remove(row(&oldest));
            }
        }
        cx.records.put(slot, Slot(id.into()));
        cx.records.put(count, Count(number.wrapping_add(1)));
        cx.records.put(row(id), Sent { to: to.into(), stage: Stage::Accepted, report: Report::default() });
        Self::waits(cx, 1)
    }
    /// How many messages the server does not have yet, those that wait for keys too.
    pub fn queued(cx: &mut Context<'_>) -> Result<u64, Halt> {
        Ok(cx.records.get(RowOf::<Count>::single("queued"))?.map_or(0, |c| c.0))
    }
    fn waits(cx: &mut Context<'_>, more: i64) -> Result<(), Halt> {
        let queued = Self::queued(cx)?.saturating_add_signed(more);
        cx.records.put(RowOf::single("queued"), Count(queued));
        Ok(())
    }
    /// A message was encrypted.
    pub fn leaving(cx: &mut Context<'_>, id: &str, report: &Report) -> Result<(), Halt> {
        if let Some(sent) = cx.records.edit(row(id))? {
            sent.report = report.clone();
            sent.stage = Stage::Leaving;
        }
        Ok(())
    }
    /// The server has a message.
    pub fn acknowledged(cx: &mut Context<'_>, id: &str) -> Result<(), Halt> {
        let Some(sent) = cx.records.edit(row(id))? else { return Ok(()) };
        if std::mem::replace(&mut sent.stage, Stage::Acknowledged) == Stage::Acknowledged {
            return Ok(());
        }
        Self::waits(cx, -1)
    }
    /// Nothing of a message left: it may be tried again under the same id.
    pub fn failed(cx: &mut Context<'_>, id: &str) -> Result<(), Halt> {
        let Some(stage) = cx.records.get(row(id))?.map(|sent| sent.stage) else { return Ok(()) };
        cx.records.remove(row(id));
        if stage == Stage::Acknowledged { Ok(()) } else { Self::waits(cx, -1) }
    }
    /// When this device began: what was said before is not for it. Now, at the first time that is asked.
    pub fn born(cx: &mut Context<'_>) -> Result<Time, Halt> {
        let row = RowOf::<Count>::single("born");
        if let Some(Count(at)) = cx.records.get(row.clone())? {
            return Ok(Time(*at));
        }
        cx.records.put(row, Count(cx.now.0));
        Ok(cx.now)
    }
    /// The output that asks about clear text in this conversation, and of which its sender knows.
    pub fn asked(cx: &mut Context<'_>, chat: &ChatId) -> Result<Option<u64>, Halt> {
        Ok(cx.records.get(asked(chat))?.map(|output| output.0))
    }
    /// Remembers it.
    pub fn set_asked(cx: &mut Context<'_>, chat: &ChatId, output: u64) -> Result<(), Halt> {
        cx.records.put(asked(chat), Count(output));
        Ok(())
    }
    /// Conversations in which a person allowed clear text.
    pub fn allowed(cx: &mut Context<'_>) -> Result<Vec<String>, Halt> {
        Ok(cx.records.get(RowOf::<List>::single("clear"))?.map(|list| list.0.clone()).unwrap_or_default())
    }
    /// Remembers them.
    pub fn set_allowed(cx: &mut Context<'_>, chats: Vec<String>) -> Result<(), Halt> {
        cx.records.put(RowOf::single("clear"), List(chats));
        Ok(())
    }
    /// What may have been shown.
    pub fn seen(cx: &mut Context<'_>) -> Result<Seen, Halt> {
        Ok(cx.records.get(RowOf::<Seen>::single("seen"))?.copied().unwrap_or_default())
    }
    /// Remembers it.
    pub fn set_seen(cx: &mut Context<'_>, seen: Seen) -> Result<(), Halt> {
        cx.records.put(RowOf::single("seen"), seen);
        Ok(())
    }
}

fn asked(chat: &ChatId) -> RowOf<Count> {
    RowOf::person("asked", &chat.0)
}
/// Ids are free text; a row has room for an address, which is free text to the engine.
fn row(id: &str) -> RowOf<Sent> {
    RowOf::person("sent", &Address::from(id))
}

/// The engine's report in the words of the RPC.
pub fn results(report: &[DeviceReport]) -> Vec<DeviceResult> {
    let result = |r: &DeviceReport| DeviceResult {
        jid: r.device.owner.to_string(),
        device: DeviceNumber::from(&r.device.id),
        protocol: Some(r.protocol.to_string()).filter(|p| !p.is_empty()),
        result: if r.result.is_ok() { SendOutcome::Sent } else { SendOutcome::LeftOut },
        reason: r.result.err().map(|e| Exclusion::code(e).to_owned()),
    };
    report.iter().map(result).collect()
}
/// The number that a person knows a device by.
pub fn number(id: &DeviceId) -> Option<u32> {
    if let DeviceId::Number(n) = id { Some(*n) } else { None }
}

const FORM: u8 = 1;

impl Record for Login {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(FORM);
        out.str(&self.password).option(self.pin.as_deref(), |out, pin| {
            out.str(pin);
        });
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, FORM)?;
        let password = Zeroizing::new(input.str()?.to_owned());
        let pin = input.option(|input| input.str().map(str::to_owned))?;
        input.end()?;
        Some(Login { password, pin })
    }
}
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("pin", &self.pin).finish_non_exhaustive()
    }
}
/// Of records that say who was left out, and of those that say whether it left in clear, too.
const SENT_FORMS: [u8; 2] = [2, 3];
impl Record for Sent {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(SENT_FORMS[1]);
        out.str(&self.to).u8(self.stage as u8).len(self.report.devices.len());
        for device in &self.report.devices {
            out.str(&device.jid);
            match &device.device {
                DeviceNumber::Number(n) => out.u8(0).u32(*n),
                DeviceNumber::Name(name) => out.u8(1).str(name),
            };
            out.option(device.protocol.as_deref(), |out, s| {
                out.str(s);
            });
            out.option(device.reason.as_deref(), |out, s| {
                out.str(s);
            });
        }
        for list in [&self.report.left_out, &self.report.unsaid] {
            out.len(list.len());
            list.iter().for_each(|s| {
                out.str(s);
            });
        }
        out.bool(self.report.in_clear);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let [second, third] = SENT_FORMS.map(|form| Reader::versioned(bytes, form));
        let (clear, lists) = (third.is_some(), second.is_some() || third.is_some());
        let mut input = third.or(second).or_else(|| Reader::versioned(bytes, FORM))?;
        let to = input.str()?.to_owned();
        let stage = [Stage::Accepted, Stage::Leaving, Stage::Acknowledged].get(usize::from(input.u8()?)).copied()?;
        let mut devices = Vec::new();
        for _ in 0..input.len()? {
            let jid = input.str()?.to_owned();
            let device = if input.u8()? == 0 { DeviceNumber::Number(input.u32()?) } else { DeviceNumber::Name(input.str()?.to_owned()) };
            let protocol = input.option(|input| input.str().map(str::to_owned))?;
            let reason = input.option(|input| input.str().map(str::to_owned))?;
            let result = if reason.is_none() { SendOutcome::Sent } else { SendOutcome::LeftOut };
            devices.push(DeviceResult { jid, device, protocol, result, reason });
        }
        let mut list = || if lists { (0..input.len()?).map(|_| input.str().map(str::to_owned)).collect() } else { Some(Vec::new()) };
        let (left_out, unsaid) = (list()?, list()?);
        let in_clear = clear && input.bool()?;
        input.end()?;
        Some(Sent { to, stage, report: Report { devices, left_out, unsaid, in_clear } })
    }
}
impl Record for Seen {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(FORM);
        out.u64(self.up_to).bool(self.showing);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, FORM)?;
        let seen = Seen { up_to: input.u64()?, showing: input.bool()? };
        input.end()?;
        Some(seen)
    }
}
#[derive(Clone)]
struct Count(u64);
impl Record for Count {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(FORM);
        out.u64(self.0);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        Reader::versioned(bytes, FORM)?.u64().map(Count)
    }
}
#[derive(Clone)]
struct List(Vec<String>);
impl Record for List {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(FORM);
        out.len(self.0.len());
        self.0.iter().for_each(|s| {
            out.str(s);
        });
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let input = &mut Reader::versioned(bytes, FORM)?;
        let list = (0..input.len()?).map(|_| input.str().map(str::to_owned)).collect::<Option<_>>()?;
        input.end()?;
        Some(List(list))
    }
}
#[derive(Clone)]
struct Slot(String);
impl Record for Slot {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned(FORM);
        out.str(&self.0);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        Reader::versioned(bytes, FORM)?.str().map(|s| Slot(s.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_their_bytes() {
        let device = |n: DeviceNumber, reason: Option<&str>| DeviceResult {
            jid: "bob@x".into(),
            device: n,
            protocol: reason.is_none().then(|| "omemo:2".into()),
            result: if reason.is_none() { SendOutcome::Sent } else { SendOutcome::LeftOut },
            reason: reason.map(Into::into),
        };
        let devices = vec![device(DeviceNumber::Number(7), None), device(DeviceNumber::Name("gruu".into()), Some("untrusted"))];
        let report = Report { devices, left_out: vec!["dave@x".into()], unsaid: vec!["reaction".into()], in_clear: true };
        let sent = Sent { to: "bob@x".into(), stage: Stage::Leaving, report };
        assert_eq!(Sent::decode(&sent.encode()), Some(sent));
        // as the first version wrote it
        let old = Sent::decode(b"\x01\x05bob@x\x02\x00").expect("decodes");
        assert_eq!((old.to.as_str(), old.stage, old.report), ("bob@x", Stage::Acknowledged, Report::default()));
        // and as the second did
        let old = Sent::decode(b"\x02\x05bob@x\x02\x00\x01\x06dave@x\x00").expect("decodes");
        assert_eq!((old.report.left_out, old.report.in_clear), (vec!["dave@x".to_owned()], false));
        assert_eq!(List::decode(&List(vec!["bob@x".into()]).encode()).map(|list| list.0), Some(vec!["bob@x".to_owned()]));
        let seen = Seen { up_to: 12, showing: true };
        assert_eq!(Seen::decode(&seen.encode()), Some(seen));
        let login = Login { password: Zeroizing::new("pw".into()), pin: Some("SCRAM-SHA-256".into()) };
        let again = Login::decode(&login.encode()).expect("decodes");
        assert_eq!((again.password.as_str(), again.pin.as_deref()), ("pw", Some("SCRAM-SHA-256")));
        assert!(Login::decode(b"\x09").is_none() && Sent::decode(b"").is_none());
    }

    #[test]
    fn the_password_is_never_in_debug() {
        let login = Login { password: Zeroizing::new("correct horse".into()), pin: None };
        assert!(!format!("{login:?}").contains("horse"));
    }
}
