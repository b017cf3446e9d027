//! The smallest engine: Linphone's XOR sample (no protection at all), and what the house does when it skips. With files, hexadecimal
//! digits and content types it is `Xor` in `subrosa-engines`; how to go on from here is in `docs/write-an-engine.md`.
use getrandom::{SysRng, rand_core::UnwrapErr};
use subrosa_engine::*;

struct Xor(&'static [u8]);
impl Xor {
    fn run(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().zip(self.0.iter().cycle()).map(|(b, k)| b ^ k).collect()
    }
}
const CIPHER_XOR: ContentType = ContentType(std::borrow::Cow::Borrowed("cipher/xor"));

impl Engine for Xor {
    fn name(&self) -> &'static str {
        "xor"
    }
    // what it does not want, a poll, does not come here; typing notices pass by
    fn wants(&self, kind: Kind) -> bool {
        kind == Kind::Text
    }
    fn outgoing(&self, _: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        Ok(Outcome::Done(Encrypted::new(CIPHER_XOR, self.run(message.plain.bytes()))?))
    }
    fn incoming(&self, _: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        if *message.content_type != CIPHER_XOR {
            return Ok(Outcome::Skipped);
        }
        Ok(Outcome::Done(Decrypted::new(Plaintext::new(ContentType::TEXT, self.run(message.body)))))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (alice, bob): (Address, Address) = ("sip:alice@example.org".into(), "sip:bob@example.org".into());
    let (chat, mut store, mut rng) = (ChatId(bob.clone()), MemoryStore::default(), UnwrapErr(SysRng));
    let mut machine = Machine::new(alice);
    let xor = machine.install(Xor(b"SuperSecretXorKey"));
    machine.route(move |_| Some(xor.id()));
    let send = |id: &str, kind, text| Input::Send {
        id: id.into(),
        chat: chat.clone(),
        to: Recipients::People(vec![bob.clone()]),
        kind,
        plain: Plaintext::text(text),
        headers: Headers::default(),
    };

    // "Super" under a key that begins with "Super" is five NULs: Liblinphone puts the plaintext on the wire here
    let mut step = machine.begin(Time(0), &mut rng);
    step.feed(send("1", Kind::Text, "Super"));
    step.feed(send("2", Kind::Text, ""));
    step.feed(send("3", Kind::Other, "a poll"));
    let mut asked = None;
    for (_, output) in step.commit(&mut store)? {
        match output {
            Output::Transmit { id, wire: Wire::Encrypted(part), .. } => println!("{id} leaves as {:?}", part.body),
            Output::Event(Event::NotSent { id, why, ask, .. }) => {
                println!("{id} stays: {why} (clear text would be the user's choice: {})", ask.is_some());
                asked = ask.or(asked);
            }
            _ => {}
        }
    }
    // the user says yes, for this chat
    let choice = asked.ok_or("no question")?.confirmed_by_user();
    let mut step = machine.begin(Time(1), &mut rng);
    step.feed(Input::SetPolicy(chat.clone(), Policy::Optional(choice)));
    step.feed(send("4", Kind::Other, "a poll"));
    for (_, output) in step.commit(&mut store)? {
        if let Output::Transmit { id, wire: Wire::Clear { plain, .. }, .. } = output {
            println!("{id} leaves in clear: {plain:?}");
        }
    }
    Ok(())
}
