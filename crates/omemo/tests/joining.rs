//! A device joins, stays published whatever happens to what it published, and leaves.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use subrosa_engine::*;
use subrosa_omemo::wire::{Version, bundle, device_list};

const MINUTE: u64 = 60_000;

#[test]
fn the_bundle_comes_before_the_list() {
    let (mut world, alice, _) = two(1);
    let id = number(&device(&mut world, alice));
    assert!((1..=0x7fff_ffff).contains(&id));
    let published: Vec<(String, Keep)> = world
        .server
        .requests()
        .iter()
        .filter(|(from, _)| from.as_str() == ALICE)
        .filter_map(|(_, r)| if let Request::Publish { node, keep, .. } = r { Some((node.name.clone(), *keep)) } else { None })
        .collect();
    for version in Version::ALL {
        let at = |name: &str| published.iter().position(|(n, _)| n == name).unwrap();
        let (bundle, list) = (at(&version.bundle_node(id)), at(version.device_list_node()));
        assert!(bundle < list, "{version:?}");
        assert_eq!(published[list].1, Keep::One);
        assert_eq!(published[bundle].1, if version == Version::Omemo2 { Keep::Many } else { Keep::One });
    }
    assert_eq!(published.len(), 4, "each once");
    let engine = *world.client(alice).handle();
    assert_eq!(world.call(alice, engine, |o, cx| o.is_published(cx)), Some(true));
}
#[test]
fn without_a_bundle_nobody_is_on_a_list() {
    let mut world = World::new(12);
    world.server.refuse(|_, r| match r {
        Request::Publish { node, .. } if node.name.contains("bundles") => Some(RequestError::Refused),
        _ => None,
    });
    let alice = world.join(ALICE, omemo);
    world.run();
    assert!(Version::ALL.iter().all(|v| listed(&world, ALICE, *v).is_empty()));
    let id = world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(not_sent(&world, alice, &id), Some(Reason::ServerRefused));
    // tried again after a while
    world.server.refuse_nothing();
    world.run_for(2 * MINUTE);
    assert!(Version::ALL.iter().all(|v| listed(&world, ALICE, *v).len() == 1));
}
#[test]
fn others_stay_on_the_list_with_their_labels() {
    let mut world = World::new(2);
    let other = device_list::ListedDevice { id: 77, label: Some("Telefon".into()), labelsig: Some("AAAA".into()) };
    for version in Version::ALL {
        let xml = device_list::write(version, &[device_list::ListedDevice { ..other.clone() }]);
        world.publish_as(ALICE, version.device_list_node(), Some("current"), Keep::One, &xml);
    }
    let alice = world.join(ALICE, omemo);
    world.run();
    let id = number(&device(&mut world, alice));
    let node = world.server.node(&ALICE.into(), Version::Omemo2.device_list_node()).unwrap();
    let list = device_list::parse(Version::Omemo2, &node.items.last().unwrap().payload).unwrap();
    assert!(list.contains(&other) && list.iter().any(|d| d.id == id));
    assert_eq!(listed(&world, ALICE, Version::Legacy).len(), 2);
}
#[test]
fn nothing_is_written_over_a_list_that_could_not_be_read() {
    let mut world = World::new(3);
    let xml = device_list::write(Version::Omemo2, &[device_list::ListedDevice::new(77)]);
    world.publish_as(ALICE, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &xml);
    world.notify(|_| false);
    world.server.refuse(|_, r| match r {
        Request::Fetch(node) if node.name == Version::Omemo2.device_list_node() => Some(RequestError::Unreachable),
        _ => None,
    });
    let alice = world.join(ALICE, omemo);
    world.run_for(10 * MINUTE);
    assert_eq!(listed(&world, ALICE, Version::Omemo2), [77]);
    assert_eq!(listed(&world, ALICE, Version::Legacy).len(), 1, "the other version does not wait for it");
    // and when it can be read, it is joined
    world.server.refuse_nothing();
    world.run_for(2 * 60 * MINUTE);
    let id = number(&device(&mut world, alice));
    let mut list = listed(&world, ALICE, Version::Omemo2);
    list.sort_unstable();
    let mut both = [77, id];
    both.sort_unstable();
    assert_eq!(list, both);
}
#[test]
fn a_list_without_us_is_repaired_without_a_fight() {
    let (mut world, alice, _) = two(4);
    let id = number(&device(&mut world, alice));
    let without = device_list::write(Version::Omemo2, &[device_list::ListedDevice::new(77)]);
    let take_off = |world: &mut World| world.publish_as(ALICE, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &without);
    take_off(&mut world);
    world.run();
    let mut list = listed(&world, ALICE, Version::Omemo2);
    list.sort_unstable();
    assert!(list.contains(&id) && list.contains(&77));
    // a client that takes us off each time it sees us is answered ever more rarely
    let writes = |world: &World| {
        let list = |r: &Request| matches!(r, Request::Publish { node, .. } if node.name == Version::Omemo2.device_list_node());
        world.server.requests().iter().filter(|(from, r)| from.as_str() == ALICE && list(r)).count()
    };
    let before = writes(&world);
    for _ in 0..60 {
        take_off(&mut world);
        world.run_for(MINUTE);
    }
    assert!(writes(&world) - before <= 8, "{} repairs in an hour", writes(&world) - before);
    world.run_for(2 * 60 * MINUTE);
    assert!(listed(&world, ALICE, Version::Omemo2).contains(&id));
}
#[test]
fn who_came_while_we_were_away_stays_on_the_list() {
    let node = Version::Omemo2.device_list_node();
    let write = |ids: &[u32]| device_list::write(Version::Omemo2, &ids.iter().map(|id| device_list::ListedDevice::new(*id)).collect::<Vec<_>>());
    let sorted = |world: &World| {
        let mut list = listed(world, ALICE, Version::Omemo2);
        list.sort_unstable();
        list
    };
    for unanswered in [false, true] {
        let mut world = World::new(14);
        world.notify(|_| false); // nobody tells us on connecting
        let alice = if unanswered {
            // a list of ours was on its way when the line was cut
            let alice = world.join(ALICE, omemo);
            world.run();
            world.publish_as(ALICE, node, Some("current"), Keep::One, &write(&[77]));
            world.faults.unanswered = 1000;
            let list = Node { owner: ALICE.into(), name: node.into(), item: Some("current".into()) };
            world.feed(alice, Input::Published(list, Some(write(&[77]))));
            world.disconnect(alice);
            world.faults.unanswered = 0;
            alice
        } else {
            // the server did not take it
            world.server.refuse(move |_, r| match r {
                Request::Publish { node: n, .. } if n.name == node => Some(RequestError::Unreachable),
                _ => None,
            });
            let alice = world.join(ALICE, omemo);
            world.run();
            world.disconnect(alice);
            world.server.refuse_nothing();
            alice
        };
        world.run_for(2 * MINUTE);
        world.publish_as(ALICE, node, Some("current"), Keep::One, &write(&[77, 88]));
        world.connect(alice);
        world.run();
        world.run_for(2 * MINUTE);
        let mut all = vec![77, 88, number(&device(&mut world, alice))];
        all.sort_unstable();
        assert_eq!(sorted(&world), all, "unanswered: {unanswered}");
    }
}
#[test]
fn a_line_cut_while_joining_loses_no_message() {
    for cut in 0..60 {
        let mut world = World::new(17);
        let bob = world.join(BOB, omemo);
        world.run();
        let alice = world.join(ALICE, omemo);
        world.send(alice, BOB, "the first thing");
        world.run_for(cut * 5);
        world.disconnect(alice);
        world.run_for(10);
        world.connect(alice);
        world.run();
        assert_eq!(texts(&world, bob), ["the first thing"], "cut after {} ms", cut * 5);
    }
}
#[test]
fn both_lists_are_read_again_when_the_server_recovers() {
    for seed in 0..8 {
        let mut world = World::new(seed);
        world.notify(|_| false);
        world.server.refuse(|_, r| matches!(r, Request::Fetch(_)).then_some(RequestError::Unreachable));
        // the two fail at different times: the alarm of the first rings before the time of the second
        world.faults.unanswered = 500;
        let alice = world.join(ALICE, omemo);
        world.run();
        world.faults.unanswered = 0;
        world.server.refuse_nothing();
        world.run_for(5 * MINUTE);
        let id = number(&device(&mut world, alice));
        assert_eq!(Version::ALL.map(|v| listed(&world, ALICE, v)), [[id], [id]], "{seed}");
    }
}
#[test]
fn two_devices_that_join_at_once_both_stay() {
    for seed in 0..4 {
        let mut world = World::new(seed);
        let (one, two) = (world.join(ALICE, omemo), world.join(ALICE, omemo));
        world.run();
        world.run_for(5 * MINUTE);
        let mut both = [number(&device(&mut world, one)), number(&device(&mut world, two))];
        both.sort_unstable();
        for version in Version::ALL {
            let mut list = listed(&world, ALICE, version);
            list.sort_unstable();
            assert_eq!(list, both, "{version:?} {seed}");
        }
        // neither was there when the other joined
        for (who, other) in [(one, two), (two, one)] {
            let other = device(&mut world, other);
            let known = devices(&mut world, who, ALICE).into_iter().find(|d| d.device == other).unwrap();
            assert_eq!(known.trust, Trust::Undecided);
        }
    }
}
#[test]
fn an_old_item_that_goes_takes_no_device_with_it() {
    let (mut world, alice, bob) = two(16);
    for owner in [ALICE, BOB] {
        for version in Version::ALL {
            let old = Node { owner: owner.into(), name: version.device_list_node().into(), item: Some("1".into()) };
            world.feed(alice, Input::Published(old, None));
        }
        world.run();
        assert_eq!(devices(&mut world, alice, owner)[0].versions.len(), 2);
    }
    world.send(alice, BOB, "still there?");
    world.run();
    assert_eq!(texts(&world, bob), ["still there?"]);
}
#[test]
fn damaged_lists_and_bundles_are_repaired() {
    for version in Version::ALL {
        let (mut world, alice, bob) = two(5);
        let id = number(&device(&mut world, alice));
        let owner = Address::from(ALICE);
        // another client writes rubbish
        world.publish_as(ALICE, version.device_list_node(), Some("current"), Keep::One, b"<list xmlns='wrong'/>");
        world.run();
        assert_eq!(listed(&world, ALICE, version), [id]);
        // the server loses the list, the bundle, keeps half of it
        for damage in 0..4 {
            match damage {
                0 => world.server.lose_node(&owner, version.device_list_node()),
                1 => world.server.lose_node(&owner, &version.bundle_node(id)),
                2 => world.server.node_mut(&owner, &version.bundle_node(id)).unwrap().items[0].payload.truncate(500),
                _ => {
                    let mut old = published(&world, ALICE, id, version).unwrap();
                    old.prekeys.pop();
                    world.server.node_mut(&owner, &version.bundle_node(id)).unwrap().items[0].payload = bundle::write(&old);
                }
            }
            world.run_for(60 * MINUTE);
            world.disconnect(alice);
            world.connect(alice);
            world.run();
            assert_eq!(listed(&world, ALICE, version), [id], "{version:?} {damage}");
            assert_eq!(published(&world, ALICE, id, version).unwrap().prekeys.len(), 100, "{version:?} {damage}");
        }
        world.send(bob, ALICE, "still there?");
        world.run();
        assert_eq!(texts(&world, alice), ["still there?"]);
    }
}
#[test]
fn used_prekeys_are_replaced_and_never_used_again() {
    let (mut world, alice, _) = two(6);
    let id = number(&device(&mut world, alice));
    let first = published(&world, ALICE, id, Version::Omemo2).unwrap();
    let (mut before, mut gone) = (first.clone(), Vec::new());
    for n in 0..5 {
        let who = world.join(&format!("user{n}@example.org"), omemo);
        world.run();
        world.send(who, ALICE, "hello");
        world.run();
        let after = published(&world, ALICE, id, Version::Omemo2).unwrap();
        assert_eq!((after.prekeys.len(), after.identity_key), (100, first.identity_key));
        let used: Vec<_> = before.prekeys.iter().filter(|k| !after.prekeys.contains(k)).copied().collect();
        assert_eq!(used.len(), 1, "the one that was used");
        gone.extend(used);
        let again = |(id, key): &(u32, [u8; 32])| gone.iter().any(|(i, k)| i == id || k == key);
        assert!(!after.prekeys.iter().any(again), "neither its id nor its key comes back");
        before = after;
    }
}
#[test]
fn prekeys_are_kept_while_old_messages_are_read() {
    #[derive(PartialEq, Debug)]
    enum Case {
        HostSaysSo,
        JustConnected,
        LongConnected,
    }
    for case in [Case::HostSaysSo, Case::JustConnected, Case::LongConnected] {
        let (mut world, alice, _) = two(7);
        let id = number(&device(&mut world, alice));
        // the server hands out one prekey to everybody
        let mut one = published(&world, ALICE, id, Version::Omemo2).unwrap();
        one.prekeys.truncate(1);
        if case == Case::LongConnected {
            world.run_for(2 * MINUTE);
        } else {
            world.disconnect(alice);
        }
        let users = [0, 1].map(|n| world.join(&format!("user{n}@example.org"), omemo));
        world.run();
        let node = Version::Omemo2.bundle_node(id);
        world.server.node_mut(&ALICE.into(), &node).unwrap().items[0].payload = bundle::write(&one);
        for who in users {
            world.send(who, ALICE, "hello");
        }
        if case == Case::HostSaysSo {
            world.run();
            world.feed(alice, Input::CatchUp { running: true });
        }
        world.run();
        if case != Case::LongConnected {
            world.connect(alice);
            world.run();
        }
        match case {
            Case::LongConnected => {
                assert_eq!(texts(&world, alice), ["hello"]);
                assert_eq!(unread(&world, alice), [Reason::UnknownPreKey]);
            }
            _ => assert_eq!((texts(&world, alice).len(), unread(&world, alice)), (2, vec![]), "{case:?}"),
        }
        if case == Case::HostSaysSo {
            world.feed(alice, Input::CatchUp { running: false });
        }
        world.run();
        assert!(!published(&world, ALICE, id, Version::Omemo2).unwrap().prekeys.contains(&one.prekeys[0]));
        // and in the end it is gone: another exchange with it can't be read
        world.run_for(2 * MINUTE);
        world.server.node_mut(&ALICE.into(), &node).unwrap().items[0].payload = bundle::write(&one);
        let late = world.join("late@example.org", omemo);
        world.run();
        world.send(late, ALICE, "late");
        world.run();
        assert_eq!(unread(&world, alice).last(), Some(&Reason::UnknownPreKey), "{case:?}");
    }
}
#[test]
fn the_signed_prekey_is_rotated_and_the_old_one_still_opens() {
    let (mut world, alice, bob) = two(8);
    let id = number(&device(&mut world, alice));
    let before = published(&world, ALICE, id, Version::Omemo2).unwrap();
    // bob has the bundle of before the rotation and writes after it
    world.disconnect(alice);
    world.send(bob, ALICE, "made before");
    world.run();
    world.connect(alice);
    world.disconnect(alice);
    world.run_for(15 * 24 * 60 * MINUTE);
    world.connect(alice);
    world.run();
    let after = published(&world, ALICE, id, Version::Omemo2).unwrap();
    assert_ne!((before.signed_prekey_id, before.signed_prekey), (after.signed_prekey_id, after.signed_prekey));
    assert_eq!(texts(&world, alice), ["made before"]);
}
#[test]
fn leaving_takes_everything_off() {
    let mut world = World::new(9);
    let phone = world.join(ALICE, omemo);
    world.run();
    let laptop = world.join(ALICE, omemo);
    let bob = world.join(BOB, omemo);
    world.run();
    let (stays, goes) = (number(&device(&mut world, phone)), number(&device(&mut world, laptop)));
    let engine = *world.client(laptop).handle();
    world.call(laptop, engine, |o, cx| o.unpublish(cx)).unwrap();
    world.run();
    for version in Version::ALL {
        assert_eq!(listed(&world, ALICE, version), [stays]);
        assert_eq!(published(&world, ALICE, goes, version), None);
        assert!(published(&world, ALICE, stays, version).is_some());
    }
    world.disconnect(laptop);
    world.connect(laptop);
    world.run();
    assert_eq!(listed(&world, ALICE, Version::Omemo2), [stays], "it does not come back by itself");
    assert!(!world.call(laptop, engine, |o, cx| o.is_published(cx)).unwrap());
    let id = world.send(laptop, BOB, "x");
    world.run();
    assert_eq!(not_sent(&world, laptop, &id), Some(Reason::ServerRefused));
    world.send(bob, ALICE, "to the phone");
    world.run();
    assert_eq!(texts(&world, phone), ["to the phone"]);
}
/// Somebody joined while it was away, and the server does not say so yet.
#[test]
fn leaving_throws_out_nobody_who_came_meanwhile() {
    let mut world = World::new(21);
    let laptop = world.join(ALICE, omemo);
    world.run();
    let goes = number(&device(&mut world, laptop));
    world.disconnect(laptop);
    let phone = world.join(ALICE, omemo);
    world.run();
    let stays = number(&device(&mut world, phone));
    world.disconnect(phone);
    world.notify(|_| false);
    world.server.refuse(|_, request| matches!(request, Request::Fetch(_)).then_some(RequestError::Unreachable));
    world.connect(laptop);
    world.run();
    let engine = *world.client(laptop).handle();
    world.call(laptop, engine, |o, cx| o.unpublish(cx)).unwrap();
    world.run();
    for version in Version::ALL {
        assert!(listed(&world, ALICE, version).contains(&stays), "it is thrown off");
    }
    world.server.refuse(|_, _| None);
    world.run_for(10 * 60_000);
    for version in Version::ALL {
        assert_eq!(listed(&world, ALICE, version), [stays]);
        assert_eq!(published(&world, ALICE, goes, version), None);
    }
}
#[test]
fn a_second_start_is_the_same_device() {
    let (mut world, alice, bob) = two(10);
    let before = device(&mut world, alice);
    world.crash(alice);
    world.run();
    assert_eq!(device(&mut world, alice), before);
    world.send(alice, BOB, "hello");
    world.run();
    assert_eq!(texts(&world, bob), ["hello"]);
}
#[test]
fn the_uri_for_the_code() {
    let mut world = World::new(11);
    let alice = world.join("a&b@example.org", omemo);
    world.run();
    let (engine, id, key) = (*world.client(alice).handle(), device(&mut world, alice), key(&mut world, alice));
    let uri = world.call(alice, engine, |o, cx| o.xmpp_uri(cx)).flatten().unwrap();
    let hex: String = key.0.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(uri, format!("xmpp:a%26b@example.org?omemo-sid-{}={hex}", id.id));
}
