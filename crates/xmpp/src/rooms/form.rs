//! What a room says about itself (XEP-0045 §6.4), and the form that a new one is configured with (§10.1.3; XEP-0004).
use super::news::{About, RoomConfig};
use super::text_of;
use crate::ns;
use crate::xml::build;
use minidom::Element;

const ROOM_CONFIG: &str = "http://jabber.org/protocol/muc#roomconfig";
const ROOM_INFO: &str = "http://jabber.org/protocol/muc#roominfo";
/// Characters of a room's name and description; the rest is cut.
const MAX_NAME: usize = 256;
const MAX_DESCRIPTION: usize = 1024;

/// From an answer of disco#info. `None`: it is no room.
pub(super) fn about(query: &Element) -> Option<About> {
    let children = || query.children().filter(|c| c.has_ns(ns::DISCO_INFO));
    let has = |feature: &str| children().any(|c| c.name() == "feature" && c.attr("var") == Some(feature));
    let identity = children().find(|c| c.name() == "identity" && c.attr("category") == Some("conference"))?;
    if !has(ns::MUC) {
        return None;
    }
    let info = query.children().find(|form| form.is("x", ns::DATA) && value(form, "FORM_TYPE").as_deref() == Some(ROOM_INFO));
    let field = |name: &str| info.and_then(|form| value(form, name)).unwrap_or_default();
    let avatar = field("muc#roominfo_avatarhash").to_ascii_lowercase();
    Some(About {
        name: cut(identity.attr("name").unwrap_or_default(), MAX_NAME),
        description: cut(&field("muc#roominfo_description"), MAX_DESCRIPTION),
        non_anonymous: has("muc_nonanonymous"),
        members_only: has("muc_membersonly"),
        persistent: has("muc_persistent"),
        occupant_ids: has(ns::OCCUPANT_ID),
        stanza_ids: has(ns::SID),
        archive: has(ns::MAM),
        moderation: has(ns::MODERATE),
        avatar: (avatar.len() == 40 && avatar.bytes().all(|b| b.is_ascii_hexdigit())).then_some(avatar),
    })
}
/// The first value of a field of a form.
fn value(form: &Element, name: &str) -> Option<String> {
    let field = form.children().find(|c| c.is("field", ns::DATA) && c.attr("var") == Some(name))?;
    Some(text_of(field, "value", ns::DATA))
}
pub(super) fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// The form of a new room, filled in. Fields that it does not have are left out: whether the room is as it must be, it says afterwards.
pub(super) fn filled(form: &Element, config: &RoomConfig) -> Element {
    let wanted: [(&str, &[&str]); 12] = [
        ("muc#roomconfig_roomname", &[&config.name]),
        ("muc#roomconfig_roomdesc", &[&config.description]),
        ("muc#roomconfig_membersonly", &["1"]),
        ("muc#roomconfig_whois", &["anyone"]),
        ("muc#roomconfig_persistentroom", &["1"]),
        ("muc#roomconfig_publicroom", &["0"]),
        ("muc#roomconfig_moderatedroom", &["0"]),
        ("muc#roomconfig_passwordprotectedroom", &["0"]),
        ("muc#roomconfig_enablelogging", &["0"]),
        ("muc#roomconfig_getmemberlist", &["moderator", "participant", "visitor"]),
        ("muc#roomconfig_enablearchiving", &["1"]), // Prosody
        ("mam", &["1"]),                            // ejabberd
    ];
    let has = |name: &str| form.children().any(|c| c.is("field", ns::DATA) && c.attr("var") == Some(name));
    let field = |name: &str, values: &[&str]| {
        let values = values.iter().map(|value| build("value", ns::DATA).text(value).end());
        build("field", ns::DATA).attr("var", name).children(values).end()
    };
    let fields = wanted.into_iter().filter(|(name, _)| has(name)).map(|(name, values)| field(name, values));
    let kind = field("FORM_TYPE", &[ROOM_CONFIG]);
    build("x", ns::DATA).attr("type", "submit").child(kind).children(fields).end()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn element(xml: &str) -> Element {
        crate::xml::parse_run(xml.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn a_room_says_what_it_is() {
        // XEP-0045 example 9 and XEP-0486 example 4, together
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='conference' name='A Dark Cave' type='text'/>\
            <feature var='http://jabber.org/protocol/muc'/><feature var='muc_membersonly'/><feature var='muc_nonanonymous'/>\
            <feature var='urn:xmpp:sid:0'/><x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>\
            <value>http://jabber.org/protocol/muc#roominfo</value></field><field var='muc#roominfo_description'><value>The place for witches</value>\
            </field><field var='muc#roominfo_avatarhash'><value>A31C4BD04DE69663CFD7F424A8453F4674DA37FF</value></field></x></query>";
        let about = about(&element(info)).unwrap();
        assert_eq!((about.name.as_str(), about.description.as_str()), ("A Dark Cave", "The place for witches"));
        assert!(about.members_only && about.non_anonymous && about.stanza_ids);
        assert!(!about.persistent && !about.occupant_ids && !about.archive);
        assert_eq!(about.avatar.as_deref(), Some("a31c4bd04de69663cfd7f424a8453f4674da37ff"));
    }

    #[test]
    fn a_person_is_no_room_and_long_names_are_cut() {
        let info = |identity: &str, name: &str| {
            about(&element(&format!(
                "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='{identity}' name='{name}'/>\
                 <feature var='http://jabber.org/protocol/muc'/><x xmlns='jabber:x:data'><field var='FORM_TYPE'>\
                 <value>http://jabber.org/protocol/muc#roominfo</value></field><field var='muc#roominfo_avatarhash'><value>../x</value></field></x></query>"
            )))
        };
        assert_eq!(info("client", "x"), None);
        let about = info("conference", &"é".repeat(5000)).unwrap();
        assert_eq!((about.name.chars().count(), about.avatar), (256, None));
    }

    #[test]
    fn only_fields_that_the_form_has_are_filled_in() {
        let form = element(
            "<x xmlns='jabber:x:data' type='form'><field var='muc#roomconfig_whois'/><field var='muc#roomconfig_membersonly'/>\
             <field var='muc#roomconfig_roomname'/><field var='muc#roomconfig_roomsecret'/></x>",
        );
        let filled = filled(&form, &RoomConfig { name: "Coven".into(), description: "d".into() });
        let of = |name: &str| value(&filled, name);
        assert_eq!(of("FORM_TYPE").as_deref(), Some(ROOM_CONFIG));
        assert_eq!((of("muc#roomconfig_whois").as_deref(), of("muc#roomconfig_membersonly").as_deref()), (Some("anyone"), Some("1")));
        assert_eq!(of("muc#roomconfig_roomname").as_deref(), Some("Coven"));
        assert_eq!(filled.children().count(), 4);
    }
}
