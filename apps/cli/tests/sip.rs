//! Two of ours over SIP on the loopback, as a user has them: commands, a running process, the RPC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod support;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use subrosa_interop::FileServer;
use support::{Place, Rpc};

const ALICE: &str = "sip:alice@sip.test";
const BOB: &str = "sip:bob@sip.test";

/// A loopback address that nobody else here uses, so that a port on it is free.
fn host() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{low}.{}", high | 1, NEXT.fetch_add(1, Ordering::Relaxed))
}
/// `subrosa sip` in a directory of its own.
fn sip(place: &Place, from: &str, engine: &str, args: &[&str]) -> Command {
    place.command(&[&["sip", "--from", from, "--engine", engine, "--listen", "127.0.0.1:0"], args].concat())
}
/// One that answers on standard input and output; where it listens by TCP, as a proxy's URI.
fn rpc(place: &Place, from: &str, engine: &str, args: &[&str]) -> (Rpc, String) {
    let mut rpc = Rpc::start(sip(place, from, engine, &[&["rpc"], args].concat()));
    rpc.online();
    let status = rpc.call("status", json!({}));
    let listens = status["accounts"][0]["listens"].as_array().unwrap().clone();
    let tcp = listens.iter().find_map(|place| place.as_str()?.strip_prefix("tcp ")).expect("it listens by TCP").to_owned();
    (rpc, format!("sip:{tcp};transport=tcp"))
}
/// Alice reaches Bob, and he her.
fn pair(engine: &str, args: &[&str]) -> (Place, Rpc, Place, Rpc) {
    let (alice, bob, host) = (Place::new(), Place::new(), host());
    let (b, to_bob) = rpc(&bob, BOB, engine, &[&["--proxy", &format!("sip:{host}:5060;transport=tcp")], args].concat());
    let mut command = sip(&alice, ALICE, engine, &[&["rpc", "--proxy", &to_bob], args].concat());
    command.args(["--transport", "tcp", "--listen", &format!("{host}:5060")]);
    let mut a = Rpc::start(command);
    a.online();
    (alice, a, bob, b)
}
fn states(rpc: &mut Rpc, id: &str, last: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let state = rpc.wait(last, |line| line["method"] == "state" && line["params"]["id"] == id)["params"].clone();
        all.push(state["state"].clone());
        if state["state"] == last {
            return all;
        }
    }
}

#[test]
fn messages_there_and_back_through_each_engine() {
    for engine in ["xor", "xor-hex", "base64", "base64-async"] {
        let (_a, mut alice, _b, mut bob) = pair(engine, &[]);
        let text = format!("Bla bla bla bla, by {engine} \u{1f339}");
        let result = alice.call("send", json!({"to": "bob@sip.test", "text": text, "id": "m1"}));
        assert_eq!((result["id"].as_str(), result["status"].as_u64(), result["engine"].as_str()), (Some("m1"), Some(200), Some(engine)), "{result}");
        assert_eq!(states(&mut alice, "m1", "delivered"), ["in-progress", "delivered"]);
        let got = bob.message(&text);
        assert_eq!((got["from"].as_str(), got["chat"].as_str(), got["protocol"].as_str()), (Some(ALICE), Some(ALICE), Some(engine)), "{got}");
        bob.call("send", json!({"to": ALICE, "text": "and back"}));
        alice.message("and back");
    }
}

#[test]
fn a_key_that_both_have_in_a_file() {
    let place = Place::new();
    let key = place.path().join("shared");
    std::fs::write(&key, "5a".repeat(32)).unwrap();
    let engine = format!("preshared:@{}", key.display());
    let (_a, mut alice, _b, mut bob) = pair(&engine, &[]);
    alice.call("send", json!({"to": BOB, "text": "between us"}));
    assert_eq!(bob.message("between us")["protocol"], engine);
}

#[test]
fn typing_notices_and_receipts_pass() {
    let (_a, mut alice, _b, mut bob) = pair("xor", &[]);
    alice.call("typing", json!({"to": BOB, "composing": true}));
    let typing = bob.note("typing");
    assert_eq!((typing["from"].as_str(), typing["composing"].as_bool()), (Some(ALICE), Some(true)));
    alice.call("send", json!({"to": BOB, "text": "did you read this?", "id": "m1"}));
    bob.message("did you read this?");
    let receipt = alice.note("receipt");
    assert_eq!((receipt["id"].as_str(), receipt["fate"].as_str(), receipt["from"].as_str()), (Some("m1"), Some("delivered"), Some(BOB)));
    bob.call("mark_read", json!({"from": ALICE, "id": "m1"}));
    assert_eq!(alice.note("receipt")["fate"], "displayed");
    alice.call("typing", json!({"to": BOB, "composing": false}));
    assert_eq!(bob.note("typing")["composing"], false);
}

#[test]
fn a_refusal_is_told_with_its_code_to_both() {
    let (alice, bob) = (Place::new(), Place::new());
    let (mut b, to_bob) = rpc(&bob, BOB, "base64", &[]);
    let (mut a, _) = rpc(&alice, ALICE, "xor", &["--proxy", &to_bob]);
    let error = a.error("send", json!({"to": BOB, "text": "who reads this?", "id": "r1"}));
    assert_eq!(
        (error["code"].as_i64(), error["data"]["code"].as_str(), error["data"]["fault"].as_str()),
        (Some(-32002), Some("send.refused"), Some("peer"))
    );
    assert_eq!(error["data"]["details"]["status"], 488, "{error}");
    assert!(error["message"].as_str().unwrap().contains("488 Not Acceptable Here (not-encrypted)"), "{error}");
    let state = a.wait("state", |line| line["method"] == "state" && line["params"]["state"] == "not-delivered")["params"].clone();
    assert_eq!((state["id"].as_str(), state["to"].as_str(), state["status"].as_u64()), (Some("r1"), Some(BOB), Some(488)));
    let refused = b.note("undecryptable");
    assert_eq!((refused["reason"].as_str(), refused["status"].as_u64()), (Some("not-encrypted"), Some(488)));
}

#[test]
fn files_arrive_as_they_were() {
    let files = FileServer::start().unwrap();
    let downloads = Place::new();
    let (a, mut alice, _b, mut bob) = pair("xor", &["--file-server", &files.url, "--download-dir", downloads.path().to_str().unwrap()]);
    for (n, size) in [0usize, 1, 16, 50_001].into_iter().enumerate() {
        let bytes: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
        let path = a.path().join(format!("file {n}.bin"));
        std::fs::write(&path, &bytes).unwrap();
        let result = alice.call("send_file", json!({"to": BOB, "path": path, "content_type": "image/png"}));
        assert_eq!((result["status"].as_u64(), result["engine"].as_str()), (Some(200), Some("xor")));
        let file = bob.note("file");
        assert_eq!((file["name"].as_str(), file["size"].as_u64()), (Some(format!("file {n}.bin").as_str()), Some(size as u64)), "{file}");
        assert_eq!((file["content_type"].as_str(), file["protocol"].as_str()), (Some("image/png"), Some("xor")), "{file}");
        let fetched = std::fs::read(file["path"].as_str().expect("fetched")).unwrap();
        let differs = fetched.iter().zip(&bytes).position(|(a, b)| a != b);
        assert!(fetched == bytes, "{size}: {} bytes, the first other one is {differs:?}", fetched.len());
        if size > 16 {
            assert!(files.uploads().iter().all(|upload| upload.bytes != bytes), "the server has it in clear");
        }
    }
    let missing = alice.error("send_file", json!({"to": BOB, "path": a.path().join("nothing")}));
    assert!(missing["data"]["code"] == "send.file" && missing["message"].as_str().unwrap().contains("nothing"), "{missing}");
    assert_eq!(std::fs::read_dir(downloads.path()).unwrap().count(), 4);
}

#[test]
fn without_a_place_for_files_none_is_sent_or_fetched() {
    let files = FileServer::start().unwrap();
    let (alice, bob) = (Place::new(), Place::new());
    let (mut b, to_bob) = rpc(&bob, BOB, "xor", &[]);
    let path = alice.path().join("x");
    std::fs::write(&path, "x").unwrap();
    let send = |more: &[&str]| {
        sip(&alice, ALICE, "xor", &[&["send-file", BOB, path.to_str().unwrap(), "--proxy", &to_bob], more].concat()).output().unwrap()
    };
    let err = support::failed(send(&[]), 10, &["send-file"]);
    assert!(err.contains("no file server"), "{err}");
    assert!(send(&["--file-server", &files.url]).status.success());
    let file = b.note("file");
    assert!(file["path"].is_null() && file.get("reason").is_none() && file["name"] == "x", "{file}");
}

/// Sends what no command of ours would, as the sample engine encrypts it.
fn odd(to: &str, content_type: &'static str, body: &[u8]) -> u16 {
    use subrosa_sip::{Config, Connection, ContentType, SipMessage, Transport};
    let mut config = Config::new(ALICE).unwrap();
    config.proxy = Some(to.to_owned());
    let body: Vec<u8> = body.iter().zip(subrosa_engines::XOR_SAMPLE_KEY.iter().cycle()).map(|(b, k)| b ^ k).collect();
    let message = SipMessage::new("odd".into(), ALICE.into(), BOB.into(), ContentType(content_type.into()), body);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { Connection::start(config).await.unwrap().send(message).await.code() })
}
#[test]
fn a_file_in_clear_is_told_and_not_fetched() {
    let (bob, files) = (Place::new(), FileServer::start().unwrap());
    let (mut b, to_bob) = rpc(&bob, BOB, "xor", &["--file-server", &files.url, "--download-dir", bob.path().to_str().unwrap()]);
    let offer = format!(
        "<file xmlns='urn:gsma:params:xml:ns:rcs:rcs:fthttp'><file-info type='file'><file-size>1</file-size><file-name>a</file-name>\
         <data url='{}0'/></file-info></file>",
        files.url
    );
    assert_eq!(odd(&to_bob, "cipher/xor-file", offer.as_bytes()), 200);
    let file = b.note("file");
    assert!(file["path"].is_null() && file["protocol"].is_null() && file["reason"].as_str().unwrap().contains("without encryption"), "{file}");
    // nor anything in the machine's own network, which somebody else named
    let offer = offer.replace("<data", "<file-key>AAAA</file-key><data").replace("127.0.0.1", "127.0.0.2");
    assert_eq!(odd(&to_bob, "cipher/xor-file;a=b", offer.as_bytes()), 200);
    let file = b.note("file");
    assert!(file["path"].is_null() && file["reason"].as_str().unwrap().contains("not public"), "{file}");
    assert_eq!(files.begun(), 0);
}
#[test]
fn what_a_killed_process_was_fetching_is_removed_by_the_next() {
    // half of a file, and then nothing
    let slow = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", slow.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in slow.incoming().map_while(Result::ok) {
            let asked = BufReader::new(&stream).lines().map_while(Result::ok).any(|line| line.is_empty());
            assert!(asked, "it went before it asked");
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\nhalf");
            open.push(stream);
        }
    });
    let (bob, downloads) = (Place::new(), Place::new());
    let args = ["--file-server", &url, "--download-dir", downloads.path().to_str().unwrap()];
    let (b, to_bob) = rpc(&bob, BOB, "xor", &args);
    let offer = format!(
        "<file xmlns='urn:gsma:params:xml:ns:rcs:rcs:fthttp'><file-info type='file'><file-size>2000</file-size><file-key>AAAA</file-key>\
         <file-name>a</file-name><data url='{url}'/></file-info></file>"
    );
    assert_eq!(odd(&to_bob, "cipher/xor-file", offer.as_bytes()), 200);
    let parts = || std::fs::read_dir(downloads.path()).unwrap().map(|part| part.unwrap().path()).collect::<Vec<_>>();
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while parts().is_empty() && std::time::Instant::now() < patience {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    b.kill();
    let [left] = &parts()[..] else { panic!() };
    std::fs::File::open(left).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    rpc(&bob, BOB, "xor", &args).0.end();
    // killed before it had stored that it began, it is fetched anew: another part
    assert!(!left.exists());
}
#[test]
fn a_receipt_that_tells_nothing_is_none() {
    let bob = Place::new();
    let (mut b, to_bob) = rpc(&bob, BOB, "xor", &[]);
    let receipt = |kind: &str, word: &str| {
        format!(
            "<imdn xmlns='urn:ietf:params:xml:ns:imdn'><message-id>m</message-id><{kind}-notification><status><{word}/></status></{kind}-notification></imdn>"
        )
    };
    for (kind, word) in [("processing", "stored"), ("display", "forbidden"), ("display", "displayed")] {
        let clear: Vec<u8> = receipt(kind, word).bytes().zip(subrosa_engines::XOR_SAMPLE_KEY.iter().cycle()).map(|(b, k)| b ^ k).collect();
        assert_eq!(odd(&to_bob, "message/imdn+xml", &clear), 200, "{word}");
    }
    assert_eq!(b.note("receipt")["fate"], "displayed");
}

#[test]
fn commands_say_what_was_answered() {
    let (alice, bob) = (Place::new(), Place::new());
    let (mut b, to_bob) = rpc(&bob, BOB, "xor", &[]);
    let run = |engine: &str, args: &[&str]| sip(&alice, ALICE, engine, &[args, &["--proxy", &to_bob]].concat()).output().unwrap();
    let out = run("xor", &["send", "bob@sip.test", "in one line"]);
    assert!(out.status.success(), "{}", support::text(&out.stderr));
    assert!(support::text(&out.stdout).ends_with("\n  xor: no protection\n  delivered (200)\n"), "{}", support::text(&out.stdout));
    b.message("in one line");
    // where nothing is kept nothing is made
    assert!(!alice.path().join("sip").exists());
    // straight there, by the way that is named
    let direct = to_bob.replace("sip:", "sip:bob@").replace(";transport=tcp", "");
    let out = sip(&alice, ALICE, "xor", &["send", &direct, "straight", "--transport", "tcp"]).output().unwrap();
    assert!(out.status.success(), "{}", support::text(&out.stderr));
    b.message("straight");
    let err = support::failed(run("base64", &["send", BOB, "x"]), 10, &["send"]);
    assert!(err.contains("sip:bob@sip.test refused the message: 488 Not Acceptable Here"), "{err}");
    let nobody = format!("sip:{}:5060;transport=tcp", host());
    let out = sip(&alice, ALICE, "xor", &["send", BOB, "x", "--proxy", &nobody]).output().unwrap();
    let err = support::failed(out, 10, &["send"]);
    assert!(err.contains("was not reached"), "{err}");
}

#[test]
fn a_chat_is_line_by_line() {
    let (alice, bob, host) = (Place::new(), Place::new(), host());
    let (mut b, to_bob) = rpc(&bob, BOB, "xor", &["--proxy", &format!("sip:{host}:5060;transport=tcp")]);
    let mut command = sip(&alice, ALICE, "xor", &["chat", "bob@sip.test", "--proxy", &to_bob, "--transport", "tcp"]);
    command.args(["--listen", &format!("{host}:5060")]);
    let mut chat: Child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(chat.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut input = chat.stdin.take().unwrap();
    writeln!(input, "first line\n\nsecond line").unwrap();
    b.message("first line");
    b.message("second line");
    b.call("send", json!({"to": ALICE, "text": "answer"}));
    lines.find(|line| line.ends_with("sip:bob@sip.test (xor: no protection): answer")).expect("the answer");
    drop(input);
    assert!(chat.wait().unwrap().success());
}

#[test]
fn what_was_not_shown_is_shown_by_the_next_process() {
    let (alice, bob) = (Place::new(), Place::new());
    let (mut b, to_bob) = rpc(&bob, BOB, "xor", &[]);
    let (mut a, _) = rpc(&alice, ALICE, "xor", &["--proxy", &to_bob]);
    b.call("subscribe", json!({"confirm": true}));
    for (id, text) in [("m1", "one"), ("m2", "two")] {
        a.call("send", json!({"to": BOB, "text": text, "id": id}));
    }
    let first = b.message("one");
    b.call("shown", json!({"seq": first["seq"]}));
    b.message("two");
    // answered when it is stored, and with it what came before
    a.call("send", json!({"to": BOB, "text": "three", "id": "m3"}));
    b.kill();
    let (mut b, _) = rpc(&bob, BOB, "xor", &[]);
    assert_eq!(b.message("two")["id"], "m2");
    assert_eq!(b.message("three")["id"], "m3");
    assert!(b.left().iter().all(|line| line["method"] != "message"));
    b.end();
    let (mut b, _) = rpc(&bob, BOB, "xor", &[]);
    b.call("status", json!({}));
    assert!(b.left().iter().all(|line| line["method"] != "message"), "it was shown");
}

#[test]
fn what_could_not_be_printed_was_not_shown() {
    let (alice, bob, host) = (Place::new(), Place::new(), host());
    let mut command = sip(&bob, BOB, "xor", &["listen", "--transport", "tcp"]);
    command.args(["--listen", &format!("{host}:5060")]);
    let mut listening = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(listening.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("online")));
    drop(lines);
    let proxy = format!("sip:{host}:5060;transport=tcp");
    let out = sip(&alice, ALICE, "xor", &["send", BOB, "into the void", "--proxy", &proxy]).output().unwrap();
    assert!(out.status.success(), "it was stored: {}", support::text(&out.stderr));
    assert_eq!(listening.wait().unwrap().code(), Some(141));
    let (mut b, _) = rpc(&bob, BOB, "xor", &[]);
    b.message("into the void");
}

#[test]
fn one_process_has_the_state_of_an_account() {
    let bob = Place::new();
    let (running, _) = rpc(&bob, BOB, "xor", &[]);
    let err = support::failed(sip(&bob, BOB, "xor", &["listen"]).output().unwrap(), 8, &["listen"]);
    assert!(err.contains("--memory"), "{err}");
    let (memory, _) = rpc(&bob, BOB, "xor", &["--memory"]);
    memory.end();
    running.end();
    rpc(&bob, BOB, "xor", &[]).0.end();
}

/// Who registers with `realm` and answers a challenge is taken, or never, and the rest is told 501; where it listens.
fn registrar(takes: bool) -> (String, std::sync::mpsc::Receiver<String>) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let uri = format!("sip:{};transport=udp", socket.local_addr().unwrap());
    let (seen, requests) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let request = support::text(&buffer[..length]);
            let field = |name: &str| request.lines().filter(|line| line.starts_with(name)).map(|line| format!("{line}\r\n")).collect::<String>();
            let same = ["Via:", "From:", "Call-ID:", "CSeq:"].map(field).concat() + field("To:").trim_end() + ";tag=r\r\n";
            let (code, more) = match (request.starts_with("REGISTER "), takes && request.contains("\r\nAuthorization: Digest ")) {
                (false, _) => ("501 Not Implemented", String::new()),
                (true, true) => ("200 OK", field("Contact:") + "Expires: 600\r\n"),
                (true, false) => ("401 Unauthorized", "WWW-Authenticate: Digest realm=\"sip.test\", nonce=\"n\", qop=\"auth\"\r\n".to_owned()),
            };
            let _ = socket.send_to(format!("SIP/2.0 {code}\r\n{same}{more}Content-Length: 0\r\n\r\n").as_bytes(), from);
            if seen.send(request).is_err() {
                return;
            }
        }
    });
    (uri, requests)
}

#[test]
fn who_registers_is_online_when_the_registrar_says_so() {
    let (registrar, requests) = registrar(true);
    let alice = Place::new();
    let mut command = sip(&alice, ALICE, "xor", &["rpc", "-vvv", "--registrar", &registrar]);
    let mut rpc = Rpc::start({
        command.env("SUBROSA_PASSWORD", "correct horse");
        command
    });
    rpc.online();
    assert_eq!(rpc.call("status", json!({}))["accounts"][0]["connection"], "online");
    let log = rpc.end();
    let requests: Vec<_> = requests.try_iter().collect();
    assert!(requests.last().unwrap().contains("xpires: 0") || requests.last().unwrap().contains("xpires=0"), "it is taken back: {requests:?}");
    assert!(requests.iter().all(|request| request.starts_with("REGISTER sip:") && !request.contains("correct horse")), "{requests:?}");
    assert!(!log.contains("correct horse"));
}

#[test]
fn a_registrar_that_refuses_ends_it() {
    let (registrar, _requests) = registrar(false);
    let alice = Place::new();
    for args in [&["listen"][..], &["send", BOB, "x"]] {
        let mut command = sip(&alice, ALICE, "xor", &[args, &["--registrar", &registrar]].concat());
        let err = support::failed(command.env("SUBROSA_PASSWORD", "wrong horse").output().unwrap(), 4, args);
        assert!(err.contains("password") && !err.contains("wrong horse"), "{err}");
    }
}

#[test]
fn over_tls_with_a_given_authority() {
    let (alice, bob, host) = (Place::new(), Place::new(), host());
    let made = rcgen::generate_simple_self_signed([host.clone()]).unwrap();
    let (certificate, key) = (bob.path().join("cert.pem"), bob.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let mut command = sip(&bob, BOB, "xor", &["rpc", "--transport", "tls", "--tls-cert", certificate, "--tls-key", key]);
    command.args(["--listen", &format!("{host}:5061")]);
    let mut b = Rpc::start(command);
    b.online();
    // the way is that of --transport where the URI does not say
    let send = |more: &[&str]| {
        let proxy = format!("sip:{host}:5061");
        sip(&alice, ALICE, "xor", &[&["send", BOB, "over TLS", "--proxy", &proxy, "--transport", "tls"], more].concat()).output().unwrap()
    };
    let out = send(&["--tls-ca", certificate]);
    assert!(out.status.success(), "{}", support::text(&out.stderr));
    b.message("over TLS");
    let err = support::failed(send(&[]), 10, &["send"]);
    assert!(err.contains("was not reached") && err.contains("ertificate"), "{err}");
}

#[test]
fn what_does_not_fit_is_told() {
    let place = Place::new();
    let fails = |code, args: &[&str]| place.fails(code, &[&["sip"], args].concat());
    assert!(fails(2, &["listen", "--engine", "xor"]).contains("--from"));
    for engine in [&["--engine", "omemo"][..], &[]] {
        let err = fails(2, &[&["send", BOB, "x", "--from", ALICE], engine].concat());
        assert!(err.contains("OMEMO runs on XMPP only") && err.contains("--engine"), "{err}");
    }
    assert!(fails(2, &["send", "not an address", "x", "--from", ALICE, "--engine", "xor"]).contains("sip:alice@example.org"));
    assert!(fails(2, &["listen", "--from", "nobody", "--engine", "xor"]).contains("sip:alice@example.org"));
    assert!(fails(2, &["listen", "--from", ALICE, "--engine", "xor", "--proxy", "http://x"]).contains("is not a SIP URI"));
    assert!(fails(2, &["listen", "--from", ALICE, "--engine", "xor", "--download-dir", "/nowhere"]).contains("/nowhere"));
    for with in ["sip:bob@sip.test;transport=tcp", "<sip:bob@sip.test?x=y>"] {
        assert!(fails(2, &["send", with, "x", "--from", ALICE, "--engine", "xor"]).contains("--transport"), "{with}");
    }
    assert!(fails(2, &["listen", "--from", ALICE, "--engine", "xor", "--transport", "tls"]).contains("--tls-cert"));
    for hold in ["0", "26"] {
        std::fs::write(place.path().join("settings.toml"), format!("[sip]\nhold = {hold}\n")).unwrap();
        assert!(fails(2, &["listen", "--from", ALICE, "--engine", "xor", "--memory"]).contains("1 to 25 seconds"));
    }
    std::fs::remove_file(place.path().join("settings.toml")).unwrap();
    let pipe = place.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for none in [pipe.to_str().unwrap(), "/"] {
        assert!(fails(2, &["send-file", BOB, none, "--from", ALICE, "--engine", "xor"]).contains("is not a file"));
    }
    assert!(fails(2, &["listen", "--from", ALICE, "--engine", "xor", "--register"]).contains("--password-file"));
    assert!(fails(7, &["send-file", BOB, "/nowhere", "--from", ALICE, "--engine", "xor"]).contains("/nowhere"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let err = fails(5, &["listen", "--from", ALICE, "--engine", "xor", "--transport", "tcp", "--listen", &port, "--memory"]);
    assert!(err.contains("can't listen on") && err.contains("another address or port"), "{err}");
}

#[test]
fn methods_of_the_other_network_say_so() {
    let bob = Place::new();
    let (mut b, _) = rpc(&bob, BOB, "xor", &[]);
    assert_eq!(b.error("devices", json!({}))["data"]["code"], "method.xmpp");
    for (params, code) in [
        (json!({"to": "nobody", "text": "x"}), "request.invalid"),
        (json!({"to": ALICE, "text": ""}), "request.invalid"),
        (json!({"to": ALICE, "text": "x", "id": "two words"}), "request.invalid"),
        (json!({"to": ALICE, "text": "x", "account": "sip:eve@sip.test"}), "account.none"),
        (json!({"to": ALICE}), "rpc.params"),
    ] {
        assert_eq!(b.error("send", params.clone())["data"]["code"], code, "{params}");
    }
    b.say(b"garbage");
    b.wait("error", |line| line["id"].is_null() && line["error"]["code"] == -32700);
    assert_eq!(b.call("version", json!({}))["name"], "subrosa");
    b.end();
}
