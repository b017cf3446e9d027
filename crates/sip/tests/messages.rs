//! Two of our endpoints over loopback, by UDP, TCP and TLS: bodies, codes, held answers, large messages, failures.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs, dead_code)]
mod common;

use common::*;
use std::sync::Arc;
use std::time::Duration;
use subrosa_engine::{Headers, Status};
use subrosa_sip::*;

const WAYS: [Way; 3] = [Way::Udp, Way::Tcp, Way::Tls];

#[tokio::test]
async fn bodies_types_and_headers_arrive_as_they_are() {
    for way in WAYS {
        let (alice, bob) = pair(way, |_, _| {}).await;
        let mut sent = message("id-1@alice", vec![0, 255, 13, 10, 13, 10, 0, b'x']);
        sent.content_type = ContentType("application/x-thing; charset=\"utf-8\"; a=b".into());
        sent.headers = Headers::default().with("X-Custom", "one; two").with("Subject", "h\u{e9}llo").with("x-custom", "three");
        let (delivery, ()) = tokio::join!(alice.send(sent.clone()), async {
            let arrived = arrived(&bob).await;
            assert_eq!(arrived.message, sent, "{way:?}");
            arrived.answer.answer(Answer::Accept);
        });
        assert_eq!(delivery, Delivery::Delivered(200), "{way:?}");
        // an empty body, by the same way back to nobody in particular
        let (delivery, ()) = tokio::join!(alice.send(message("id-2", "")), async {
            let arrived = arrived(&bob).await;
            assert_eq!(arrived.message.body, b"", "{way:?}");
            arrived.answer.answer(Answer::Accept);
        });
        assert_eq!(delivery, Delivery::Delivered(200), "{way:?}");
    }
}

#[tokio::test]
async fn the_code_that_is_given_is_the_code_that_is_heard() {
    for way in WAYS {
        let (alice, bob) = pair(way, |_, _| {}).await;
        for code in [300, 302, 400, 403, 404, 406, 412, 415, 480, 486, 488, 499, 500, 503, 600, 603, 606, 699] {
            let id = format!("{code}@alice");
            let (delivery, ()) = tokio::join!(alice.send(message(&id, "hello")), async {
                let answer = Answer::Refuse { status: Status::new(code), reason: Some("not-encrypted") };
                arrived(&bob).await.answer.answer(answer);
            });
            let Delivery::NotDelivered(why) = delivery else { panic!("{way:?} {code}: {delivery:?}") };
            assert_eq!((why.status.code(), why.local, why.reason.as_deref()), (code, false, Some("not-encrypted")), "{way:?} {code}");
            assert!(!why.cause.is_empty() && why.to_string().contains(&code.to_string()), "{why}");
        }
        assert_eq!(bob.held(), 0);
    }
}

#[tokio::test]
async fn an_answer_can_be_held_and_given_from_any_thread() {
    for way in WAYS {
        // a datagram is sent again 20 times meanwhile, and absorbed
        let (alice, bob) = pair(way, |alice, _| alice.timeouts.resend = Duration::from_millis(20)).await;
        let (delivery, ()) = tokio::join!(alice.send(message("held", "hello")), async {
            let first = arrived(&bob).await;
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert_eq!(bob.held(), 1);
            assert!(tokio::time::timeout(Duration::from_millis(50), bob.next()).await.is_err(), "{way:?}: it came twice");
            std::thread::spawn(move || first.answer.answer(Status::new(486).into())).join().unwrap();
        });
        assert_eq!(delivery.code(), 486, "{way:?}");
    }
}

#[tokio::test]
async fn what_nobody_answers_is_480_and_what_is_dropped_too() {
    let (alice, bob) = pair(Way::Tcp, |_, bob| bob.timeouts.hold = Duration::from_millis(100)).await;
    let (delivery, arrived_late) = tokio::join!(alice.send(message("1", "hello")), arrived(&bob));
    assert_eq!(delivery.code(), 480);
    arrived_late.answer.answer(Answer::Accept); // heard by nobody
    let (delivery, ()) = tokio::join!(alice.send(message("2", "hello")), async { drop(arrived(&bob).await) });
    assert_eq!(delivery.code(), 480);
    assert_eq!(bob.held(), 0);
}

#[tokio::test]
async fn many_are_held_at_once_and_answered_in_any_order() {
    for way in WAYS {
        let (alice, bob) = pair(way, |_, _| {}).await;
        let (alice, bob) = (Arc::new(alice), Arc::new(bob));
        let sends: Vec<_> = (0..300)
            .map(|i| {
                let alice = alice.clone();
                tokio::spawn(async move { alice.send(message(&format!("m{i}"), format!("{i}"))).await.code() })
            })
            .collect();
        let mut held = Vec::new();
        for _ in 0..300 {
            held.push(arrived(&bob).await);
        }
        for arrived in held.into_iter().rev() {
            let n: u16 = String::from_utf8(arrived.message.body.clone()).unwrap().parse().unwrap();
            arrived.answer.answer(Status::new(300 + n).into());
        }
        for (i, send) in sends.into_iter().enumerate() {
            assert_eq!(send.await.unwrap(), 300 + u16::try_from(i).unwrap(), "{way:?}");
        }
    }
}

#[tokio::test]
async fn more_than_may_be_held_is_503() {
    let limits: [fn(&mut Limits); 2] = [|limits| limits.held = 2, |limits| limits.held_bytes = 2];
    for (way, limit) in WAYS.into_iter().zip(limits.into_iter().cycle()) {
        let (alice, bob) = pair(way, |_, bob| limit(&mut bob.limits)).await;
        let alice = Arc::new(alice);
        let waiting: Vec<_> = (0..2)
            .map(|i| {
                let alice = alice.clone();
                tokio::spawn(async move { alice.send(message(&format!("m{i}"), "x")).await })
            })
            .collect();
        let held = [arrived(&bob).await, arrived(&bob).await];
        assert_eq!(alice.send(message("m3", "x")).await.code(), 503, "{way:?}");
        held.into_iter().for_each(|arrived| arrived.answer.answer(Answer::Accept));
        for send in waiting {
            assert_eq!(send.await.unwrap(), Delivery::Delivered(200), "{way:?}");
        }
        let (delivery, ()) = tokio::join!(alice.send(message("m4", "x")), async { arrived(&bob).await.answer.answer(Answer::Accept) });
        assert_eq!(delivery.code(), 200, "{way:?}: room again");
    }
}

#[tokio::test]
async fn above_1300_bytes_nothing_goes_by_udp() {
    // Bob's TCP port is the number of his UDP port
    let tls = certificate();
    let udp = std::net::UdpSocket::bind(loopback()).unwrap();
    let port = udp.local_addr().unwrap();
    drop(udp);
    let mut bob = config(BOB, &tls);
    bob.listen = vec![Listen::Udp(port), Listen::Tcp(port)];
    let bob = Connection::start(bob).await.unwrap();
    let mut alice = config(ALICE, &tls);
    alice.proxy = Some(format!("sip:{port};transport=udp"));
    let alice = Connection::start(alice).await.unwrap();
    let sent = |length: usize| {
        let (alice, bob) = (&alice, &bob);
        async move {
            let body = vec![b'x'; length];
            let (delivery, by) = tokio::join!(alice.send(message(&format!("l{length}"), body.clone())), async {
                let arrived = arrived(bob).await;
                assert_eq!(arrived.message.body, body);
                arrived.answer.answer(Answer::Accept);
            });
            assert_eq!(delivery, Delivery::Delivered(200), "{length}");
            by
        }
    };
    for length in [1, 500, 900, 1200, 1300, 5000, 60_000, 250_000] {
        sent(length).await;
    }
    // and where there is no TCP it is an error that says so, not a datagram
    let deaf = std::net::UdpSocket::bind(loopback()).unwrap();
    let mut eve = config(ALICE, &tls);
    eve.proxy = Some(format!("sip:{};transport=udp", deaf.local_addr().unwrap()));
    let eve = Connection::start(eve).await.unwrap();
    let Delivery::NotDelivered(why) = eve.send(message("big", vec![b'x'; 1300])).await else { panic!() };
    assert!(why.local && why.status.code() == 503 && why.cause.contains("1300") && why.cause.contains("UDP"), "{why}");
    deaf.set_nonblocking(true).unwrap();
    assert_eq!(deaf.recv(&mut [0; 10]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn the_edge_of_1300_is_counted_over_the_whole_request() {
    let deaf = std::net::UdpSocket::bind(loopback()).unwrap();
    deaf.set_read_timeout(Some(PATIENCE)).unwrap();
    let tls = certificate();
    let mut alice = config(ALICE, &tls);
    alice.proxy = Some(format!("sip:{};transport=udp", deaf.local_addr().unwrap()));
    alice.timeouts.answer = Duration::from_millis(200);
    let alice = Connection::start(alice).await.unwrap();
    let mut buffer = [0; 65_535];
    assert_eq!(alice.send(message("aaaa", vec![b'x'; 100])).await.code(), 408);
    let head = deaf.recv(&mut buffer).unwrap() - 100;
    // ids of the same length, and a Content-Length of three digits
    let fits = 1300 - head;
    assert!((100..999).contains(&fits));
    while deaf.set_nonblocking(true).is_ok() && deaf.recv(&mut buffer).is_ok() {}
    deaf.set_nonblocking(false).unwrap();
    assert_eq!(alice.send(message("bbbb", vec![b'x'; fits])).await.code(), 408);
    assert_eq!(deaf.recv(&mut buffer).unwrap(), 1300);
    assert_eq!(alice.send(message("cccc", vec![b'x'; fits + 1])).await.code(), 503);
}

#[tokio::test]
async fn too_large_is_413_and_the_stream_goes_on() {
    for way in [Way::Tcp, Way::Tls] {
        let (alice, bob) = pair(way, |_, bob| bob.limits.body = 1000).await;
        for round in 0..3 {
            assert_eq!(alice.send(message(&format!("big{round}"), vec![b'x'; 1001 + round * 100_000])).await.code(), 413, "{way:?}");
            let (delivery, ()) = tokio::join!(alice.send(message(&format!("small{round}"), vec![b'x'; 1000])), async {
                arrived(&bob).await.answer.answer(Answer::Accept)
            });
            assert_eq!(delivery.code(), 200, "{way:?}");
        }
    }
}

#[tokio::test]
async fn nobody_there_is_503_and_nobody_answering_is_408() {
    let tls = certificate();
    let taken = std::net::TcpListener::bind(loopback()).unwrap();
    let gone = taken.local_addr().unwrap();
    drop(taken);
    for (proxy, code, word) in [
        (format!("sip:{gone};transport=tcp"), 503, "refused"),
        (format!("sip:{gone};transport=tls"), 503, "refused"),
        (format!("sip:{gone};transport=udp"), 408, "no answer"),
        ("sip:nowhere.invalid:5060;transport=tcp".into(), 503, "nowhere.invalid"),
    ] {
        let mut alice = config(ALICE, &tls);
        alice.proxy = Some(proxy.clone());
        alice.timeouts.answer = Duration::from_millis(1500);
        let alice = Connection::start(alice).await.unwrap();
        let Delivery::NotDelivered(why) = alice.send(message("1", "x")).await else { panic!("{proxy}") };
        assert!(why.local && why.status.code() == code && why.cause.contains(word), "{proxy}: {} {}", why.status.code(), why.cause);
    }
    // takes the stream and says nothing
    let deaf = std::net::TcpListener::bind(loopback()).unwrap();
    for way in ["tcp", "tls"] {
        let mut alice = config(ALICE, &tls);
        alice.proxy = Some(format!("sip:{};transport={way}", deaf.local_addr().unwrap()));
        alice.timeouts.answer = Duration::from_millis(300);
        let alice = Connection::start(alice).await.unwrap();
        assert_eq!(alice.send(message("1", "x")).await.code(), 408, "{way}");
    }
}

#[tokio::test]
async fn certificates_count() {
    let (tls, other) = (certificate(), certificate());
    let bob = Connection::start(config(BOB, &tls)).await.unwrap();
    let with = |roots: Roots| {
        let mut alice = config(ALICE, &tls);
        alice.roots = roots;
        alice.proxy = Some(uri(Way::Tls, &bob));
        async move { Connection::start(alice).await.unwrap().send(message("1", "x")).await }
    };
    let Delivery::NotDelivered(why) = with(Roots::Pem(other.0.clone())).await else { panic!() };
    assert!(why.local && why.status.code() == 503 && why.cause.contains("certificate"), "{why}");
    let (delivery, ()) = tokio::join!(with(Roots::NoVerification), async { arrived(&bob).await.answer.answer(Answer::Accept) });
    assert_eq!(delivery.code(), 200);
    let mut wrong = config(ALICE, &tls);
    wrong.roots = Roots::Pem(b"nothing".to_vec());
    assert!(matches!(Connection::start(wrong).await, Err(StartError::Roots(_))));
    let mut wrong = config(ALICE, &tls);
    wrong.listen = vec![Listen::tls(loopback(), tls.0.clone(), other.1.to_vec())];
    assert!(matches!(Connection::start(wrong).await, Err(StartError::Certificate(_))));
}

#[tokio::test]
async fn a_stream_that_was_closed_meanwhile_is_opened_again() {
    let (alice, bob) = pair(Way::Tcp, |_, bob| bob.timeouts.idle = Duration::from_millis(150)).await;
    for round in 0..3 {
        let (delivery, ()) =
            tokio::join!(alice.send(message(&format!("m{round}"), "x")), async { arrived(&bob).await.answer.answer(Answer::Accept) });
        assert_eq!(delivery.code(), 200);
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    drop(bob);
    let Delivery::NotDelivered(why) = alice.send(message("last", "x")).await else { panic!() };
    assert!(why.local && why.status.code() == 503, "{why}");
}

#[tokio::test]
async fn what_a_stream_took_with_it_is_asked_anew_on_the_next() {
    let listener = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let mut alice = config(ALICE, &certificate());
    alice.proxy = Some(format!("sip:{};transport=tcp", listener.local_addr().unwrap()));
    let alice = Connection::start(alice).await.unwrap();
    let field = |heard: &str, name: &str| heard.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let whole = |heard: &str| heard.contains("\r\n\r\nx");
    let answer = |heard: &str| {
        let same = ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| field(heard, name) + "\r\n").concat();
        format!("SIP/2.0 200 OK\r\n{same}Content-Length: 0\r\n\r\n")
    };
    let peer = async {
        let (mut first, _) = listener.accept().await.unwrap();
        let heard = talk(&mut first, b"", whole).await;
        talk(&mut first, answer(&heard).as_bytes(), |_| true).await;
        // the second is heard, and never answered here
        let lost = talk(&mut first, b"", whole).await;
        drop(first);
        let (mut second, _) = listener.accept().await.unwrap();
        let again = talk(&mut second, b"", whole).await;
        talk(&mut second, answer(&again).as_bytes(), |_| true).await;
        for same in ["Call-ID", "CSeq", "From"] {
            assert_eq!(field(&lost, same), field(&again, same));
        }
        assert_ne!(field(&lost, "Via"), field(&again, "Via"), "its answer would go to the stream that broke");
        second
    };
    let sends = async {
        for id in ["one", "two"] {
            assert_eq!(alice.send(message(id, "x")).await, Delivery::Delivered(200));
        }
    };
    tokio::join!(peer, sends);
}

#[tokio::test]
async fn a_stream_that_leads_nowhere_is_given_up() {
    // the one behind it is gone and nobody said so; the next stream is answered
    let listener = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let mut alice = config(ALICE, &certificate());
    alice.proxy = Some(format!("sip:{};transport=tcp", listener.local_addr().unwrap()));
    alice.timeouts.answer = Duration::from_millis(500);
    let alice = Connection::start(alice).await.unwrap();
    let deaf = tokio::spawn(async move {
        let gone = listener.accept().await.unwrap();
        let (mut next, _) = listener.accept().await.unwrap();
        let heard = talk(&mut next, b"", |heard| heard.contains("\r\n\r\nx")).await;
        let field = |name: &str| heard.lines().find(|line| line.starts_with(name)).unwrap().to_owned() + "\r\n";
        let same = ["Via", "From", "To", "Call-ID", "CSeq"].map(field).concat();
        talk(&mut next, format!("SIP/2.0 200 OK\r\n{same}Content-Length: 0\r\n\r\n").as_bytes(), |_| true).await;
        (gone, next)
    });
    assert_eq!(alice.send(message("one", "x")).await.code(), 408);
    assert_eq!(alice.send(message("two", "x")).await.code(), 200);
    drop(deaf.await.unwrap());
    // where only the answer is missing the stream stays
    let (alice, bob) = pair(Way::Tcp, |alice, _| alice.timeouts.answer = Duration::from_millis(500)).await;
    let alice = Arc::new(alice);
    let unanswered = tokio::spawn({
        let alice = alice.clone();
        async move { alice.send(message("three", "x")).await.code() }
    });
    let held = arrived(&bob).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (delivery, ()) = tokio::join!(alice.send(message("four", "x")), async { arrived(&bob).await.answer.answer(Answer::Accept) });
    assert_eq!((delivery.code(), unanswered.await.unwrap()), (200, 408));
    let sent = tokio::spawn(async move { alice.send(message("five", "x")).await.code() });
    let again = arrived(&bob).await;
    again.answer.answer(Answer::Accept);
    assert_eq!(sent.await.unwrap(), 200);
    drop(held);
}

#[tokio::test]
async fn a_message_under_way_ends_with_the_stream_or_the_connection() {
    let (alice, bob) = pair(Way::Tcp, |_, _| {}).await;
    let (delivery, ()) = tokio::join!(alice.send(message("1", "x")), async {
        let held = arrived(&bob).await;
        drop(bob);
        held.answer.answer(Answer::Accept);
    });
    assert!(matches!(delivery, Delivery::NotDelivered(NotDelivered { local: true, .. })), "{delivery:?}");
    let (alice, bob) = pair(Way::Tcp, |_, _| {}).await;
    let (delivery, ()) = tokio::join!(alice.send(message("1", "x")), async {
        let _held = arrived(&bob).await;
        alice.close().await;
    });
    assert_eq!(delivery.code(), 503);
    assert!(alice.next().await.is_none());
}

/// Bob in a runtime of his own, which ends as soon as he has closed.
fn bob_for_a_moment(tls: &(Vec<u8>, zeroize::Zeroizing<Vec<u8>>), answers: bool) -> std::sync::mpsc::Receiver<[String; 3]> {
    let (tell, told) = std::sync::mpsc::channel();
    let config = config(BOB, tls);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bob = Connection::start(config).await.unwrap();
            tell.send(WAYS.map(|way| uri(way, &bob))).unwrap();
            let mut held = Vec::new();
            for _ in WAYS {
                held.push(arrived(&bob).await.answer);
            }
            if answers {
                held.drain(..).for_each(|answer| answer.answer(Answer::Accept));
            }
            bob.close().await;
        });
    });
    told
}
#[tokio::test]
async fn who_closes_answers_first() {
    let tls = certificate();
    for (answers, code) in [(true, 200), (false, 480)] {
        let uris = bob_for_a_moment(&tls, answers).recv().unwrap();
        let sends = uris.map(|uri| {
            let mut alice = config(ALICE, &tls);
            alice.proxy = Some(uri);
            async move { Connection::start(alice).await.unwrap().send(message("last", "x")).await }
        });
        for (delivery, way) in futures_util::future::join_all(sends).await.into_iter().zip(WAYS) {
            assert_eq!(delivery.code(), code, "{way:?}: {delivery:?}");
        }
    }
}

#[tokio::test]
async fn what_can_t_be_put_on_the_wire_is_400_here() {
    let (alice, _bob) = pair(Way::Tcp, |_, _| {}).await;
    let mut bad = message("1", "x");
    bad.headers = Headers::default().with("X", "a\r\nVia: b");
    let Delivery::NotDelivered(why) = alice.send(bad).await else { panic!() };
    assert!(why.local && why.status.code() == 400 && why.cause.contains("\"X\""), "{why}");
}

#[tokio::test]
async fn without_a_proxy_the_address_is_the_way() {
    let tls = certificate();
    let bob = Connection::start(config(BOB, &tls)).await.unwrap();
    let alice = Connection::start(config(ALICE, &tls)).await.unwrap();
    let mut direct = message("1", "x");
    direct.to = bare(&format!("sip:bob@{}", bob.listens(Way::Udp).unwrap())).unwrap();
    let (delivery, ()) = tokio::join!(alice.send(direct.clone()), async {
        let arrived = arrived(&bob).await;
        assert_eq!(arrived.message.to, direct.to);
        arrived.answer.answer(Answer::Accept);
    });
    assert_eq!(delivery.code(), 200);
    // by the way that is the rule here
    for way in WAYS {
        let mut alice = config(ALICE, &tls);
        (alice.way, alice.listen) = (Some(way), vec![Listen::Udp(loopback())]);
        let alice = Connection::start(alice).await.unwrap();
        direct.to = bare(&format!("sip:bob@{}", bob.listens(way).unwrap())).unwrap();
        let (delivery, ()) = tokio::join!(alice.send(direct.clone()), async { arrived(&bob).await.answer.answer(Answer::Accept) });
        assert_eq!(delivery.code(), 200, "{way:?}");
    }
}

/// RFC 3261 §25.1: a user may have a ';' in their name, and a '?' and a ','.
#[tokio::test]
async fn names_with_semicolons_are_written_to_and_answered() {
    let tls = certificate();
    let start = async |user: &str| Connection::start(config(&format!("<sip:{user}@sip.test>"), &tls)).await.unwrap();
    let (alice, bob) = (start("al;ice?x,").await, start("b;o;b").await);
    let at = |user: &str, connection: &Connection| bare(&format!("<sip:{user}@{}>;tag=x", connection.listens(Way::Udp).unwrap())).unwrap();
    let (alice_at, bob_at) = (at("al;ice?x,", &alice), at("b;o;b", &bob));
    let mut there = message("1", "x");
    (there.from, there.to) = (alice_at.clone(), bob_at.clone());
    let (delivery, heard) = tokio::join!(alice.send(there), async {
        let arrived = arrived(&bob).await;
        arrived.answer.answer(Answer::Accept);
        arrived.message
    });
    assert_eq!((delivery.code(), &heard.from, &heard.to), (200, &alice_at, &bob_at));
    let mut back = message("2", "y");
    (back.from, back.to) = (heard.to, heard.from);
    let (delivery, ()) = tokio::join!(bob.send(back), async {
        let arrived = arrived(&alice).await;
        assert_eq!((&arrived.message.from, &arrived.message.to), (&bob_at, &alice_at));
        arrived.answer.answer(Answer::Accept);
    });
    assert_eq!(delivery.code(), 200);
}

#[tokio::test]
async fn what_is_for_a_sips_address_is_never_in_clear() {
    let tls = certificate();
    let bob = Connection::start(config(BOB, &tls)).await.unwrap();
    let mut secret = message("1", "x");
    secret.to = "sips:bob@sip.test".into();
    for (proxy, code) in
        [(uri(Way::Tcp, &bob), 503), (uri(Way::Udp, &bob), 503), (uri(Way::Tls, &bob), 200), (uri(Way::Tls, &bob).replace(";transport=tls", ""), 200)]
    {
        let mut alice = config(ALICE, &tls);
        alice.proxy = Some(proxy.clone());
        let alice = Connection::start(alice).await.unwrap();
        let answering = async {
            if code == 200 {
                arrived(&bob).await.answer.answer(Answer::Accept);
            }
        };
        let (delivery, ()) = tokio::join!(alice.send(secret.clone()), answering);
        assert_eq!(delivery.code(), code, "{proxy}: {delivery:?}");
    }
    // nor is such an account registered so
    let mut alice = config("sips:alice@127.0.0.1", &tls);
    alice.register = true;
    let alice = Connection::start(alice).await.unwrap();
    registration(&alice).await;
    assert!(matches!(registration(&alice).await, Registration::Offline { why: RegisterError::Unreachable { cause }, .. } if cause.contains("TLS")));
}

#[tokio::test]
async fn a_taken_port_and_a_wrong_uri_are_named() {
    let tls = certificate();
    let bob = Connection::start(config(BOB, &tls)).await.unwrap();
    let mut second = config(ALICE, &tls);
    second.listen = vec![Listen::Tcp(bob.listens(Way::Tcp).unwrap())];
    let why = Connection::start(second).await.unwrap_err().to_string();
    assert!(why.contains(&bob.listens(Way::Tcp).unwrap().to_string()) && why.contains("TCP"), "{why}");
    let mut wrong = config(ALICE, &tls);
    wrong.proxy = Some("proxy.example.org".into());
    assert!(matches!(Connection::start(wrong).await, Err(StartError::Config(ConfigError::Uri(_)))));
    let mut wrong = config(ALICE, &tls);
    wrong.auth_name = Some("alice\r\nX: y".into());
    assert!(matches!(Connection::start(wrong).await, Err(StartError::Config(ConfigError::AuthName))));
}

#[tokio::test]
async fn a_line_break_behind_the_proxy_ends_no_header_field() {
    let deaf = std::net::UdpSocket::bind(loopback()).unwrap();
    deaf.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut alice = config(ALICE, &certificate());
    alice.proxy = Some(format!(" sip:{}\r\n", deaf.local_addr().unwrap()));
    let alice = Connection::start(alice).await.unwrap();
    let sending = tokio::spawn(async move { alice.send(message("1", "x")).await });
    let heard = tokio::task::spawn_blocking(move || {
        let mut buffer = [0; 2000];
        let n = deaf.recv(&mut buffer).unwrap();
        (String::from_utf8_lossy(&buffer[..n]).into_owned(), deaf.local_addr().unwrap())
    });
    let (heard, address) = heard.await.unwrap();
    assert!(heard.contains(&format!("\r\nRoute: <sip:{address};lr>\r\n")), "{heard}");
    sending.abort();
}
