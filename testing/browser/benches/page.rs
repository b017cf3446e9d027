//! What a person waits for, in headless Chromium, over a real gateway and Prosody:
//!
//! - `sign_in`, `chat_list`: from navigation until the form, or the list of chats of who is signed in, can be seen; a browser that was started
//!   for this, with a fresh profile for the form, so that all wasm is loaded and compiled;
//! - `open_10000`: from a click on a chat of 10,000 messages until its last message is painted at the end of the list; the page was
//!   loaded anew before each. The messages are real ones: the contact's terminal sent them, this browser decrypted and stored them;
//! - `scroll_frame`: between two frames, of all but the slowest hundredth, while that chat is scrolled upwards by 600 pixels a frame.
//!
//! `cargo bench -p subrosa-browser-tests --bench page [-- --json]`
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::json;
use subrosa_browser_tests::{Browser, Messenger, Options, Page, Stage, Tab};
use subrosa_interop::{GatewayOptions, Subrosa};

const MESSAGES: usize = 10_000;
const STARTS: usize = 5;
const OPENINGS: usize = 11;
/// Messages that the terminal has not been told of yet.
const UNDERWAY: usize = 200;
const BOB: &str = "bob@localhost";

/// Notes when there is something that a person can use.
const USABLE: &str = "{
const look = () => {
  const found = [...document.querySelectorAll('[data-testid=signin-jid],[data-testid^=chat-]')].some((e) => e.checkVisibility());
  if (found) self.__usable = performance.now(); else requestAnimationFrame(look);
};
requestAnimationFrame(look);
}";
/// The text of the last message is put in front.
const OPEN: &str = "
const painted = () => new Promise((done) => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = done;
  port2.postMessage(0);
}));
const there = () => {
  const row = [...document.querySelectorAll('[data-testid=message]')].at(-1), list = document.querySelector('[role=log]');
  if (row?.querySelector('.text')?.textContent !== last) return false;
  const [at, frame] = [row, list].map((e) => e.getBoundingClientRect());
  return at.top >= frame.top && at.bottom <= frame.bottom + 1 && row.contains(document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2));
};
const button = [...document.querySelectorAll(`[data-testid='chat-bob@localhost']`)].find((e) => e.checkVisibility());
await painted();
const start = performance.now();
button.click();
while (!there()) {
  await painted();
  if (performance.now() - start > 60_000) throw new Error('the last message does not come');
}
return performance.now() - start;";
const SCROLL: &str = "
const list = document.querySelector('[role=log]'), box = list.getBoundingClientRect(), gaps = [];
let blank = 0, before = await new Promise(requestAnimationFrame);
for (let i = 0; i < 300; i++) {
  list.scrollTop -= 600;
  const now = await new Promise(requestAnimationFrame);
  gaps.push(now - before);
  before = now;
  const seen = [0.25, 0.5, 0.75].some((y) => document.elementFromPoint(box.x + box.width / 2, box.y + box.height * y)?.closest('[data-testid=message]'));
  if (!seen) blank++;
}
return { p99: gaps.sort((a, b) => a - b)[Math.floor(gaps.length * 0.99)], blank };";

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
fn print(json: bool, name: &str, value: f64, limit: Option<f64>, note: &str) {
    if json {
        let limit = limit.map_or("null".into(), |limit| limit.to_string());
        println!(r#"{{"name":"page/{name}","value":{value:.1},"unit":"ms","floor":null,"ratio":null,"limit":{limit}}}"#);
    } else {
        let limit = limit.map_or(String::new(), |limit| format!("at most {limit}"));
        println!("{name:<14} {value:>8.1} ms   {limit:<14} {note}");
    }
}
/// The page in a browser that was just started.
fn usable(tab: &Tab, url: &str) -> f64 {
    tab.goto(url).unwrap();
    tab.wait_for("something to use", "self.__usable").unwrap();
    tab.script("return self.__usable").unwrap().as_f64().unwrap()
}
fn text(n: usize) -> String {
    format!("message {n}: {}", "under the rose ".repeat(1 + n * 7 % 12).trim_end())
}

/// All of them, encrypted, by way of both servers.
fn write(bob: &mut Subrosa) {
    let mut underway = VecDeque::new();
    for n in 0..MESSAGES {
        if underway.len() >= UNDERWAY {
            bob.sent(underway.pop_front().unwrap()).unwrap();
        }
        let params = json!({"to": "alice@localhost", "text": text(n), "timeout": 600});
        underway.push_back(bob.ask("send", params).unwrap());
    }
    underway.into_iter().for_each(|id| drop(bob.sent(id).unwrap()));
}
fn come(page: &Page) {
    let start = Instant::now();
    while page.unread(BOB).unwrap() < MESSAGES as u32 {
        assert!(start.elapsed() < Duration::from_secs(600), "only {} messages came", page.unread(BOB).unwrap());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn main() {
    let json = std::env::args().any(|a| a == "--json");
    if let Some(missing) = Subrosa::missing() {
        return eprintln!("skipped: {missing}");
    }
    let extra = "[limits]\nlogins_per_minute = 1000\n".to_owned();
    let Some(stage) = Stage::set_with(GatewayOptions { extra, ..GatewayOptions::default() }) else { return };
    let url = &stage.gateway.url;
    let options = Options { before_pages: vec![USABLE.to_owned()], ..Options::default() };

    let start = |_| {
        let browser = Browser::start(&options).unwrap();
        usable(&browser.first_tab().unwrap(), url)
    };
    let sign_in = median((0..STARTS).map(start).collect());
    print(json, "sign_in", sign_in, Some(1500.0), "fresh profile");

    let mut alice = Messenger::sign_in(url, "alice@localhost", "pw-alice", &options).unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut bob = stage.terminal_of("bob", &data);
    let began = Instant::now();
    write(&mut bob);
    let sent = began.elapsed().as_secs_f64();
    come(alice.page());
    let came = began.elapsed().as_secs_f64();

    let again = |_| {
        alice.browser.close();
        alice.browser.reopen().unwrap();
        usable(&alice.browser.first_tab().unwrap(), url)
    };
    let chat_list = median((0..STARTS).map(again).collect());
    print(json, "chat_list", chat_list, Some(1500.0), "a new process, signed in before");

    let page = Page { tab: alice.browser.first_tab().unwrap() };
    let open = |_| {
        page.tab.goto(url).unwrap();
        page.online().unwrap();
        page.tab.see(&format!("chat-{BOB}")).unwrap();
        let last = serde_json::to_string(&text(MESSAGES - 1)).unwrap();
        page.tab.script_async(&format!("const last = {last}; {OPEN}")).unwrap().as_f64().unwrap()
    };
    let open = median((0..OPENINGS).map(open).collect());
    let note = format!("{MESSAGES} messages; sent in {sent:.0} s, decrypted and stored after {came:.0} s");
    print(json, "open_10000", open, Some(200.0), &note);

    let scrolled = page.tab.script_async(SCROLL).unwrap();
    let note = format!("300 frames, {} of them blank", scrolled["blank"]);
    print(json, "scroll_frame", scrolled["p99"].as_f64().unwrap(), None, &note);
    assert_eq!(page.tab.problems().unwrap(), [""; 0]);
}
