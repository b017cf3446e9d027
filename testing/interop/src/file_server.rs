//! A file transfer server as Linphone's: RCC.07 §3.5.4.8 over HTTP, on the loopback.
//!
//! An empty POST is answered 204, a multipart POST 200 with an XML document that says where the file is, GET gives it. Keeps
//! everything it was sent, so that a test can say what a server gets to see, and change it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Runs as long as the test's process.
#[derive(Debug)]
pub struct FileServer {
    /// Where files are given to.
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    uploads: Vec<Upload>,
    /// Empty POSTs, as the first of each transfer is.
    greetings: usize,
    tampers: bool,
}

/// What was sent as one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// The headers of its part.
    pub headers: String,
    /// As it came: encrypted or not.
    pub bytes: Vec<u8>,
}

impl FileServer {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let url = format!("http://127.0.0.1:{}/", listener.local_addr()?.port());
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, own) = (Arc::clone(&state), url.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (shared, own) = (Arc::clone(&shared), own.clone());
                // A client that goes in the middle of a request has nothing stored.
                std::thread::spawn(move || serve(client, &shared, &own));
            }
        });
        Ok(Self { url, state })
    }

    /// All files until now, in the order of their coming.
    pub fn uploads(&self) -> Vec<Upload> {
        lock(&self.state).uploads.clone()
    }

    /// How many transfers were begun.
    pub fn begun(&self) -> usize {
        lock(&self.state).greetings
    }

    /// From now on it changes one bit of whatever it is given.
    pub fn tamper(&self) {
        lock(&self.state).tampers = true;
    }
}

fn serve(client: TcpStream, state: &Mutex<State>, url: &str) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut writer = client;
    while let Some(request) = Request::read(&mut reader)? {
        match request.answer(state, url) {
            (200, kind, body) => {
                write!(writer, "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len())?;
                writer.write_all(&body)?;
            }
            (code, ..) => write!(writer, "HTTP/1.1 {code} No\r\nContent-Length: 0\r\n\r\n")?,
        }
        writer.flush()?;
    }
    Ok(())
}

struct Request {
    method: String,
    path: String,
    content_type: String,
    body: Vec<u8>,
}

impl Request {
    fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
        let (mut content_type, mut length, mut chunked) = (String::new(), 0, false);
        loop {
            let mut header = String::new();
            from.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-type" => content_type = value.trim().to_owned(),
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
                _ => {}
            }
        }
        let body = if chunked { read_chunks(from)? } else { read_exactly(from, length)? };
        Ok(Some(Self { method, path, content_type, body }))
    }

    fn answer(self, state: &Mutex<State>, url: &str) -> (u16, &'static str, Vec<u8>) {
        let mut state = lock(state);
        if self.method == "GET" {
            let number = self.path.trim_start_matches('/').parse::<usize>().ok();
            let found = number.and_then(|number| state.uploads.get(number)).map(|upload| upload.bytes.clone());
            return found.map_or((404, "", Vec::new()), |bytes| (200, "application/octet-stream", bytes));
        }
        if self.body.is_empty() {
            state.greetings += 1;
            return (204, "", Vec::new());
        }
        let Some(mut upload) = first_part(&self.content_type, &self.body) else { return (400, "", Vec::new()) };
        let said = |name: &str| {
            let found = upload.headers.split_once(name).map_or("", |(_, rest)| rest);
            found.split(['"', '\r', '\n']).next().unwrap_or_default().trim().replace('&', "&amp;").replace('<', "&lt;")
        };
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><file xmlns=\"urn:gsma:params:xml:ns:rcs:rcs:fthttp\"><file-info type=\"file\"><file-size>{}</file-size>\
             <file-name>{}</file-name><content-type>{}</content-type><data url=\"{url}{}\" until=\"2037-01-01T00:00:00Z\"/></file-info></file>",
            upload.bytes.len(),
            said("filename=\""),
            said("Content-Type:"),
            state.uploads.len(),
        );
        let middle = upload.bytes.len() / 2;
        if let Some(byte) = upload.bytes.get_mut(middle).filter(|_| state.tampers) {
            *byte ^= 1;
        }
        state.uploads.push(upload);
        (200, "application/xml", xml.into_bytes())
    }
}

fn first_part(content_type: &str, body: &[u8]) -> Option<Upload> {
    let boundary = content_type.split_once("boundary=")?.1.split(';').next()?.trim_matches('"');
    let start = find(body, format!("--{boundary}\r\n").as_bytes())? + boundary.len() + 4;
    let part = body.get(start..)?;
    let head = find(part, b"\r\n\r\n")?;
    // The last one, as what is sent may well have the look of a boundary.
    let end = (0..part.len()).rev().find(|at| part[*at..].starts_with(format!("\r\n--{boundary}").as_bytes()))?;
    Some(Upload { headers: String::from_utf8_lossy(&part[..head]).into_owned(), bytes: part.get(head + 4..end)?.to_vec() })
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}

fn read_exactly(from: &mut impl BufRead, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
        body.extend(read_exactly(from, length)?);
        from.read_line(&mut line)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
