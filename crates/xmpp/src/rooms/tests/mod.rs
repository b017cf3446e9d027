//! The specification's witches, and those who only say to be them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod hostile;
mod out;
mod waiting;

use super::*;
use crate::Mapping;
use crate::archive::Archived;
use crate::mapping::StanzaId;
use std::time::{SystemTime, UNIX_EPOCH};

const ME: &str = "hag66@shakespeare.lit";
const CRONE: &str = "crone1@shakespeare.lit";
const ROOM: &str = "coven@chat.shakespeare.lit";
const ALL: [&str; 7] = [
    "http://jabber.org/protocol/muc",
    "muc_nonanonymous",
    "muc_membersonly",
    "muc_persistent",
    "urn:xmpp:sid:0",
    "urn:xmpp:mam:2",
    "urn:xmpp:occupant-id:0",
];
fn now() -> Time {
    Time(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap())
}
fn element(xml: &str) -> Element {
    xml::parse_run(xml.as_bytes()).unwrap().remove(0)
}

struct Witch {
    rooms: Rooms,
    mapping: Mapping,
}
impl Witch {
    fn new() -> Self {
        Witch { rooms: Rooms::new(ME.into(), "salt"), mapping: Mapping::new(ME.into(), [], "salt").with_rooms() }
    }
    /// In a room with these features, with a crone who is there, and her sister, who is away.
    fn joined(features: &[&str]) -> Self {
        let mut witch = Witch::new();
        let turn = witch.rooms.join(&ROOM.into(), "thirdwitch", None, None, now());
        witch.answer(&turn.send[0], &info(features));
        witch.presence("firstwitch", "", &format!("<item affiliation='owner' role='moderator' jid='{CRONE}/desktop'/>"), "id='o-crone'");
        let turn = witch.presence(
            "thirdwitch",
            "",
            &format!("<item affiliation='member' role='participant' jid='{ME}/pda'/><status code='110'/>"),
            "id='o-me'",
        );
        assert!(matches!(turn.news[0], RoomNews::Joined { .. }));
        witch.lists(turn.send, &[ME, "wiccarocks@shakespeare.lit"]);
        witch
    }
    fn answer(&mut self, question: &Element, payload: &str) -> RoomTurn {
        self.answer_as(question, "result", payload).unwrap()
    }
    /// The room's lists: the crone owns it, and these are members. What the last answer led to.
    fn lists(&mut self, questions: Vec<Element>, members: &[&str]) -> RoomTurn {
        let mut last = RoomTurn::default();
        for question in questions {
            let xml = String::from(&question);
            let items: String = match () {
                () if xml.contains("'owner'") => format!("<item affiliation='owner' jid='{CRONE}'/>"),
                () if xml.contains("'member'") => members.iter().map(|who| format!("<item affiliation='member' jid='{who}'/>")).collect(),
                () => String::new(),
            };
            last = self.answer(&question, &format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{items}</query>"));
        }
        last
    }
    fn error(&mut self, question: &Element, condition: &str) -> RoomTurn {
        self.answer_as(question, "error", &error(condition)).unwrap()
    }
    fn answer_as(&mut self, question: &Element, kind: &str, payload: &str) -> Option<RoomTurn> {
        let (id, from) = (question.attr("id").unwrap(), question.attr("to").unwrap());
        self.rooms.iq(&element(&format!("<iq type='{kind}' id='{id}' from='{from}'>{payload}</iq>")), now())
    }
    fn presence(&mut self, nick: &str, attributes: &str, says: &str, id: &str) -> RoomTurn {
        let id = if id.is_empty() { String::new() } else { format!("<occupant-id xmlns='urn:xmpp:occupant-id:0' {id}/>") };
        let x = format!("<x xmlns='http://jabber.org/protocol/muc#user'>{says}</x>");
        let presence = format!("<presence from='{ROOM}/{nick}' {attributes}>{x}{id}</presence>");
        self.rooms.presence(&element(&presence), now()).unwrap()
    }
    fn message(&mut self, xml: &str) -> Option<RoomTurn> {
        self.rooms.message(&element(xml), &mut self.mapping, now())
    }
    /// Who the machine is told wrote this in the room.
    fn author(&mut self, nick: &str, more: &str) -> String {
        let xml = format!("<message type='groupchat' from='{ROOM}/{nick}' id='m'><body>x</body>{more}</message>");
        from(&self.message(&xml).unwrap())
    }
    fn archived(&mut self, nick: &str, more: &str) -> RoomTurn {
        let stanza = element(&format!("<message type='groupchat' from='{ROOM}/{nick}' id='m'><body>x</body>{more}</message>"));
        let at = StanzaId { by: ROOM.into(), id: "a1".into() };
        self.rooms.archived(&Archived { at, stanza, stamp: Some(now()) }, &mut self.mapping, now())
    }
}
fn info(features: &[&str]) -> String {
    let features: String = features.iter().map(|feature| format!("<feature var='{feature}'/>")).collect();
    format!("<query xmlns='http://jabber.org/protocol/disco#info'><identity category='conference' type='text' name='Coven'/>{features}</query>")
}
fn error(condition: &str) -> String {
    format!("<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>")
}
fn from(turn: &RoomTurn) -> String {
    let [Input::Receive { from, chat, .. }] = turn.inputs.as_slice() else { panic!("{turn:?}") };
    assert_eq!(chat.0.as_str(), ROOM);
    from.to_string()
}
fn members(turn: &RoomTurn) -> Vec<&str> {
    let [Input::Room(chat, Some(members))] = turn.inputs.as_slice() else { panic!("{turn:?}") };
    assert_eq!(chat.0.as_str(), ROOM);
    members.iter().map(Address::as_str).collect()
}
fn failure(turn: &RoomTurn) -> (Task, RoomError) {
    let [RoomNews::Failed { task, why, .. }] = turn.news.as_slice() else { panic!("{turn:?}") };
    (*task, why.clone())
}

#[test]
fn a_room_is_asked_entered_and_its_members_are_told_once_they_are_known() {
    let mut witch = Witch::new();
    let turn = witch.rooms.join(&ROOM.into(), "thirdwitch", Some("cauldronburn"), Some(Time(1_700_000_000_000)), now());
    let turn = witch.answer(&turn.send[0], &info(&ALL[..5]));
    let entrance = String::from(&turn.send[0]);
    assert!(entrance.contains("coven@chat.shakespeare.lit/thirdwitch") && entrance.contains("cauldronburn"), "{entrance}");
    assert!(entrance.contains("since='2023-11-14T22:13:20.000Z'"), "without an archive the room gives what we missed: {entrance}");
    let turn = witch.presence("thirdwitch", "", "<item affiliation='member' role='participant'/><status code='110'/>", "");
    let lists = turn.send;
    assert_eq!(lists.len(), 3);
    assert!(witch.answer(&lists[0], "<query xmlns='http://jabber.org/protocol/muc#admin'/>").inputs.is_empty());
    assert!(witch.error(&lists[1], "forbidden").inputs.is_empty());
    let list = format!("<item affiliation='member' jid='{CRONE}/x'/><item affiliation='outcast' jid='x@y'/><item affiliation='member' jid='y.lit'/>");
    let turn = witch.answer(&lists[2], &format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{list}</query>"));
    assert_eq!(members(&turn), [CRONE, ME]);
    assert!(matches!(&turn.news[0], RoomNews::Members { warnings, .. } if *warnings == [RoomWarning::AbsentUnknown]));
}

#[test]
fn affiliations_change_by_presence_by_message_and_by_lists() {
    let mut witch = Witch::joined(&ALL);
    // who comes as a member
    let turn = witch.presence("fourth", "", "<item affiliation='member' role='participant' jid='fourth@x.lit/r'/>", "");
    assert_eq!(members(&turn), [CRONE, "fourth@x.lit", ME, "wiccarocks@shakespeare.lit"]);
    // who is away: XEP-0045 example 195
    let says = |by: &str, affiliation: &str| {
        format!(
            "<message from='{by}'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item affiliation='{affiliation}' jid='hecate@shakespeare.lit' role='none'/></x></message>"
        )
    };
    let turn = witch.message(&says(ROOM, "owner")).unwrap();
    assert_eq!(members(&turn), [CRONE, "fourth@x.lit", ME, "hecate@shakespeare.lit", "wiccarocks@shakespeare.lit"]);
    let turn = witch.message(&says(ROOM, "none")).unwrap();
    assert_eq!(members(&turn).len(), 4);
    // an occupant, and another room, have no say in it
    assert!(witch.message(&says(&format!("{ROOM}/firstwitch"), "owner")).unwrap().inputs.is_empty());
    assert!(witch.message(&says("other@chat.shakespeare.lit", "owner")).is_none());
    // who goes stays a member, who is taken out does not
    assert!(witch.presence("fourth", "type='unavailable'", "<item affiliation='member' role='none' jid='fourth@x.lit/r'/>", "").inputs.is_empty());
    let turn = witch.presence("firstwitch", "type='unavailable'", "<item affiliation='none' role='none'/><status code='321'/>", "");
    assert_eq!(members(&turn), ["fourth@x.lit", ME, "wiccarocks@shakespeare.lit"]);
    // another configuration: everything is asked again, once at a time
    let changed =
        format!("<message type='groupchat' from='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'><status code='104'/></x></message>");
    let turn = witch.message(&changed).unwrap();
    assert_eq!(turn.send.len(), 1);
    assert!(witch.message(&changed).unwrap().send.is_empty());
    let lists = witch.answer(&turn.send[0], &info(&ALL)).send;
    let turns: Vec<RoomTurn> = lists.iter().map(|list| witch.answer(list, "<query xmlns='http://jabber.org/protocol/muc#admin'/>")).collect();
    assert_eq!(members(&turns[2]), [ME]);
    assert_eq!(turns[2].send.len(), 1, "and once more, because it was said twice");
}

/// The machine lets nothing leave before that: on another stream others may be in the room.
#[test]
fn members_are_told_anew_on_every_stream() {
    let mut witch = Witch::joined(&ALL);
    let before: Vec<Address> = witch.rooms.members(&ROOM.into()).map(|(who, _)| who.clone()).collect();
    let turn = witch.rooms.online(false, now());
    witch.answer(&turn.send[0], &info(&ALL));
    let turn = witch.presence("thirdwitch", "", "<item affiliation='member' role='participant'/><status code='110'/>", "");
    let (lists, mut told) = (turn.send, turn.inputs.len());
    for list in &lists {
        let whole = String::from(list);
        let items: String = match whole.contains("'member'") {
            true => before.iter().map(|who| format!("<item affiliation='member' jid='{who}'/>")).collect(),
            false => String::new(),
        };
        assert_eq!(told, 0, "not before all lists are there");
        told += witch.answer(list, &format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{items}</query>")).inputs.len();
    }
    assert_eq!(told, 1);
}

#[test]
fn a_room_that_becomes_anonymous_is_closed_at_once() {
    let mut witch = Witch::joined(&ALL);
    let changed =
        format!("<message type='groupchat' from='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'><status code='173'/></x></message>");
    let turn = witch.message(&changed).unwrap();
    assert!(matches!(turn.inputs.as_slice(), [Input::Room(_, None)]));
    assert!(matches!(turn.news.as_slice(), [RoomNews::NotEncryptable { why: Unencryptable::Anonymous, .. }]));
    // a message of an occupant that says so does nothing
    let mut witch = Witch::joined(&ALL);
    let turn = witch.message(&changed.replace(ROOM, &format!("{ROOM}/firstwitch")).replace("<x", "<body>x</body><x")).unwrap();
    assert_eq!(from(&turn), CRONE);
    assert!(turn.news.is_empty() && turn.send.is_empty());
}

#[test]
fn what_is_said_now_is_by_who_has_the_name_now() {
    let mut witch = Witch::joined(&ALL);
    assert_eq!(witch.author("firstwitch", ""), CRONE);
    let forged = format!("<x xmlns='http://jabber.org/protocol/muc#user'><item jid='{ME}/x' affiliation='owner'/></x>");
    assert_eq!(witch.author("firstwitch", &forged), CRONE);
    assert_eq!(witch.author("nobody", ""), ROOM, "who is not there is nobody");
    assert_eq!(witch.author("nobody", "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o-crone'/>"), CRONE);
    // a new name
    witch.presence("firstwitch", "type='unavailable'", "<item nick='oldhag' affiliation='owner' role='moderator'/><status code='303'/>", "");
    assert_eq!((witch.author("oldhag", ""), witch.author("firstwitch", "")), (CRONE.into(), ROOM.into()));
    // and another person with the old one
    witch.presence("firstwitch", "", "<item affiliation='member' role='participant' jid='eve@x.lit/r'/>", "id='o-eve'");
    assert_eq!(witch.author("firstwitch", ""), "eve@x.lit");
}

#[test]
fn what_was_said_before_is_never_by_who_has_the_name_now() {
    let mut witch = Witch::joined(&ALL);
    let delay = |from: &str| format!("<delay xmlns='urn:xmpp:delay' from='{from}' stamp='2002-10-13T23:58:37Z'/>");
    let item = |who: &str| format!("<x xmlns='http://jabber.org/protocol/muc#user'><item jid='{who}/x'/></x>");
    let id = |id: &str| format!("<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{id}'/>");
    // history on entering: the occupant id says it, and nothing that others can write
    assert_eq!(witch.author("firstwitch", &delay(ROOM)), ROOM);
    assert_eq!(witch.author("firstwitch", &[delay(ROOM), item(ME)].concat()), ROOM);
    assert_eq!(witch.author("thirdwitch", &[delay(ROOM), id("o-crone")].concat()), CRONE);
    assert_eq!(witch.author("firstwitch", &[delay(ROOM), id("o-crone"), id("o-me")].concat()), ROOM, "of two none counts");
    assert_eq!(witch.author("firstwitch", &delay(CRONE)), CRONE, "a stamp of the sender's own is not the room's");
    // the archive says it itself; where it lets two say it, or what it knows is otherwise, nobody does
    assert_eq!(from(&witch.archived("firstwitch", "")), ROOM);
    assert_eq!(from(&witch.archived("firstwitch", &item("eve@x.lit"))), "eve@x.lit");
    assert_eq!(from(&witch.archived("firstwitch", &[item("eve@x.lit"), item(CRONE)].concat())), ROOM);
    assert_eq!(from(&witch.archived("firstwitch", &[item("eve@x.lit"), id("o-crone")].concat())), ROOM);
    assert_eq!(from(&witch.archived("thirdwitch", &id("o-crone"))), CRONE);
    let stanza = element("<message type='groupchat' from='other@chat.shakespeare.lit/x' id='m'><body>x</body></message>");
    let archived = Archived { at: StanzaId { by: ROOM.into(), id: "a".into() }, stanza, stamp: None };
    assert!(witch.rooms.archived(&archived, &mut witch.mapping, now()).inputs.is_empty(), "of another room");
}

#[test]
fn occupant_ids_count_only_where_they_are_announced() {
    let mut witch = Witch::joined(&ALL[..6]);
    assert!(witch.rooms.occupants(&ROOM.into()).all(|occupant| occupant.id.is_none()));
    assert_eq!(witch.author("nobody", "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o-crone'/>"), ROOM);
    let said = witch.message(&format!(
        "<message type='groupchat' from='{ROOM}/firstwitch' id='m'><body>x</body><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s'/></message>"
    ));
    assert_eq!(said.unwrap().ids.archive.unwrap().id, "s");
    // nor where they were announced, and are no more
    let mut witch = Witch::joined(&ALL);
    let changed =
        format!("<message type='groupchat' from='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'><status code='104'/></x></message>");
    let turn = witch.message(&changed).unwrap();
    assert_eq!(witch.author("nobody", "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o-crone'/>"), CRONE);
    witch.answer(&turn.send[0], &info(&ALL[..6]));
    assert_eq!(witch.author("nobody", "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o-crone'/>"), ROOM);
    // nor do stanza ids
    let mut witch = Witch::joined(&ALL[..4]);
    let said = witch.message(&format!(
        "<message type='groupchat' from='{ROOM}/firstwitch' id='m'><body>x</body><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s'/></message>"
    ));
    assert_eq!(said.unwrap().ids.archive, None);
}

#[test]
fn our_own_come_back_once_and_nobody_else_can_send_them_back() {
    let mut witch = Witch::joined(&ALL);
    let mut ours = element(&format!("<message type='chat' to='{ROOM}' id='m'><body>x</body></message>"));
    assert!(witch.rooms.send(&mut ours, now()));
    assert_eq!(ours.attr("type"), Some("groupchat"));
    assert_eq!(witch.author("firstwitch", "<origin-id xmlns='urn:xmpp:sid:0' id='m'/>"), CRONE, "the crone has seen its id");
    let back = format!(
        "<message type='groupchat' from='{ROOM}/thirdwitch' id='m'><body>x</body><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s1'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{ME}' id='s2'/></message>"
    );
    let turn = witch.message(&back).unwrap();
    assert!(turn.inputs.is_empty());
    assert!(matches!(&turn.news[..], [RoomNews::Reflected { id, room_id, .. }] if id.as_str() == "m" && room_id.as_deref() == Some("s1")));
    // again, it is what another device of ours wrote: the machine knows
    assert_eq!(from(&witch.message(&back).unwrap()), ME);
    // lost with the stream, and found in the archive
    assert!(witch.rooms.send(&mut ours, now()));
    let item = format!("<x xmlns='http://jabber.org/protocol/muc#user'><item jid='{ME}/pda'/></x>");
    assert!(matches!(&witch.archived("thirdwitch", &item).news[..], [RoomNews::Reflected { room_id, .. }] if room_id.as_deref() == Some("a1")));
    // while we are not in, it waits
    witch.rooms.online(false, now());
    assert!(!witch.rooms.send(&mut ours, now()));
}

#[test]
fn only_the_room_itself_takes_messages_away() {
    let mut witch = Witch::joined(&ALL);
    // XEP-0425 example 5
    let moderated = |by: &str| {
        format!(
            "<message type='groupchat' id='retraction-id-1' from='{by}'><retract id='stanza-id-1' xmlns='urn:xmpp:message-retract:1'>\
             <moderated by='{ROOM}/firstwitch' xmlns='urn:xmpp:message-moderate:1'/><reason>not here</reason></retract></message>"
        )
    };
    let expected =
        RoomNews::Moderated { room: ROOM.into(), room_id: "stanza-id-1".into(), nick: Some("firstwitch".into()), reason: "not here".into() };
    assert_eq!(witch.message(&moderated(ROOM)).unwrap().news, [expected]);
    let turn = witch.message(&moderated(&format!("{ROOM}/firstwitch"))).unwrap();
    assert!(turn.news.is_empty());
    assert_eq!(from(&turn), CRONE, "it is a retraction of the crone's, if of her own message");
    assert!(witch.message(&moderated("other@chat.shakespeare.lit")).is_none());
    // the form that servers with the module of before write
    let before = format!(
        "<message type='groupchat' from='{ROOM}'><apply-to id='s' xmlns='urn:xmpp:fasten:0'><moderated by='{ROOM}/firstwitch' \
         xmlns='urn:xmpp:message-moderate:0'><retract xmlns='urn:xmpp:message-retract:0'/><reason>r</reason></moderated></apply-to></message>"
    );
    assert!(matches!(&witch.message(&before).unwrap().news[..], [RoomNews::Moderated { room_id, reason, .. }] if room_id == "s" && reason == "r"));
    // what is left of it in the archive
    let stone = "<retracted xmlns='urn:xmpp:message-retract:1' stamp='x'><moderated xmlns='urn:xmpp:message-moderate:1'/></retracted>";
    let left = |witch: &mut Witch, inside: &str| {
        let beside = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o-crone'/><stanza-id xmlns='urn:xmpp:sid:0' by='x' id='a1'/>";
        let stanza = element(&format!("<message type='groupchat' from='{ROOM}/firstwitch' id='m'>{inside}{beside}</message>"));
        let at = StanzaId { by: ROOM.into(), id: "a1".into() };
        witch.rooms.archived(&Archived { at, stanza, stamp: Some(now()) }, &mut witch.mapping, now())
    };
    let turn = left(&mut witch, stone);
    assert!(matches!(&turn.news[..], [RoomNews::Moderated { room_id, .. }] if room_id == "a1") && turn.inputs.is_empty());
    // beside words it is a member's own work
    for words in [
        "<body>x</body>",
        "<encrypted xmlns='urn:xmpp:omemo:2'/>",
        "<encrypted xmlns='eu.siacs.conversations.axolotl'/><store xmlns='urn:xmpp:hints'/>",
    ] {
        for inside in [format!("{words}{stone}"), format!("{stone}{words}")] {
            let turn = left(&mut witch, &inside);
            assert!(turn.news.is_empty() && from(&turn) == CRONE, "{turn:?}");
        }
    }
}

#[test]
fn refusals_say_what_to_do() {
    let cases = [
        ("not-authorized", RoomError::Password),
        ("registration-required", RoomError::MembersOnly),
        ("forbidden", RoomError::Banned),
        ("service-unavailable", RoomError::Full),
        ("not-allowed", RoomError::NotAllowed),
        ("item-not-found", RoomError::NoSuchRoom),
        ("not-acceptable", RoomError::NickRefused),
        ("remote-server-timeout", RoomError::Unreachable),
        ("undefined-condition", RoomError::Other("undefined-condition".into())),
    ];
    for (condition, why) in cases {
        let mut witch = Witch::new();
        let turn = witch.rooms.join(&ROOM.into(), "thirdwitch", None, None, now());
        witch.answer(&turn.send[0], &info(&ALL));
        let refused = element(&format!("<presence type='error' from='{ROOM}/thirdwitch'>{}</presence>", error(condition)));
        assert_eq!(failure(&witch.rooms.presence(&refused, now()).unwrap()), (Task::Join, why.clone()), "{condition}");
        assert_eq!(witch.rooms.contains(&ROOM.into()), matches!(why, RoomError::Unreachable | RoomError::Full));
        assert!(why.to_string().len() > 30, "{why}");
    }
    let mut witch = Witch::new();
    let turn = witch.rooms.join(&ROOM.into(), "thirdwitch", None, None, now());
    witch.answer(&turn.send[0], &info(&ALL));
    let mut tried = Vec::new();
    for round in 0..7 {
        let refused = element(&format!("<presence type='error' from='{ROOM}/x'>{}</presence>", error("conflict")));
        let turn = witch.rooms.presence(&refused, now()).unwrap();
        match turn.send.first() {
            Some(entrance) => tried.push(entrance.attr("to").unwrap().to_owned()),
            None => {
                assert_eq!((round, failure(&turn)), (5, (Task::Join, RoomError::NickTaken)));
                break;
            }
        }
    }
    assert_eq!((tried[0].as_str(), tried.len()), ("coven@chat.shakespeare.lit/thirdwitch_", 5));
}

#[test]
fn nothing_is_made_by_entering() {
    let mut witch = Witch::new();
    let turn = witch.rooms.join(&ROOM.into(), "thirdwitch", None, None, now());
    assert_eq!(failure(&witch.error(&turn.send[0], "item-not-found")), (Task::Join, RoomError::NoSuchRoom));
    // it went between the question and the entrance
    let turn = witch.rooms.join(&ROOM.into(), "thirdwitch", None, None, now());
    witch.answer(&turn.send[0], &info(&ALL));
    let turn = witch.presence("thirdwitch", "", "<item affiliation='owner' role='moderator'/><status code='110'/><status code='201'/>", "");
    assert_eq!(failure(&turn), (Task::Join, RoomError::NoSuchRoom));
    assert!(String::from(&turn.send[0]).contains("destroy"));
    for bad in [("no room", "x"), ("chat.shakespeare.lit", "x"), (ROOM, ""), (ROOM, " "), ("Coven@chat.shakespeare.lit", "x")] {
        assert_eq!(failure(&witch.rooms.join(&bad.0.into(), bad.1, None, None, now())), (Task::Join, RoomError::Malformed), "{bad:?}");
    }
    assert_eq!(failure(&witch.rooms.join(&ROOM.into(), "x", Some("\u{1}"), None, now())), (Task::Join, RoomError::Malformed));
}

#[test]
fn a_new_room_that_cannot_be_configured_does_not_stay() {
    let mut witch = Witch::new();
    let turn = witch.rooms.create(&ROOM.into(), "thirdwitch", RoomConfig::default(), now());
    assert_eq!(turn.send[0].name(), "presence");
    let turn = witch.presence("thirdwitch", "", "<item affiliation='owner' role='moderator'/><status code='110'/><status code='201'/>", "");
    let turn = witch.error(&turn.send[0], "forbidden");
    assert!(String::from(&turn.send[0]).contains("cancel") && turn.send[1].attr("type") == Some("unavailable"));
    assert!(matches!(turn.news[..], [RoomNews::Failed { task: Task::Create, .. }]));
    assert!(!witch.rooms.contains(&ROOM.into()));
}

#[test]
fn invitations_are_told_once_and_hide_nothing() {
    let mut witch = Witch::new();
    // XEP-0045 example 54 and XEP-0249 example 1
    let mediated = format!(
        "<message from='{ROOM}' to='{ME}'><x xmlns='http://jabber.org/protocol/muc#user'><invite from='{CRONE}/desktop'><reason>Hey</reason></invite>\
         <password>cauldronburn</password></x></message>"
    );
    let direct = format!("<message from='{CRONE}/desktop' to='{ME}'><x xmlns='jabber:x:conference' jid='{ROOM}' reason='Hey'/></message>");
    let turn = witch.message(&mediated).unwrap();
    let [RoomNews::Invited(invitation)] = &turn.news[..] else { panic!() };
    assert_eq!((invitation.by.as_ref().unwrap().as_str(), invitation.password.as_deref(), invitation.direct), (CRONE, Some("cauldronburn"), false));
    assert!(witch.message(&direct).unwrap().news.is_empty());
    let decline = String::from(&witch.rooms.decline(invitation, "no").send[0]);
    assert!(decline.contains(CRONE) && decline.contains("decline"));
    let other = direct.replace(CRONE, "eve@x.lit");
    let turn = witch.message(&other).unwrap();
    assert!(matches!(&turn.news[..], [RoomNews::Invited(invitation)] if invitation.direct) && !turn.more);
    // words beside an invitation are a message
    let more = direct.replace("<x ", "<encrypted xmlns='urn:xmpp:omemo:2'/><x ");
    assert!(witch.message(&more).unwrap().more);
    assert_eq!(witch.mapping.message(&element(&more), now()).inputs.len(), 1);
    assert!(witch.mapping.message(&element(&direct), now()).inputs.is_empty());
    // into where we are, and to nowhere
    let mut witch = Witch::joined(&ALL);
    assert!(witch.message(&direct).unwrap().news.is_empty());
    assert!(witch.message(&direct.replace(ROOM, "a@b@c")).is_none());
}

#[test]
fn nobody_in_a_room_is_anybody_outside() {
    let mut witch = Witch::joined(&ALL);
    let private = format!("<message xmlns='jabber:client' type='chat' from='{ROOM}/firstwitch' to='{ME}/pda'><body>psst</body></message>");
    let is_private = |turn: RoomTurn| matches!(&turn.news[..], [RoomNews::Private { nick, .. }] if nick == "firstwitch") && turn.inputs.is_empty();
    assert!(is_private(witch.message(&private).unwrap()));
    // copied by our server, also of a room where another device of ours is
    let copy = |inner: &str, by: &str| {
        format!(
            "<message from='{by}'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded></received></message>"
        )
    };
    assert!(is_private(witch.message(&copy(&private, ME)).unwrap()));
    let elsewhere = private.replace("coven", "heath").replace("<body>", "<x xmlns='http://jabber.org/protocol/muc#user'/><body>");
    assert!(is_private(witch.message(&copy(&elsewhere, ME)).unwrap()));
    assert!(witch.message(&copy(&private, "eve@x.lit")).is_none());
    // of rooms that we are not in nothing counts
    let said = "<message type='groupchat' from='heath@chat.shakespeare.lit/x'><body>x</body></message>";
    assert!(witch.message(said).is_none());
    let presence =
        element("<presence from='heath@chat.shakespeare.lit/x'><x xmlns='http://jabber.org/protocol/muc#user'><status code='110'/></x></presence>");
    assert!(witch.rooms.presence(&presence, now()).is_none());
}

#[test]
fn answers_count_from_whom_was_asked() {
    let mut witch = Witch::new();
    let question = witch.rooms.join(&ROOM.into(), "thirdwitch", None, None, now()).send.remove(0);
    let id = question.attr("id").unwrap();
    for from in [format!("from='{ROOM}/firstwitch'"), "from='eve@x.lit'".into(), String::new(), format!("from='{ME}'")] {
        let answer = element(&format!("<iq type='result' id='{id}' {from}>{}</iq>", info(&ALL)));
        assert!(witch.rooms.iq(&answer, now()).is_none(), "{from}");
    }
    assert!(witch.answer_as(&question, "get", "").is_none());
    assert!(witch.answer_as(&question, "result", &info(&ALL)).is_some());
    assert!(witch.answer_as(&question, "result", &info(&ALL)).is_none(), "once");
}

#[test]
fn a_hostile_room_makes_nothing_grow_for_ever() {
    let mut witch = Witch::joined(&ALL);
    for n in 0..12_000 {
        witch.presence(&format!("n{n}"), "", &format!("<item affiliation='none' role='visitor' jid='v{n}@x.lit/r'/>"), &format!("id='o{n}'"));
    }
    assert_eq!(witch.rooms.occupants(&ROOM.into()).count(), 10_000);
    let long = "x".repeat(100_000);
    let subject = format!("<message type='groupchat' from='{ROOM}/firstwitch'><subject>{long}</subject></message>");
    assert!(matches!(&witch.message(&subject).unwrap().news[..], [RoomNews::Subject { text, .. }] if text.len() == 4096));
    let reason = format!("<x xmlns='http://jabber.org/protocol/muc#user'><invite from='{CRONE}'><reason>{long}</reason></invite></x>");
    let invited = witch.message(&format!("<message from='heath@chat.shakespeare.lit'>{reason}</message>")).unwrap();
    assert!(matches!(&invited.news[..], [RoomNews::Invited(invitation)] if invitation.reason.len() == 1024));
    let mut witch = Witch::new();
    for n in 0..1001 {
        let turn = witch.rooms.join(&format!("r{n}@x.lit").as_str().into(), "n", None, None, now());
        assert_eq!(turn.news.is_empty(), n < 1000);
    }
}

#[test]
fn passwords_are_not_shown() {
    let mut witch = Witch::new();
    let turn = witch.rooms.join(&ROOM.into(), "thirdwitch", Some("hunter2"), None, now());
    let said = format!("{:?} {:#?} {turn:?}", witch.rooms, witch.rooms);
    assert!(!said.contains("hunter2"));
    let mediated = format!(
        "<message from='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'><invite from='{CRONE}'/><password>hunter2</password></x></message>"
    );
    assert!(!format!("{:?}", witch.message(&mediated).unwrap()).contains("hunter2"));
}

#[test]
fn who_is_brought_in_while_away_is_a_member_at_once() {
    let mut witch = Witch::joined(&ALL);
    let turn = witch.rooms.invite(&ROOM.into(), &"hecate@shakespeare.lit".into(), "Come", now());
    let admit = String::from(&turn.send[0]);
    assert!(admit.contains("affiliation='member'") && !admit.contains("Come"));
    // rooms need not say so of those who are away
    let turn = witch.answer(&turn.send[0], "");
    assert!(members(&turn).contains(&"hecate@shakespeare.lit"));
    let [through, to] = turn.send.as_slice() else { panic!("{turn:?}") };
    assert_eq!((through.attr("to"), to.attr("to")), (Some(ROOM), Some("hecate@shakespeare.lit")));
    // the owner is not made a member
    let turn = witch.rooms.invite(&ROOM.into(), &CRONE.into(), "", now());
    assert!(turn.send.iter().all(|stanza| stanza.name() == "message"));
    // where only the room may do it, it is asked
    let turn = witch.rooms.invite(&ROOM.into(), &"eve@x.lit".into(), "", now());
    let turn = witch.error(&turn.send[0], "forbidden");
    assert_eq!((turn.send.len(), turn.send[0].attr("to")), (1, Some(ROOM)));
    let bounced = element(&format!(
        "<message type='error' from='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='eve@x.lit'/></x>{}</message>",
        error("forbidden")
    ));
    let turn = witch.rooms.message(&bounced, &mut witch.mapping, now()).unwrap();
    assert_eq!(failure(&turn), (Task::Invite, RoomError::NotAllowed));
    // Prosody says only which stanza it was; nobody else can say so, and nobody twice
    let turn = witch.rooms.invite(&ROOM.into(), &"eve@x.lit".into(), "", now());
    let turn = witch.error(&turn.send[0], "forbidden");
    let id = turn.send[0].attr("id").unwrap();
    let refused = |from: &str| element(&format!("<message type='error' from='{from}' id='{id}'>{}</message>", error("forbidden")));
    let elsewhere = witch.rooms.message(&refused("heath@chat.shakespeare.lit"), &mut witch.mapping, now());
    assert!(elsewhere.is_none());
    let turn = witch.rooms.message(&refused(ROOM), &mut witch.mapping, now()).unwrap();
    let [RoomNews::Failed { task: Task::Invite, who, why: RoomError::NotAllowed, .. }] = &turn.news[..] else { panic!("{turn:?}") };
    assert_eq!(who.as_ref().unwrap().as_str(), "eve@x.lit");
    let turn = witch.rooms.message(&refused(ROOM), &mut witch.mapping, now()).unwrap();
    assert!(matches!(&turn.news[..], [RoomNews::Bounced(_)]), "{turn:?}");
}
