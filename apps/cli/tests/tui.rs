//! `subrosa tui` on a terminal of its own, over a real Prosody: every action that its keys offer, driven once and seen on the screen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#[path = "tui/long.rs"]
mod long;
#[path = "tui/pty.rs"]
mod pty;
mod support;

use pty::Tty;
use serde_json::{Value, json};
use subrosa_interop::Prosody;
use support::{Place, Raw, Rpc, server};

/// Alice at a terminal, Bob as a program.
fn two(server: &Prosody) -> (Place, Place, Tty, Rpc) {
    let (alice, bob) = (Place::new(), Place::new());
    alice.login(server, "alice");
    bob.login(server, "bob");
    let mut rpc = bob.rpc();
    rpc.online();
    let mut tty = Tty::start(&alice);
    tty.row("alice@localhost", "online");
    (alice, bob, tty, rpc)
}
impl Tty {
    /// Opens a chat with somebody.
    fn write_to(&mut self, jid: &str) -> &mut Self {
        self.keys("n").sees("Write to (address)").keys(jid).sees(jid).keys("<Enter>").sees("encrypted")
    }
}
impl Tty {
    /// Of the two devices that are listed by number this one.
    fn choose(&mut self, number: &str) -> &mut Self {
        let text = self.text();
        let first = text.rfind("this device").unwrap() > text.rfind(number).unwrap();
        if first { self } else { self.keys("j") }
    }
}
/// How far a message is once the server has it.
const AWAY: [&str; 3] = ["sent", "delivered", "read"];
impl Tty {
    /// A message of one's own has left.
    #[track_caller]
    fn left(&mut self, text: &str) -> &mut Self {
        self.wait(&format!("{text}, sent"), |screen| {
            screen.lines().any(|row| row.contains(text) && AWAY.iter().any(|state| row.trim_end().ends_with(state)))
        })
    }
}
impl Rpc {
    fn tell(&mut self, text: &str) {
        self.call("send", json!({"to": "alice@localhost", "text": text}));
    }
    /// The line of its history with this text.
    fn line(&mut self, chat: &str, text: &str) -> Value {
        let all = self.call("history", json!({"chat": chat}));
        all["messages"].as_array().unwrap().iter().find(|m| m["text"] == text).unwrap_or_else(|| panic!("no {text}: {all}")).clone()
    }
}

#[test]
fn a_conversation() {
    let Some(server) = server() else { return };
    let (_alice, _bob, mut tty, mut bob) = two(&server);
    tty.sees("no chats yet").write_to("bob@localhost");
    tty.keys("hello bob<Enter>").left("hello bob");
    bob.message("hello bob");
    // what Bob does is seen
    bob.tell("good evening");
    tty.sees("bob: good evening");
    let first = bob.line("alice@localhost", "hello bob")["place"].clone();
    bob.call("react", json!({"chat": "alice@localhost", "of": first, "emojis": ["🦉"]}));
    tty.row("🦉", "bob");
    bob.call("reply", json!({"chat": "alice@localhost", "of": first, "text": "to your greeting"}));
    tty.sees("↪ you: hello bob").sees("to your greeting");
    let own = bob.line("alice@localhost", "good evening")["place"].clone();
    bob.call("edit", json!({"chat": "alice@localhost", "of": own, "text": "good morning"}));
    tty.row("good morning", "edited").sees_not("good evening");
    bob.call("retract", json!({"chat": "alice@localhost", "of": own}));
    tty.sees("(taken back by bob)").sees_not("good morning");
    // what would turn the line around does not come through
    bob.tell("left\u{202e}right");
    // (the parser of this test does not show the sign that stands for it)
    tty.sees("leftright");
    let raw = String::from_utf8_lossy(&tty.raw).into_owned();
    assert!(raw.contains("left\u{fffd}right") && !raw.contains('\u{202e}'));
    let turned = bob.line("alice@localhost", "left\u{202e}right")["place"].clone();
    bob.call("retract", json!({"chat": "alice@localhost", "of": turned}));
    tty.sees_not("leftright");
    // what Alice does arrives: an answer, of several lines, some of them pasted
    tty.keys("<Tab>k").sees("r answer").keys("r").sees("answers bob: to your greeting");
    tty.keys("so<A-Enter>").paste("they\nsay\u{1b}[2J").sees("say[2J");
    tty.keys("<BS><BS><BS>").sees_not("say[2J").keys("<Enter>").sees_not("answers bob");
    let got = bob.message("so\nthey\nsay");
    assert_eq!(got["from"], "alice@localhost");
    let answered = bob.line("alice@localhost", "so\nthey\nsay");
    assert_eq!(answered["reply"]["text"], "to your greeting");
    // a correction
    tty.left("say").keys("<Tab>e").sees("corrects your message").keys(", bob<Enter>").row("say, bob", "edited");
    bob.wait("entry", |l| l["method"] == "entry" && l["params"]["entry"]["text"] == "so\nthey\nsay, bob");
    // a reaction, taken back
    tty.keys("<Tab>kk").keys("+").sees("React with an emoji").keys("1<Enter>");
    bob.wait("entry", |l| l["method"] == "entry" && l["params"]["entry"]["reactions"][0]["emoji"] == "👍");
    tty.row("👍", "you").keys("+").sees("React with an emoji").keys("<Enter>").sees_not("👍 you");
    // a retraction
    tty.keys("G").keys("d").sees("Take this message back?").keys("y").sees("(taken back by you)");
    bob.wait("entry", |l| l["method"] == "entry" && l["params"]["entry"]["retracted"] == "alice@localhost");
    // all about one, and back to writing; drafts are had again
    tty.keys("i").sees("how      encrypted").keys("<Esc>").sees_not("how      encrypted");
    tty.keys("q").sees("Enter send").keys("<Up>").sees("> so").keys("x").sees("say, bobx");
    // what is not sent is asked about
    tty.keys("<C-q>").sees("was not sent").keys("n").sees_not("was not sent");
    bob.wait("typing", |l| l["method"] == "typing" && l["params"]["composing"] == true);
    tty.keys("<C-c>").sees("was not sent").keys("y");
    assert_eq!(tty.ended(), 0);
    tty.is_given_back();
}

#[test]
fn unread_is_counted_and_read_by_reading() {
    let Some(server) = server() else { return };
    let (alice, _bob, mut tty, mut bob) = two(&server);
    let carol_place = Place::new();
    carol_place.login(&server, "carol");
    let mut carol = carol_place.rpc();
    carol.online();
    bob.tell("one");
    bob.tell("two");
    tty.row("bob", " 2");
    carol.call("send", json!({"to": "alice@localhost", "text": "from carol"}));
    tty.row("carol", " 1");
    // Alt-A goes through them; what is read is no more unread, for the writer too
    tty.keys("<A-a>")
        .sees("carol@localhost")
        .sees("carol: from carol")
        .wait("carol is read", |t| !t.lines().any(|r| r.contains("carol ") && r.contains(" 1 ")));
    tty.keys("<A-a>").sees("bob: two").sees("─ new ─");
    bob.wait("read", |l| l["method"] == "entry" && l["params"]["entry"]["text"] == "two" && l["params"]["entry"]["state"] == "displayed");
    // between chats
    tty.keys("<A-Up>").sees("carol: from carol").keys("<A-Down>").sees("bob: two");
    tty.keys("<Tab><Tab>").sees("Enter open").keys("kj").keys("<Enter>").sees("Enter send");
    tty.end();
    // nothing is unread after a restart
    let mut tty = Tty::start(&alice);
    tty.sees("carol").sees("bob");
    tty.keys("<A-a>").sees("nothing unread");
    tty.end();
}

#[test]
fn rooms_from_their_beginning_to_their_end() {
    let Some(server) = server() else { return };
    let (_alice, _bob, mut tty, mut bob) = two(&server);
    // the server has not said at once whether it has rooms
    while !tty.text().contains("#Tea") {
        tty.sees_not("no service")
            .keys("N")
            .sees("Name of the new room")
            .keys("Tea<Enter>")
            .wait("a room", |t| t.contains("#Tea") || t.contains("no service"));
        if !tty.text().contains("#Tea") {
            tty.keys("g");
        }
    }
    tty.sees("▪ encrypted");
    tty.keys("<A-m>").sees("alice@localhost (you)").sees("owner");
    tty.keys("I").sees("Invite (address)").keys("bob@localhost<Enter>").sees("bob is invited");
    let room = bob.note("invitation")["room"].as_str().unwrap().to_owned();
    tty.keys("<Esc>").sees_not("(you)");
    bob.call("room_join", json!({"room": room}));
    tty.keys("tea for two<Enter>").left("tea for two");
    bob.message("tea for two");
    bob.call("send", json!({"to": room, "text": "and two for tea"}));
    tty.sees("bob: and two for tea");
    // who has no device is named before anything is sent, and left out only after a yes
    tty.keys("<A-m>")
        .row("here", "bob@localhost")
        .keys("I")
        .sees("Invite (address)")
        .keys("carol@localhost<Enter>")
        .sees("carol is invited")
        .row("away", "carol@localhost");
    tty.keys("<Esc>")
        .sees_not("(you)")
        .keys("is carol here?<Enter>")
        .sees("carol: no device that could decrypt")
        .keys("n")
        .sees_not("that could decrypt")
        .sees("> is carol here?");
    tty.keys("<Enter>").sees("carol: no device that could decrypt").keys("y").sees_not("no device that").left("is carol here?");
    bob.message("is carol here?");
    tty.keys("<A-m>").sees("Members without keys are left out").keys("x").sees_not("are left out").keys("<Esc>").sees_not("(you)");
    // Bob is looked at from the members, and taken out
    tty.keys("<A-m>").row("here", "bob@localhost").keys("j<Enter>").sees("Devices of bob@localhost").keys("q").sees("Members of");
    tty.keys("D").sees("Take the membership of bob@localhost?").keys("y").wait("bob is gone", |t| !t.contains("here  bob@localhost"));
    tty.keys("L").sees("Leave the room").keys("y").sees_not("#Tea");
    // invited to another: declined, then accepted
    let other = bob.call("room_create", json!({"name": "Cake"}))["room"].as_str().unwrap().to_owned();
    bob.call("room_invite", json!({"room": other, "jid": "alice@localhost"}));
    tty.sees("notice").keys("<A-n>").sees("bob invites you").keys("n").sees_not("invites you").keys("<Esc>").sees_not("y accept");
    let other = bob.call("room_create", json!({"name": "Scones"}))["room"].as_str().unwrap().to_owned();
    bob.call("room_invite", json!({"room": other, "jid": "alice@localhost"}));
    tty.sees("notice").keys("<A-n>").sees("bob invites you").keys("y").sees("#Scones");
    bob.call("send", json!({"to": other, "text": "scones for all"}));
    tty.sees("bob: scones for all");
    // left from the list, and entered again by its address
    tty.keys("<Tab><Tab>").sees("Enter open").keys("L").sees("Leave the room").keys("y").sees_not("#Scones");
    tty.keys("J").sees("Go into the room").keys(&other).keys("<Enter>").sees("#Scones");
    tty.end();
}

#[test]
fn devices_are_compared_trusted_and_refused() {
    let Some(server) = server() else { return };
    let (_alice, bob_place, mut tty, mut bob) = two(&server);
    tty.write_to("bob@localhost").keys("hello<Enter>").left("hello");
    bob.message("hello");
    let status = bob.call("status", json!({}))["accounts"][0].clone();
    let (device, key) = (status["device"].to_string(), status["fingerprint"].as_str().unwrap().to_owned());
    tty.keys("<C-t>").sees("Devices of bob@localhost").row(&device, "trusted").sees(&key[..8]);
    // what a refused device writes is marked
    tty.keys("u").row(&device, "untrusted").keys("<Esc>").sees_not("Devices of");
    bob.tell("from a refused device");
    tty.sees("! bob: from a refused device").keys("<C-t>").row(&device, "untrusted").keys("t").row(&device, "trusted").sees_not("untrusted");
    tty.keys("v").sees("Is it the same").keys("n").sees_not("Is it the same");
    // by the link, as a scanner reads it
    tty.keys("l").sees("Paste the link").paste(&format!("xmpp:bob@localhost?omemo-sid-{device}={key}")).keys("<Enter>");
    tty.sees("verified: bob").row(&device, "verified");
    // by comparing
    tty.keys("t").row(&device, "trusted").keys("v").sees("Is it the same").keys("y").row(&device, "verified");
    tty.keys("s").sees("a new session with device");
    // a message of a verified device is marked
    tty.keys("<Esc>").sees_not("Devices of");
    bob.tell("marked");
    tty.sees("✓ bob: marked");
    // a device of Bob's that comes after he was verified waits
    let second = Place::new();
    second.login(&server, "bob");
    tty.keys("to all of yours<Enter>").left("to all of yours");
    tty.sees("notice")
        .keys("<A-n>")
        .sees("bob has a new device")
        .sees("until you decide")
        .keys("A")
        .sees("nothing")
        .keys("<Esc>")
        .sees_not("nothing");
    // Bob wants nothing encrypted any more: nothing is sent until that is decided
    bob.call("opt_out", json!({"chat": "alice@localhost", "reason": "old computer"}));
    tty.sees("notice")
        .keys("<A-n>")
        .sees("asks not to be sent encrypted messages")
        .keys("e")
        .sees("go on encrypted")
        .keys("<Esc>")
        .sees_not("e encrypt on");
    tty.keys("still here<Enter>").left("still here");
    tty.keys("<C-t>").sees("Devices of bob@localhost");
    tty.keys("b").sees("Block bob@localhost?").keys("y").sees("blocked: nothing comes");
    tty.keys("b").sees_not("blocked: nothing comes");
    drop(bob_place);
    tty.end();
}

#[test]
fn clear_text_is_asked_about_before_anything_leaves_so() {
    let Some(server) = server() else { return };
    let (alice, _bob, mut tty, mut bob) = two(&server);
    let mut carol = Raw::login(&server, "carol");
    tty.write_to("carol@localhost").keys("/clear<Enter>").sees("can't be written to encrypted").keys("y").sees("send a message first");
    tty.keys("are you there?<Enter>").sees("UNENCRYPTED?").keys("n").sees_not("UNENCRYPTED?").sees("> are you there?");
    tty.sees("▪ encrypted").keys("<Enter>").sees("UNENCRYPTED?").keys("y").left("are you there?").sees("o NOT encrypted");
    carol.hears("<body>are you there?</body>");
    carol.message("alice@localhost", "c1", "I am, openly");
    tty.sees("o carol: I am, openly");
    tty.end();
    // it is remembered, seen, and taken back
    let mut tty = Tty::start(&alice);
    tty.row("alice@localhost", "online").keys("<Enter>").sees("o NOT encrypted").keys("once more<Enter>").left("once more").sees("UNENCRYPTED");
    tty.keys("/clear off<Enter>").sees("▪ encrypted").sees("or not sent");
    tty.keys("secret words<Enter>").sees("UNENCRYPTED?").keys("<Esc>").sees_not("UNENCRYPTED?").keys("<C-u>");
    assert!(!server.has_seen("secret words"));
    // who asks not to be written to encrypted: from the notice, or by commands
    tty.keys("<Tab><Tab>").sees("Enter open").write_to("bob@localhost").keys("hello<Enter>").left("hello");
    bob.call("opt_out", json!({"chat": "alice@localhost"}));
    tty.sees("notice")
        .keys("<A-n>")
        .sees("asks not to be sent encrypted")
        .keys("Gc")
        .sees("UNENCRYPTED?")
        .keys("n")
        .sees_not("UNENCRYPTED?")
        .keys("<Esc>");
    tty.sees_not("e encrypt on").keys("still secret<Enter>").sees("UNENCRYPTED?").keys("n").sees_not("UNENCRYPTED?");
    tty.keys("<C-u>/go-on<Enter>").sees("go on encrypted").keys("still secret<Enter>").left("still secret");
    assert!(!server.has_seen("still secret"));
    tty.end();
}

#[test]
fn own_devices_are_approved_with_the_history_and_removed() {
    let Some(server) = server() else { return };
    let (alice, _bob, mut tty, mut bob) = two(&server);
    tty.write_to("bob@localhost").keys("before the second<Enter>").left("before the second");
    bob.message("before the second");
    let second = Place::new();
    second.login(&server, "alice");
    let mut new = Tty::start(&second);
    new.row("alice@localhost", "online");
    let number =
        |place: &Place| place.ok(&["status"]).lines().find_map(|l| l.trim().strip_prefix("device ")?.split(',').next().map(str::to_owned)).unwrap();
    let (old_number, new_number) = (number(&alice), number(&second));
    tty.sees("notice").keys("<A-n>").sees("of your own account").keys("<Esc>").sees_not("of your own account");
    // it stays until it is acknowledged, over a restart too
    tty.end();
    let mut tty = Tty::start(&alice);
    tty.sees("notice").keys("<A-n>").sees("of your own account").keys("j<Enter>").sees("Your own devices").sees("awaits approval");
    tty.keys("c").sees("This device").sees("xmpp:alice@localhost").keys("<Esc>").sees_not("This device").sees("awaits approval");
    // approved here, and there: each asks its own person
    tty.choose(&new_number).keys("A").sees("gets the history").keys("y").sees_not("awaits approval");
    new.sees("notice").keys("<A-n>").sees("offers its history").keys("G<Enter>").sees("Your own devices").row(&old_number, "omemo:2");
    new.choose(&old_number).keys("A").sees("Is device").keys("y").sees_not("Is device");
    new.keys("<Esc>").sees_not("Your own devices").keys("A").sees("nothing").keys("<Esc>").sees_not("nothing");
    new.keys("<Enter>").sees("you: before the second");
    new.end();
    tty.keys("<Esc>").sees("of your own account").keys("A").sees("nothing").keys("<Esc>").sees_not("nothing");
    tty.keys("<C-t>").sees("Your own devices").row(&new_number, "omemo:2").choose(&new_number).keys("D").sees("Take device").keys("y");
    tty.wait("it is gone", |t| !t.lines().any(|row| row.contains(&new_number) && row.contains("verified") && !row.contains("not in use")));
    tty.end();
}

#[test]
fn several_accounts_in_one_window() {
    let Some(server) = server() else { return };
    let place = Place::new();
    place.login(&server, "alice");
    place.login(&server, "bob");
    let mut tty = Tty::start(&place);
    tty.row("alice@localhost", "online").write_to("bob@localhost").keys("to myself, nearly<Enter>").left("to myself, nearly");
    tty.sees("1 unread elsewhere").keys("<A-s>").sees("Accounts").row("bob@localhost", "1 unread").keys("j<Enter>");
    tty.row("bob@localhost", "online").keys("<A-a>").sees("alice: to myself, nearly").keys("seen<Enter>").left("seen");
    tty.keys("<A-s>").sees("Accounts").keys("k<Enter>").row("alice@localhost", "online").sees("bob: seen");
    // beside it other commands go through it
    assert!(place.ok(&["--account", "bob@localhost", "send", "alice@localhost", "from the shell"]).contains("sent"));
    tty.sees("bob: from the shell");
    tty.end();
}

#[test]
fn beside_the_process_that_has_the_account_and_in_its_place() {
    let Some(server) = server() else { return };
    let (alice, bob_place) = (Place::new(), Place::new());
    alice.login(&server, "alice");
    bob_place.login(&server, "bob");
    let (mut holder, mut bob) = (alice.rpc(), bob_place.rpc());
    holder.online();
    bob.online();
    let mut tty = Tty::start(&alice);
    tty.row("alice@localhost", "online").write_to("bob@localhost").keys("through the other<Enter>").left("through the other");
    bob.message("through the other");
    bob.tell("heard by both");
    tty.sees("bob: heard by both");
    holder.message("heard by both");
    holder.kill();
    bob.tell("heard by one");
    tty.sees("bob: heard by one").keys("on its own<Enter>").left("on its own");
    bob.message("on its own");
    tty.end();
}

#[test]
fn the_history_is_kept_sealed_erased_and_brought_back() {
    let Some(server) = server() else { return };
    let (alice, _bob, mut tty, mut bob) = two(&server);
    tty.write_to("bob@localhost").keys("to be kept<Enter>").left("to be kept");
    bob.message("to be kept");
    let file = alice.path().join("sealed");
    let file = file.to_str().unwrap();
    tty.keys(&format!("/backup {file}<Enter>"))
        .sees("Passphrase to seal")
        .keys("correct horse<Enter>")
        .sees("once more")
        .keys("correct horse<Enter>");
    tty.sees("messages in the file: ").sees_not("correct horse");
    tty.keys("/erase<Enter>").sees("Erase all that was said").keys("y").sees_not("to be kept");
    tty.write_to("bob@localhost")
        .keys(&format!("/restore {file}<Enter>"))
        .sees("Passphrase of the file")
        .keys("wrong<Enter>")
        .sees_not("Passphrase of");
    tty.sees_not("messages came back").sees("does not open");
    tty.keys(&format!("/restore {file}<Enter>")).sees("Passphrase of the file").keys("correct horse<Enter>").sees("came back").sees("to be kept");
    tty.end();
}

#[test]
fn a_secret_is_typed_unseen_and_the_terminal_given_back() {
    let Some(server) = server() else { return };
    let place = Place::new();
    let host = format!("127.0.0.1:{}", server.port);
    for (keys, code) in [("secret<C-c>", 2), ("<Enter>", 2), ("secret<Enter>", 4), ("secret<C-u>pw-alicX<BS>e<Enter>", 0)] {
        let mut tty = Tty::run(&place, &["login", "alice@localhost", "--host", &host, "--plain-loopback"]);
        assert!(!tty.sees("Password of alice@localhost").echoes());
        assert_eq!(tty.keys(keys).ended(), code, "{keys}: {}", tty.written());
        assert!(tty.echoes() && !tty.written().contains("secret") && !tty.written().contains("pw-al"), "{keys}: {}", tty.written());
    }
}

/// XEP-0384 §8: eight groups, each in the colour that other programs give it; on a terminal, and nowhere else.
#[test]
fn fingerprints_have_their_colours_on_a_terminal() {
    let Some(server) = server() else { return };
    let place = Place::new();
    place.login(&server, "alice");
    let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse::<u8>().ok());
    let beyond_sixteen = |tty: &Tty| tty.written().split("38;5;").skip(1).filter_map(number).filter(|n| *n >= 16).count();
    for args in [["fingerprint"], ["devices"]] {
        let plain = place.ok(&args);
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        let mut tty = Tty::run(&place, &args);
        assert_eq!(tty.ended(), 0);
        assert_eq!(beyond_sixteen(&tty), 8, "{}", tty.written());
    }
    let mut tty = Tty::start(&place);
    tty.row("alice@localhost", "online");
    assert_eq!(beyond_sixteen(&tty), 0);
    tty.keys("<C-t>").sees("this device");
    // what does not change between two cells is not written twice
    assert!(beyond_sixteen(&tty) > 0);
    tty.end();
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    let Some(server) = server() else { return };
    let place = Place::new();
    place.login(&server, "alice");
    for signal in ["-TERM", "-HUP", "-INT"] {
        let mut tty = Tty::start(&place);
        tty.row("alice@localhost", "online");
        assert!(std::process::Command::new("kill").args([signal, &tty.pid().to_string()]).status().unwrap().success());
        assert_eq!(tty.ended(), 0);
        tty.is_given_back();
    }
    // logs do not stand in the messages
    let mut tty = Tty::run(&place, &["tui", "-vvv"]);
    tty.row("alice@localhost", "online")
        .keys("<F1>")
        .sees("end the program")
        .keys("<PgDn><PgDn>")
        .sees("take it back (one's own)")
        .keys("<Esc>")
        .sees("no chats yet");
    tty.end();
    // without a terminal there is a sentence
    let err = place.fails(2, &["tui"]);
    assert!(err.contains("needs a terminal"), "{err}");
    // and without an account
    let err = Place::new().fails(2, &["tui"]);
    assert!(err.contains("needs a terminal"), "{err}");
}
