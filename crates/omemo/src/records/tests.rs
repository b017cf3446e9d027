//! Every row is read as it was written, and whatever is damaged is no panic.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
use super::*;
use crate::wire::device_list::ListedDevice;
use proptest::prelude::*;
use subrosa_engine::{Exclusion, Fingerprint, Record, RequestId, Time};
use subrosa_ratchet::{IdentityKeyPair, KeyPair, Legacy, Omemo2, PreKeyId, Profile, Session, SignedPreKeyId, UnverifiedBundle};
use subrosa_testkit::Seeded;

fn again<T: Record>(record: &T) -> Vec<u8> {
    let bytes = record.encode();
    for cut in 0..bytes.len() {
        drop(T::decode(&bytes[..cut]));
    }
    let read = T::decode(&bytes).unwrap();
    assert_eq!(read.encode(), bytes);
    bytes
}
fn session<P: Profile>(rng: &mut Seeded) -> Session<P> {
    let (us, them, signed, one) = (IdentityKeyPair::generate(rng), IdentityKeyPair::generate(rng), KeyPair::generate(rng), KeyPair::generate(rng));
    let signature = them.sign_pre_key::<P>(signed.public(), rng);
    let (signed, one) = (signed.public().to_wire::<P>(), one.public().to_wire::<P>());
    let bundle = UnverifiedBundle::<P>::new(&them.public().to_wire::<P>(), (SignedPreKeyId(1), &signed), &signature, Some((PreKeyId(1), &one)));
    Session::initiate(&us, bundle.unwrap().verify().unwrap(), rng).unwrap()
}

#[test]
fn rows_come_back() {
    let rng = &mut Seeded::new(1);
    let mut account = Account::generate(42, vec![1, 2], Time(7), rng);
    again(&account);
    account.rotate(Time(8), rng);
    account.show.push(3);
    again(&account);
    let mut pool = PreKeyPool::generate(rng);
    let (first, second) = (pool.keys[0].0, pool.keys[1].0);
    pool.spend(first, true);
    pool.spend(second, false);
    assert!(pool.find(first).is_some() && pool.find(second).is_none() && pool.keys.len() == 98 && !pool.is_full());
    pool.refill(rng);
    let last = pool.keys.last().unwrap().0;
    assert!(pool.is_full() && !pool.is_future(last) && pool.is_future(last + 1));
    pool.renew(Some(last + 7));
    pool.refill(rng);
    assert!(pool.find(last).is_some() && pool.keys.iter().all(|(id, _)| *id > last + 7) && pool.keys.len() == 100);
    again(&pool);
    for stage in [Stage::Due, Stage::Asked(RequestId(9)), Stage::Done, Stage::Refused] {
        again(&Publication { bundle: stage, list: stage, ..Publication::default() });
    }
    again(&Connection { since: Time(1), catching_up: true });
    again(&Heal { at: Time(1), due: true });
    again(&Memory { epoch: 2, process: 3, compared: [true, false], tries: 1, noticed: true, telling: Some(9), explained: [false, true] });
    again(&Peers(vec!["bob@example.org".into(), "carol@example.org".into()]));
    again(&Heals { since: Time(1), count: 2 });
    again(&OptOut { device: Device::of(&"bob@example.org".into(), 7u32), at: Time(1), reason: "A record is wanted.".into() });
    for why in Exclusion::ALL {
        again(&Absent { why: *why, at: Time(3), key: Some(Fingerprint([4; 32])), tries: 7 });
    }
}
#[test]
fn sessions_of_both_versions_share_a_row() {
    let rng = &mut Seeded::new(2);
    let mut record = SessionRecord::new(Omemo2::wrap(session(rng)), 3);
    assert!(again(&record).len() <= 300 + 18, "{} bytes", record.encode().len());
    record.receive(session::<Legacy>(rng), 3);
    assert_eq!(record.current.as_ref().unwrap().version(), Version::Omemo2);
    again(&record);
    record.speak(Version::Legacy);
    assert_eq!(record.current.as_ref().unwrap().version(), Version::Legacy);
    record.replace(session::<Omemo2>(rng), 3);
    assert_eq!(record.current.as_ref().unwrap().version(), Version::Omemo2);
    assert!(record.sender(Version::Legacy, 3).is_some() && record.sender(Version::Legacy, 4).is_none());
    // what is damaged is no session, and no reason to fail
    let mut bytes = record.encode();
    bytes[20] ^= 1;
    bytes.truncate(100);
    assert!(SessionRecord::decode(&bytes).unwrap().current.is_none());
    assert!(SessionRecord::decode(&[4]).is_none(), "a newer form is not taken for damage");
    for (version, id) in [(Version::Omemo2, "one"), (Version::Legacy, "other")] {
        record.last = Some(Part::of(version, &id.into()));
        let read = SessionRecord::decode(&again(&record)).unwrap();
        assert!(read.last == record.last && read.current.is_some() && read.other.is_some());
    }
    // the form that had no last, and the one that had no epoch either
    let record = SessionRecord::new(Omemo2::wrap(session(rng)), 5);
    let mut bytes = record.encode();
    bytes[0] = 2;
    bytes.remove(13);
    assert!(SessionRecord::decode(&bytes).unwrap().speaks(5).is_some());
    let record = SessionRecord::new(Omemo2::wrap(session(rng)), 0);
    let mut bytes = record.encode();
    bytes[0] = 1;
    bytes.drain(9..14);
    let mut read = SessionRecord::decode(&bytes).unwrap();
    assert!(read.epoch == 0 && read.speaks(0).is_some() && read.speaks(1).is_none());
    // those of an earlier memory never send again, and are there to read
    read.receive(session::<Legacy>(rng), 1);
    assert!(read.speaks(1).is_none() && read.sends(Version::Omemo2, 1).is_none() && read.sends(Version::Legacy, 1).is_some());
    assert!(read.of::<Omemo2>().is_some());
    again(&read);
}
#[test]
fn repairs_wait_longer_each_time_and_forget() {
    let mut p = Publication::default();
    let mut now = Time(1_000_000_000_000);
    let mut waits = Vec::new();
    for _ in 0..9 {
        p.back_off(now);
        waits.push((p.not_before.0 - now.0) / 60_000);
        now = p.not_before;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    now = Time(now.0 + 25 * 60 * 60_000);
    p.back_off(now);
    assert_eq!(p.not_before.0 - now.0, 60_000);
}
proptest! {
    #[test]
    fn people(lists in prop::collection::vec((any::<bool>(), prop::collection::vec((0u32..200, prop::option::of("[a-z]{0,5}")), 0..80)), 1..6)) {
        let mut people = People::default();
        for (newer, list) in lists {
            let version = if newer { Version::Omemo2 } else { Version::Legacy };
            let mut ids: Vec<u32> = list.iter().map(|(id, _)| *id).collect();
            let list = list.into_iter().map(|(id, label)| ListedDevice { id, labelsig: label.clone(), label }).collect();
            let before: Vec<u32> = people.listed().map(|e| e.id).collect();
            let new = people.learn(version, list, Seen { at: Time(1), pushed: newer, answered: true });
            ids.sort_unstable();
            ids.dedup();
            let listed: Vec<u32> = people.devices.iter().filter(|e| e.in_list(version)).map(|e| e.id).collect();
            prop_assert_eq!(&listed, &ids);
            let mut new_ids = new.clone();
            new_ids.sort_unstable();
            new_ids.dedup();
            let expected: Vec<u32> = ids.into_iter().filter(|id| people.find(*id).is_some_and(|e| e.is_listed()) && !before.contains(id)).collect();
            prop_assert_eq!(new_ids, expected);
            prop_assert!(people.devices.iter().filter(|e| !e.is_listed()).count() <= 64);
            again(&people);
        }
    }
    #[test]
    fn rubbish(bytes: Vec<u8>) {
        drop((Account::decode(&bytes), PreKeyPool::decode(&bytes), Publication::decode(&bytes), People::decode(&bytes)));
        drop((SessionRecord::decode(&bytes), Absent::decode(&bytes), Heal::decode(&bytes), Connection::decode(&bytes), OptOut::decode(&bytes)));
    }
}
