//! What the house costs: one message to N devices with a session of 300 bytes each and a cipher that costs nothing.
//! `cargo run --release -p subrosa-engine --example cost`
use getrandom::{SysRng, rand_core::UnwrapErr};
use std::time::Instant;
use subrosa_engine::codec::{Reader, Writer};
use subrosa_engine::*;

#[derive(Clone)]
struct Session {
    counter: u64,
    state: [u8; 288],
}
impl Record for Session {
    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(300);
        out.u8(1).varint(self.counter).raw(&self.state);
        out.into_bytes()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut input = Reader::versioned(bytes, 1)?;
        Some(Session { counter: input.varint()?, state: input.array()? })
    }
}
struct Free(u32);
impl Engine for Free {
    fn name(&self) -> &'static str {
        "free"
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        let (mut body, mut report) = (Vec::new(), Vec::new());
        let devices: Vec<Device> = (1..=self.0).map(|n| Device::of(&message.chat.0, n)).collect();
        cx.records.warm(devices.iter().map(|device| RowOf::<Session>::device("session", device)))?;
        for device in devices {
            let result = match cx.admit(&device, &Fingerprint([7; 32]))? {
                Admission::Excluded(why) => Err(why),
                Admission::Admitted(admitted) => {
                    let row = RowOf::<Session>::device("session", admitted.device());
                    match cx.records.edit(row.clone())? {
                        Some(session) => session.counter = session.counter.wrapping_add(1),
                        None => cx.records.put(row, Session { counter: 0, state: [7; 288] }),
                    }
                    body.extend_from_slice(&[7; 120]);
                    Ok(())
                }
            };
            report.push(DeviceReport { device, protocol: "free".into(), result });
        }
        Ok(Outcome::Done(Encrypted::new(ContentType::STANZA, body)?.with_report(report)))
    }
    fn incoming(&self, _: &mut Context<'_>, _: &Incoming<'_>) -> Hook<Decrypted> {
        Ok(Outcome::Silent)
    }
}
/// Takes everything at once.
struct Null;
impl Store for Null {
    type Error = std::convert::Infallible;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
        Ok(vec![None; keys.len()])
    }
    fn commit(&mut self, _: &Batch) -> Result<(), Self::Error> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted = std::env::args().nth(1).and_then(|n| n.parse().ok());
    for n in wanted.map_or(vec![1u32, 10, 100, 1000, 5000], |n| vec![n]) {
        let mut machine = Machine::new("alice@example.org".into());
        let free = machine.install(Free(n));
        machine.route(move |_| Some(free.id()));
        let mut rng = UnwrapErr(SysRng);
        let mut times = Vec::new();
        for id in 0..100 {
            let bob = Address::from("bob@example.org");
            let (chat, to) = (ChatId(bob.clone()), Recipients::People(vec![bob]));
            let input = Input::Send {
                id: id.to_string().as_str().into(),
                chat,
                to,
                kind: Kind::Text,
                plain: Plaintext::text("hello"),
                headers: Headers::default(),
            };
            let start = Instant::now();
            let mut step = machine.begin(Time(0), &mut rng);
            step.feed(input);
            let outputs = step.commit(&mut Null)?;
            times.push(start.elapsed());
            drop(outputs);
        }
        let first = times.first().copied().unwrap_or_default();
        times.sort();
        let median = times.get(50).copied().unwrap_or_default();
        println!(
            "{n:5} devices: {median:?} a message, {} ns a device (the first: {first:?})",
            median.as_nanos().checked_div(n.into()).unwrap_or_default()
        );
    }
    Ok(())
}
