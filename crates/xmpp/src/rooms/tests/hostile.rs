//! Whatever comes, in whatever order: no panic, nothing of a room that was not entered, nobody's words in the mouth of somebody the room did
//! not show, and never much to send.
use super::*;
use proptest::prelude::*;

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(from)
}
fn address() -> impl Strategy<Value = &'static str> {
    pick(&[
        ROOM,
        "coven@chat.shakespeare.lit/firstwitch",
        "coven@chat.shakespeare.lit/thirdwitch",
        "coven@chat.shakespeare.lit/🦀",
        "heath@chat.shakespeare.lit",
        "heath@chat.shakespeare.lit/x",
        "chat.shakespeare.lit",
        ME,
        "eve@x.lit/r",
        "a@b@c",
        "",
    ])
}
fn says() -> impl Strategy<Value = String> {
    let status = pick(&["100", "101", "104", "110", "172", "173", "201", "210", "301", "303", "307", "321", "322", "332", "333", "x"])
        .prop_map(|code| format!("<status code='{code}'/>"));
    let item = (pick(&["owner", "admin", "member", "none", "outcast", "x"]), pick(&["moderator", "participant", "none"]), address(), address())
        .prop_map(|(affiliation, role, jid, nick)| format!("<item affiliation='{affiliation}' role='{role}' jid='{jid}' nick='{nick}'/>"));
    let other = prop_oneof![
        address().prop_map(|jid| format!("<destroy jid='{jid}'><reason>r</reason></destroy>")),
        address().prop_map(|jid| format!("<invite from='{jid}' to='{jid}'/>")),
        address().prop_map(|jid| format!("<decline from='{jid}'/>")),
    ];
    prop::collection::vec(prop_oneof![3 => status, 3 => item, 1 => other], 0..4)
        .prop_map(|all| format!("<x xmlns='http://jabber.org/protocol/muc#user'>{}</x>", all.concat()))
}
fn children() -> impl Strategy<Value = String> {
    let other = pick(&[
        "<body>x</body>",
        "<subject>s</subject>",
        "<encrypted xmlns='urn:xmpp:omemo:2'/>",
        "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o-crone'/>",
        "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='o-eve'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' id='s' by='coven@chat.shakespeare.lit'/>",
        "<delay xmlns='urn:xmpp:delay' from='coven@chat.shakespeare.lit' stamp='2002-10-13T23:58:37Z'/>",
        "<retract xmlns='urn:xmpp:message-retract:1' id='s'><moderated xmlns='urn:xmpp:message-moderate:1' by='@'/></retract>",
        "<x xmlns='jabber:x:conference' jid='coven@chat.shakespeare.lit'/>",
        "<x xmlns='vcard-temp:x:update'><photo>nonsense</photo></x>",
        "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member' jid='eve@x.lit'/><item/></query>",
        "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data'/></query>",
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='conference'/><feature var='http://jabber.org/protocol/muc'/></query>",
        "<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
        "<error type='cancel'><conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
        "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:heath@chat.shakespeare.lit?join</gone></error>",
        "<error/>",
    ])
    .prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![2 => says(), 3 => other], 0..4).prop_map(|all| all.concat())
}
/// A stanza; of answers a number: to which of the open questions.
fn came() -> impl Strategy<Value = (String, Option<usize>)> {
    let kind = pick(&["", "type='groupchat'", "type='chat'", "type='error'", "type='unavailable'", "type='result'", "type='normal'"]);
    (pick(&["message", "presence", "iq"]), address(), kind, children(), any::<usize>()).prop_map(|(name, from, kind, children, at)| {
        let id = if name == "iq" { "@ID@" } else { "m" };
        (format!("<{name} from='{from}' id='{id}' {kind}>{children}</{name}>"), (name == "iq").then_some(at))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn nothing_that_comes_does_harm(all in prop::collection::vec(came(), 1..30), later in 0..100_000_000u64) {
        let mut witch = Witch::joined(&ALL);
        let mut open = true;
        let mut shown = vec![ROOM.to_owned(), ME.to_owned(), CRONE.to_owned()];
        for (xml, answers) in all {
            let ids: Vec<String> = witch.rooms.open.keys().cloned().collect();
            let id = answers.and_then(|at| ids.get(at.checked_rem(ids.len())?)).map_or("none", String::as_str);
            let stanza = element(&xml.replace("@ID@", id));
            let turn = match stanza.name() {
                "message" => witch.message(&String::from(&stanza)),
                "presence" => witch.rooms.presence(&stanza, now()),
                _ => witch.rooms.iq(&stanza, now()),
            };
            if stanza.name() == "presence" {
                shown.extend(witch.rooms.occupants(&ROOM.into()).filter_map(|occupant| Some(occupant.who.as_ref()?.to_string())));
            }
            let Some(turn) = turn else { continue };
            prop_assert!(turn.send.len() <= 5);
            for input in turn.inputs {
                match input {
                    Input::Receive { chat, from, .. } => prop_assert!(chat.0.as_str() == ROOM && shown.iter().any(|who| who == from.as_str())),
                    Input::Room(chat, members) => {
                        prop_assert_eq!(chat.0.as_str(), ROOM);
                        open = members.is_some();
                    }
                    Input::RoomUnknown(chat) => {
                        prop_assert_eq!(chat.0.as_str(), ROOM);
                        open = false;
                    }
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            prop_assert!(!open || witch.rooms.is_joined(&ROOM.into()), "nothing is encrypted for members of before");
            for news in turn.news {
                if let RoomNews::Moderated { .. } = news {
                    prop_assert_eq!(stanza.attr("from"), Some(ROOM));
                }
            }
            prop_assert!(witch.rooms.open.len() <= 16);
        }
        // and time goes on
        let at = Time(now().0.saturating_add(later));
        prop_assert!(witch.rooms.tick(at).send.len() <= 5);
        let again = witch.rooms.online(false, at);
        prop_assert!(again.send.len() <= 1);
    }
}
