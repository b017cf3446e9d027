//! An account with 10,000 messages: unread, reply, edit, verify, search, resize, reconnect.
use crate::pty::Tty;
use crate::support::{Place, server};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};
use subrosa_engine::{Address, Content, Time};
use subrosa_history::{Entry, History};
use subrosa_store::StoreKey;

const MANY: u64 = 10_000;

/// Puts so many messages with Bob into Alice's history; no process has it open.
fn fill(place: &Place) {
    let dir = place.path().join("accounts/alice@localhost");
    let key = StoreKey::load(&dir.join("key")).unwrap();
    let (me, bob) = (Address::from("alice@localhost"), Address::from("bob@localhost"));
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let mut history = History::open(dir.join("history.db"), key.as_bytes(), &me).unwrap();
    history
        .transaction(|history| {
            for n in 1..=MANY {
                // a minute each, up to an hour ago
                let time = Time(now - 3_600_000 - (MANY - n) * 60_000);
                let from = if n % 4 == 0 { &me } else { &bob };
                history.add(&Entry::new(&bob, from, &format!("old-{n}"), Content::Text(format!("letter number{n} of many")), time))?;
            }
            let newest = history.page(&subrosa_engine::ChatId(bob.clone()), subrosa_history::At::Newest, 1)?;
            let last = newest.messages.last().unwrap().place;
            history.read_up_to(&subrosa_engine::ChatId(bob.clone()), last)
        })
        .unwrap();
}

#[test]
fn a_long_history_is_lived_in() {
    let Some(mut server) = server() else { return };
    let (alice, bob_place) = (Place::new(), Place::new());
    alice.login(&server, "alice");
    bob_place.login(&server, "bob");
    fill(&alice);
    let mut bob = bob_place.rpc();
    bob.online();
    let mut tty = Tty::start(&alice);
    tty.row("alice@localhost", "online").row("letter", "number");
    // unread
    bob.call("send", json!({"to": "alice@localhost", "text": "the newest letter"}));
    tty.row("bob", " 1").keys("<A-a>").sees("bob: the newest letter").sees("─ new ─").sees("number10000");
    // pages
    for _ in 0..5 {
        let before = tty.text();
        tty.keys("<PgUp>").wait("another page", |now| now != before);
    }
    tty.sees("more below").sees_not("number10000").keys("<Esc>").sees("bob: the newest letter");
    // search, and to where it was said
    tty.keys("<C-f>").sees("Search everywhere").keys("number1234").sees("bob: letter number1234 of");
    tty.keys("<Enter>").sees("number1233").sees("number1235").sees("more below");
    // an answer to it
    tty.wait("it is there", |t| t.contains("number1234 "));
    tty.keys("r").sees("answers bob: letter number1234").keys("found it<Enter>").left("found it");
    bob.message("found it");
    // a correction
    tty.keys("<Tab>").sees("r answer").keys("e").sees("corrects").keys(" again<Enter>").row("found it again", "edited");
    bob.wait("entry", |l| l["method"] == "entry" && l["params"]["entry"]["text"] == "found it again");
    // to the message that it answers, and back
    tty.keys("<Tab>").sees("r answer").keys("o").sees("number1235").keys("G").sees("found it again").keys("<Esc>").sees("Enter send");
    // verify
    tty.keys("<C-t>").row("omemo:2", "trusted").keys("v").sees("Is it the same").keys("y").sees("verified: bob").keys("<Esc>").sees_not("Devices of");
    // resize: narrow, small, large, and back
    tty.resize(40, 12).wait("narrow", |t| t.contains("found it again") && !t.contains("│"));
    tty.resize(20, 5).sees("too small");
    tty.resize(120, 50).sees("found it again").sees("number9970");
    tty.resize(80, 24).sees("found it again").sees_not("number9970");
    // the server goes and comes: what is written meanwhile waits, and leaves
    server.stop();
    tty.sees("connecting").keys("written in the dark<Enter>").row("written in the dark", "queued");
    server.restart().unwrap();
    tty.row("alice@localhost", "online").left("written in the dark");
    bob.message("written in the dark");
    bob.call("send", json!({"to": "alice@localhost", "text": "and light again"}));
    tty.sees("✓ bob: and light again");
    tty.end();
    // after a restart all of it is there
    let mut tty = Tty::start(&alice);
    tty.sees("and light again").keys("<Enter>").row("found it again", "edited");
    tty.end();
}
