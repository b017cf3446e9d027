//! A browser that speaks the contract: HTTP by hand, the socket by tungstenite.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use subrosa_interop::Gateway;
use subrosa_web_api::http::{LOGIN, LOGOUT, LoggedIn, Login, SOCKET};
use subrosa_web_api::socket::{Body, Event, FromGateway, Message, Session, ToGateway};
use subrosa_web_api::{Failure, Kind, Seq, VERSION, decode, encode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest as _};

/// Nothing here takes so long, on the slowest machine.
pub const LIMIT: Duration = Duration::from_secs(20);

/// A response.
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}
impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
    pub fn failure(&self) -> Failure {
        decode(&self.body).unwrap_or_else(|| panic!("{} {}", self.status, self.head))
    }
}
/// `http://host:port` and the path below.
pub fn split(url: &str) -> (String, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    (host.to_owned(), format!("/{path}"))
}
pub async fn http(url: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let (host, base) = split(url);
    let mut stream = TcpStream::connect(&host).await.unwrap();
    let mut request = format!("{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut all = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut all)).await.unwrap().unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, head, body: all[end + 4..].to_vec() }
}
pub fn origin(url: &str) -> String {
    format!("http://{}", split(url).0)
}
pub async fn try_login(url: &str, jid: &str, password: &str) -> Response {
    let login = Login { version: VERSION, jid: jid.into(), password: password.into(), label: "Test".into() };
    let origin = origin(url);
    http(url, "POST", LOGIN, &[("Origin", &origin), ("Content-Type", "application/octet-stream")], &encode(&login)).await
}

type Ws = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>;

/// A browser.
pub struct Browser {
    pub url: String,
    pub jid: String,
    pub id: u64,
    pub cookie: String,
    pub since: Option<Seq>,
    pub ws: Option<Ws>,
    /// Everything that came.
    pub log: Vec<FromGateway>,
}
impl Browser {
    pub async fn login(gateway: &Gateway, jid: &str, password: &str) -> Self {
        let response = try_login(&gateway.url, jid, password).await;
        assert_eq!(response.status, 200, "{:?}", decode::<Failure>(&response.body));
        let logged_in: LoggedIn = decode(&response.body).unwrap();
        let cookie = response.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Browser { url: gateway.url.clone(), jid: logged_in.jid, id: logged_in.browser, cookie, since: None, ws: None, log: Vec::new() }
    }
    /// A socket that is there when all that was missed has come, and the XMPP session is online.
    pub async fn online(gateway: &Gateway, jid: &str, password: &str) -> Self {
        let mut browser = Self::login(gateway, jid, password).await;
        browser.connect().await;
        browser.until_online().await;
        browser
    }
    pub async fn until_online(&mut self) {
        if !self.log.iter().any(|frame| matches!(frame, FromGateway::Session(Session::Online { .. }))) {
            self.until(|frame| matches!(frame, FromGateway::Session(Session::Online { .. })).then_some(())).await;
        }
    }
    pub async fn open(&mut self, origin: &str, version: u32) -> Result<(), u16> {
        let url = format!("{}{SOCKET}?v={version}", self.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("Origin", origin.parse().unwrap());
        request.headers_mut().insert("Cookie", self.cookie.parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok((ws, _)) => {
                self.ws = Some(ws);
                Ok(())
            }
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(e) => panic!("{e}"),
        }
    }
    /// Opens the socket and reads until it has caught up.
    pub async fn connect(&mut self) {
        self.open(&origin(&self.url.clone()), VERSION).await.unwrap();
        self.log.clear();
        let since = self.since;
        self.send(&ToGateway::Hello { since }).await;
        let Some(FromGateway::Welcome { head, .. }) = self.next().await.ok() else { panic!("no welcome") };
        self.until(|frame| matches!(frame, FromGateway::CaughtUp).then_some(())).await;
        self.since = self.since.max(Some(head));
    }
    pub async fn send(&mut self, frame: &ToGateway) {
        self.raw(tungstenite::Message::binary(encode(frame))).await;
    }
    pub async fn raw(&mut self, message: tungstenite::Message) {
        let _ = self.ws.as_mut().unwrap().send(message).await;
    }
    /// The next frame, or the code that the socket was closed with.
    pub async fn next(&mut self) -> Result<FromGateway, u16> {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let message = tokio::time::timeout_at(deadline, self.ws.as_mut().unwrap().next()).await.expect("nothing came");
            match message {
                Some(Ok(tungstenite::Message::Binary(bytes))) => {
                    let frame: FromGateway = decode(&bytes).unwrap();
                    if let FromGateway::Event { seq, .. } = &frame {
                        self.since = self.since.max(Some(*seq));
                    }
                    self.log.push(frame.clone());
                    return Ok(frame);
                }
                Some(Ok(tungstenite::Message::Close(frame))) => return Err(frame.map_or(0, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(0),
            }
        }
    }
    pub async fn until<T>(&mut self, mut pick: impl FnMut(&FromGateway) -> Option<T>) -> T {
        loop {
            let frame = self.next().await.unwrap_or_else(|code| panic!("closed with {code}"));
            if let Some(found) = pick(&frame) {
                return found;
            }
        }
    }
    pub async fn until_closed(&mut self) -> u16 {
        loop {
            if let Err(code) = self.next().await {
                return code;
            }
        }
    }
    /// That message, whether it came already or is to come.
    pub async fn message(&mut self, id: &str) -> (Seq, Message) {
        let pick = |frame: &FromGateway| match frame {
            FromGateway::Event { seq, event: Event::Message(message) } if message.id == id => Some((*seq, message.clone())),
            _ => None,
        };
        match self.log.iter().find_map(pick) {
            Some(found) => found,
            None => self.until(pick).await,
        }
    }
    /// Sends something that looks encrypted.
    pub fn encrypted(id: &str, to: &str, words: &str) -> ToGateway {
        let xml = format!("<encrypted xmlns='urn:xmpp:omemo:2'><payload>{words}</payload></encrypted>");
        ToGateway::Send { id: id.into(), part: 0, to: to.into(), chat: to.into(), kind: Kind::Text, body: Body::Encrypted(xml.into_bytes()), made: 0 }
    }
    pub async fn accepted(&mut self, id: &str) -> Seq {
        self.until(|frame| match frame {
            FromGateway::Accepted { id: of, seq, .. } if of == id => Some(*seq),
            FromGateway::Rejected { id: of, why, .. } if of == id => panic!("{why:?}"),
            _ => None,
        })
        .await
    }
    pub async fn logout(&mut self) -> Response {
        let origin = origin(&self.url);
        http(&self.url, "POST", LOGOUT, &[("Origin", &origin), ("Cookie", &self.cookie)], b"").await
    }
    pub fn close(&mut self) {
        self.ws = None;
    }
}
pub fn text(message: &Message) -> String {
    String::from_utf8(message.body.clone()).unwrap()
}
