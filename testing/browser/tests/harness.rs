//! The harness itself, on a page of a few lines: what the tests of the messenger rest on.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use subrosa_browser_tests::{Browser, Options, missing};
use subrosa_interop::goes_on;

const PAGE: &str = r#"<!doctype html><html lang="en"><title>A page</title>
<script>
window.shared = 'SharedWorker' in self;
window.__violations = [];
addEventListener('error', (e) => window.__violations.push(`error ${e.message}`));
</script>
<main><h1>A page</h1>
<label for="name">Your name</label> <input id="name" data-testid="name">
<button data-testid="greet" onclick="document.querySelector('output').textContent = 'Hello ' + document.getElementById('name').value">Greet</button>
<button aria-label="Go wrong" onclick="nothing.at.all">!</button>
<output data-testid="said"></output></main>"#;

/// Serves the page at any path; its address.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let _ = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).count();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", PAGE.len());
                let _ = stream.write_all(format!("{head}{PAGE}").as_bytes());
            });
        }
    });
    url
}

fn browser(options: &Options) -> Option<(Browser, String)> {
    goes_on("browser", false, missing()).then(|| (Browser::start(options).unwrap(), serve()))
}

#[test]
fn pages_are_read_typed_into_and_clicked() {
    let Some((browser, url)) = browser(&Options::default()) else { return };
    let tab = browser.first_tab().unwrap();
    tab.goto(&url).unwrap();
    tab.type_into("name", "Ada").unwrap();
    tab.click("greet").unwrap();
    assert_eq!(tab.text("said").unwrap(), "Hello Ada");
    tab.paste_into("name", "🌹 of <b>").unwrap();
    tab.click_named("button", "Greet").unwrap();
    assert_eq!(tab.text("said").unwrap(), "Hello 🌹 of <b>");
    assert_eq!(tab.attribute("greet", "data-testid").unwrap().as_deref(), Some("greet"));
    assert_eq!(tab.script_async("return await Promise.resolve(7)").unwrap(), 7);
    assert!(tab.script_async("throw new Error('so')").unwrap_err().to_string().contains("so"));
    assert_eq!(tab.problems().unwrap(), [""; 0]);
    tab.click_named("button", "Go wrong").unwrap();
    let problems = tab.problems().unwrap();
    assert!(problems.iter().any(|problem| problem.contains("nothing is not defined")), "{problems:?}");
    // another tab of the same browser, and back
    let other = browser.new_tab().unwrap();
    other.goto(&url).unwrap();
    other.script("localStorage.mine = 'kept'").unwrap();
    assert_eq!(tab.text("said").unwrap(), "Hello 🌹 of <b>");
    other.close().unwrap();
    assert_eq!(tab.script("return localStorage.mine").unwrap(), "kept");
}

#[test]
fn a_renderer_and_a_whole_browser_are_killed_and_come_back() {
    let Some((mut browser, url)) = browser(&Options::default()) else { return };
    let spare = browser.first_tab().unwrap();
    let tab = browser.new_tab().unwrap();
    tab.goto(&url).unwrap();
    tab.script("localStorage.mine = 'kept'").unwrap();
    browser.kill_renderer(&tab).unwrap();
    assert!(tab.script("return 1").is_err());
    tab.close().unwrap();
    spare.goto(&url).unwrap();
    assert_eq!(spare.script("return localStorage.mine").unwrap(), "kept");
    browser.kill();
    assert!(spare.script("return 1").is_err());
    browser.reopen().unwrap();
    let tab = browser.first_tab().unwrap();
    tab.goto(&url).unwrap();
    assert!(tab.script("return localStorage.mine").unwrap().is_string());
    assert!(browser.memory() > 1_000_000);
}

#[test]
fn a_browser_without_shared_workers_has_none_in_any_tab() {
    let Some((browser, url)) = browser(&Options { without_shared_worker: true, ..Options::default() }) else { return };
    for tab in [browser.first_tab().unwrap(), browser.new_tab().unwrap()] {
        tab.goto(&url).unwrap();
        assert_eq!(tab.script("return window.shared").unwrap(), false);
    }
}

#[test]
fn space_can_be_short() {
    let Some((browser, url)) = browser(&Options::default()) else { return };
    let tab = browser.first_tab().unwrap();
    tab.goto(&url).unwrap();
    let fill = "
        const db = await new Promise((r, n) => { const o = indexedDB.open('x', 1); o.onupgradeneeded = () => o.result.createObjectStore('s'); o.onsuccess = () => r(o.result); o.onerror = n; });
        return await new Promise((r) => { const t = db.transaction('s', 'readwrite'); t.objectStore('s').put(crypto.getRandomValues(new Uint8Array(65536)).join(), 1);
          for (let i = 0; i < 40; i++) t.objectStore('s').put(crypto.getRandomValues(new Uint8Array(65536)).join(), i);
          t.oncomplete = () => r('kept'); t.onabort = () => r(t.error.name); }).finally(() => db.close());";
    tab.quota(Some(1_000_000)).unwrap();
    assert_eq!(tab.script_async(fill).unwrap(), "QuotaExceededError");
    tab.quota(None).unwrap();
    assert_eq!(tab.script_async(fill).unwrap(), "kept");
    tab.evict().unwrap();
    assert_eq!(tab.script_async("return (await indexedDB.databases()).length").unwrap(), 0);
}
