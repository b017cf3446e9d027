#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects)]
use super::*;
use crate::xml::{parse_run, to_bytes};
use proptest::prelude::*;

const ME: &str = "juliet@capulet.lit";
const ROOM: &str = "coven@chat.shakespeare.lit";
const NOW: Time = Time(1_700_000_000_000);

fn stanza(xml: &str) -> Element {
    parse_run(xml.as_bytes()).unwrap().remove(0)
}
fn text(element: &Element) -> String {
    String::from_utf8(to_bytes(element).unwrap()).unwrap().replace('"', "'")
}
fn account() -> Archive {
    Archive::of_account(ME.into(), "salt")
}
fn asked(archive: &mut Archive, query: Query) -> (Element, String) {
    let iq = archive.ask(query, NOW);
    let id = iq.attr("id").unwrap().to_owned();
    (iq, id)
}
fn result_of(from: &str, query_id: &str, id: &str, inner: &str) -> Element {
    stanza(&format!(
        "<message id='m' {from}><result xmlns='urn:xmpp:mam:2' queryid='{query_id}' id='{id}'><forwarded xmlns='urn:xmpp:forward:0'>\
         <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>{inner}</forwarded></result></message>"
    ))
}
const INNER: &str = "<message xmlns='jabber:client' from='witch@shakespeare.lit' to='macbeth@shakespeare.lit'><body>Hail to thee</body></message>";
fn result(query_id: &str, id: &str) -> Element {
    result_of("", query_id, id, INNER)
}
fn fin(id: &str, attributes: &str, set: &str) -> Element {
    stanza(&format!(
        "<iq type='result' id='{id}'><fin xmlns='urn:xmpp:mam:2' {attributes}><set xmlns='http://jabber.org/protocol/rsm'>{set}</set></fin></iq>"
    ))
}
fn failed(id: &str, condition: &str) -> Element {
    stanza(&format!("<iq type='error' id='{id}'><error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"))
}

#[test]
fn queries_are_written_as_the_specification_has_them() {
    let of = |query: Query| text(&query.element("f27"));
    let value = |name: &str, value: &str| format!("<field var='{name}'><value>{value}</value></field>");
    let all = of(Query::all());
    assert!(all.starts_with("<query xmlns='urn:xmpp:mam:2' queryid='f27'><x xmlns='jabber:x:data' type='submit'>"), "{all}");
    assert!(all.contains("<value>urn:xmpp:mam:2</value>") && all.contains("<max>50</max>") && !all.contains("before"), "{all}");
    let after = of(Query::after("09af3-cc343-b409f").page(10));
    assert!(after.contains("<set xmlns='http://jabber.org/protocol/rsm'><max>10</max><after>09af3-cc343-b409f</after></set>"), "{after}");
    let since = of(Query::since(Time(1_281_139_200_123)).with("juliet@capulet.lit".into()));
    assert!(since.contains(&value("start", "2010-08-07T00:00:00.123Z")) && since.contains(&value("with", "juliet@capulet.lit")), "{since}");
    assert!(of(Query::latest()).contains("<before/>") && of(Query::before("a<b")).contains("<before>a&lt;b</before>"));
    let these = of(Query::these(["1".into(), "2".into()]));
    assert!(these.contains("<field var='ids'><value>1</value><value>2</value></field>"), "{these}");
    assert!(of(Query::all().page(0)).contains("<max>1</max>") && of(Query::all().page(u16::MAX)).contains("<max>500</max>"));

    let (iq, id) = asked(&mut account(), Query::all());
    assert_eq!((iq.attr("type"), iq.attr("to")), (Some("set"), None));
    assert!(id.contains("salt") && iq.get_child("query", ns::MAM).unwrap().attr("queryid") == Some(&id));
    assert_eq!(asked(&mut Archive::of_room(ROOM.into(), "s"), Query::all()).0.attr("to"), Some(ROOM));
}

#[test]
fn pages_lead_forwards_to_the_end() {
    let mut archive = account();
    let (_, id) = asked(&mut archive, Query::after("0").page(2).with("a@x".into()));
    let archived = archive.result(&result(&id, "1"), NOW).unwrap();
    assert_eq!((archived.at.by.as_str(), archived.at.id.as_str(), archived.stamp), (ME, "1", Some(Time(1_278_803_305_000))));
    assert_eq!(archived.stanza.get_child("body", ns::CLIENT).unwrap().text(), "Hail to thee");
    assert!(archive.result(&result(&id, "2"), NOW).is_some());
    let set = "<first index='0'>1</first><last>2</last><count>20</count>";
    let Finished { complete, position, count, total, next } = archive.finished(&fin(&id, "", set)).unwrap().unwrap();
    assert_eq!((complete, position.as_deref(), count, total), (false, Some("2"), 2, Some(20)));
    assert_eq!(next, Some(Query::after("2").page(2).with("a@x".into())));
    let (_, id) = asked(&mut archive, next.unwrap());
    assert!(archive.result(&result(&id, "3"), NOW).is_some());
    let last = archive.finished(&fin(&id, "complete='true'", "<first>3</first><last>3</last>")).unwrap().unwrap();
    assert_eq!((last.complete, last.position.as_deref(), last.next), (true, Some("3"), None));
    // nothing new: the position stays
    let (_, id) = asked(&mut archive, Query::after("3"));
    let none = archive.finished(&fin(&id, "complete='1'", "<count>0</count>")).unwrap().unwrap();
    assert_eq!((none.complete, none.position, none.count, none.total), (true, None, 0, Some(0)));
    assert_eq!(archive.refused(), 0);
}

#[test]
fn pages_lead_backwards_to_the_beginning() {
    let mut archive = Archive::of_room(ROOM.into(), "s");
    let from = format!("from='{ROOM}'");
    let (_, id) = asked(&mut archive, Query::latest().page(2));
    for n in ["8", "9"] {
        assert!(archive.result(&result_of(&from, &id, n, INNER), NOW).is_some());
    }
    let mut end = fin(&id, "", "<first>8</first><last>9</last>");
    assert!(archive.finished(&end).is_none(), "a room says who it is");
    crate::xml::set(&mut end, "from", ROOM);
    let finished = archive.finished(&end).unwrap().unwrap();
    assert_eq!((finished.position.as_deref(), finished.next), (Some("8"), Some(Query::before("8").page(2))));
}

#[test]
fn results_count_only_from_the_archive_under_the_open_query_and_once() {
    let mut archive = account();
    assert!(archive.result(&result("f27", "1"), NOW).is_none(), "nothing is asked");
    let (_, id) = asked(&mut archive, Query::after("0"));
    let mut refused = 1;
    let sealed = |inner: &str| format!("<message xmlns='jabber:client' from='e@x'>{inner}<body>x</body></message>");
    let inside = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'><body>x</body></message></forwarded>";
    for bad in [
        result_of("from='eve@capulet.lit'", &id, "1", INNER),
        result_of("from='juliet@capulet.lit/balcony'", &id, "1", INNER),
        result_of("from='capulet.lit'", &id, "1", INNER),
        result("other", "1"),
        result("", "1"),
        result(&id, ""),
        result(&id, &"x".repeat(2000)),
        result(&id, "0"),
        result_of("", &id, "1", &sealed(&format!("<sent xmlns='urn:xmpp:carbons:2'>{inside}</sent>"))),
        result_of("", &id, "1", &sealed(&format!("<received xmlns='urn:xmpp:carbons:2'>{inside}</received>"))),
        result_of("", &id, "1", &sealed(&format!("<result xmlns='urn:xmpp:mam:2' queryid='{id}' id='7'>{inside}</result>"))),
        result_of("", &id, "1", &sealed("<event xmlns='http://jabber.org/protocol/pubsub#event'/>")),
        stanza(&format!("<message><result xmlns='urn:xmpp:mam:2' queryid='{id}' id='1'/></message>")),
    ] {
        assert!(archive.result(&bad, NOW).is_none(), "{}", text(&bad));
        refused += 1;
        assert_eq!(archive.refused(), refused, "{}", text(&bad));
    }
    // two in one, of which somebody may look at the other
    let mut two = result(&id, "1");
    two.append_child(result(&id, "2").children().next().unwrap().clone());
    assert!(archive.result(&two, NOW).is_none());
    // another archive's are nothing to this one
    assert!(archive.result(&result_of(&format!("from='{ROOM}'"), "other", "1", INNER), NOW).is_none());
    assert_eq!(archive.refused(), refused + 1);

    assert!(archive.result(&result_of("from='juliet@capulet.lit'", &id, "1", INNER), NOW).is_some());
    assert!(archive.result(&result(&id, "1"), NOW).is_none() && archive.refused() == refused + 2);
    // its place is kept and the message gone (§3.2)
    assert!(archive.result(&result_of("", &id, "2", ""), NOW).is_none() && archive.refused() == refused + 2);
    assert_eq!(archive.finished(&fin(&id, "complete='true'", "")).unwrap().unwrap().position.as_deref(), Some("2"));
    assert!(archive.result(&result(&id, "3"), NOW).is_none(), "it is over");
}

#[test]
fn a_page_ends_by_its_own_answer_only() {
    let mut archive = account();
    let (_, id) = asked(&mut archive, Query::all());
    let mut end = fin(&id, "complete='true'", "");
    for from in ["eve@capulet.lit", ROOM, "juliet@capulet.lit/balcony"] {
        crate::xml::set(&mut end, "from", from);
        assert!(archive.finished(&end).is_none(), "{from}");
    }
    assert!(archive.finished(&fin("other", "complete='true'", "")).is_none() && archive.is_open());
    crate::xml::set(&mut end, "from", ME);
    assert!(archive.finished(&end).unwrap().is_ok() && archive.finished(&end).is_none());
}

#[test]
fn a_page_that_leads_nowhere_is_an_error() {
    for (set, query) in [("", Query::all()), ("<last>1</last>", Query::after("1")), ("<first>1</first>", Query::before("1"))] {
        let mut archive = account();
        let (_, id) = asked(&mut archive, query);
        assert_eq!(archive.finished(&fin(&id, "", set)), Some(Err(ArchiveError::Malformed)), "{set}");
    }
    let mut archive = account();
    let (_, id) = asked(&mut archive, Query::all());
    assert_eq!(archive.finished(&stanza(&format!("<iq type='result' id='{id}'/>"))), Some(Err(ArchiveError::Malformed)));
}

#[test]
fn what_was_lost_on_the_way_is_asked_for_again() {
    let mut archive = account();
    let (_, id) = asked(&mut archive, Query::all());
    archive.result(&result(&id, "1"), NOW).unwrap();
    let finished = archive.finished(&fin(&id, "", "<first>1</first><last>3</last>")).unwrap().unwrap();
    assert_eq!(finished.next, Some(Query::after("1")));
    // nothing of a page came: on behind it
    let (_, id) = asked(&mut archive, finished.next.unwrap());
    assert_eq!(archive.finished(&fin(&id, "", "<last>3</last>")).unwrap().unwrap().next, Some(Query::after("3")));
}

#[test]
fn an_archive_that_gives_more_than_is_taken_is_not_complete() {
    let mut archive = account();
    let (_, id) = asked(&mut archive, Query::all());
    let taken = (0..510).filter(|n| archive.result(&result(&id, &n.to_string()), NOW).is_some()).count();
    assert_eq!((taken, archive.refused()), (500, 10));
    let finished = archive.finished(&fin(&id, "complete='true'", "<last>509</last>")).unwrap().unwrap();
    assert_eq!((finished.complete, finished.next), (false, Some(Query::after("499"))));
}

#[test]
fn errors_are_told_apart() {
    for (condition, error) in [
        ("item-not-found", ArchiveError::Gone),
        ("forbidden", ArchiveError::Forbidden),
        ("not-allowed", ArchiveError::Forbidden),
        ("service-unavailable", ArchiveError::Unavailable),
        ("feature-not-implemented", ArchiveError::Unavailable),
        ("internal-server-error", ArchiveError::Busy),
        ("bad-request", ArchiveError::Refused),
    ] {
        let mut archive = account();
        let (_, id) = asked(&mut archive, Query::after("1"));
        assert_eq!(archive.finished(&failed(&id, condition)), Some(Err(error)), "{condition}");
        assert!(error.code().starts_with("archive.") && !error.to_string().is_empty());
    }
}

#[test]
fn silence_ends_a_page_and_results_are_none() {
    let mut archive = account();
    let (_, id) = asked(&mut archive, Query::all());
    let end = archive.wake_at().unwrap();
    let later = Time(end.0 - 1);
    assert!(archive.expire(later).is_none() && archive.result(&result(&id, "1"), later).is_some());
    assert!(archive.expire(end).is_none());
    let end = archive.wake_at().unwrap();
    assert_eq!((archive.expire(end), archive.expire(end), archive.wake_at()), (Some(ArchiveError::Busy), None, None));
    let (_, id) = asked(&mut archive, Query::all());
    archive.clear();
    assert!(archive.finished(&fin(&id, "complete='true'", "")).is_none());
}

#[test]
fn an_archive_tells_where_it_begins_and_ends() {
    let of = |inner: &str| {
        let mut archive = account();
        let iq = archive.ask_extent();
        assert!(text(&iq).contains("<metadata xmlns='urn:xmpp:mam:2'/>") && iq.attr("type") == Some("get"));
        let id = iq.attr("id").unwrap();
        let answer = stanza(&format!("<iq type='result' id='{id}'><metadata xmlns='urn:xmpp:mam:2'>{inner}</metadata></iq>"));
        assert!(archive.finished(&answer).is_none());
        archive.extent(&answer).unwrap()
    };
    let both = "<start id='YWxwaGEg' timestamp='2008-08-22T21:09:04Z'/><end id='b21lZ2Eg' timestamp='2020-04-20T14:34:21Z'/>";
    let [start, end] = of(both).unwrap().ends.unwrap();
    assert_eq!((start.0.as_str(), end.0.as_str(), start.1 < end.1), ("YWxwaGEg", "b21lZ2Eg", true));
    assert_eq!(of(""), Ok(Extent { ends: None }));
    assert_eq!(of("<start id='1' timestamp='x'/><end id='2' timestamp='y'/>"), Err(ArchiveError::Malformed));
}

proptest! {
    /// An archive of any size, read in pages of any size by a server that answers as it should: each message once, in order, and then the end.
    #[test]
    fn pages_of_any_size_bring_all_of_it_once(size in 0usize..120, page in 1u16..60, start in 0usize..120, backwards: bool) {
        let ids: Vec<String> = (0..size).map(|n| format!("id-{n}")).collect();
        let start = start.min(size);
        let mut archive = account();
        let mut query = match (start, backwards) {
            (0, false) => Query::all(),
            (n, false) => Query::after(ids[n - 1].clone()),
            (n, true) if n == size => Query::latest(),
            (n, true) => Query::before(ids[n].clone()),
        }.page(page);
        let mut rest = if backwards { &ids[..start] } else { &ids[start..] };
        let mut got = Vec::new();
        for _ in 0..=size {
            let (_, id) = asked(&mut archive, query);
            let many = rest.len().min(page.into());
            let now;
            (now, rest) = if backwards { let (a, b) = rest.split_at(rest.len() - many); (b, a) } else { rest.split_at(many) };
            let mut came: Vec<_> = now.iter().filter_map(|n| archive.result(&result(&id, n), NOW)).map(|a| a.at.id).collect();
            prop_assert_eq!(&came, now);
            if backwards { came.extend(got); got = came; } else { got.extend(came); }
            let set = now.first().map(|f| format!("<first>{f}</first><last>{}</last>", now[now.len() - 1])).unwrap_or_default();
            let finished = archive.finished(&fin(&id, if rest.is_empty() { "complete='true'" } else { "" }, &set)).unwrap().unwrap();
            match finished.next {
                Some(next) => query = next,
                None => { prop_assert!(rest.is_empty()); break }
            }
        }
        prop_assert_eq!(&got, if backwards { &ids[..start] } else { &ids[start..] });
    }
}
