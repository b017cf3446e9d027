//! What every engine must do, whatever it encrypts with: carry bytes unchanged, fail closed, leave its state alone
//! when something went wrong, and survive hostile input. [`crate::engine_conformance`] makes a test of each check.
use crate::{ClientId, World};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use subrosa_engine::{
    Context, Decrypted, Encrypted, Engine, Event, FileInfo, FileKey, Halt, Hook, Incoming, Installed, Machine, Notice, Outgoing, Reason,
    RequestError, Status,
};

/// What an engine promises beyond the house rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promises {
    /// A message changed on its way is not shown.
    pub authentic: bool,
    /// A message that comes twice is shown once.
    pub no_replay: bool,
    /// It asks the network for keys before the first message.
    pub needs_keys: bool,
}

/// How a hook misbehaves after the engine has done its work in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Misbehaviour {
    /// It does not.
    None,
    /// It returns an error.
    Fails,
    /// It panics.
    Panics,
}

/// The engine under test, with a switch to make its message hooks misbehave.
pub struct Switched<E> {
    engine: E,
    switch: Switch,
}
/// The switch of all engines of one test.
#[derive(Clone, Default)]
pub struct Switch(Arc<AtomicU8>);
impl Switch {
    /// From now on.
    pub fn set(&self, to: Misbehaviour) {
        self.0.store(to as u8, Ordering::SeqCst);
    }
    fn throw<T>(&self, result: Hook<T>) -> Hook<T> {
        match self.0.load(Ordering::SeqCst) {
            1 => Err(std::io::Error::other("misbehaves because the test says so").into()),
            2 => std::panic::resume_unwind(Box::new("misbehaves because the test says so")), // without a backtrace on the screen
            _ => result,
        }
    }
}
impl<E: Engine> Engine for Switched<E> {
    fn name(&self) -> &'static str {
        self.engine.name()
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        self.switch.throw(self.engine.outgoing(cx, message))
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        self.switch.throw(self.engine.incoming(cx, message))
    }
    fn file_key(&self, cx: &mut Context<'_>, message: &Outgoing<'_>, file: &FileInfo) -> Hook<FileKey> {
        self.engine.file_key(cx, message, file)
    }
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> Result<(), Halt> {
        self.engine.notice(cx, notice)
    }
}

/// Two people with the engine under test, their engines ready.
struct Pair<E: Engine> {
    world: World<Installed<Switched<E>>>,
    switch: Switch,
    alice: ClientId,
    bob: ClientId,
}
const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";
fn pair<E: Engine>(seed: u64, make: fn() -> E) -> Pair<E> {
    let (mut world, switch) = (World::new(seed), Switch::default());
    let mut join = |account| {
        let switch = switch.clone();
        world.join(account, move |machine: &mut Machine| {
            let engine = machine.install(Switched { engine: make(), switch: switch.clone() });
            machine.route(move |_| Some(engine.id()));
            engine
        })
    };
    let (alice, bob) = (join(ALICE), join(BOB));
    world.run();
    Pair { world, switch, alice, bob }
}
impl<E: Engine> Pair<E> {
    fn texts(&self, who: ClientId) -> Vec<String> {
        self.world.client(who).texts().into_iter().map(|(_, text)| text).collect()
    }
    /// A message there and one back, both shown, neither seen by the server.
    fn talks(&mut self, round: &str) {
        let (there, back) = (format!("there {round}"), format!("back {round}"));
        self.world.send(self.alice, BOB, &there);
        self.world.run();
        self.world.send(self.bob, ALICE, &back);
        self.world.run();
        assert_eq!(self.texts(self.bob).last(), Some(&there), "{round}");
        assert_eq!(self.texts(self.alice).last(), Some(&back), "{round}");
        self.hid(&there);
        self.hid(&back);
    }
    fn hid(&self, text: &str) {
        assert!(!self.world.server.saw(text.as_bytes()), "the server read {text:?}");
        assert!(self.world.stanzas().iter().all(|s| !s.in_clear), "a message left in clear");
    }
}

/// Messages of any length arrive as they were, both ways.
pub fn carries_messages<E: Engine>(make: fn() -> E, _: Promises) {
    let mut pair = pair(1, make);
    pair.talks("first");
    for length in [1, 15, 16, 17, 255, 256, 4096, 65_536] {
        let text = "rose ".repeat(length / 5 + 1)[..length].to_owned();
        pair.world.send(pair.alice, BOB, &text);
        pair.world.run();
        assert_eq!(pair.texts(pair.bob).last(), Some(&text), "{length} bytes");
    }
    pair.talks("last");
}
/// A hook that fails or panics lets nothing out, shows nothing, and leaves no trace in the engine's state.
pub fn fails_closed<E: Engine>(make: fn() -> E, _: Promises) {
    for how in [Misbehaviour::Fails, Misbehaviour::Panics] {
        let mut pair = pair(2, make);
        pair.talks("before");
        let stanzas = pair.world.stanzas().len();
        pair.switch.set(how);
        let id = pair.world.send(pair.alice, BOB, "never out");
        pair.world.run();
        pair.switch.set(Misbehaviour::None);
        pair.hid("never out");
        assert_eq!(pair.world.stanzas().len(), stanzas, "{how:?}: something left");
        let told =
            |e: &Event| matches!(e, Event::NotSent { id: i, why, .. } if *i == id && why.reason == Reason::Engine && why.status == Status::INTERNAL);
        assert!(pair.world.client(pair.alice).events().iter().any(told), "{how:?}: the user was not told");
        pair.talks("between");
        // the same on the way in: nothing is shown, and what was undone there lets the conversation go on
        pair.world.send(pair.alice, BOB, "not shown");
        pair.switch.set(Misbehaviour::None);
        pair.world.run();
        let shown = pair.texts(pair.bob).len();
        let stanza = pair.world.stanzas().last().cloned().unwrap_or_else(|| panic!("nothing was sent"));
        pair.switch.set(how);
        pair.world.inject(stanza);
        pair.world.run();
        pair.switch.set(Misbehaviour::None);
        assert_eq!(pair.texts(pair.bob).len(), shown, "{how:?}: shown by an engine that failed");
        pair.talks("after");
    }
}
/// Whatever the server answers, nothing goes out in clear.
pub fn an_error_is_no_choice_of_clear_text<E: Engine>(make: fn() -> E, promises: Promises) {
    for error in [RequestError::NotFound, RequestError::Forbidden, RequestError::Unreachable] {
        let mut pair = pair(3, make);
        pair.world.server.refuse(move |_, _| Some(error));
        let id = pair.world.send(pair.alice, "carol@example.org", "not in clear");
        pair.world.run_for(3_600_000);
        pair.hid("not in clear");
        if promises.needs_keys {
            assert!(!crate::was_sent(pair.world.client(pair.alice).events(), &id), "{error:?}: sent to nobody");
        }
    }
}
/// Empty, cut, garbled and foreign bodies: no panic, and the conversation goes on as if nothing had been.
pub fn survives_hostile_bodies<E: Engine>(make: fn() -> E, promises: Promises) {
    let mut pair = pair(4, make);
    pair.talks("before");
    pair.world.send(pair.alice, BOB, "a true message");
    pair.world.run();
    let Some(real) = pair.world.stanzas().last().cloned() else { panic!("nothing was sent") };
    let shown = pair.texts(pair.bob).len();
    let mut bodies: Vec<Vec<u8>> = vec![Vec::new(), vec![0], b"<".into(), b"<a/>".into(), b"</a>".into(), vec![0xff; 300], b"<a>".repeat(2000)];
    let rng = pair.world.rng();
    for _ in 0..200 {
        let mut body = real.body.clone();
        match rng.below(3) {
            0 => body.truncate(usize::try_from(rng.below(body.len() as u64)).unwrap_or(0)),
            1 => {
                let at = usize::try_from(rng.below(body.len() as u64)).unwrap_or(0);
                body[at] ^= 1 << rng.below(8);
            }
            _ => {
                let at = usize::try_from(rng.below(body.len() as u64)).unwrap_or(0);
                body.insert(at, rng.below(256) as u8);
            }
        }
        bodies.push(body);
    }
    for body in bodies {
        pair.world.inject(crate::Stanza { body, ..real.clone() });
        pair.world.run();
    }
    let after = pair.texts(pair.bob);
    if promises.authentic {
        assert!(after[shown..].iter().all(|text| text == "a true message"), "a changed message was shown: {:?}", &after[shown..]);
    }
    if promises.authentic && promises.no_replay {
        assert_eq!(after.len(), shown, "a message that was shown is shown again");
    }
    pair.talks("after");
}
/// The same stanza again, at once and later.
pub fn shows_a_message_once<E: Engine>(make: fn() -> E, promises: Promises) {
    let mut pair = pair(5, make);
    pair.talks("before");
    pair.world.faults.duplicate = 1000;
    (0..5).for_each(|n| drop(pair.world.send(pair.alice, BOB, &format!("twice {n}"))));
    pair.world.run();
    pair.world.faults.duplicate = 0;
    for stanza in pair.world.stanzas().to_vec() {
        pair.world.inject(stanza);
    }
    pair.world.run();
    if promises.no_replay {
        let texts = pair.texts(pair.bob);
        for n in 0..5 {
            assert_eq!(texts.iter().filter(|t| **t == format!("twice {n}")).count(), 1, "message {n}");
        }
    }
    pair.talks("after");
}
/// A new process over the same store goes on where the old one was.
pub fn survives_restarts<E: Engine>(make: fn() -> E, _: Promises) {
    let mut pair = pair(6, make);
    for round in ["one", "two", "three"] {
        pair.talks(round);
        pair.world.crash(pair.alice);
        pair.world.run();
        pair.talks(&format!("{round}, alice anew"));
        pair.world.crash(pair.bob);
        pair.world.run();
    }
}

/// One `#[test]` for each check of the suite, in a module of the given name.
///
/// ```
/// use subrosa_testkit::{conformance::engine::Promises, engine_conformance, toy};
///
/// engine_conformance!(xor, || toy::Xor(42), Promises::default());
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! engine_conformance {
    ($name:ident, $make:expr, $promises:expr) => {
        $crate::engine_conformance!(@ $name, $make, $promises;
            carries_messages, fails_closed, an_error_is_no_choice_of_clear_text, survives_hostile_bodies, shows_a_message_once,
            survives_restarts);
    };
    (@ $name:ident, $make:expr, $promises:expr; $($check:ident),+) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $check() {
                    $crate::conformance::engine::$check($make, $promises);
                }
            )+
        }
    };
}
