use super::*;
use proptest::prelude::*;

fn learn(machine: &mut Machine, toy: Installed<Toy>, store: &mut MemoryStore, device: &Device, key: u32, origin: Origin) -> (Standing, Vec<String>) {
    let mut rng = Counting(0);
    let mut step = machine.begin(Time(5), &mut rng);
    let device = device.clone();
    let standing = step.call(toy, move |_, cx| cx.learn(&device, &key_of(key), origin));
    let mut outputs = step.commit(store).unwrap();
    (outputs.reply(&standing).unwrap(), words(outputs))
}
fn admit(machine: &mut Machine, toy: Installed<Toy>, store: &mut MemoryStore, device: &Device, key: u32) -> Result<(), Exclusion> {
    let mut rng = Counting(0);
    let mut step = machine.begin(Time(5), &mut rng);
    let device = device.clone();
    let answer = step.call(toy, move |_, cx| {
        Ok(match cx.admit(&device, &key_of(key))? {
            Admission::Admitted(admitted) => {
                assert_eq!(admitted.device(), &device);
                Ok(())
            }
            Admission::Excluded(why) => Err(why),
        })
    });
    step.commit(store).unwrap().reply(&answer).unwrap()
}
fn identities(machine: &mut Machine, toy: Installed<Toy>, store: &mut MemoryStore, owner: &str) -> Vec<(String, Fingerprint, Trust, bool)> {
    let mut rng = Counting(0);
    let mut step = machine.begin(Time(9), &mut rng);
    let owner = Address::from(owner);
    let all = step.call(toy, move |_, cx| cx.identities(&owner));
    let all = step.commit(store).unwrap().reply(&all).unwrap();
    all.into_iter().map(|i| (i.device.to_string(), i.key, i.trust, i.current)).collect()
}
fn decide(machine: &mut Machine, store: &mut MemoryStore, device: &Device, key: u32, trust: Trust) {
    assert!(step(machine, store, vec![Input::SetTrust(device.clone(), key_of(key), trust)]).iter().all(|(id, _)| id.0 > 0));
}

#[test]
fn blind_trust_before_verification() {
    let ((mut m, toy), mut s, bob) = (machine(), MemoryStore::default(), Address::from("bob@x"));
    let (one, two, three) = (Device::of(&bob, 1), Device::of(&bob, 2), Device::of(&bob, 65)); // 1 and 65 share a row
    assert_eq!(learn(&mut m, toy, &mut s, &one, 1, Origin::Seen), (Standing::Known(Trust::Trusted), vec!["new bob@x/1 trusted".into()]));
    assert_eq!(learn(&mut m, toy, &mut s, &one, 1, Origin::Seen), (Standing::Known(Trust::Trusted), vec![]), "told once");
    decide(&mut m, &mut s, &one, 1, Trust::Verified);
    let outputs = learn(&mut m, toy, &mut s, &two, 2, Origin::Seen).1;
    assert_eq!(outputs.last().unwrap(), "new bob@x/2 undecided");
    assert_eq!(admit(&mut m, toy, &mut s, &two, 2), Err(Exclusion::Undecided));
    assert_eq!(admit(&mut m, toy, &mut s, &one, 1), Ok(()));
    // no verified key any more: blind again, earlier decisions stay
    decide(&mut m, &mut s, &one, 1, Trust::Untrusted);
    assert_eq!(admit(&mut m, toy, &mut s, &three, 3), Ok(()));
    assert_eq!(admit(&mut m, toy, &mut s, &two, 2), Err(Exclusion::Undecided));
    assert_eq!(admit(&mut m, toy, &mut s, &one, 1), Err(Exclusion::Untrusted));
    // somebody else's device of the same number is another
    assert_eq!(admit(&mut m, toy, &mut s, &Device::of(&"carol@x".into(), 1), 9), Ok(()));
}

#[test]
fn by_hand_no_key_before_a_decision() {
    let ((mut m, toy), mut s, one) = (machine(), MemoryStore::default(), Device::of(&"bob@x".into(), 1));
    m.configure(Settings::default().trust(TrustPolicy::Manual));
    assert_eq!(admit(&mut m, toy, &mut s, &one, 1), Err(Exclusion::Undecided));
    decide(&mut m, &mut s, &one, 1, Trust::Trusted);
    assert_eq!(admit(&mut m, toy, &mut s, &one, 1), Ok(()));
}

#[test]
fn own_devices() {
    let ((mut m, toy), mut s, me) = (machine(), MemoryStore::default(), Address::from("alice@x"));
    let (old, new) = (Device::of(&me, 1), Device::of(&me, 2));
    assert_eq!(learn(&mut m, toy, &mut s, &old, 1, Origin::OnJoining).0, Standing::Known(Trust::Trusted));
    assert_eq!(admit(&mut m, toy, &mut s, &new, 2), Err(Exclusion::AwaitsApproval));
    assert_eq!(learn(&mut m, toy, &mut s, &new, 2, Origin::OnJoining).0, Standing::Known(Trust::Undecided), "joining comes once");
    decide(&mut m, &mut s, &new, 2, Trust::Trusted);
    assert_eq!(admit(&mut m, toy, &mut s, &new, 2), Ok(()));
}

#[test]
fn a_changed_key_is_refused_told_once_and_may_be_accepted() {
    let ((mut m, toy), mut s, one) = (machine(), MemoryStore::default(), Device::of(&"bob@x".into(), 1));
    admit(&mut m, toy, &mut s, &one, 1).unwrap();
    let known = key_of(1);
    assert_eq!(learn(&mut m, toy, &mut s, &one, 2, Origin::Seen).0, Standing::Changed { known });
    let (again, told) = learn(&mut m, toy, &mut s, &one, 2, Origin::Seen);
    assert_eq!((again, told.len()), (Standing::Changed { known }, 0));
    assert_eq!(admit(&mut m, toy, &mut s, &one, 2), Err(Exclusion::IdentityKeyChanged));
    assert_eq!(learn(&mut m, toy, &mut s, &one, 3, Origin::Seen).1, ["changed bob@x/1"], "another new key is told");
    // a no is remembered and changes nothing
    decide(&mut m, &mut s, &one, 3, Trust::Untrusted);
    assert_eq!(admit(&mut m, toy, &mut s, &one, 1), Ok(()));
    // a yes makes it the device's key; the old one is history, and refused
    decide(&mut m, &mut s, &one, 2, Trust::Verified);
    assert_eq!(admit(&mut m, toy, &mut s, &one, 2), Ok(()));
    assert_eq!(admit(&mut m, toy, &mut s, &one, 1), Err(Exclusion::IdentityKeyChanged));
    let (mut m, toy) = machine(); // all of it from the disk
    let all = identities(&mut m, toy, &mut s, "bob@x");
    assert_eq!(
        all.iter().map(|(_, k, t, c)| (*k, *t, *c)).collect::<Vec<_>>(),
        [(key_of(2), Trust::Verified, true), (key_of(3), Trust::Untrusted, false), (key_of(1), Trust::Trusted, false),]
    );
    let mut rng = Counting(0);
    let mut step = m.begin(Time(0), &mut rng);
    let device = one.clone();
    let proof = step.call(toy, move |_, cx| Ok((cx.verified(&device, &key_of(2))?, cx.verified(&device, &key_of(1))?)));
    let (proof, none) = step.commit(&mut s).unwrap().reply(&proof).unwrap();
    assert!(none.is_none() && proof.clone().unwrap().is(&one, &key_of(2)) && !proof.unwrap().is(&one, &key_of(1)));
}

/// Whoever shows one key after another in a device's name makes nobody forget which of them a person refused.
#[test]
fn a_flood_of_keys_takes_no_refusal_away() {
    let ((mut m, toy), mut s, one) = (machine(), MemoryStore::default(), Device::of(&"bob@x".into(), 1));
    admit(&mut m, toy, &mut s, &one, 1).unwrap();
    learn(&mut m, toy, &mut s, &one, 2, Origin::Seen);
    decide(&mut m, &mut s, &one, 2, Trust::Untrusted);
    (100..150).for_each(|key| drop(learn(&mut m, toy, &mut s, &one, key, Origin::Seen)));
    let all = identities(&mut m, toy, &mut s, "bob@x");
    assert!(all.len() <= 17 && all.contains(&("bob@x/1".to_owned(), key_of(2), Trust::Untrusted, false)), "{all:?}");
}

#[test]
fn an_incoming_message_under_a_changed_key_is_refused() {
    let ((mut m, _), mut s) = (machine(), MemoryStore::default());
    let out = words(step(&mut m, &mut s, vec![receive("1", "bob@x", Kind::Text, "changed 7")]));
    assert_eq!(out, ["new bob@x/7 trusted", "message 1 ok"], "one we never wrote to");
    let outputs = step(&mut m, &mut s, vec![receive("2", "bob@x", Kind::Text, "changed 8")]);
    let Output::Event(Event::NotReceived { device, .. }) = &outputs.list[2].1 else { panic!() };
    assert_eq!(device.as_ref().unwrap().to_string(), "bob@x/7");
    assert_eq!(words(outputs), ["changed bob@x/7", "refuse 2 403", "not-received 2 key-changed"]);
}

#[test]
fn a_device_that_changes_its_key_for_ever_fills_nothing() {
    let ((mut m, toy), mut s, one) = (machine(), MemoryStore::default(), Device::of(&"bob@x".into(), 1));
    for key in 1..100 {
        learn(&mut m, toy, &mut s, &one, key, Origin::Seen);
    }
    assert_eq!(identities(&mut m, toy, &mut s, "bob@x").len(), 17);
}

#[test]
fn five_thousand_devices_are_spread_over_small_rows() {
    let ((mut m, toy), mut s, bob) = (machine(), MemoryStore::default(), Address::from("bob@x"));
    let mut rng = Counting(0);
    let mut step_ = m.begin(Time(0), &mut rng);
    let owner = bob.clone();
    let _ = step_.call(toy, move |_, cx| (1..=5000).try_for_each(|n| cx.admit(&Device::of(&owner, n), &key_of(n)).map(drop)));
    step_.commit(&mut s).unwrap().len();
    struct Largest(MemoryStore, usize);
    impl Store for Largest {
        type Error = std::convert::Infallible;
        fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, Self::Error> {
            self.0.load(keys)
        }
        fn commit(&mut self, batch: &Batch) -> Result<(), Self::Error> {
            self.1 = batch.writes().iter().filter_map(|(_, b)| b.as_ref()).map(Vec::len).sum();
            self.0.commit(batch)
        }
    }
    let mut s = Largest(s, 0);
    step(&mut m, &mut s, vec![Input::SetTrust(Device::of(&bob, 17), key_of(17), Trust::Verified)]).len();
    assert!(s.1 < 6_000, "{} bytes for one decision", s.1);
}

proptest! {
    /// Whatever happens to a device, only a key that a person or the policy trusts is admitted, and it is the one last accepted.
    #[test]
    fn only_the_accepted_key_is_admitted(events in prop::collection::vec((0u32..3, 1u32..4, 0usize..5), 1..40)) {
        let ((mut m, toy), mut s, bob) = (machine(), MemoryStore::default(), Address::from("bob@x"));
        let mut model: std::collections::BTreeMap<u32, (u32, Trust)> = Default::default();
        for (device, key, what) in events {
            let d = Device::of(&bob, device);
            if let Some(trust) = Trust::ALL.get(what) {
                decide(&mut m, &mut s, &d, key, *trust);
                match model.get_mut(&device) {
                    Some((k, t)) if *k == key => *t = *trust,
                    Some(known) if trust.is_trusted() => *known = (key, *trust),
                    Some(_) => {}
                    None => drop(model.insert(device, (key, *trust))),
                }
            } else {
                let verified = model.values().any(|(_, t)| *t == Trust::Verified);
                let known = *model.entry(device).or_insert((key, if verified { Trust::Undecided } else { Trust::Trusted }));
                let expected = match known {
                    (k, _) if k != key => Err(Exclusion::IdentityKeyChanged),
                    (_, Trust::Untrusted) => Err(Exclusion::Untrusted),
                    (_, Trust::Undecided) => Err(Exclusion::Undecided),
                    _ => Ok(()),
                };
                prop_assert_eq!(admit(&mut m, toy, &mut s, &d, key), expected);
            }
        }
    }
}
