//! Clear text is for those who have no keys: as soon as a chat is encrypted nobody opens it again but a person.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod common;
use common::*;
use subrosa_engine::*;
use subrosa_omemo::wire::{Version, device_list};
use subrosa_testkit::ClientId;

/// Alice, to whom a person allowed clear text for Bob, who has no device.
fn allowed(seed: u64) -> (World, ClientId) {
    let mut world = World::new(seed);
    let alice = world.join(ALICE, omemo);
    world.run();
    world.send(alice, BOB, "hello?");
    world.run();
    allow(&mut world, alice);
    world.send(alice, BOB, "in clear");
    world.run();
    assert!(world.stanzas().last().unwrap().in_clear);
    (world, alice)
}
fn allow(world: &mut World, alice: ClientId) {
    let choice = world.client_mut(alice).take_question().expect("a question").confirmed_by_user();
    world.feed(alice, Input::SetPolicy(ChatId(BOB.into()), Policy::Optional(choice)));
    world.run();
}
/// The server says that Bob has no device.
fn empty_lists(world: &mut World) {
    for version in Version::ALL {
        world.publish_as(BOB, version.device_list_node(), Some("current"), Keep::One, &device_list::write(version, &[]));
    }
    world.run();
}
/// What Alice writes now does not leave, and a person is asked again.
fn is_asked_again(world: &mut World, alice: ClientId) {
    let before = world.stanzas().len();
    let id = world.send(alice, BOB, "the secret");
    world.run();
    assert_eq!(not_sent(world, alice, &id), Some(Reason::NoEncryption));
    assert_eq!(world.stanzas().len(), before);
    allow(world, alice);
    world.send(alice, BOB, "as you like");
    world.run();
    assert!(world.stanzas().last().unwrap().in_clear);
}

#[test]
fn once_a_chat_is_encrypted_an_empty_list_sends_nothing_in_clear() {
    let (mut world, alice) = allowed(22);
    let bob = world.join(BOB, omemo);
    world.run_for(2 * 60 * 60_000);
    let (device, shown) = (device(&mut world, bob), key(&mut world, bob));
    world.send(alice, BOB, "encrypted");
    world.run();
    assert_eq!(texts(&world, bob), ["encrypted"]);
    world.feed(alice, Input::SetTrust(device, shown, Trust::Verified));
    world.disconnect(bob);
    empty_lists(&mut world);
    is_asked_again(&mut world, alice);
}
#[test]
fn once_encrypted_words_came_an_empty_list_sends_nothing_in_clear() {
    let (mut world, alice) = allowed(23);
    let bob = world.join(BOB, omemo);
    world.run();
    world.send(bob, ALICE, "now I have it");
    world.run();
    assert_eq!(texts(&world, alice), ["now I have it"]);
    world.disconnect(bob);
    empty_lists(&mut world);
    is_asked_again(&mut world, alice);
}
