//! Out of a room, by whatever way, and in again.
use super::*;

/// Who was a member before we were out.
const GONE: &str = "wiccarocks@shakespeare.lit";
/// The ways in which a stream goes on and we are out of a room that we go into again by ourselves. What begins that.
fn ways_out() -> Vec<(&'static str, Witch, RoomTurn)> {
    let mut all = Vec::new();
    for says in ["<status code='332'/>", "<status code='307'/><status code='333'/>", ""] {
        let mut witch = Witch::joined(&ALL);
        witch.presence("thirdwitch", "type='unavailable'", &format!("<item affiliation='none' role='none'/>{says}"), "");
        let at = witch.rooms.wake_at().unwrap();
        let turn = witch.rooms.tick(at);
        all.push((says, witch, turn));
    }
    let mut witch = Witch::joined(&ALL);
    let at = witch.rooms.wake_at().unwrap();
    let ping = witch.rooms.tick(at).send.remove(0);
    let turn = witch.error(&ping, "not-acceptable");
    all.push(("self-ping", witch, turn));
    all
}
/// We are in again, and the room says who its members are now.
fn again(witch: &mut Witch, question: &Element, members: &[&str]) -> RoomTurn {
    witch.answer(question, &info(&ALL));
    let turn = witch.presence("thirdwitch", "", "<item affiliation='member' role='participant'/><status code='110'/>", "");
    assert!(turn.inputs.is_empty(), "not before all lists are there: {turn:?}");
    witch.lists(turn.send, members)
}

#[test]
fn members_of_before_are_forgotten_and_told_anew() {
    for (way, mut witch, turn) in ways_out() {
        assert!(witch.rooms.members(&ROOM.into()).next().is_none(), "{way}");
        let told = again(&mut witch, &turn.send[0], &[ME]);
        assert_eq!(members(&told), [CRONE, ME], "{way}");
        // that nothing has changed is told too
        let mut witch = Witch::joined(&ALL);
        witch.presence("thirdwitch", "type='unavailable'", "<item affiliation='member' role='none'/><status code='332'/>", "");
        let at = witch.rooms.wake_at().unwrap();
        let turn = witch.rooms.tick(at);
        assert_eq!(members(&again(&mut witch, &turn.send[0], &[ME, GONE])), [CRONE, ME, GONE]);
    }
}

/// A room that gives no lists shows who is there: nobody of before is a member by memory.
#[test]
fn without_lists_only_who_is_seen_again_is_a_member() {
    for (way, mut witch, turn) in ways_out() {
        witch.answer(&turn.send[0], &info(&ALL));
        witch.presence("firstwitch", "", &format!("<item affiliation='owner' role='moderator' jid='{CRONE}/desktop'/>"), "");
        let mut turn = witch.presence("thirdwitch", "", "<item affiliation='member' role='participant'/><status code='110'/>", "");
        for question in turn.send.split_off(0) {
            turn = witch.error(&question, "forbidden");
        }
        assert_eq!(members(&turn), [CRONE, ME], "{way}");
    }
}

#[test]
fn what_we_remain_to_a_room_is_told_with_the_goodbye() {
    for (says, expected) in [("affiliation='member'", Some(Affiliation::Member)), ("affiliation='none'", None), ("", Some(Affiliation::Member))] {
        let mut witch = Witch::joined(&ALL);
        witch.rooms.leave(&ROOM.into(), now());
        let turn = witch.presence("thirdwitch", "type='unavailable'", &format!("<item {says} role='none'/><status code='110'/>"), "");
        assert!(matches!(turn.news[..], [RoomNews::Left { why: Left::Asked, still, .. }] if still == expected), "{says} {turn:?}");
    }
}

#[test]
fn a_membership_is_given_up_as_the_server_lets_us() {
    let resigned = |turn: &RoomTurn| matches!(turn.news[..], [RoomNews::Left { why: Left::Asked, still: None | Some(Affiliation::None), .. }]);
    let out = "<item affiliation='none' role='none'/><status code='110'/><status code='321'/>";
    // at once; by the way of members; and put out by the room before it answers
    for refused in [false, true] {
        let mut witch = Witch::joined(&ALL);
        let mut turn = witch.rooms.resign(&ROOM.into(), now());
        assert!(String::from(&turn.send[0]).contains(&format!("affiliation='none' jid='{ME}'")), "{turn:?}");
        if refused {
            turn = witch.error(&turn.send[0], "not-allowed");
            assert!(turn.news.is_empty() && String::from(&turn.send[0]).contains("jabber:iq:register"), "{turn:?}");
        }
        assert!(resigned(&witch.presence("thirdwitch", "type='unavailable'", out, "")));
        assert!(witch.answer_as(&turn.send[0], "result", "").is_none(), "told once");
    }
    // an open room answers only: we go
    let mut witch = Witch::joined(&ALL);
    let turn = witch.rooms.resign(&ROOM.into(), now());
    let turn = witch.answer(&turn.send[0], "");
    assert_eq!(turn.send[0].attr("type"), Some("unavailable"));
    assert!(resigned(&witch.presence("thirdwitch", "type='unavailable'", "<item role='none'/><status code='110'/>", "")));
    // of a room that was left before
    let mut witch = Witch::new();
    let turn = witch.rooms.resign(&ROOM.into(), now());
    assert!(resigned(&witch.answer(&turn.send[0], "")));
}

#[test]
fn who_may_not_give_it_up_is_told_and_stays_in() {
    let mut witch = Witch::joined(&ALL);
    let turn = witch.rooms.resign(&ROOM.into(), now());
    let turn = witch.error(&turn.send[0], "forbidden");
    let turn = witch.error(&turn.send[0], "service-unavailable");
    assert!(matches!(failure(&turn), (Task::Resign, RoomError::NotAllowed)), "{turn:?}");
    assert!(witch.rooms.is_joined(&ROOM.into()));
    // to be put out later is no goodbye of ours
    let turn = witch.presence("thirdwitch", "type='unavailable'", "<item affiliation='none' role='none'/><status code='321'/>", "");
    assert!(matches!(turn.news[..], [RoomNews::Left { why: Left::Removed, .. }]), "{turn:?}");
    // an owner, whom the way of members would answer that all is well
    for (condition, why) in [("conflict", RoomError::LastOwner), ("not-allowed", RoomError::NotAllowed)] {
        let mut witch = Witch::joined(&ALL);
        witch.presence("thirdwitch", "", "<item affiliation='owner' role='moderator'/><status code='110'/>", "");
        let turn = witch.rooms.resign(&ROOM.into(), now());
        let turn = witch.error(&turn.send[0], condition);
        assert_eq!((failure(&turn), turn.send.len()), ((Task::Resign, why), 0));
        // the only one is not asked for
        witch.presence("firstwitch", "", &format!("<item affiliation='member' role='participant' jid='{CRONE}/desktop'/>"), "");
        let turn = witch.rooms.resign(&ROOM.into(), now());
        assert_eq!((failure(&turn), turn.send.len()), ((Task::Resign, RoomError::LastOwner), 0));
    }
}

#[test]
fn whoever_puts_us_out_is_told_from_a_server_that_went_down() {
    let cases = [
        ("<status code='301'/>", Left::Banned),
        ("<status code='307'/>", Left::Kicked),
        ("<status code='321'/>", Left::Removed),
        ("<status code='322'/>", Left::Removed),
        ("<destroy jid='heath@chat.shakespeare.lit'/>", Left::Destroyed { instead: Some("heath@chat.shakespeare.lit".into()) }),
        ("<status code='332'/>", Left::Lost),
        ("<status code='307'/><status code='333'/>", Left::Lost),
        ("", Left::Lost),
    ];
    for (says, why) in cases {
        let mut witch = Witch::joined(&ALL);
        let turn = witch.presence("thirdwitch", "type='unavailable'", &format!("<item affiliation='none' role='none'/>{says}"), "");
        assert!(matches!(&turn.news[..], [RoomNews::Left { why: told, .. }] if *told == why), "{says} {turn:?}");
        if why != Left::Lost {
            assert!(matches!(turn.inputs[..], [Input::Room(_, None)]) && !witch.rooms.contains(&ROOM.into()));
            continue;
        }
        assert!(matches!(turn.inputs[..], [Input::RoomUnknown(_)]), "messages wait until we are in again");
        let at = witch.rooms.wake_at().unwrap();
        assert!(witch.rooms.tick(now()).send.is_empty());
        assert_eq!(witch.rooms.tick(at).send.len(), 1);
    }
}

#[test]
fn silence_is_looked_into_and_a_room_that_forgot_us_is_entered_again() {
    for (condition, is_out) in [("not-acceptable", true), ("service-unavailable", false), ("item-not-found", false), ("remote-server-timeout", false)]
    {
        let mut witch = Witch::joined(&ALL);
        let at = witch.rooms.wake_at().unwrap();
        assert!(at > now().after(SILENCE - PATIENCE));
        let turn = witch.rooms.tick(at);
        assert_eq!(turn.send[0].attr("to"), Some("coven@chat.shakespeare.lit/thirdwitch"));
        let turn = witch.error(&turn.send[0], condition);
        assert_eq!((turn.news.len(), witch.rooms.is_joined(&ROOM.into())), (usize::from(is_out), !is_out), "{condition}");
        assert_eq!(matches!(turn.inputs[..], [Input::RoomUnknown(_)]), is_out, "{condition}");
        assert!(witch.rooms.wake_at().is_some());
    }
    // no answer decides nothing
    let mut witch = Witch::joined(&ALL);
    let at = witch.rooms.wake_at().unwrap();
    witch.rooms.tick(at);
    let turn = witch.rooms.tick(at.after(PATIENCE));
    assert!(turn.send.is_empty() && witch.rooms.is_joined(&ROOM.into()));
    assert_eq!(witch.rooms.wake_at(), Some(at.after(PATIENCE).after(PAUSE)));
}

#[test]
fn a_room_that_does_not_answer_is_tried_ever_more_seldom() {
    let mut witch = Witch::new();
    witch.rooms.join(&ROOM.into(), "thirdwitch", None, None, now());
    let mut pauses = Vec::new();
    for _ in 0..9 {
        let asked = witch.rooms.wake_at().unwrap();
        let turn = witch.rooms.tick(asked);
        assert_eq!(failure(&turn), (Task::Join, RoomError::Unreachable));
        let again = witch.rooms.wake_at().unwrap();
        pauses.push((again.0 - asked.0) / 1000);
        assert_eq!(witch.rooms.tick(again).send.len(), 1);
    }
    assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1800, 1800, 1800]);
}

#[test]
fn a_room_that_sends_back_what_was_never_sent_is_not_entered_again() {
    let mut witch = Witch::joined(&ALL);
    let back = |id: &str| element(&format!("<message type='error' from='{ROOM}' id='{id}'>{}</message>", error("not-acceptable")));
    let turn = witch.rooms.message(&back("never"), &mut witch.mapping, now()).unwrap();
    assert!(turn.send.is_empty() && witch.rooms.is_joined(&ROOM.into()));
    // one of ours was: the room has forgotten us
    let mut ours = element(&format!("<message to='{ROOM}' type='chat' id='m1'><body>x</body></message>"));
    assert!(witch.rooms.send(&mut ours, now()));
    let turn = witch.rooms.message(&back("m1"), &mut witch.mapping, now()).unwrap();
    assert!(turn.send.len() == 1 && !witch.rooms.is_joined(&ROOM.into()));
    assert!(matches!(turn.inputs[..], [Input::RoomUnknown(_)]));
}
