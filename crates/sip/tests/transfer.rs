//! File transfers: against a server as Linphone's, and against servers that lie, stop, point elsewhere and say nothing.
#![cfg(feature = "connection")]
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
mod transfer_server;

use bytes::Bytes;
use futures_util::stream;
use std::path::Path;
use std::time::Duration;
use subrosa_engine::{Coded as _, FileCipher, FileInfo, FileKey, Status};
use subrosa_files::{AesGcm, Layout};
use subrosa_interop::FileServer;
use subrosa_sip::transfer::{Body, Cause, Credentials, Settings, Stage, TransferError, Transfers};
use subrosa_sip::{Offer, Roots};
use tempfile::TempDir;
use transfer_server::{Conn, Server, part, stored};

fn transfers(change: impl FnOnce(&mut Settings)) -> Transfers {
    let mut settings = Settings { other_hosts: vec!["127.0.0.1".into()], ..Settings::default() };
    change(&mut settings);
    Transfers::new(settings).unwrap()
}
fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 31 + (i >> 8)) as u8).collect()
}
fn info(name: &str, size: u64) -> FileInfo {
    FileInfo { name: name.into(), content_type: "image/jpeg".into(), size, tag: None }
}
/// A directory with a file `source` of so many bytes.
fn source(size: usize) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("source"), bytes(size)).unwrap();
    directory
}
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
/// Nothing stays, once the thread that wrote has seen that it is alone.
async fn empty(directory: &Path) {
    while !names(directory).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

type Cipher = Option<Box<dyn FileCipher>>;

/// Flips bits, takes what it likes, refuses where it is told to, adds bytes at the end.
#[derive(Default)]
struct Odd {
    shrink: bool,
    refuse_at: Option<u64>,
    more: usize,
}
impl FileCipher for Odd {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        let end = offset + input.len() as u64;
        if self.refuse_at.is_some_and(|at| (offset..end).contains(&at)) {
            return Err(Status::new(488));
        }
        let taken = if self.shrink && input.len() > 16 { input.len() - input.len() % 16 } else { input.len() };
        output.extend(input[..taken].iter().map(|b| b ^ 0x55));
        Ok(taken)
    }
    fn finish(self: Box<Self>, _: &mut FileInfo, output: &mut Vec<u8>) -> Result<(), Status> {
        output.extend(std::iter::repeat_n(0, self.more));
        Ok(())
    }
}
fn odd(cipher: Odd) -> Option<(FileKey, Box<dyn FileCipher>)> {
    Some((FileKey(vec![7; 32].into()), Box::new(cipher)))
}

#[tokio::test]
async fn files_of_all_sizes_arrive_and_the_server_learns_nothing() {
    let server = FileServer::start().unwrap();
    for size in [0, 1, 16, 50_001, 20_000_000] {
        for cipher in 0..3 {
            let (from, to) = (source(size), tempfile::tempdir().unwrap());
            let key = FileKey((0..44).collect::<Vec<u8>>().into());
            let (up, down): (Cipher, Cipher) = match cipher {
                0 => (None, None),
                1 => (Some(Box::new(Odd { shrink: true, ..Odd::default() })), Some(Box::new(Odd::default()))),
                _ => (Some(Box::new(AesGcm::upload(&key, Layout::AES256).unwrap())), Some(Box::new(AesGcm::download(&key, Layout::AES256).unwrap()))),
            };
            let transfers = transfers(|_| ());
            let name = "my secret \"name\"\r\n--boundary%41<&>.jpg";
            let encryption = up.map(|up| (key.clone(), up));
            let offer = transfers.send_file(&server.url, &from.path().join("source"), info(name, size as u64), encryption).await.unwrap();
            assert_eq!((offer.file.name.as_str(), offer.file.size, offer.file.tag.is_some()), (name, size as u64, cipher == 2));
            let uploaded = server.uploads().pop().unwrap();
            assert_eq!(uploaded.bytes.len(), size);
            assert_eq!(uploaded.bytes == bytes(size), cipher == 0 || size == 0, "{size} {cipher}");
            assert_eq!(
                uploaded.headers,
                "Content-Disposition: form-data; name=\"File\"; filename=\"filename.txt\"\r\nContent-Type: application/octet-stream"
            );
            // the offer as it travels
            let offer = Offer::read(offer.write().bytes()).unwrap();
            let saved = transfers.receive_file(&offer, down, to.path()).await.unwrap();
            assert_eq!(std::fs::read(&saved).unwrap(), bytes(size), "{size} {cipher}");
            assert_eq!(names(to.path()), [saved.file_name().unwrap().to_str().unwrap()]);
        }
    }
    assert_eq!((server.begun(), server.uploads().len()), (15, 15));
}

#[tokio::test]
async fn a_file_that_was_changed_is_not_there() {
    let server = FileServer::start().unwrap();
    let (from, to) = (source(100_000), tempfile::tempdir().unwrap());
    let key = FileKey(vec![3; 44].into());
    let cipher: Box<dyn FileCipher> = Box::new(AesGcm::upload(&key, Layout::AES256).unwrap());
    let transfers = transfers(|_| ());
    server.tamper();
    let offer = transfers.send_file(&server.url, &from.path().join("source"), info("a", 100_000), Some((key.clone(), cipher))).await.unwrap();
    let down = Box::new(AesGcm::download(&key, Layout::AES256).unwrap());
    let error = transfers.receive_file(&offer, Some(down), to.path()).await.unwrap_err();
    assert_eq!((error.stage, error.code()), (Stage::Saving, "file.refused"));
    empty(to.path()).await;
}

/// What a server that is asked in vain sees, and what its user gets.
async fn sending(server: &str, size: usize, transfers: &Transfers, cipher: Option<Odd>) -> Result<Offer, TransferError> {
    let from = source(size);
    transfers.send_file(server, &from.path().join("source"), info("a.jpg", size as u64), cipher.and_then(odd)).await
}
async fn refused(server: &Server, change: impl FnOnce(&mut Settings)) -> (Stage, &'static str, String) {
    let error = sending(&server.url, 50_001, &transfers(change), Some(Odd::default())).await.unwrap_err();
    (error.stage, error.code(), error.to_string())
}
fn said(text: &str, words: &str) {
    assert!(text.contains(words), "{text:?} does not say {words:?}");
}
fn soon(settings: &mut Settings) {
    settings.idle = Duration::from_millis(200);
}

#[tokio::test]
async fn a_request_tells_nothing_about_who_asks() {
    let server = Server::answering(|port, size| ("200 OK".into(), stored(&format!("http://127.0.0.1:{port}/f"), size))).await;
    for (body, length) in [(Body::Known, true), (Body::Chunked, false)] {
        sending(&server.url, 50_001, &transfers(|s| s.body = body), Some(Odd::default())).await.unwrap();
        let file = server.seen().pop().unwrap();
        assert_eq!((file.field("content-length").is_some(), file.field("transfer-encoding").is_some()), (length, !length));
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    for request in &seen {
        assert_eq!((request.line.as_str(), request.field("user-agent")), ("POST /hft.php", Some("subrosa")));
        let mut fields: Vec<_> = request.head.lines().filter_map(|line| line.split(':').next()).collect();
        fields.retain(|name| !["user-agent", "accept", "host", "content-length", "content-type", "transfer-encoding"].contains(name));
        assert_eq!(fields, [""; 0]);
    }
    assert_eq!((seen[0].field("content-length"), seen[0].field("content-type")), (Some("0"), None));
    let boundaries: Vec<_> = seen.iter().filter_map(|r| r.field("content-type")).collect();
    assert!(boundaries[0] != boundaries[1] && boundaries[0].starts_with("multipart/form-data; boundary="));
    assert_eq!(part(&seen[1]).1, bytes(50_001).iter().map(|b| b ^ 0x55).collect::<Vec<_>>());
    assert_eq!(part(&seen[3]).1, part(&seen[1]).1);
}

#[tokio::test]
async fn the_first_answer_may_be_200() {
    let server = Server::start(|mut conn: Conn, port| async move {
        let request = conn.request().await;
        let body = if request.body.is_empty() { String::new() } else { stored(&format!("http://127.0.0.1:{port}/f"), part(&request).1.len()) };
        // chunked, as some do
        let chunk = if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
        conn.say(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n")).await;
    })
    .await;
    assert!(sending(&server.url, 1000, &transfers(|_| ()), None).await.is_ok());
}

#[tokio::test]
async fn a_server_that_says_no() {
    for (status, words) in [
        ("500 Internal Server Error", "it has a problem"),
        ("404 Not Found", "not there"),
        ("403 Forbidden", "does not let"),
        ("413 Content Too Large", "too large"),
        ("202 Accepted", "no answer to this"),
    ] {
        let server = Server::start(move |mut conn: Conn, _| async move {
            conn.request().await;
            conn.answer(status, "").await;
        })
        .await;
        let (stage, code, text) = refused(&server, |_| ()).await;
        assert_eq!((stage, code), (Stage::Opening, "transfer.status"));
        said(&text, words);
        assert_eq!(server.seen().len(), 1);
        let later = Server::answering(move |_, _| (status.into(), String::new())).await;
        let (stage, code, text) = refused(&later, |_| ()).await;
        assert_eq!((stage, code), (Stage::Uploading, "transfer.status"));
        said(&text, words);
    }
}

#[tokio::test]
async fn a_server_that_says_no_before_it_has_read_the_file() {
    let server = Server::start(|mut conn: Conn, _| async move {
        if conn.head().await.field("content-length") == Some("0") {
            return conn.answer("204 No Content", "").await;
        }
        conn.answer("500 No", "").await;
        conn.hang().await;
    })
    .await;
    let error = sending(&server.url, 20_000_000, &transfers(|_| ()), Some(Odd::default())).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Status { code: 500 }), "{error}");
}

#[tokio::test]
async fn a_server_that_stops() {
    // when asked, in the middle of the file, behind the file, in the middle of its answer
    for stop in 0..4 {
        let server = Server::start(move |mut conn: Conn, port| async move {
            let head = conn.head().await;
            if head.field("content-length") == Some("0") && stop > 0 {
                return conn.answer("204 No Content", "").await;
            }
            match stop {
                0 | 1 => {}
                2 => drop(conn.body(head).await),
                _ => conn.say(format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{}", stored(&format!("http://127.0.0.1:{port}/"), 1))).await,
            }
        })
        .await;
        let (_, code, text) = refused(&server, |_| ()).await;
        assert_eq!(code, "transfer.broken", "{stop}: {text}");
        said(&text, "127.0.0.1");
    }
}

#[tokio::test]
async fn a_server_that_answers_never() {
    // not at all, not to the file, in the middle of its answer, takes nothing of the file
    for hang in 0..4 {
        let server = Server::start(move |mut conn: Conn, _| async move {
            if hang == 3 {
                if conn.head().await.field("content-length") == Some("0") {
                    return conn.answer("204 No Content", "").await;
                }
                return conn.hang().await;
            }
            let request = conn.request().await;
            if request.body.is_empty() && hang > 0 {
                return conn.answer("204 No Content", "").await;
            }
            if hang == 2 {
                conn.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<file>").await;
            }
            conn.hang().await;
        })
        .await;
        let size = if hang == 3 { 20_000_000 } else { 1000 };
        let error = sending(&server.url, size, &transfers(soon), Some(Odd::default())).await.unwrap_err();
        let stage = if hang == 0 { Stage::Opening } else { Stage::Uploading };
        assert_eq!((error.stage, error.code()), (stage, "transfer.idle"), "{hang}: {error}");
    }
}

#[tokio::test]
async fn a_server_that_is_slow_has_a_limit_of_its_own() {
    let slow = |mut conn: Conn, _| async move {
        conn.request().await;
        conn.say("HTTP/1.1 200 OK\r\nContent-Length: 50001\r\n\r\n").await;
        loop {
            conn.say("x").await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let server = Server::start(slow).await;
    let limited = transfers(|s| s.whole = Some(Duration::from_millis(300)));
    let to = tempfile::tempdir().unwrap();
    let error = limited.receive_file(&offer(&server, 50_001), None, to.path()).await.unwrap_err();
    assert_eq!((error.stage, error.code()), (Stage::Downloading, "transfer.too-slow"));
    empty(to.path()).await;
}

#[tokio::test]
async fn nobody_is_there() {
    let gone = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let error = sending(&format!("http://{gone}/"), 10, &transfers(|_| ()), None).await.unwrap_err();
    assert_eq!((error.stage, error.code()), (Stage::Opening, "transfer.unreachable"));
    said(&error.to_string(), "refused");
    for url in ["", "ftp://127.0.0.1/", "http://user:secret@127.0.0.1/", "file:///etc/passwd"] {
        let error = sending(url, 10, &transfers(|_| ()), None).await.unwrap_err();
        assert_eq!((error.stage, error.code()), (Stage::Opening, "transfer.url"), "{url}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_no_answer() {
    let server = Server::start(|mut conn: Conn, _| async move {
        conn.head().await;
        conn.say("SSH-2.0-OpenSSH_9.2p1\r\n").await;
        conn.hang().await;
    })
    .await;
    assert_eq!(refused(&server, soon).await.1, "transfer.broken");
}

#[tokio::test]
async fn answers_that_are_none() {
    let good = |port: u16, size: usize| stored(&format!("http://127.0.0.1:{port}/f"), size);
    type Change = fn(String) -> String;
    let cases: [(&str, Change, &str); 9] = [
        ("transfer.answer", |_| String::new(), "XML"),
        ("transfer.answer", |_| "OK".into(), "XML"),
        ("transfer.answer", |xml| xml[..100].into(), "XML"),
        ("transfer.answer", |xml| format!("<!DOCTYPE file [<!ENTITY a \"b\">]>{xml}"), "document type"),
        ("transfer.answer", |xml| xml.replace("data url", "data uri"), "url"),
        ("transfer.answer", |xml| xml.replace("http://", "file://"), "url"),
        ("transfer.answer", |xml| xml + &" ".repeat(100_000), "bytes"),
        ("transfer.size", |xml| xml.replace("50001", "50000"), "50000 bytes"),
        ("transfer.size", |xml| xml.replace("50001", "50002"), "50002 bytes"),
    ];
    for (code, change, words) in cases {
        let server = Server::answering(move |port, size| ("200 OK".into(), change(good(port, size)))).await;
        let (stage, found, text) = refused(&server, |_| ()).await;
        assert_eq!((stage, found), (Stage::Uploading, code), "{text}");
        said(&text, words);
    }
}

#[tokio::test]
async fn another_host_must_be_allowed() {
    let server = Server::answering(|port, size| ("200 OK".into(), stored(&format!("http://localhost:{port}/f"), size))).await;
    let (_, code, text) = refused(&server, |_| ()).await;
    assert_eq!(code, "transfer.other-host");
    said(&text, "localhost");
    let offer = sending(&server.url, 10, &transfers(|s| s.other_hosts = vec!["LocalHost".into()]), None).await.unwrap();
    assert_eq!(offer.url, format!("http://localhost:{}/f", server.port));
    // another port of the same host is its own business
    let server = Server::answering(|_, size| ("200 OK".into(), stored("http://127.0.0.1:444/f", size))).await;
    assert!(sending(&server.url, 10, &transfers(|_| ()), None).await.is_ok());
}

#[tokio::test]
async fn redirects_stay_with_the_server() {
    for (location, to) in [
        ("http://evil.example/x?token=secret", "http://evil.example/x"),
        ("//evil.example/", "http://evil.example/"),
        ("https://127.0.0.1/x", "https://127.0.0.1/x"),
        ("ftp://127.0.0.1/", "ftp://127.0.0.1/"),
    ] {
        let server = Server::start(move |mut conn: Conn, _| async move {
            conn.request().await;
            conn.say(format!("HTTP/1.1 307 Away\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")).await;
        })
        .await;
        let (stage, code, text) = refused(&server, |_| ()).await;
        assert_eq!((stage, code), (Stage::Opening, "transfer.redirected"));
        said(&text, to);
        assert!(!text.contains("secret"), "{text}");
        let error = transfers(|_| ()).download(&server.url).await.unwrap_err();
        assert_eq!((error.stage, error.code()), (Stage::Downloading, "transfer.redirected"));
    }
    // within it they are followed, and the file goes where the question went
    let server = Server::start(|mut conn: Conn, port| async move {
        let request = conn.request().await;
        match request.line.as_str() {
            "POST /hft.php" | "GET /f" => conn.say("HTTP/1.1 308 There\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n").await,
            "POST /there" if request.body.is_empty() => conn.answer("204 No Content", "").await,
            "POST /there" => conn.answer("200 OK", &stored(&format!("http://127.0.0.1:{port}/f"), 4)).await,
            _ => conn.answer("200 OK", "abcd").await,
        }
    })
    .await;
    let offer = sending(&server.url, 4, &transfers(|_| ()), None).await.unwrap();
    let to = tempfile::tempdir().unwrap();
    let saved = transfers(|_| ()).receive_file(&offer, None, to.path()).await.unwrap();
    assert_eq!(std::fs::read(saved).unwrap(), b"abcd");
    // a file is not turned into a question, nor asked for in circles
    let server = Server::start(|mut conn: Conn, _| async move {
        let request = conn.request().await;
        let code = if request.line.starts_with("POST") { 303 } else { 302 };
        conn.say(format!("HTTP/1.1 {code} There\r\nLocation: /hft.php\r\nContent-Length: 0\r\n\r\n")).await;
    })
    .await;
    assert_eq!(refused(&server, |_| ()).await.1, "transfer.redirected");
    assert_eq!(transfers(|_| ()).download(&server.url).await.unwrap_err().code(), "transfer.redirected");
    let server = Server::answering(|_, _| ("302 Away\r\nLocation: http://evil.example/".into(), String::new())).await;
    assert_eq!(refused(&server, |_| ()).await.1, "transfer.redirected");
}

#[tokio::test]
async fn the_file_or_its_cipher_ends_an_upload() {
    let server = Server::answering(|port, size| ("200 OK".into(), stored(&format!("http://127.0.0.1:{port}/f"), size))).await;
    let refusing = || Some(Odd { refuse_at: Some(30_000), ..Odd::default() });
    let error = sending(&server.url, 50_001, &transfers(|_| ()), refusing()).await.unwrap_err();
    assert_eq!((error.stage, error.code()), (Stage::Uploading, "file.refused"), "{error}");
    let error = sending(&server.url, 50_001, &transfers(|s| s.body = Body::Chunked), refusing()).await.unwrap_err();
    assert_eq!(error.code(), "file.refused", "{error}");
    // its output is longer than was said
    let longer = || Some(Odd { more: 16, ..Odd::default() });
    let error = sending(&server.url, 50_001, &transfers(|_| ()), longer()).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Length { expected: 50_001 }), "{error}");
    assert!(sending(&server.url, 50_001, &transfers(|s| s.body = Body::Chunked), longer()).await.is_ok());
    // the file is another than it was
    let from = source(1000);
    for (size, code) in [(999, "file.longer"), (1001, "file.shorter")] {
        let error = transfers(|_| ()).send_file(&server.url, &from.path().join("source"), info("a", size), None).await.unwrap_err();
        assert_eq!((error.stage, error.code()), (Stage::Opening, code));
    }
    for path in ["no such file", "."] {
        let error = transfers(|_| ()).send_file(&server.url, &from.path().join(path), info("a", 1), None).await.unwrap_err();
        assert_eq!((error.stage, error.code()), (Stage::Opening, "transfer.open"));
    }
    // a stream that is not as long as was said
    for pieces in [vec![], vec!["abc"], vec!["abc", "de"]] {
        let body = stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))).collect::<Vec<_>>());
        let error = transfers(|_| ()).upload(&server.url, body, Some(4)).await.unwrap_err();
        assert!(matches!(error.cause, Cause::Length { expected: 4 }), "{error}");
    }
}

fn offer(server: &Server, size: u64) -> Offer {
    Offer { file: info("../../a.jpg", size), key: None, url: server.url.clone(), until: None }
}
async fn lost(server: &Server, size: u64, cipher: Option<Odd>, change: impl FnOnce(&mut Settings)) -> (Stage, &'static str, String) {
    let to = tempfile::tempdir().unwrap();
    let cipher = cipher.map(|odd| Box::new(odd) as Box<dyn FileCipher>);
    let error = transfers(change).receive_file(&offer(server, size), cipher, to.path()).await.unwrap_err();
    empty(to.path()).await;
    (error.stage, error.code(), error.to_string())
}
async fn giving(answer: &'static str) -> Server {
    Server::start(move |mut conn: Conn, _| async move {
        conn.request().await;
        conn.say(answer).await;
    })
    .await
}

#[tokio::test]
async fn a_download_that_is_not_the_file_leaves_nothing() {
    let clear = |answer| async move {
        let (_, code, _) = lost(&giving(answer).await, 5, None, |_| ()).await;
        code
    };
    assert_eq!(clear("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd").await, "transfer.size");
    assert_eq!(clear("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef").await, "transfer.size");
    assert_eq!(clear("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc").await, "transfer.broken");
    assert_eq!(clear("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabcde").await, "transfer.broken");
    assert_eq!(clear("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await, "transfer.broken");
    assert_eq!(clear("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n").await, "file.shorter");
    assert_eq!(clear("HTTP/1.1 200 OK\r\n\r\nabc").await, "file.shorter");
    assert_eq!(clear("HTTP/1.1 200 OK\r\n\r\nabcdef").await, "file.longer");
    assert_eq!(clear("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde").await, "transfer.encoded");
    assert_eq!(clear("HTTP/1.1 206 Partial\r\nContent-Length: 5\r\n\r\nabcde").await, "transfer.status");
    assert_eq!(clear("HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nabcde").await, "transfer.status");
    said(&lost(&giving("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n").await, 5, None, |_| ()).await.2, "sent again");
    // through a cipher, whose wire may be longer than the file
    let cipher = |answer, odd| async move {
        let (_, code, _) = lost(&giving(answer).await, 5, Some(odd), |_| ()).await;
        code
    };
    assert_eq!(cipher("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd", Odd::default()).await, "file.shorter");
    assert_eq!(cipher("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef", Odd::default()).await, "file.longer");
    assert_eq!(cipher("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", Odd { refuse_at: Some(3), ..Odd::default() }).await, "file.refused");
}

#[tokio::test]
async fn a_download_has_limits() {
    let endless = Server::start(|mut conn: Conn, _| async move {
        conn.request().await;
        conn.say("HTTP/1.1 200 OK\r\n\r\n").await;
        while !conn.is_gone() {
            conn.say([b'x'; 65536]).await;
        }
    })
    .await;
    assert_eq!(lost(&endless, 1 << 30, None, |s| s.largest = (1 << 30) - 1).await.1, "transfer.too-large");
    assert_eq!(lost(&endless, 1_000_000, None, |_| ()).await.1, "file.longer");
    assert_eq!(lost(&endless, 1_000_000, None, |s| s.largest = 1_000_000).await.1, "transfer.too-large");
    let mut download = transfers(|s| s.largest = 1_000_000).download(&endless.url).await.unwrap();
    let error = loop {
        match download.chunk().await {
            Ok(chunk) => assert!(chunk.is_some()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), "transfer.too-large");
    let boast = giving("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").await;
    assert_eq!(transfers(|_| ()).download(&boast.url).await.unwrap_err().code(), "transfer.too-large");
    let silent = Server::start(|mut conn: Conn, _| async move {
        conn.request().await;
        conn.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab").await;
        conn.hang().await;
    })
    .await;
    assert_eq!(lost(&silent, 5, None, soon).await.1, "transfer.idle");
}

#[tokio::test]
async fn nothing_inside_is_asked_because_somebody_offered_it() {
    let server = giving("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nadmin").await;
    for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"] {
        let mut offer = offer(&server, 5);
        offer.url = offer.url.replace("127.0.0.1", host);
        let to = tempfile::tempdir().unwrap();
        let none = |s: &mut Settings| s.other_hosts = Vec::new();
        let error = transfers(none).receive_file(&offer, None, to.path()).await.unwrap_err();
        assert_eq!((error.stage, error.code()), (Stage::Downloading, "transfer.inside"), "{host}: {error}");

        empty(to.path()).await;
    }
    assert!(server.seen().is_empty());
    let saved = transfers(|_| ()).download(&server.url).await;
    assert!(saved.is_ok(), "its user named it");
}

#[tokio::test]
async fn nothing_is_asked_where_nothing_can_be_kept() {
    let server = giving("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde").await;
    let to = tempfile::tempdir().unwrap();
    let error = transfers(|_| ()).receive_file(&offer(&server, 5), None, &to.path().join("none")).await.unwrap_err();
    assert_eq!((error.stage, error.code()), (Stage::Saving, "file.no-directory"));
    assert_eq!(server.seen().len(), 0);
    // no path of the sender's, and nothing is overwritten
    for name in ["a.jpg", "a (1).jpg"] {
        let saved = transfers(|_| ()).receive_file(&offer(&server, 5), None, to.path()).await.unwrap();
        assert_eq!(saved, to.path().join(name));
    }
}

#[tokio::test]
async fn a_transfer_that_is_dropped_leaves_nothing() {
    let silent = Server::start(|mut conn: Conn, _| async move {
        conn.request().await;
        conn.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab").await;
        conn.hang().await;
    })
    .await;
    let to = tempfile::tempdir().unwrap();
    let (path, offer) = (to.path().to_owned(), offer(&silent, 5));
    let running = tokio::spawn(async move { transfers(|_| ()).receive_file(&offer, None, &path).await });
    while names(to.path()).is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.abort();
    empty(to.path()).await;
}

#[tokio::test]
async fn by_https_the_certificate_counts_and_http_is_no_way_back() {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key.into()).unwrap();
    let tls = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let answering = |scheme: &'static str| {
        Server::answering_over(Some(tls.clone()), move |port, size| ("200 OK".into(), stored(&format!("{scheme}://127.0.0.1:{port}/f"), size)))
    };
    let server = answering("https").await;
    let error = sending(&server.url, 10, &transfers(|_| ()), None).await.unwrap_err();
    assert_eq!((error.stage, error.code(), server.seen().len()), (Stage::Opening, "transfer.unreachable", 0));
    said(&error.to_string(), "certificate");
    let pem = certified.cert.pem().into_bytes();
    let trusting = transfers(|s| s.roots = Roots::Pem(pem));
    assert!(sending(&server.url, 10, &trusting, None).await.unwrap().url.starts_with("https://"));
    let error = sending(&answering("http").await.url, 10, &trusting, None).await.unwrap_err();
    assert_eq!((error.stage, error.code()), (Stage::Uploading, "transfer.downgrade"));
}

#[tokio::test]
async fn a_server_that_asks_who_it_is() {
    let server = |stubborn: bool| {
        Server::start(move |mut conn: Conn, port| async move {
            let request = conn.request().await;
            match request.field("authorization") {
                Some(answer) if !stubborn => {
                    assert!(answer.starts_with("Digest username=\"alice\", realm=\"files\", nonce=\"n1\", uri=\"/"), "{answer}");
                    if request.line.starts_with("GET") {
                        return conn.answer("200 OK", "abcd").await;
                    }
                    assert_eq!(part(&request).1.len(), 4);
                    conn.answer("200 OK", &stored(&format!("http://127.0.0.1:{port}/f?x=y"), 4)).await;
                }
                _ => {
                    let challenge =
                        "Basic realm=\"files\"\r\nWWW-Authenticate: Digest realm=\"files\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256";
                    conn.say(format!("HTTP/1.1 401 Who\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n")).await;
                }
            }
        })
    };
    let known = |host: &'static str| move |s: &mut Settings| s.credentials = Some(Credentials::new(host, "alice", "secret"));
    let willing = server(false).await;
    let offer = sending(&willing.url, 4, &transfers(known("127.0.0.1")), None).await.unwrap();
    let lines: Vec<_> = willing.seen().iter().map(|r| (r.line.clone(), r.field("authorization").is_some())).collect();
    assert_eq!(lines, [("POST /hft.php".to_owned(), false), ("POST /hft.php".to_owned(), true)]);
    let to = tempfile::tempdir().unwrap();
    assert!(transfers(known("127.0.0.1")).receive_file(&offer, None, to.path()).await.is_ok());
    assert!(willing.seen().last().unwrap().field("authorization").unwrap().contains("uri=\"/f?x=y\""));
    // another host's are not told, and nothing is tried twice
    let asked = willing.seen().len();
    let error = sending(&willing.url, 4, &transfers(known("files.example")), None).await.unwrap_err();
    assert_eq!((error.stage, error.code(), willing.seen().len()), (Stage::Opening, "transfer.unauthorized", asked + 1));
    let stubborn = server(true).await;
    let error = sending(&stubborn.url, 4, &transfers(known("127.0.0.1")), None).await.unwrap_err();
    assert_eq!((error.stage, error.code(), stubborn.seen().len()), (Stage::Uploading, "transfer.unauthorized", 2));
    let error = transfers(known("127.0.0.1")).download(&stubborn.url).await.unwrap_err();
    assert_eq!((error.code(), stubborn.seen().len()), ("transfer.unauthorized", 4));
}
