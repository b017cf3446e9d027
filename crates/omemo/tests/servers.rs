//! What a server takes away or holds back: nothing goes where it should not, and a person learns what matters.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use subrosa_engine::*;
use subrosa_omemo::wire::{Version, device_list};

/// A server takes a contact's newer keys away: what is written goes on in the older version, and a person knows.
#[test]
fn who_is_written_to_in_an_older_version_than_before_is_told_of_once() {
    let (mut world, alice, bob) = two(22);
    world.send(alice, BOB, "hello");
    world.run();
    world.send(bob, ALICE, "hello");
    world.run();
    let theirs = device(&mut world, bob);
    world.disconnect(bob);
    world.publish_as(BOB, Version::Omemo2.device_list_node(), Some("current"), Keep::One, &device_list::write(Version::Omemo2, &[]));
    world.run();
    for words in ["two", "three"] {
        let id = world.send(alice, BOB, words);
        world.run();
        assert_eq!(report(&world, alice, &id)[0].protocol, Version::Legacy.protocol());
    }
    let told: Vec<_> = world.client(alice).events().iter().filter(|e| matches!(e, Event::Warning { .. })).collect();
    let [Event::Warning { warning: Warning::Downgraded, chat: Some(chat), device: Some(device) }] = told[..] else { panic!("{told:?}") };
    assert_eq!((chat.0.as_str(), device), (BOB, &theirs));
}
