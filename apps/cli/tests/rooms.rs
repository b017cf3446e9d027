//! Three people in a room over a real Prosody, by way of the RPC: brought in, talking, put out, away and back, the server or a process
//! gone in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use subrosa_interop::{Ejabberd, Friends, Prosody, Server, goes_on};
use support::{PATIENCE, Place, Rpc, server};

fn entry(rpc: &mut Rpc, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    rpc.wait(what, |line| line["method"] == "entry" && fits(&line["params"]["entry"]))["params"]["entry"].clone()
}
fn room_event(rpc: &mut Rpc, event: &str) -> Value {
    rpc.wait(event, |line| line["method"] == "room" && line["params"]["event"] == event)["params"].clone()
}
/// Asked again until it fits: what another process has done arrives when it does.
fn until(rpc: &mut Rpc, method: &str, params: &Value, fits: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = rpc.call(method, params.clone());
        if fits(&answer) {
            return answer;
        }
        assert!(Instant::now() < end, "{method} stays {answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
fn members(rpc: &mut Rpc, room: &str, expected: &[&str]) {
    let all = |list: &Value| list["members"].as_array().unwrap().iter().map(|m| m["jid"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    until(rpc, "room_members", &json!({"room": room}), |list| all(list) == expected);
}
/// Logged in, online, the device published.
fn online(server: &Server, user: &str) -> (Place, Rpc) {
    let place = Place::new();
    place.login(server, user);
    let mut rpc = place.rpc();
    rpc.online();
    (place, rpc)
}
/// Made by alice; the others were invited and came.
fn room_of(alice: &mut Rpc, others: &mut [(&str, &mut Rpc)]) -> String {
    // what the server can is asked for once it is there
    let made = {
        let end = Instant::now() + PATIENCE;
        loop {
            let id = alice.begin("room_create", json!({"name": "Garden"}));
            let answer = alice.answer(id);
            match answer.get("result") {
                Some(made) => break made.clone(),
                None if answer["error"]["data"]["code"] == "room.no-service" && Instant::now() < end => std::thread::sleep(Duration::from_millis(50)),
                None => panic!("{answer}"),
            }
        }
    };
    assert_eq!((made["joined"].as_bool(), made["nick"].as_str()), (Some(true), Some("alice")));
    let room = made["room"].as_str().unwrap().to_owned();
    for (name, other) in others.iter_mut() {
        alice.call("room_invite", json!({"room": room, "jid": format!("{name}@localhost"), "reason": "come and see"}));
        let invitation = other.note("invitation");
        assert_eq!((invitation["room"].as_str(), invitation["reason"].as_str()), (Some(room.as_str()), Some("come and see")));
        // nothing is done until a person says so
        let known = other.call("rooms", json!({}));
        assert_eq!((known["rooms"].as_array().unwrap().len(), known["invitations"][0]["room"].as_str()), (0, Some(room.as_str())));
        let joined = other.call("room_join", json!({"room": room}));
        assert_eq!(joined["joined"], true);
    }
    room
}

#[test]
fn three_people_talk_and_one_is_put_out() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (_b, mut bob), (_c, mut carol)) = (online(&server, "alice"), online(&server, "bob"), online(&server, "carol"));
    let room = room_of(&mut alice, &mut [("bob", &mut bob), ("carol", &mut carol)]);
    let all = ["alice@localhost", "bob@localhost", "carol@localhost"];
    for rpc in [&mut alice, &mut bob, &mut carol] {
        members(rpc, &room, &all);
    }
    let sent = alice.call("send", json!({"to": room, "text": "welcome", "id": "w1"}));
    assert_eq!(sent["devices"].as_array().unwrap().len(), 2, "{sent}");
    for rpc in [&mut bob, &mut carol] {
        let heard = rpc.message("welcome");
        assert_eq!((heard["from"].as_str(), heard["chat"].as_str()), (Some("alice@localhost"), Some(room.as_str())));
        assert_eq!(heard["trust"], "trusted");
    }
    bob.call("send", json!({"to": room, "text": "hello from bob"}));
    alice.message("hello from bob");
    carol.message("hello from bob");
    // once, by however many ways it came: live, and out of the room's archive
    let page = carol.call("history", json!({"chat": room}));
    let texts: Vec<_> = page["messages"].as_array().unwrap().iter().filter_map(|m| m["text"].as_str()).collect();
    assert_eq!(texts, ["welcome", "hello from bob"]);
    alice.call("room_remove", json!({"room": room, "jid": "carol@localhost"}));
    room_event(&mut carol, "removed");
    members(&mut bob, &room, &all[..2]);
    for (event, who) in [("member-added", all[2]), ("member-removed", all[2])] {
        assert_eq!(room_event(&mut bob, event)["jid"], who);
    }
    let sent = alice.call("send", json!({"to": room, "text": "without carol"}));
    assert!(sent["devices"].as_array().unwrap().iter().all(|d| d["jid"] == "bob@localhost"), "{sent}");
    bob.message("without carol");
    assert_eq!(carol.error("send", json!({"to": room, "text": "let me in"}))["data"]["code"], "room.not-joined");
    assert!(carol.left().iter().all(|line| line["params"]["text"] != "without carol"));
}

#[test]
fn what_is_said_about_a_message_is_seen_by_all() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (_b, mut bob), (_c, mut carol)) = (online(&server, "alice"), online(&server, "bob"), online(&server, "carol"));
    let room = room_of(&mut alice, &mut [("bob", &mut bob), ("carol", &mut carol)]);
    members(&mut alice, &room, &["alice@localhost", "bob@localhost", "carol@localhost"]);
    alice.call("send", json!({"to": room, "text": "the dor is open"}));
    let heard = entry(&mut bob, "the words", |e| e["text"] == "the dor is open" && e["stanza_id"].is_string());
    bob.call("reply", json!({"chat": room, "of": heard["place"], "text": "which one?"}));
    bob.call("react", json!({"chat": room, "of": heard["id"], "emojis": ["👍"]}));
    for rpc in [&mut alice, &mut carol] {
        let answer = entry(rpc, "the answer", |e| e["text"] == "which one?");
        assert_eq!(answer["reply"]["of"], heard["id"]);
        assert_eq!(answer["reply"]["text"], "the dor is open");
        entry(rpc, "the reaction", |e| e["reactions"][0]["emoji"] == "👍" && e["reactions"][0]["from"][0] == "bob@localhost");
    }
    let own = alice.call("history", json!({"chat": room}))["messages"][0].clone();
    assert_eq!((own["outgoing"].as_bool(), own["id"].as_str()), (Some(true), heard["id"].as_str()));
    alice.call("edit", json!({"chat": room, "of": own["place"], "text": "the door is open"}));
    for rpc in [&mut bob, &mut carol] {
        entry(rpc, "the better words", |e| e["text"] == "the door is open" && e["edited"] == true && e["id"] == heard["id"]);
    }
    assert_eq!(bob.error("edit", json!({"chat": room, "of": heard["place"], "text": "mine"}))["data"]["code"], "request.invalid");
    alice.call("retract", json!({"chat": room, "of": own["place"]}));
    for rpc in [&mut bob, &mut carol] {
        let gone = entry(rpc, "that it is gone", |e| e["retracted"] == "alice@localhost");
        assert!(gone.get("text").is_none() && gone["id"] == heard["id"]);
    }
    assert_eq!(carol.call("search", json!({"query": "door"}))["messages"].as_array().unwrap().len(), 0);
}

#[test]
fn who_was_away_reads_it_all_when_they_come_back() {
    let Some(mut server) = server() else { return };
    let ((_a, mut alice), (_b, mut bob), (c, mut carol)) = (online(&server, "alice"), online(&server, "bob"), online(&server, "carol"));
    let room = room_of(&mut alice, &mut [("bob", &mut bob), ("carol", &mut carol)]);
    members(&mut alice, &room, &["alice@localhost", "bob@localhost", "carol@localhost"]);
    alice.call("send", json!({"to": room, "text": "before"}));
    carol.message("before");
    carol.call("status", json!({})); // all that came is stored
    carol.kill();
    for n in 0..5 {
        let sent = alice.call("send", json!({"to": room, "text": format!("while away {n}")}));
        assert_eq!(sent["devices"].as_array().unwrap().len(), 2, "an absent member is written to: {sent}");
    }
    bob.message("while away 4");
    bob.call("send", json!({"to": "carol@localhost", "text": "and to you alone"}));
    // everybody's connection breaks; rooms and their archives are the server's to keep
    server.stop();
    // nobody is there to ask
    let mut carol = c.rpc();
    let known = carol.call("rooms", json!({}))["rooms"][0].clone();
    assert_eq!((known["name"].as_str(), known["members"].as_u64(), known["joined"].as_bool()), (Some("Garden"), Some(3), Some(false)));
    assert_eq!(carol.call("chats", json!({}))["chats"][0]["name"], "Garden");
    server.restart().unwrap();
    for n in 0..5 {
        let heard = carol.message(&format!("while away {n}"));
        assert_eq!(heard["from"], "alice@localhost");
    }
    carol.message("and to you alone");
    let page = carol.call("history", json!({"chat": room}));
    let texts: Vec<_> = page["messages"].as_array().unwrap().iter().filter_map(|m| m["text"].as_str()).collect();
    assert_eq!(texts, ["before", "while away 0", "while away 1", "while away 2", "while away 3", "while away 4"]);
    // and the room goes on
    let known = until(&mut carol, "rooms", &json!({}), |rooms| rooms["rooms"][0]["joined"] == true);
    assert_eq!(known["rooms"][0]["lock"], "omemo");
    members(&mut carol, &room, &["alice@localhost", "bob@localhost", "carol@localhost"]);
    carol.call("send", json!({"to": room, "text": "here again"}));
    alice.message("here again");
    bob.message("here again");
}

#[test]
fn members_without_keys_stop_a_message_until_somebody_decides() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (_b, mut bob)) = (online(&server, "alice"), online(&server, "bob"));
    let room = room_of(&mut alice, &mut [("bob", &mut bob)]);
    // carol never switched encryption on
    alice.call("room_invite", json!({"room": room, "jid": "carol@localhost"}));
    // who is a member already is told again
    alice.call("room_invite", json!({"room": room, "jid": "carol@localhost"}));
    members(&mut alice, &room, &["alice@localhost", "bob@localhost", "carol@localhost"]);
    let error = alice.error("send", json!({"to": room, "text": "anybody?", "id": "m1"}));
    assert_eq!(error["data"]["code"], "send.members-without-keys");
    let sentence = error["message"].as_str().unwrap();
    assert!(sentence.contains("carol@localhost") && sentence.contains("room_leave_out"), "{sentence}");
    let failed = alice.call("history", json!({"chat": room}))["messages"][0].clone();
    assert_eq!((failed["state"].as_str(), failed["reason"].as_str()), (Some("failed"), Some("members-without-keys")));
    alice.call("room_leave_out", json!({"room": room, "leave_out": true}));
    let sent = alice.call("send", json!({"to": room, "text": "anybody else?", "id": "m2"}));
    assert_eq!(sent["left_out"], json!(["carol@localhost"]));
    bob.message("anybody else?");
}

#[test]
fn all_devices_of_a_person_go_into_a_room_and_out() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (_b, mut bob)) = (online(&server, "alice"), online(&server, "bob"));
    let (place, mut other) = online(&server, "bob");
    let room = room_of(&mut alice, &mut [("bob", &mut bob)]);
    let is_in = |rooms: &Value| rooms["rooms"].as_array().unwrap().iter().any(|r| r["room"] == room.as_str() && r["joined"] == true);
    until(&mut other, "rooms", &json!({}), is_in);
    other.kill();
    bob.call("room_leave", json!({"room": room}));
    // and one that was away meanwhile leaves it when it comes back
    let mut other = place.rpc();
    until(&mut other, "rooms", &json!({}), |rooms| rooms["rooms"].as_array().unwrap().is_empty());
    let again = bob.call("rooms", json!({}));
    assert_eq!(again["rooms"], json!([]));
}

/// What only an administrator can bring about, in the words of Prosody's console.
fn console(server: &Prosody, room: &str, what: &str) {
    let said =
        server.shell(&format!("> local room = prosody.hosts['rooms.localhost'].modules.muc.get_room_from_jid('{room}'); {what}; return 'done'"));
    assert!(said.unwrap().contains("done"));
}
fn of_jids(sent: &Value) -> Vec<&str> {
    sent["devices"].as_array().unwrap().iter().map(|device| device["jid"].as_str().unwrap()).collect()
}

/// The room's service goes down and comes back while the stream goes on; who was put out in between gets no key.
#[test]
fn nothing_is_encrypted_for_members_of_before_the_room_was_lost() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (_b, mut bob), (_c, mut carol)) = (online(&server, "alice"), online(&server, "bob"), online(&server, "carol"));
    let room = room_of(&mut alice, &mut [("bob", &mut bob), ("carol", &mut carol)]);
    members(&mut alice, &room, &["alice@localhost", "bob@localhost", "carol@localhost"]);
    let sent = alice.call("send", json!({"to": room, "text": "all of you"}));
    assert_eq!(of_jids(&sent), ["bob@localhost", "carol@localhost"]);
    let gone = "room:clear(require'util.stanza'.stanza('x', {xmlns='http://jabber.org/protocol/muc#user'}):tag('status', {code='332'}):up())";
    console(&server, &room, &format!("{gone}; room:set_affiliation(true, 'carol@localhost', nil)"));
    room_event(&mut alice, "lost");
    let sent = alice.call("send", json!({"to": room, "text": "without carol"}));
    assert_eq!(of_jids(&sent), ["bob@localhost"], "{sent}");
    bob.message("without carol");
    assert!(carol.left().iter().all(|line| line["params"]["text"] != "without carol"));
}

/// XEP-0045 §8.2 and §9.1: a kick is for now, a ban is not.
#[test]
fn who_is_kicked_comes_again_and_who_is_banned_does_not() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (b, mut bob), (_c, mut carol)) = (online(&server, "alice"), online(&server, "bob"), online(&server, "carol"));
    let room = room_of(&mut alice, &mut [("bob", &mut bob), ("carol", &mut carol)]);
    members(&mut bob, &room, &["alice@localhost", "bob@localhost", "carol@localhost"]);
    let bookmarked = |rpc: &mut Rpc, joined: bool| {
        until(rpc, "rooms", &json!({}), |rooms| {
            rooms["rooms"].as_array().unwrap().iter().any(|r| r["room"] == room.as_str() && r["joined"] == joined)
        })
    };
    let kick = format!("room:set_role(true, '{room}/bob', nil, 'enough')");
    console(&server, &room, &kick);
    let removed = room_event(&mut bob, "removed");
    assert!(removed["reason"].as_str().unwrap().ends_with("enough"), "{removed}");
    let kept = bookmarked(&mut bob, false);
    assert_eq!((kept["rooms"][0]["lock"].as_str(), kept["rooms"][0]["name"].as_str()), (Some("impossible"), Some("Garden")));
    let refused = bob.error("send", json!({"to": room, "text": "why?"}));
    assert_eq!(refused["data"]["code"], "room.not-joined");
    assert!(refused["message"].as_str().unwrap().contains("enough"), "{refused}");
    // while he is out, who is in it changes
    alice.call("room_remove", json!({"room": room, "jid": "carol@localhost"}));
    assert_eq!(bob.call("room_join", json!({"room": room}))["joined"], true);
    let sent = bob.call("send", json!({"to": room, "text": "here again"}));
    assert_eq!(of_jids(&sent), ["alice@localhost"], "{sent}");
    alice.message("here again");
    // the bookmark was touched by nobody: another device finds it, and this one comes again by itself
    console(&server, &room, &kick);
    room_event(&mut bob, "removed");
    let (_other, mut other) = online(&server, "bob");
    bookmarked(&mut other, true);
    bob.kill();
    let mut bob = b.rpc();
    bookmarked(&mut bob, true);

    let ban = |affiliation: &str| format!("room:set_affiliation(true, 'bob@localhost', {affiliation})");
    console(&server, &room, &ban("'outcast'"));
    for rpc in [&mut bob, &mut other] {
        room_event(rpc, "removed");
        // the reason stays, and what can be done
        until(rpc, "rooms", &json!({}), |rooms| rooms["rooms"][0]["why"].as_str().is_some_and(|why| why.contains("banned")));
        let refused = rpc.error("send", json!({"to": room, "text": "why?"}))["message"].to_string();
        assert!(refused.contains("banned") && refused.contains("room leave"), "{refused}");
    }
    members(&mut alice, &room, &["alice@localhost"]);
    console(&server, &room, &ban("'member'"));
    // allowed again, nobody goes in by themselves
    let (_third, mut third) = online(&server, "bob");
    assert_eq!(third.call("rooms", json!({}))["rooms"], json!([]));
    assert_eq!(bob.call("room_join", json!({"room": room}))["joined"], true);
    bookmarked(&mut third, true);
}

/// A plain member may not bring others in: Prosody says so, and which stanza it was, but not whom it named.
#[test]
fn who_may_not_invite_is_told_at_once() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (_b, mut bob)) = (online(&server, "alice"), online(&server, "bob"));
    let room = room_of(&mut alice, &mut [("bob", &mut bob)]);
    members(&mut bob, &room, &["alice@localhost", "bob@localhost"]);
    let refused = bob.error("room_invite", json!({"room": room, "jid": "carol@localhost"}));
    assert_eq!(refused["data"]["code"], "room.not-allowed", "{refused}");
    assert_eq!(alice.call("room_invite", json!({"room": room, "jid": "carol@localhost"})), json!({}));
}

#[test]
fn who_leaves_is_told_what_remains_and_can_give_that_up() {
    let Some(server) = server() else { return };
    let ((_a, mut alice), (b, mut bob)) = (online(&server, "alice"), online(&server, "bob"));
    let room = room_of(&mut alice, &mut [("bob", &mut bob)]);
    let both = ["alice@localhost", "bob@localhost"];
    members(&mut alice, &room, &both);
    assert_eq!(bob.call("room_leave", json!({"room": room})), json!({"member": true}));
    members(&mut alice, &room, &both);
    let sent = alice.call("send", json!({"to": room, "text": "still for bob"}));
    assert_eq!(of_jids(&sent), ["bob@localhost"]);
    assert_eq!(bob.end().lines().filter(|line| line.contains("ERROR")).count(), 0);
    // of a room that was left before, by a command
    let said = b.ok(&["room", "leave", &room, "--resign"]);
    assert_eq!(said, format!("left {room}\n"));
    members(&mut alice, &room, &both[..1]);
    // from within, and the sentence of one who only leaves
    b.ok(&["room", "list"]);
    alice.call("room_invite", json!({"room": room, "jid": "bob@localhost"}));
    b.ok(&["room", "join", &room]);
    let said = b.ok(&["room", "leave", &room]);
    assert!(said.contains("remain a member") && said.contains("--resign"), "{said}");
    b.ok(&["room", "join", &room]);
    assert_eq!(b.ok(&["room", "leave", "--resign", &room]), format!("left {room}\n"));
    members(&mut alice, &room, &both[..1]);
    // a room needs an owner
    let error = alice.error("room_leave", json!({"room": room, "resign": true}));
    assert_eq!(error["data"]["code"], "room.last-owner");
    members(&mut alice, &room, &both[..1]);
}

#[test]
fn a_room_has_a_picture_where_its_server_can() {
    if let Some(server) = server() {
        let (a, mut alice) = online(&server, "alice");
        let room = room_of(&mut alice, &mut []);
        assert_eq!(alice.error("room_avatar", json!({"room": room}))["data"]["code"], "room.no-pictures");
        drop((a, alice));
    }
    if !goes_on("ejabberd", false, Ejabberd::missing()) {
        return;
    }
    let server = Ejabberd::start(&[("alice", "pw-alice"), ("bob", "pw-bob")], Friends::All).unwrap();
    let ((a, mut alice), (b, mut bob)) = (online(&server, "alice"), online(&server, "bob"));
    let room = room_of(&mut alice, &mut [("bob", &mut bob)]);
    alice.end();
    bob.end();
    let bytes = [b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 3000]].concat();
    let at = |name: &str| a.path().join(name).to_str().unwrap().to_owned();
    let (png, text, large, saved) = (at("garden.png"), at("notes.txt"), at("large.png"), at("saved.png"));
    std::fs::write(&png, &bytes).unwrap();
    std::fs::write(&text, "no picture").unwrap();
    std::fs::write(&large, [bytes.as_slice(), &[0; 128 * 1024]].concat()).unwrap();
    let none = format!("{room}: it has no picture\n");
    assert_eq!(a.ok(&["room", "avatar", &room]), none);
    for bad in [&text, &large, &at("nowhere")] {
        let said = a.run(&["room", "avatar", &room, bad]);
        assert!(!said.status.success() && support::text(&said.stderr).contains(bad.as_str()), "{said:?}");
    }
    assert_eq!(a.ok(&["room", "avatar", &room, &png]), format!("{room}: its picture was set\n"));
    let said = b.ok(&["room", "avatar", &room, "--save", &saved]);
    assert!(said.contains("image/png, 3008 bytes, SHA-1 "), "{said}");
    assert_eq!(std::fs::read(&saved).unwrap(), bytes);
    // nothing is written over, and members may only look
    std::fs::write(&saved, "mine").unwrap();
    let said = b.run(&["room", "avatar", &room, "--save", &saved]);
    assert!(!said.status.success() && std::fs::read(&saved).unwrap() == b"mine", "{said:?}");
    let said = b.run(&["room", "avatar", &room, &png]);
    assert!(!said.status.success() && support::text(&said.stderr).contains("does not allow"), "{said:?}");
    assert_eq!(a.ok(&["room", "avatar", &room, "--remove"]), format!("{room}: its picture was taken away\n"));
    assert_eq!(b.ok(&["room", "avatar", &room]), none);
}
