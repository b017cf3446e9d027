//! Engines, stores and hosts that do one thing wrong each. For every one a plan under which OMEMO as it is passes, and the
//! rules of which the mutant breaks one: the simulation is worth what it finds.
use crate::subject::{Around, Flavour, Honest, Simulated};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Mutex;
use subrosa_engine::*;
use subrosa_omemo::Omemo;
use subrosa_testkit::simulation::{Plan, Published, Rule, Subject, run};
use subrosa_testkit::{ClientId, Faults, World};

const CRASHES: Faults = Faults { lose: 0, duplicate: 0, delay: 30, reorder: false, unanswered: 0, batch: 200, crash: 60 };

/// The mutant is found within some seeds (most at the first), by one of these rules; without it nothing is found.
fn caught<F: Flavour>(plan: impl Fn(u64) -> Plan, rules: &[Rule]) {
    for seed in 0..120 {
        let Err(failure) = run(Simulated::<F>::default(), plan(seed)) else { continue };
        assert!(rules.contains(&failure.rule()), "it was to break one of {rules:?}, not this:\n{failure}");
        if let Err(failure) = run(Simulated::<Honest>::default(), plan(seed)) {
            panic!("without the mutant too:\n{failure}");
        }
        return;
    }
    panic!("nobody noticed");
}
fn crashing(seed: u64) -> Plan {
    Plan { faults: CRASHES, devices: 2, ..Plan::calm(seed, 80) }
}
fn talking(seed: u64) -> Plan {
    Plan { trust: 100, faults: Faults { duplicate: 200, ..Faults::default() }, ..Plan::calm(seed, 80) }
}

fn put_back(seed: u64) -> Plan {
    Plan { roll_back: 30, archive: true, ..Plan::calm(seed, 80) }
}
/// Rooms whose archives don't say who wrote what, and people who come late.
fn nameless(seed: u64) -> Plan {
    let faults = Faults { lose: 150, delay: 200, reorder: true, ..Faults::default() };
    Plan { people: 4, rooms: 3, faults, archive: true, anonymous: true, absence: 100, ..Plan::calm(seed, 120) }
}

// Stores

/// What a store does to what it is given.
trait Disk: Clone + Default + 'static {
    /// What it really writes; `None`: nothing, and it says that it did.
    fn commit(&mut self, writes: Vec<Write>) -> Option<Vec<Write>> {
        Some(writes)
    }
    /// What it really reads.
    fn load(&mut self, _: &Key, row: Option<Vec<u8>>) -> Option<Vec<u8>> {
        row
    }
    const CACHED: usize = 10_000;
}
#[derive(Clone, Default)]
struct Bad<D>(MemoryStore, D);
impl<D: Disk> Store for Bad<D> {
    type Error = std::convert::Infallible;
    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
        let rows = self.0.load(keys)?;
        Ok(keys.iter().zip(rows).map(|(key, row)| self.1.load(key, row)).collect())
    }
    fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
        match self.1.commit(batch.writes().to_vec()) {
            Some(writes) => self.0.commit(&Batch::for_tests(writes)),
            None => Ok(()),
        }
    }
}
/// OMEMO over such a store.
#[derive(Default)]
struct Over<D>(PhantomData<D>);
impl<D: Disk> Flavour for Over<D> {
    type Engine = Omemo;
    type Store = Bad<D>;
    fn engine(&self) -> Omemo {
        Omemo::default()
    }
    fn store(&mut self) -> Bad<D> {
        Bad::default()
    }
    fn settings(&self, manual: bool) -> Settings {
        Honest.settings(manual).cached_records(D::CACHED)
    }
}

#[derive(Clone, Default)]
struct SkipsACommit(u32);
impl Disk for SkipsACommit {
    fn commit(&mut self, writes: Vec<Write>) -> Option<Vec<Write>> {
        self.0 += 1;
        (!self.0.is_multiple_of(11)).then_some(writes)
    }
}
#[test]
fn a_commit_that_was_skipped() {
    let rules =
        [Rule::OneKeyOnce, Rule::NothingOwedIsLost, Rule::ReadOrTold, Rule::ShownOnce, Rule::PreKeysOnce, Rule::OneOutcome, Rule::AsItWasWritten];
    caught::<Over<SkipsACommit>>(crashing, &rules);
}

/// Now and then it has the session as it was before.
#[derive(Clone, Default)]
struct OldSessions {
    before: HashMap<Key, Vec<Vec<u8>>>,
    loads: u32,
}
impl Disk for OldSessions {
    const CACHED: usize = 0;
    fn commit(&mut self, writes: Vec<Write>) -> Option<Vec<Write>> {
        for (key, row) in writes.iter().filter(|(key, _)| key.kind() == "session") {
            self.before.entry(key.clone()).or_default().extend(row.clone());
        }
        Some(writes)
    }
    fn load(&mut self, key: &Key, row: Option<Vec<u8>>) -> Option<Vec<u8>> {
        self.loads += u32::from(key.kind() == "session");
        let old = self.before.get(key).filter(|_| self.loads.is_multiple_of(13)).and_then(|rows| rows.iter().rev().nth(1));
        old.cloned().or(row)
    }
}
#[test]
fn a_key_that_is_used_again_because_its_session_is_an_old_one() {
    caught::<Over<OldSessions>>(talking, &[Rule::OneKeyOnce]);
}

/// Loses rows of the house that begin so.
#[derive(Clone, Default)]
struct Loses<const KIND: u8>(u32);
impl<const KIND: u8> Disk for Loses<KIND> {
    fn commit(&mut self, mut writes: Vec<Write>) -> Option<Vec<Write>> {
        writes.retain(|(key, row)| {
            let it = key.space() == "house" && key.kind() == "item" && row.as_ref().is_some_and(|row| row.get(1) == Some(&KIND));
            self.0 += u32::from(it);
            !(it && self.0.is_multiple_of(5))
        });
        Some(writes)
    }
}
#[test]
fn an_owed_output_that_is_lost() {
    caught::<Over<Loses<0>>>(crashing, &[Rule::NothingOwedIsLost]);
}
#[test]
fn a_waiting_message_that_is_lost() {
    caught::<Over<Loses<2>>>(crashing, &[Rule::OneOutcome]);
}

/// It has the prekeys always as they were at first. Within one process: the next would notice.
#[derive(Clone, Default)]
struct KeepsPreKeys(u32);
impl Disk for KeepsPreKeys {
    const CACHED: usize = 0;
    fn commit(&mut self, mut writes: Vec<Write>) -> Option<Vec<Write>> {
        writes.retain(|(key, _)| {
            self.0 += u32::from(key.kind() == "prekeys-2");
            key.kind() != "prekeys-2" || self.0 < 2
        });
        Some(writes)
    }
}
#[test]
fn a_prekey_that_comes_back() {
    caught::<Over<KeepsPreKeys>>(talking, &[Rule::PreKeysOnce]);
}

/// Loses what it knows of itself: that it was put back once, for example.
#[derive(Clone, Default)]
struct LosesMemory;
impl Disk for LosesMemory {
    fn commit(&mut self, mut writes: Vec<Write>) -> Option<Vec<Write>> {
        writes.retain(|(key, _)| key.kind() != "memory");
        Some(writes)
    }
}
#[test]
fn a_session_that_goes_on_though_its_memory_was_put_back() {
    caught::<Over<LosesMemory>>(|seed| Plan { faults: CRASHES, ..put_back(seed) }, &[Rule::OneKeyOnce, Rule::NoticesOldMemory, Rule::ShownOnce]);
}

/// Loses messages that may be read later.
#[derive(Clone, Default)]
struct LosesKept;
impl Disk for LosesKept {
    fn commit(&mut self, mut writes: Vec<Write>) -> Option<Vec<Write>> {
        writes.retain(|(key, _)| !(key.space() == "house" && key.kind() == "failed" && key.number().is_some()));
        Some(writes)
    }
    const CACHED: usize = 0;
}
#[test]
fn a_message_that_is_forgotten_and_could_be_read_later() {
    caught::<Over<LosesKept>>(nameless, &[Rule::ReadLater]);
}
/// Loses what was told.
#[derive(Clone, Default)]
struct LosesTold;
impl Disk for LosesTold {
    fn commit(&mut self, mut writes: Vec<Write>) -> Option<Vec<Write>> {
        writes.retain(|(key, _)| !(key.space() == "house" && key.kind() == "told"));
        Some(writes)
    }
    const CACHED: usize = 0;
}
#[test]
fn a_message_that_is_told_twice() {
    caught::<Over<LosesTold>>(nameless, &[Rule::ToldOnce]);
}

// Engines

/// What an engine does with what OMEMO says.
trait Twist: Default + Send + 'static {
    /// Whom it really encrypts to.
    fn recipients(&self, _: &Outgoing<'_>) -> Option<Recipients> {
        None
    }
    /// The answer that OMEMO hears instead.
    fn answer(&self, _: &Context<'_>, _: &Notice) -> Option<Notice> {
        None
    }
    fn outgoing(&self, _: &Outgoing<'_>, honest: Hook<Encrypted>) -> Hook<Encrypted> {
        honest
    }
    fn incoming(&self, _: &Incoming<'_>, honest: Hook<Decrypted>) -> Hook<Decrypted> {
        honest
    }
    /// Before OMEMO hears it; `false`: it does not.
    fn notice(&self, _: &mut Context<'_>, _: &Notice) -> bool {
        true
    }
    const BLIND: bool = false;
}
#[derive(Default)]
struct Twisted<T>(Omemo, T);
impl<T: Twist> Engine for Twisted<T> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn wants(&self, kind: Kind) -> bool {
        self.0.wants(kind)
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        let to = self.1.recipients(message);
        let Outgoing { id, chat, kind, plain, headers, room, .. } = *message;
        let twisted = Outgoing { id, chat, to: to.as_ref().unwrap_or(message.to), kind, plain, headers, room };
        self.1.outgoing(message, self.0.outgoing(cx, &twisted))
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        self.1.incoming(message, self.0.incoming(cx, message))
    }
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> Result<(), Halt> {
        let other = self.1.answer(cx, notice);
        if self.1.notice(cx, notice) { self.0.notice(cx, other.as_ref().unwrap_or(notice)) } else { Ok(()) }
    }
}
impl<T> Around for Twisted<T> {
    fn omemo(&self) -> &Omemo {
        &self.0
    }
}
#[derive(Default)]
struct With<T>(PhantomData<T>);
impl<T: Twist> Flavour for With<T> {
    type Engine = Twisted<T>;
    type Store = MemoryStore;
    fn engine(&self) -> Twisted<T> {
        Twisted::default()
    }
    fn store(&mut self) -> MemoryStore {
        MemoryStore::default()
    }
    fn settings(&self, manual: bool) -> Settings {
        Honest.settings(manual && !T::BLIND)
    }
}

/// Every seventh message has the body of the sixth.
#[derive(Default)]
struct OldBody(Mutex<(u32, Option<Encrypted>)>);
impl Twist for OldBody {
    fn outgoing(&self, _: &Outgoing<'_>, honest: Hook<Encrypted>) -> Hook<Encrypted> {
        let mut state = self.0.lock().unwrap();
        if let Ok(Outcome::Done(body)) = &honest {
            state.0 += 1;
            match state.0 % 7 {
                6 => state.1 = Some(body.clone()),
                0 => return Ok(Outcome::Done(state.1.take().unwrap_or_else(|| body.clone()))),
                _ => {}
            }
        }
        honest
    }
}
#[test]
fn a_body_that_is_sent_as_two_messages() {
    caught::<With<OldBody>>(talking, &[Rule::OneKeyOnce]);
}

/// What was read once is read again.
#[derive(Default)]
struct Remembers(Mutex<HashMap<Vec<u8>, Decrypted>>);
impl Twist for Remembers {
    fn incoming(&self, message: &Incoming<'_>, honest: Hook<Decrypted>) -> Hook<Decrypted> {
        let mut read = self.0.lock().unwrap();
        match &honest {
            Ok(Outcome::Done(plain)) => drop(read.insert(message.body.to_vec(), plain.clone())),
            Ok(Outcome::Silent) => {
                if let Some(plain) = read.get(message.body) {
                    return Ok(Outcome::Done(plain.clone()));
                }
            }
            _ => {}
        }
        honest
    }
}
#[test]
fn a_message_that_is_shown_twice() {
    caught::<With<Remembers>>(talking, &[Rule::ShownOnce]);
}

#[derive(Default)]
struct Swallows;
impl Twist for Swallows {
    fn incoming(&self, _: &Incoming<'_>, honest: Hook<Decrypted>) -> Hook<Decrypted> {
        if matches!(honest, Ok(Outcome::Rejected(_))) { Ok(Outcome::Silent) } else { honest }
    }
}
#[test]
fn a_message_that_nobody_can_read_and_nobody_is_told_of() {
    caught::<With<Swallows>>(talking, &[Rule::ReadOrTold]);
}

/// The report says of all that they can read it, or of one fewer than can.
#[derive(Default)]
struct Reports<const ALL: bool>;
impl<const ALL: bool> Twist for Reports<ALL> {
    fn outgoing(&self, _: &Outgoing<'_>, honest: Hook<Encrypted>) -> Hook<Encrypted> {
        let Ok(Outcome::Done(body)) = honest else { return honest };
        let mut report = body.report().to_vec();
        if ALL {
            report.iter_mut().for_each(|line| line.result = Ok(()));
        } else if report.iter().filter(|line| line.result.is_ok()).count() > 1 {
            report.remove(report.iter().rposition(|line| line.result.is_ok()).unwrap_or(0));
        }
        Ok(Outcome::Done(body.with_report(report)))
    }
}
#[test]
fn a_report_that_promises_too_much() {
    caught::<With<Reports<true>>>(talking, &[Rule::TrueReport]);
}
#[test]
fn a_report_that_hides_a_reader() {
    caught::<With<Reports<false>>>(talking, &[Rule::TrueReport]);
}

#[derive(Default)]
struct InClear;
impl Twist for InClear {
    fn outgoing(&self, message: &Outgoing<'_>, honest: Hook<Encrypted>) -> Hook<Encrypted> {
        let Ok(Outcome::Done(body)) = honest else { return honest };
        Ok(Outcome::Done(Encrypted::new(ContentType::STANZA, message.plain.bytes().to_vec())?.with_report(body.report().to_vec())))
    }
}
#[test]
fn words_in_clear() {
    caught::<With<InClear>>(talking, &[Rule::NoClearText]);
}

#[derive(Default)]
struct OtherWords;
impl Twist for OtherWords {
    fn incoming(&self, _: &Incoming<'_>, honest: Hook<Decrypted>) -> Hook<Decrypted> {
        let Ok(Outcome::Done(read)) = honest else { return honest };
        Ok(Outcome::Done(Decrypted { plain: Plaintext::text("something else"), ..read }))
    }
}
#[test]
fn other_words_than_were_written() {
    caught::<With<OtherWords>>(talking, &[Rule::AsItWasWritten]);
}

/// Policy of another device: everybody is trusted at first sight.
#[derive(Default)]
struct Blind;
impl Twist for Blind {
    const BLIND: bool = true;
}
#[test]
fn trust_where_a_person_was_to_decide() {
    caught::<With<Blind>>(|seed| Plan { manual: 1000, ..talking(seed) }, &[Rule::TrustByTheRules]);
}

/// Every device of the own account counts as one that was there before.
#[derive(Default)]
struct Adopts;
impl Twist for Adopts {
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> bool {
        if let Notice::Answer(_, Request::Fetch(node), Ok(items)) = notice
            && node.owner == *cx.me
        {
            let bundle = |item: &Item| Simulated::<Honest>::default().published(&Node { item: item.id.clone(), ..node.clone() }, &item.payload);
            for published in items.iter().filter_map(bundle) {
                if let Published::Bundle { device, key, .. } = published {
                    cx.learn(&Device::of(&node.owner, device), &key, Origin::OnJoining).ok();
                }
            }
        }
        true
    }
}
#[test]
fn an_own_device_that_nobody_approved() {
    caught::<With<Adopts>>(talking, &[Rule::TrustByTheRules]);
}

/// It never looks whether it is still published.
#[derive(Default)]
struct Deaf;
impl Twist for Deaf {
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> bool {
        let own = matches!(notice, Notice::Published(node, _) | Notice::Answer(_, Request::Fetch(node), _) if node.owner == *cx.me);
        let started = cx.now.0 > 1_700_000_000_500;
        !(started && (own || matches!(notice, Notice::Online { .. })))
    }
}
#[test]
fn a_device_that_is_forgotten_and_does_not_come_back() {
    caught::<With<Deaf>>(|seed| Plan { forgetful: 100, ..Plan::calm(seed, 60) }, &[Rule::Heals]);
}

/// It does not look what is published for it.
#[derive(Default)]
struct SeesNothing;
impl Twist for SeesNothing {
    fn answer(&self, cx: &Context<'_>, notice: &Notice) -> Option<Notice> {
        match notice {
            Notice::Answer(id, Request::Fetch(node), Ok(_)) if node.owner == *cx.me && node.name.contains("bundles") => {
                Some(Notice::Answer(*id, Request::Fetch(node.clone()), Err(RequestError::NotFound)))
            }
            _ => None,
        }
    }
}
#[test]
fn a_device_that_does_not_see_that_its_store_was_put_back() {
    caught::<With<SeesNothing>>(|seed| Plan { devices: 1, archive: false, roll_back: 60, ..put_back(seed) }, &[Rule::NoticesOldMemory]);
}

/// Who was in a room once gets everything.
#[derive(Default)]
struct Remembered(Mutex<HashMap<ChatId, Vec<Address>>>);
impl Twist for Remembered {
    fn recipients(&self, message: &Outgoing<'_>) -> Option<Recipients> {
        let Recipients::People(people) = message.to else { return None };
        message.room?;
        let mut all = self.0.lock().unwrap();
        let all = all.entry(message.chat.clone()).or_default();
        all.extend(people.iter().cloned());
        all.sort();
        all.dedup();
        Some(Recipients::People(all.clone()))
    }
}
#[test]
fn a_member_who_was_removed_and_reads_on() {
    caught::<With<Remembered>>(talking, &[Rule::OnlyTheAdmitted]);
}

/// Every answer is another question.
#[derive(Default)]
struct Asks;
impl Twist for Asks {
    fn notice(&self, cx: &mut Context<'_>, notice: &Notice) -> bool {
        if let Notice::Answer(_, Request::Fetch(node), _) = notice {
            cx.network.ask(Request::Fetch(node.clone()));
        }
        true
    }
}
#[test]
fn chatter_without_end() {
    caught::<With<Asks>>(|seed| Plan { people: 2, devices: 1, ..Plan::calm(seed, 10) }, &[Rule::ComesToRest]);
}

// Hosts

/// Says of every so-manieth output of a kind that it is done, and did nothing.
#[derive(Default)]
struct Neglects<const SHOWN: bool>;
impl<const SHOWN: bool> Flavour for Neglects<SHOWN> {
    type Engine = Omemo;
    type Store = MemoryStore;
    fn engine(&self) -> Omemo {
        Omemo::default()
    }
    fn store(&mut self) -> MemoryStore {
        MemoryStore::default()
    }
    fn joined(&mut self, world: &mut World<Installed<Omemo>>, who: ClientId) {
        let mut count = 0u32;
        world.client_mut(who).neglect(move |output| {
            let it = if SHOWN { matches!(output, Output::Event(Event::Message { .. })) } else { matches!(output, Output::Transmit { .. }) };
            count += u32::from(it);
            it && count.is_multiple_of(10)
        });
    }
}
#[test]
fn a_host_that_does_not_send() {
    caught::<Neglects<false>>(talking, &[Rule::NothingOwedIsLost]);
}
#[test]
fn a_host_that_does_not_show() {
    caught::<Neglects<true>>(talking, &[Rule::NothingOwedIsLost]);
}

/// Passes a yes on where a person said no.
#[derive(Default)]
struct Yes;
impl Flavour for Yes {
    type Engine = Omemo;
    type Store = MemoryStore;
    fn engine(&self) -> Omemo {
        Omemo::default()
    }
    fn store(&mut self) -> MemoryStore {
        MemoryStore::default()
    }
    fn feed(&mut self, input: Input) -> Input {
        match input {
            Input::SetTrust(device, key, trust) if !trust.is_trusted() => Input::SetTrust(device, key, Trust::Trusted),
            input => input,
        }
    }
}
#[test]
fn a_key_for_a_device_that_was_not_admitted() {
    caught::<Yes>(talking, &[Rule::OnlyTheAdmitted, Rule::TrustByTheRules]);
}
