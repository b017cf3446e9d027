//! Against a real Prosody 0.12.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs)]
mod common;

use common::{Client, NODE, clear, config, prosody, strangers};
use std::time::Duration;
use subrosa_engine::{Address, Input, Keep, Node, Request, RequestError};
use subrosa_interop::Proxy;
use subrosa_xmpp::{Config, ConnectError, Contact, ContactChange, Happening, Pin, Roots, Security, Subscription};

const ALICE: &str = "alice@localhost";
const BOB: &str = "bob@localhost";

fn node(owner: &str, item: Option<&str>) -> Node {
    Node { owner: Address::from(owner), name: NODE.into(), item: item.map(str::to_owned) }
}
fn publish(item: &str, keep: Keep, payload: &str) -> Request {
    Request::Publish { node: node(ALICE, Some(item)), keep, payload: payload.as_bytes().to_vec() }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_pass_by_every_way_in() {
    let Some(server) = prosody() else { return };
    let mut direct = config(&server, "bob");
    direct.host = Some((server.host.clone(), server.tls_port));
    direct.security = Security::DirectTls;
    let mut bob = Client::online(direct).await;
    for (i, config) in [config(&server, "alice"), clear(&server, "alice", server.port)].into_iter().enumerate() {
        let i = i as u64;
        let mut alice = Client::online(config).await;
        alice.send(i, BOB, "hello");
        alice.acknowledged(i).await;
        assert_eq!(bob.message().await.0, "hello");
        bob.send(i, ALICE, "hi");
        bob.acknowledged(i).await;
        assert_eq!(alice.message().await.0, "hi");
        alice.close().await;
    }
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_devices_see_copies() {
    let Some(server) = prosody() else { return };
    let mut bob = Client::online(config(&server, "bob")).await;
    let mut one = Client::online(config(&server, "alice")).await;
    let mut two = Client::online(config(&server, "alice")).await;
    tokio::time::sleep(Duration::from_millis(200)).await; // the server has switched the copies on
    one.send(1, BOB, "from one");
    assert_eq!(bob.message().await.0, "from one");
    let (from, chat) = two
        .until(|h| match h {
            Happening::Received { inputs, .. } => inputs.into_iter().find_map(|input| match input {
                Input::Receive { from, chat, .. } => Some((from, chat.0)),
                _ => None,
            }),
            _ => None,
        })
        .await;
    assert_eq!((from.as_str(), chat.as_str()), (ALICE, BOB));
    one.acknowledged(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_pushed_fetched_and_taken_back() {
    let Some(server) = prosody() else { return };
    let mut bob = Client::online(config(&server, "bob")).await;
    let mut alice = Client::online(config(&server, "alice")).await;
    assert_eq!(bob.ask(Request::Fetch(node(ALICE, None))).await.map(|items| items.len()), Err(RequestError::NotFound));
    for item in ["1", "2", "3"] {
        let payload = format!("<list xmlns='urn:example:p' n='{item}'/>");
        assert_eq!(alice.ask(publish(item, Keep::Many, &payload)).await, Ok(vec![]));
    }
    let (node_pushed, payload) = bob
        .until(|h| match h {
            Happening::Received { inputs, .. } => inputs.into_iter().find_map(|input| match input {
                Input::Published(node, payload) => Some((node, payload)),
                _ => None,
            }),
            _ => None,
        })
        .await;
    assert_eq!(node_pushed, node(ALICE, Some("1")));
    assert!(String::from_utf8(payload.unwrap()).unwrap().contains("urn:example:p"));
    let items = bob.ask(Request::Fetch(node(ALICE, None))).await.unwrap();
    let mut ids: Vec<_> = items.into_iter().filter_map(|i| i.id).collect();
    ids.sort();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(bob.ask(Request::Fetch(node(ALICE, Some("2")))).await.unwrap().len(), 1);
    assert!(matches!(bob.ask(Request::Delete(node(ALICE, Some("2")))).await, Err(RequestError::Forbidden)));
    assert_eq!(alice.ask(Request::Delete(node(ALICE, Some("2")))).await, Ok(vec![]));
    assert_eq!(alice.ask(Request::Delete(node(ALICE, Some("2")))).await, Ok(vec![]));
    assert_eq!(bob.ask(Request::Fetch(node(ALICE, None))).await.unwrap().len(), 2);
    assert_eq!(alice.ask(Request::Delete(node(ALICE, None))).await, Ok(vec![]));
    assert_eq!(bob.ask(Request::Fetch(node(ALICE, None))).await, Err(RequestError::NotFound));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_other_options_is_repaired() {
    let Some(server) = prosody() else { return };
    let mut alice = Client::online(config(&server, "alice")).await;
    let mut bob = Client::online(config(&server, "bob")).await;
    // a node for one item, then one for many: Prosody says precondition-not-met
    assert_eq!(alice.ask(publish("a", Keep::One, "<x xmlns='urn:x'/>")).await, Ok(vec![]));
    for item in ["b", "c"] {
        assert_eq!(alice.ask(publish(item, Keep::Many, "<x xmlns='urn:x'/>")).await, Ok(vec![]));
    }
    assert!(bob.ask(Request::Fetch(node(ALICE, None))).await.unwrap().len() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_to_connect_are_told_at_once() {
    let Some(server) = prosody() else { return };
    let with = |password: &str| {
        let mut config = Config::new(ALICE, password, common::entity()).unwrap();
        config.host = Some((server.host.clone(), server.port));
        config.roots = Roots::Pem(std::fs::read(server.ca_file()).unwrap());
        config
    };
    assert_eq!(Client::start(with("wrong")).failure().await, ConnectError::Password { account: ALICE.into() });

    let mut unknown = with("pw-alice");
    let key = rcgen::KeyPair::generate().unwrap();
    unknown.roots = Roots::Pem(rcgen::CertificateParams::new(vec!["other".into()]).unwrap().self_signed(&key).unwrap().pem().into_bytes());
    assert!(matches!(Client::start(unknown).failure().await, ConnectError::Certificate { .. }));

    let mut away = with("pw-alice");
    away.host = Some(("127.0.0.1".into(), 1));
    assert!(matches!(Client::start(away).failure().await, ConnectError::Unreachable { .. }));

    let mut far = with("pw-alice");
    far.security = Security::ClearLoopback;
    far.host = Some(("192.0.2.1".into(), 5222));
    assert_eq!(Client::start(far).failure().await, ConnectError::NotLoopback { host: "192.0.2.1".into() });

    let mut weaker = with("pw-alice");
    weaker.pin = Some("SCRAM-SHA-256-PLUS".parse::<Pin>().unwrap());
    assert!(matches!(Client::start(weaker).failure().await, ConnectError::Weaker { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_resumed_and_every_message_arrives_once() {
    let Some(server) = prosody() else { return };
    let proxy = Proxy::before(&server).unwrap();
    let mut alice = Client::online(clear(&server, "alice", proxy.port)).await;
    let mut bob = Client::online(clear(&server, "bob", server.port)).await;
    alice.send(1, BOB, "1");
    alice.acknowledged(1).await;
    for round in 0..3u64 {
        proxy.cut();
        for n in 0..5 {
            alice.send(10 * round + 10 + n, BOB, &format!("a{round}{n}"));
            bob.send(10 * round + 10 + n, ALICE, &format!("b{round}{n}"));
        }
        alice.until_online(true).await;
    }
    let mut got = Vec::new();
    for _ in 0..15 {
        got.push(alice.message().await.0);
    }
    let expected: Vec<String> = (0..3).flat_map(|r| (0..5).map(move |n| format!("b{r}{n}"))).collect();
    assert_eq!(got, expected);
    let mut got = Vec::new();
    for _ in 0..16 {
        got.push(bob.message().await.0);
    }
    assert_eq!(got[1..], (0..3).flat_map(|r| (0..5).map(move |n| format!("a{r}{n}"))).collect::<Vec<_>>());
    // nothing comes after them
    alice.send(99, BOB, "end");
    bob.send(99, ALICE, "end");
    assert_eq!((alice.message().await.0, bob.message().await.0), ("end".into(), "end".into()));
    alice.close().await;
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_and_lost_is_sent_again() {
    let Some(server) = prosody() else { return };
    let proxy = Proxy::before(&server).unwrap();
    let mut alice = Client::online(clear(&server, "alice", proxy.port)).await;
    let mut bob = Client::online(clear(&server, "bob", server.port)).await;
    proxy.hold();
    for n in 0..3 {
        alice.send(n, BOB, &n.to_string());
    }
    proxy.wait_for(3).unwrap();
    proxy.cut(); // what was held is lost
    proxy.release(|_| {}).ok();
    alice.until_online(true).await;
    proxy.release(|_| {}).ok();
    for n in 0..3 {
        alice.acknowledged(n).await;
        assert_eq!(bob.message().await.0, n.to_string());
    }
    alice.send(9, BOB, "end");
    assert_eq!(bob.message().await.0, "end");
}

/// A client that writes its stanzas by hand: logs in as bob, sends `stanzas`, ends.
fn write_raw(port: u16, stanzas: &[String]) {
    use base64::Engine as _;
    use std::io::{Read as _, Write as _};
    let mut tcp = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut read = String::new();
    let mut say = |text: &str, end: &str| {
        tcp.write_all(text.as_bytes()).unwrap();
        while !read.contains(end) {
            let mut buffer = [0; 65536];
            let count = tcp.read(&mut buffer).unwrap();
            assert!(count > 0, "no {end} in {read:.500}");
            read.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        read.clear();
    };
    let head = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' version='1.0'>";
    let plain = base64::engine::general_purpose::STANDARD.encode("\0bob\0pw-bob");
    say(head, "</stream:features>");
    say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>"), "<success");
    say(head, "</stream:features>");
    say("<iq type='set' id='bound'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "</iq>");
    for stanza in stanzas {
        // The server's parser (expat with its deferred reparsing, as in current Debian) looks at a large tag again only when
        // what it waits with has doubled: as many spaces make it look.
        let spaces = " ".repeat(stanza.len());
        say(&format!("{stanza}<iq type='get' id='end'><ping xmlns='urn:xmpp:ping'/></iq>{spaces}"), "'end'");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_of_a_contact_ends_the_stream() {
    let Some(server) = prosody() else { return };
    let proxy = Proxy::before(&server).unwrap();
    let mut alice = Client::online(clear(&server, "alice", proxy.port)).await;
    let message = |payload: String, text: &str| format!("<message type='chat' to='alice@localhost'>{payload}<body>{text}</body></message>");
    let long = "x".repeat(100_000);
    let many: String = (0..7_000).map(|n| format!(" a{n}='{n}'")).collect();
    let stanzas = vec![
        message(format!("<p xmlns='urn:x' a='{}'/>", "x".repeat(9000)), "an attribute"),
        message(format!("<p xmlns='urn:x' a='{long}'>{}</p>", "y".repeat(9000)), "a long attribute"),
        message(format!("<{long} xmlns='urn:x'/>"), "a long name"),
        message(format!("<p xmlns='{long}'/>"), "a long namespace"),
        message(format!("<p xmlns='urn:x' {long}='1'/>"), "a long name of an attribute"),
        message(format!("<p xmlns='urn:x' {many}/>"), "many attributes"),
        // as the server writes it, each quote has six bytes: larger than what is taken
        message(format!("<p xmlns='urn:x' a='{}'/>", "\"".repeat(100_000)), "too large"),
        message(format!("<p xmlns='urn:x'>{}{}</p>", "<a>".repeat(100), "</a>".repeat(100)), "too deep"),
        message(String::new(), "last"),
    ];
    let port = server.port;
    tokio::task::spawn_blocking(move || write_raw(port, &stanzas)).await.unwrap();
    for text in ["an attribute", "a long attribute", "a long name", "a long namespace", "a long name of an attribute", "many attributes", "last"] {
        assert_eq!(alice.message().await.0, text);
    }
    assert!(!alice.seen.iter().any(|seen| seen.contains("Offline")));
    // to the server they are handled: after a cut nothing of it comes again
    alice.send(1, BOB, "x");
    alice.acknowledged(1).await;
    proxy.cut();
    alice.until_online(true).await;
    let after = message(String::new(), "after");
    tokio::task::spawn_blocking(move || write_raw(port, &[after])).await.unwrap();
    assert_eq!(alice.message().await.0, "after");
    let left_out: Vec<_> = alice.seen.iter().filter(|seen| seen.starts_with("LeftOut")).collect();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert!(left_out.iter().all(|seen| seen.contains("TooLarge") && seen.contains("bob@localhost")), "{left_out:?}");
    alice.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_stored_comes_again() {
    let Some(server) = prosody() else { return };
    let own = || {
        let mut config = clear(&server, "alice", server.port);
        config.resource = Some("stable".into());
        config
    };
    let bob = Client::online(config(&server, "bob")).await;
    let mut alice = Client::online(own()).await;
    alice.stores = false;
    for n in 0..4 {
        bob.send(n, ALICE, &n.to_string());
    }
    let mut marks = Vec::new();
    for n in 0..4 {
        let (text, mark) = alice.message().await;
        assert_eq!(text, n.to_string());
        marks.push(mark);
    }
    alice.handle.handled(marks[1]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    // the process dies: no farewell
    let Client { handle, happenings, .. } = alice;
    drop(happenings);
    std::mem::forget(handle);
    bob.send(9, ALICE, "wakes the dropped connection");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut alice = Client::online(own()).await;
    let mut again = Vec::new();
    for _ in 0..3 {
        again.push(alice.message().await.0);
    }
    assert_eq!(again, ["2", "3", "wakes the dropped connection"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_found_again() {
    let Some(mut server) = prosody() else { return };
    let mut alice = Client::online(config(&server, "alice")).await;
    server.restart().unwrap();
    alice.send(1, BOB, "late");
    alice.until_online(false).await;
    alice.acknowledged(1).await;
    let states: Vec<_> = alice.seen.iter().filter(|s| s.contains("Offline")).collect();
    assert!(states[0].contains("retry: 0ns"), "at once after a loss: {states:?}");
    assert!(states[1..].iter().all(|s| !s.contains("retry: 0ns")), "and then with a pause: {states:?}");
    alice.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_may_be_slow() {
    let Some(server) = prosody() else { return };
    let mut bob = Client::online(config(&server, "bob")).await;
    let mut alice = Client::online(config(&server, "alice")).await;
    for n in 0..1000 {
        bob.send(n, ALICE, &n.to_string());
    }
    tokio::time::sleep(Duration::from_millis(500)).await; // alice's host reads nothing
    alice.send(5000, BOB, "still writes");
    assert_eq!(bob.message().await.0, "still writes");
    for n in 0..1000u64 {
        assert_eq!(alice.message().await.0, n.to_string());
    }
}

/// The server has its presence: messages to the account are for it, too.
async fn settled(config: Config) -> Client {
    let mut client = Client::online(config).await;
    client.send(500, BOB, "after the presence");
    client.acknowledged(500).await;
    client
}
/// A process was killed, and the next one has the same resource; `drops`: its line fell too, else the server still believes in it.
/// Returns what the next process gets, and what came back to the sender.
async fn after_a_kill(server: &subrosa_interop::Prosody, drops: bool) -> (Vec<String>, Vec<String>) {
    let own = || {
        let mut config = clear(server, "alice", server.port);
        config.resource = Some("stable".into());
        config
    };
    let mut bob = Client::online(config(server, "bob")).await;
    let mut dead = settled(own()).await;
    dead.stores = false;
    for n in 0..3 {
        bob.send(n, ALICE, &n.to_string());
        assert_eq!(dead.message().await.0, n.to_string());
    }
    let Client { handle, happenings, .. } = dead;
    std::mem::forget(handle);
    if drops {
        drop(happenings);
        bob.send(9, ALICE, "wakes the dropped connection");
        bob.acknowledged(9).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    } else {
        std::mem::forget(happenings);
    }
    let mut alice = settled(own()).await;
    bob.send(10, ALICE, "end");
    let mut got = Vec::new();
    while got.last().is_none_or(|text| text != "end") {
        got.push(alice.message().await.0);
    }
    bob.acknowledged(10).await; // what came back was written before
    let bounced = bob.seen.iter().filter(|seen| seen.starts_with("Bounced")).cloned().collect();
    alice.close().await;
    bob.close().await;
    (got, bounced)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_had_not_stored_comes_to_the_next_one() {
    let Some(server) = prosody() else { return };
    assert_eq!(after_a_kill(&server, false).await, (["0", "1", "2", "end"].map(str::to_owned).to_vec(), vec![]));
    let again = ["0", "1", "2", "wakes the dropped connection", "end"].map(str::to_owned).to_vec();
    assert_eq!(after_a_kill(&server, true).await, (again, vec![]));
}

/// Prosody 0.12 stores them for later only if no other device is online; else it gives them back. Nothing is lost in silence.
#[tokio::test(flavor = "multi_thread")]
async fn beside_another_device_what_a_killed_process_had_not_stored_comes_back_to_its_sender() {
    let Some(server) = prosody() else { return };
    let _tablet = Client::online(config(&server, "alice")).await;
    for drops in [false, true] {
        let (got, bounced) = after_a_kill(&server, drops).await;
        for n in 0..3 {
            let came = got.contains(&n.to_string()) || bounced.iter().any(|b| b.contains(&format!("\"m{n}\"")));
            assert!(came, "{n}: {got:?} {bounced:?}");
        }
    }
}

fn add(address: &str, name: &str) -> ContactChange {
    ContactChange::Add { address: address.into(), name: name.into() }
}
async fn list(client: &mut Client) -> Vec<Contact> {
    client.until(|h| if let Happening::Contacts(list) = h { Some(list) } else { None }).await
}
/// The next contact that is as wanted.
async fn contact(client: &mut Client, wanted: impl Fn(&Contact) -> bool) -> Contact {
    client.until(|h| if let Happening::Contact(contact) = h { Some(contact).filter(&wanted) } else { None }).await
}
async fn asked_by(client: &mut Client) -> String {
    client.until(|h| if let Happening::Subscription(who) = h { Some(who.to_string()) } else { None }).await
}
async fn refused(client: &mut Client) -> (String, String) {
    client.until(|h| if let Happening::ContactRefused { address, condition } = h { Some((address.to_string(), condition)) } else { None }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_asked_for_accepted_renamed_and_removed() {
    let Some(server) = strangers() else { return };
    let mut alice = Client::online(config(&server, "alice")).await;
    assert_eq!(list(&mut alice).await, []);
    alice.handle.contact(add(BOB, "Bob <b>"));
    let bob = contact(&mut alice, |c| c.asking).await;
    assert_eq!((bob.address.as_str(), bob.name.as_str(), bob.subscription), (BOB, "Bob <b>", Subscription::None));
    // the request waits for who is not there, and comes again until it is answered
    for answer in [None, Some(ContactChange::Accept(ALICE.into()))] {
        let mut bob = Client::online(config(&server, "bob")).await;
        assert_eq!(asked_by(&mut bob).await, ALICE);
        if let Some(answer) = answer {
            bob.handle.contact(answer);
            let alice = contact(&mut bob, |c| c.subscription == Subscription::From).await;
            assert_eq!(alice.address.as_str(), ALICE);
            contact(&mut bob, |c| c.asking).await;
        }
        bob.close().await;
    }
    contact(&mut alice, |c| c.subscription == Subscription::To).await;
    assert_eq!(asked_by(&mut alice).await, BOB);
    alice.handle.contact(ContactChange::Accept(BOB.into()));
    assert_eq!(contact(&mut alice, |c| c.subscription == Subscription::Both).await.name, "Bob <b>");
    alice.handle.contact(add(BOB, "Robert"));
    contact(&mut alice, |c| c.subscription == Subscription::Both && c.name == "Robert").await;
    alice.handle.contact(ContactChange::Remove(BOB.into()));
    contact(&mut alice, |c| c.subscription == Subscription::Remove && c.address.as_str() == BOB).await;
    let mut bob = Client::online(config(&server, "bob")).await;
    let [left] = list(&mut bob).await.try_into().unwrap();
    assert_eq!((left.address.as_str(), left.subscription, left.asking), (ALICE, Subscription::None, false));
    // a second time, and this time the answer is no
    alice.handle.contact(add(BOB, ""));
    assert_eq!(asked_by(&mut bob).await, ALICE);
    bob.handle.contact(ContactChange::Decline(ALICE.into()));
    contact(&mut alice, |c| c.asking).await;
    assert_eq!(contact(&mut alice, |c| !c.asking).await.subscription, Subscription::None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_work_with_a_contact_is_told() {
    let Some(server) = strangers() else { return };
    let mut alice = Client::online(config(&server, "alice")).await;
    alice.handle.contact(ContactChange::Remove(BOB.into()));
    assert_eq!(refused(&mut alice).await, (BOB.into(), "item-not-found".into()));
    alice.handle.contact(add(ALICE, "me"));
    assert_eq!(refused(&mut alice).await, (ALICE.into(), "not-allowed".into()));
    alice.handle.contact(add("x@nowhere.invalid", ""));
    assert_eq!(refused(&mut alice).await.0, "x@nowhere.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_made_offline_and_cut_off_are_sent_again() {
    let Some(mut server) = strangers() else { return };
    let mut alice = Client::start(config(&server, "alice"));
    alice.handle.contact(add(BOB, "Bob")); // before there is a stream
    contact(&mut alice, |c| c.asking).await;
    server.restart().unwrap();
    alice.until(|h| format!("{h:?}").contains("Offline").then_some(())).await;
    alice.handle.contact(add("carol@localhost", "Carol"));
    let mut names: Vec<_> = list(&mut alice).await.into_iter().map(|c| c.name).collect();
    names.push(contact(&mut alice, |c| c.address.as_str() == "carol@localhost").await.name);
    assert_eq!(names, ["Bob", "Carol"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_contacts_are_one_list() {
    let Some(server) = prosody() else { return };
    server.set_contacts("alice", (0..10_000).map(|n| format!("somebody-with-a-name-{n}@example.org"))).unwrap();
    let mut alice = Client::online(config(&server, "alice")).await;
    let contacts = list(&mut alice).await;
    assert_eq!(contacts.len(), 10_000);
    assert!(contacts.iter().all(|c| c.subscription == Subscription::Both));
    let bob = Client::online(config(&server, "bob")).await;
    bob.send(1, ALICE, "and the stream goes on");
    assert_eq!(alice.message().await.0, "and the stream goes on");
    assert!(!alice.seen.iter().any(|seen| seen.starts_with("LeftOut") || seen.contains("Offline")));
    alice.close().await;
}

/// To the own bare address: for the other devices of the account, once; never back to who sent it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_the_own_account_does_not_come_back() {
    let Some(server) = prosody() else { return };
    let mut one = settled(config(&server, "alice")).await;
    let mut two = settled(config(&server, "alice")).await;
    assert_eq!(one.message().await.0, "after the presence"); // a copy of what `two` sent
    for n in 0..3 {
        one.send(n, ALICE, &n.to_string());
        one.acknowledged(n).await;
        assert_eq!(two.message().await.0, n.to_string());
    }
    let bob = Client::online(config(&server, "bob")).await;
    bob.send(9, ALICE, "end");
    assert_eq!((one.message().await.0, two.message().await.0), ("end".into(), "end".into()));
}
