//! A file server that does what a test writes down, byte by byte.
use std::future::Future;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One connection.
pub struct Conn {
    io: BufReader<Box<dyn Io>>,
    broken: bool,
    seen: Arc<Mutex<Vec<Request>>>,
}
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `POST /hft.php`
    pub line: String,
    /// In lower case.
    pub head: String,
    pub body: Vec<u8>,
}
impl Request {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}
impl Conn {
    /// The head of a request; its body is left where it is.
    pub async fn head(&mut self) -> Request {
        let mut request = Request::default();
        self.io.read_line(&mut request.line).await.unwrap();
        request.line = request.line.trim_end_matches("\r\n").trim_end_matches(" HTTP/1.1").to_owned();
        loop {
            let mut line = String::new();
            if self.io.read_line(&mut line).await.unwrap() == 0 || line == "\r\n" {
                return request;
            }
            let (name, value) = line.split_once(':').unwrap();
            request.head.push_str(&format!("{}:{value}", name.to_ascii_lowercase()));
        }
    }
    /// A whole request.
    pub async fn request(&mut self) -> Request {
        let head = self.head().await;
        self.body(head).await
    }
    /// What belongs to a head.
    pub async fn body(&mut self, mut request: Request) -> Request {
        if request.field("transfer-encoding") == Some("chunked") {
            loop {
                let mut line = String::new();
                self.io.read_line(&mut line).await.unwrap();
                let mut chunk = vec![0; usize::from_str_radix(line.trim(), 16).unwrap() + 2];
                self.io.read_exact(&mut chunk).await.unwrap();
                request.body.extend_from_slice(&chunk[..chunk.len() - 2]);
                if chunk.len() == 2 {
                    break;
                }
            }
        } else if let Some(length) = request.field("content-length") {
            request.body = vec![0; length.parse().unwrap()];
            self.io.read_exact(&mut request.body).await.unwrap();
        }
        self.seen.lock().unwrap().push(request.clone());
        request
    }
    pub async fn say(&mut self, text: impl AsRef<[u8]>) {
        // whoever is spoken to may have gone
        let said = self.io.write_all(text.as_ref()).await;
        self.broken |= said.is_err() || self.io.flush().await.is_err();
    }
    pub async fn answer(&mut self, status: &str, body: &str) {
        self.say(format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    }
    /// Whether the other side has gone.
    pub fn is_gone(&self) -> bool {
        self.broken
    }
    /// Says nothing for ever.
    pub async fn hang(self) {
        std::future::pending().await
    }
}

/// Listens on the loopback until the test ends.
pub struct Server {
    pub url: String,
    pub port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}
impl Server {
    /// `script` is done for every connection.
    pub async fn start<F: Future<Output = ()> + Send + 'static>(script: impl Fn(Conn, u16) -> F + Send + 'static) -> Server {
        Server::over(None, script).await
    }
    /// The same, by https.
    pub async fn over<F: Future<Output = ()> + Send + 'static>(tls: Option<TlsAcceptor>, script: impl Fn(Conn, u16) -> F + Send + 'static) -> Server {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let all = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let io: Box<dyn Io> = match &tls {
                    None => Box::new(stream),
                    Some(tls) => match tls.accept(stream).await {
                        Ok(stream) => Box::new(stream),
                        Err(_) => continue,
                    },
                };
                tokio::spawn(script(Conn { io: BufReader::new(io), broken: false, seen: all.clone() }, port));
            }
        });
        Server { url: format!("{scheme}://127.0.0.1:{port}/hft.php"), port, seen }
    }
    /// Takes files as it should but for what it answers to the file: `answer` is given the port and how many bytes the file had.
    pub async fn answering(answer: impl Fn(u16, usize) -> (String, String) + Clone + Send + 'static) -> Server {
        Server::answering_over(None, answer).await
    }
    pub async fn answering_over(tls: Option<TlsAcceptor>, answer: impl Fn(u16, usize) -> (String, String) + Clone + Send + 'static) -> Server {
        Server::over(tls, move |mut conn, port| {
            let answer = answer.clone();
            async move {
                let request = conn.request().await;
                if request.body.is_empty() {
                    return conn.answer("204 No Content", "").await;
                }
                let (status, body) = answer(port, part(&request).1.len());
                conn.answer(&status, &body).await;
            }
        })
        .await
    }
    /// Whole requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

/// The headers and the bytes of the only part of a multipart body.
pub fn part(request: &Request) -> (String, Vec<u8>) {
    let boundary = request.field("content-type").unwrap().split_once("boundary=").unwrap().1;
    let (start, end) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}--\r\n"));
    let body = request.body.strip_prefix(start.as_bytes()).unwrap().strip_suffix(end.as_bytes()).unwrap();
    let at = body.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    (String::from_utf8(body[..at].to_vec()).unwrap(), body[at + 4..].to_vec())
}
/// What hft.php answers.
pub fn stored(url: &str, size: impl std::fmt::Display) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<file xmlns=\"urn:gsma:params:xml:ns:rcs:rcs:fthttp\"><file-info type=\"file\"><file-size>{size}</file-size><file-name>filename.txt</file-name><content-type>application/octet-stream</content-type><data url=\"{url}\" until=\"2030-01-01T00:00:00Z\"/></file-info></file>"
    )
}
