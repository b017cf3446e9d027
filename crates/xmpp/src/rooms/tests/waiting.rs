//! What waits for a room, and for how long.
use super::*;

fn ours(id: &str) -> Element {
    element(&format!("<message type='chat' to='{ROOM}' id='{id}'><encrypted xmlns='urn:xmpp:omemo:2'/></message>"))
}

/// A service that is stopped or started says of its rooms what a full one says.
#[test]
fn a_service_that_is_down_for_a_moment_ends_no_room() {
    let mut witch = Witch::joined(&ALL);
    witch.presence("thirdwitch", "type='unavailable'", "<item affiliation='none' role='none'/><status code='332'/>", "");
    let mut pauses = Vec::new();
    for _ in 0..3 {
        let at = witch.rooms.wake_at().unwrap();
        let turn = witch.rooms.tick(at);
        let turn = witch.error(&turn.send[0], "service-unavailable");
        assert_eq!(turn.send[0].name(), "presence");
        let back = format!("<presence from='{ROOM}/thirdwitch' type='error'>{}</presence>", error("service-unavailable"));
        let turn = witch.rooms.presence(&element(&back), at).unwrap();
        assert!(matches!(turn.news[..], [RoomNews::Failed { why: RoomError::Full, again: Some(_), .. }]), "{turn:?}");
        pauses.push((witch.rooms.wake_at().unwrap().0 - at.0) / 1000);
    }
    assert_eq!(pauses, [30, 60, 120]);
    // but nothing is made later than it was asked for
    let mut witch = Witch::new();
    witch.rooms.create(&ROOM.into(), "thirdwitch", RoomConfig::default(), now());
    let back = format!("<presence from='{ROOM}/thirdwitch' type='error'>{}</presence>", error("service-unavailable"));
    let turn = witch.rooms.presence(&element(&back), now()).unwrap();
    assert_eq!(failure(&turn), (Task::Create, RoomError::Full));
    assert!(!witch.rooms.contains(&ROOM.into()));
}

/// It is encrypted for members: nothing leaves before the room says who they are now.
#[test]
fn nothing_goes_into_a_room_before_its_members_are_known() {
    let mut witch = Witch::new();
    let turn = witch.rooms.join(&ROOM.into(), "thirdwitch", None, None, now());
    assert!(!witch.rooms.send(&mut ours("m"), now()));
    witch.answer(&turn.send[0], &info(&ALL));
    let turn = witch.presence("thirdwitch", "", "<item affiliation='member' role='participant'/><status code='110'/>", "");
    assert!(witch.rooms.is_joined(&ROOM.into()) && !witch.rooms.send(&mut ours("m"), now()));
    witch.lists(turn.send, &[ME]);
    assert!(witch.rooms.send(&mut ours("m"), now()) && !witch.rooms.is_unencryptable(&ROOM.into()));
    // it hides its members from here on
    let changed =
        format!("<message type='groupchat' from='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'><status code='173'/></x></message>");
    witch.message(&changed);
    assert!(witch.rooms.is_unencryptable(&ROOM.into()));
}

/// A server that takes a message and says nothing more of it may have lost us.
#[test]
fn a_message_that_does_not_come_back_is_asked_after() {
    let mut witch = Witch::joined(&ALL);
    let quiet = witch.rooms.wake_at().unwrap();
    let at = now();
    assert!(witch.rooms.send(&mut ours("m1"), at));
    assert_eq!(witch.rooms.wake_at(), Some(at.after(ECHO)));
    // what others say is no answer
    witch.author("firstwitch", "");
    let turn = witch.rooms.tick(at.after(ECHO));
    assert!(String::from(&turn.send[0]).contains("urn:xmpp:ping"), "{turn:?}");
    let lost = witch.error(&turn.send[0], "not-acceptable");
    assert!(matches!(lost.news[..], [RoomNews::Left { why: Left::Lost, .. }]));
    // what came back is not asked after, and nothing twice
    let mut witch = Witch::joined(&ALL);
    assert!(witch.rooms.send(&mut ours("m2"), now()));
    witch.message(&format!("<message type='groupchat' from='{ROOM}/thirdwitch' id='m2'><body>x</body></message>"));
    assert!(witch.rooms.wake_at().unwrap() >= quiet);
}
