//! Both databases, by the same statements.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
use super::archive::{Stanza, progress, receipt, state};
use super::{Db, OpenError, account, archive, browser, lists, since};
use subrosa_interop::Postgres;
use subrosa_web_api::Failure;
use subrosa_web_api::socket::{Contact, Event, Progress, Standing};

/// What a database lives in.
struct Home {
    _dir: tempfile::TempDir,
    _postgres: Option<Postgres>,
    url: String,
}
fn homes() -> Vec<Home> {
    let dir = || tempfile::tempdir().unwrap();
    let sqlite = dir();
    let url = format!("sqlite://{}?mode=rwc", sqlite.path().join("x.sqlite").display());
    let mut homes = vec![Home { _dir: sqlite, _postgres: None, url }];
    match Postgres::missing() {
        None => {
            let postgres = Postgres::start().unwrap();
            let url = postgres.url();
            homes.push(Home { _dir: dir(), _postgres: Some(postgres), url });
        }
        Some(missing) => eprintln!("not on PostgreSQL: {missing}"),
    }
    homes
}
fn run(test: impl AsyncFn(Db, &str)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for home in homes() {
        runtime.block_on(async {
            let db = Db::open(&home.url).await.unwrap();
            let row = account::Account { id: 7, jid: "a@x".into(), resource: "r".into(), pin: None, head: 0 };
            account::create(&mut db.begin().await.unwrap(), &row, 1).await.unwrap(); // undone
            let mut tx = db.begin().await.unwrap();
            account::create(&mut tx, &row, 1).await.unwrap();
            account::create(&mut tx, &account::Account { id: 8, ..row }, 1).await.unwrap();
            tx.commit().await.unwrap();
            test(db.clone(), &home.url).await;
            db.close().await;
        });
    }
}
fn stanza<'a>(wire: &'a str, own: bool, body: &'a [u8]) -> Stanza<'a> {
    let (sender, recipient) = if own { ("a@x", "b@x") } else { ("b@x", "a@x") };
    Stanza {
        wire,
        message: own.then_some(wire.split('.').next().unwrap()),
        part: u16::from(wire.contains('.')),
        chat: "b@x",
        sender,
        recipient,
        sent: 5,
        kind: 0,
        browser: own.then_some(3),
        state: own.then_some(state::WAITS),
        receipt: if own { receipt::NONE } else { receipt::ASKED },
        body,
    }
}

#[test]
fn accounts_and_browsers() {
    run(async |db, url| {
        let mut tx = db.begin().await.unwrap();
        let row = account::by_jid(&mut tx, "a@x").await.unwrap().unwrap();
        assert_eq!((row.id, row.head, row.pin.clone(), account::count(&mut tx).await.unwrap()), (7, 0, None, 0));
        account::set_pin(&mut tx, 7, "pin").await.unwrap();
        assert!(account::advance(&mut tx, 7, 0, 5).await.unwrap());
        assert!(!account::advance(&mut tx, 7, 0, 6).await.unwrap());
        let of = |id, since| browser::Browser { id, account: 7, sealed: vec![0, 255], label: "b".into(), since, seen: since };
        for (id, since) in [(1, 10), (2, 20), (3, 30)] {
            browser::insert(&mut tx, &of(id, since), vec![u8::try_from(id).unwrap(); 32]).await.unwrap();
        }
        assert_eq!(account::count(&mut tx).await.unwrap(), 1);
        browser::seen(&mut tx, 3, 40).await.unwrap();
        let found = browser::by_token(&mut tx, vec![3; 32]).await.unwrap().unwrap();
        assert_eq!((found.id, found.sealed, found.seen), (3, vec![0, 255], 40));
        assert!(browser::by_token(&mut tx, vec![9; 32]).await.unwrap().is_none());
        browser::delete_until(&mut tx, 7, 10).await.unwrap();
        browser::delete_unseen(&mut tx, 40).await.unwrap();
        assert_eq!(browser::count(&mut tx, 7).await.unwrap(), 1);
        assert!(!browser::delete(&mut tx, 8, 3).await.unwrap() && browser::delete(&mut tx, 7, 3).await.unwrap());
        tx.commit().await.unwrap();
        let again = Db::open(url).await.unwrap(); // the tables are there already
        let row = account::by_id(&mut again.read().await.unwrap(), 7).await.unwrap().unwrap();
        assert_eq!((row.pin.as_deref(), row.head), (Some("pin"), 5));
        again.close().await;
    });
}

#[test]
fn a_stanza_is_kept_once() {
    run(async |db, _| {
        let mut tx = db.begin().await.unwrap();
        assert!(archive::insert(&mut tx, 7, 1, 9, &stanza("m", false, b"1")).await.unwrap());
        assert!(!archive::insert(&mut tx, 7, 2, 9, &stanza("m", false, b"1")).await.unwrap());
        assert!(archive::insert(&mut tx, 7, 2, 9, &stanza("m", false, b"2")).await.unwrap());
        assert!(archive::insert(&mut tx, 8, 1, 9, &stanza("m", false, b"1")).await.unwrap());
        assert_eq!(archive::owe_receipt(&mut tx, 7, "eve@x", "m").await.unwrap(), None);
        assert!(archive::owe_receipt(&mut tx, 7, "b@x", "m").await.unwrap().is_some());
        assert_eq!(archive::owe_receipt(&mut tx, 7, "b@x", "m").await.unwrap(), None);
        let owed = archive::owed_receipts(&mut tx, 7).await.unwrap();
        assert_eq!(owed.len(), 2);
        archive::receipt_sent(&mut tx, 7, owed[0].0).await.unwrap();
        assert_eq!(archive::owed_receipts(&mut tx, 7).await.unwrap().len(), 1);
    });
}

#[test]
fn what_waits_comes_again_until_it_is_sent() {
    run(async |db, _| {
        let mut tx = db.begin().await.unwrap();
        for (seq, wire) in [(1, "m"), (2, "m.1"), (3, "n")] {
            archive::insert(&mut tx, 7, seq, 9, &stanza(wire, true, b"x")).await.unwrap();
        }
        assert_eq!(archive::same(&mut tx, 7, &stanza("n", true, b"x")).await.unwrap(), Some((3, 5, state::WAITS)));
        let waits = archive::waiting(&mut tx, 7, 0, 2).await.unwrap();
        assert_eq!(waits.iter().map(|w| (w.seq, w.message.as_str(), w.part)).collect::<Vec<_>>(), [(1, "m", 0), (2, "m", 1)]);
        assert_eq!(archive::waiting(&mut tx, 7, 2, 2).await.unwrap().len(), 1);
        archive::set_state(&mut tx, 7, 1, state::SENT).await.unwrap();
        assert_eq!(archive::unsent(&mut tx, 7, "m").await.unwrap(), 1);
        archive::set_state(&mut tx, 7, 2, state::FAILED).await.unwrap();
        let own = archive::own_by_wire(&mut tx, 7, "m.1").await.unwrap().unwrap();
        assert_eq!((own.seq, own.state, own.size, own.message.as_str()), (2, state::FAILED, 1, "m"));
        archive::set_progress(&mut tx, 7, "m", progress::FAILED, Some(&Failure::new("c", "s")), 9, 4).await.unwrap();
        archive::again(&mut tx, 7, 2, 5, 10, 10).await.unwrap();
        archive::drop_failed(&mut tx, 7, "m").await.unwrap();
        assert_eq!(archive::waiting(&mut tx, 7, 0, 9).await.unwrap().iter().map(|w| w.seq).collect::<Vec<_>>(), [3, 5]);
        let page = since::page(&mut tx, 7, 3, 5, 3).await.unwrap();
        let [(4, Event::Progress { id, progress: Progress::Failed(why) }), (5, Event::Message(message))] = page.events.as_slice() else { panic!() };
        assert_eq!((id.as_str(), why.code.as_str(), message.own, message.body.len()), ("m", "c", true, 0));
        archive::reset_progress(&mut tx, 7, "m").await.unwrap();
        assert_eq!(archive::progress(&mut tx, 7, "m").await.unwrap(), 0);
        tx.commit().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        assert_eq!(archive::prune_age(&mut tx, 100).await.unwrap(), 1); // what waits stays
        assert_eq!(archive::waiting(&mut tx, 7, 0, 9).await.unwrap().len(), 2);
    });
}

#[test]
fn pages_leave_nothing_out_and_are_in_order() {
    run(async |db, _| {
        let mut tx = db.begin().await.unwrap();
        let mut want = Vec::new();
        for seq in 1..=900u64 {
            want.push(seq);
            match seq % 9 {
                0..=2 => drop(archive::insert(&mut tx, 7, seq, 9, &stanza(&format!("m{seq}"), seq % 2 == 0, b"x")).await.unwrap()),
                3 | 4 => archive::set_progress(&mut tx, 7, &format!("m{seq}"), progress::SENT, None, 9, seq).await.unwrap(),
                5 | 6 => lists::set_contact(&mut tx, 7, &Contact { jid: format!("c{seq}"), name: "n".into(), standing: Standing::Mutual }, seq)
                    .await
                    .unwrap(),
                7 => drop(lists::set_read(&mut tx, 7, &format!("c{seq}"), seq, seq).await.unwrap()),
                _ => drop(lists::set_publication(&mut tx, 7, ["o", "n", &seq.to_string()], Some(b"<x/>"), seq).await.unwrap()),
            }
        }
        for start in [0, 1, 450, 899, 900, 5000] {
            let (mut at, mut got) = (start, Vec::new());
            while at < 900 {
                let page = since::page(&mut tx, 7, at, 900, 3).await.unwrap();
                assert!(page.up_to > at, "it goes on");
                at = page.up_to;
                got.extend(page.events.into_iter().map(|(seq, _)| seq));
            }
            assert!(got.iter().eq(want.iter().filter(|seq| **seq > start)), "from {start}");
        }
        let snapshot = since::snapshot(&mut tx, 7, 0, 900).await.unwrap();
        assert!(snapshot.events.iter().all(|(_, event)| matches!(event, Event::Contact(_) | Event::Read { .. })));
        let size = async |c: &mut sqlx::AnyConnection| {
            let page = since::page(c, 8, 0, 100, 3).await.unwrap();
            page.events.iter().map(|(seq, _)| *seq).collect::<Vec<_>>()
        };
        for seq in 1..=9 {
            archive::insert(&mut tx, 8, seq, 9, &stanza(&format!("m{seq}"), false, &[7; 100])).await.unwrap();
        }
        archive::prune_rows(&mut tx, 8, 1000, 400).await.unwrap();
        assert_eq!(size(&mut tx).await, [6, 7, 8, 9]);
        archive::prune_rows(&mut tx, 7, 10, 1 << 30).await.unwrap();
        assert_eq!(archive::waiting(&mut tx, 7, 0, 1000).await.unwrap().len(), 150);
        account::forget(&mut tx, 7).await.unwrap();
        assert!(since::page(&mut tx, 7, 0, 900, 3).await.unwrap().events.is_empty());
    });
}

#[test]
fn lists_change_only_by_what_is_new() {
    run(async |db, _| {
        let mut tx = db.begin().await.unwrap();
        assert!(lists::set_read(&mut tx, 7, "b@x", 5, 1).await.unwrap());
        assert!(!lists::set_read(&mut tx, 7, "b@x", 5, 2).await.unwrap() && !lists::set_read(&mut tx, 7, "b@x", 4, 2).await.unwrap());
        let node = ["b@x", "n", "i"];
        assert!(lists::set_publication(&mut tx, 7, node, Some(b"<a/>"), 2).await.unwrap());
        assert!(!lists::set_publication(&mut tx, 7, node, Some(b"<a/>"), 3).await.unwrap());
        assert!(lists::set_publication(&mut tx, 7, node, None, 3).await.unwrap());
        let contact = |jid: &str, standing| Contact { jid: jid.into(), name: "x".into(), standing };
        for (seq, standing) in [(4, Standing::Asks), (5, Standing::Gone), (6, Standing::Gone), (7, Standing::Mutual)] {
            lists::set_contact(&mut tx, 7, &contact(&format!("c{seq}"), standing), seq).await.unwrap();
        }
        assert_eq!(lists::count_contacts(&mut tx, 7).await.unwrap(), (4, 1));
        lists::prune_gone(&mut tx, 7, 1).await.unwrap();
        assert_eq!(lists::contact(&mut tx, 7, "c5").await.unwrap(), None);
        assert_eq!(lists::contact(&mut tx, 7, "c7").await.unwrap(), Some(contact("c7", Standing::Mutual)));
        lists::set_contact(&mut tx, 7, &contact("c7", Standing::Gone), 8).await.unwrap();
        assert_eq!(lists::contacts(&mut tx, 7).await.unwrap().len(), 3);
        lists::prune_reads(&mut tx, 7, 0).await.unwrap();
        lists::prune_publications(&mut tx, 7, 0).await.unwrap();
        let events = since::page(&mut tx, 7, 0, 9, 3).await.unwrap().events;
        assert_eq!(events.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [4, 6, 8]);
    });
}

#[test]
fn many_writers_do_not_fail_each_other() {
    run(async |db, _| {
        let writers = (0..8).map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    loop {
                        let mut tx = db.begin().await.unwrap();
                        let head = account::by_id(&mut tx, 7).await.unwrap().unwrap().head;
                        if account::advance(&mut tx, 7, head, head + 1).await.unwrap() {
                            tx.commit().await.unwrap();
                            break;
                        }
                    }
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        assert_eq!(account::by_id(&mut db.read().await.unwrap(), 7).await.unwrap().unwrap().head, 160);
    });
}

#[test]
fn a_newer_schema_is_refused_in_words() {
    run(async |db, url| {
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) SELECT 99, 'x', success, checksum, 0 FROM _sqlx_migrations";
        sqlx::query(sql).execute(&mut *db.read().await.unwrap()).await.unwrap();
        let Err(why) = Db::open(url).await else { panic!() };
        assert!(matches!(why, OpenError::Newer(99)) && why.to_string().contains("newer version"), "{why}");
    });
}
