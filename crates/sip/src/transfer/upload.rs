//! A file goes to the server.
use super::http::{self, Alive, Opened};
use super::{Body, Cause, Settings, Stage, TransferError, Transfers};
use crate::digest;
use crate::offer::{Offer, Stored};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Method, Response, StatusCode, Url};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use subrosa_engine::{FileCipher, FileInfo, FileKey};
use subrosa_files::{Encrypting, SendError};
use tokio::sync::mpsc;

/// Bytes that are read from the file at once.
const CHUNK: usize = 64 * 1024;
/// How many of these may wait for the network.
const WAITING: usize = 4;

/// Where a file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// http or https.
    pub url: String,
    /// Until when, as the server wrote it.
    pub until: Option<String>,
}

impl Transfers {
    /// Uploads `length` bytes, or as many as there are, under no name and no type.
    ///
    /// # Errors
    /// [`TransferError`]
    pub async fn upload<S>(&self, server: &str, body: S, length: Option<u64>) -> Result<Uploaded, TransferError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let (url, authorization) = self.ask(server).await.map_err(|cause| cause.during(Stage::Opening))?;
        let stored = self.give(&url, authorization, body, length).await.map_err(|cause| cause.during(Stage::Uploading))?;
        Ok(Uploaded { url: stored.url, until: stored.until })
    }

    pub(super) async fn send(
        &self,
        server: &str,
        path: &Path,
        file: FileInfo,
        encryption: Option<(FileKey, Box<dyn FileCipher>)>,
    ) -> Result<Offer, TransferError> {
        let source = opened(path.to_owned(), file.size).await.map_err(|cause| cause.during(Stage::Opening))?;
        let (key, cipher) = encryption.map_or((None, None), |(key, cipher)| (Some(key), Some(cipher)));
        let length = (cipher.is_none() || self.settings.body == Body::Known).then_some(file.size);
        let reader = Encrypting::new(source, file, cipher);
        let sent = reader.sent();
        let uploaded = self.upload(server, read_aside(reader), length).await;
        // the connection breaks because the file or its cipher did, never the other way round
        match (sent.take(), uploaded) {
            (Some(Ok(file)), Ok(Uploaded { url, until })) => Ok(Offer { file, key, url, until }),
            (Some(Err(error)), uploaded) if !matches!((&error, &uploaded), (SendError::Abandoned, Err(_))) => {
                Err(Cause::Send(error).during(Stage::Uploading))
            }
            (_, Err(error)) => Err(error),
            (_, Ok(_)) => Err(Cause::Send(SendError::Abandoned).during(Stage::Uploading)),
        }
    }

    /// Whether the server takes a file, where, and with which authorization.
    async fn ask(&self, server: &str) -> Result<(Url, Option<String>), Cause> {
        match http::open(&self.client, &self.settings, &Method::POST, http::parse(server)?, None).await? {
            // the file goes along with the first answer to a challenge, as Liblinphone does it: a nonce may count once only
            Opened::Challenged(url, answer) => Ok((url, Some(answer))),
            Opened::Answered(url, response) => match response.status() {
                StatusCode::NO_CONTENT | StatusCode::OK => Ok((url, None)),
                other => Err(Cause::Status { code: other.as_u16() }),
            },
        }
    }

    async fn give<S>(&self, url: &Url, authorization: Option<String>, body: S, length: Option<u64>) -> Result<Stored, Cause>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let boundary = format!("----------{}", digest::random().map_err(|e| Cause::Bug(e.to_string()))?);
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"File\"; filename=\"filename.txt\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let (alive, meter) = (Alive::now(), Arc::new(Meter::default()));
        let frame = u64::try_from(head.len().saturating_add(tail.len())).unwrap_or(u64::MAX);
        let once = |text: String| stream::once(std::future::ready(Ok(Bytes::from(text))));
        let (moved, moves) = (alive.clone(), meter.clone());
        let whole = once(head).chain(moves.measured(body, length)).chain(once(tail)).inspect(move |_| moved.moved());
        let mut request = self.client.post(url.clone()).header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"));
        if let Some(length) = length {
            request = request.header(CONTENT_LENGTH, length.saturating_add(frame));
        }
        let request = request.body(reqwest::Body::wrap_stream(whole));
        let answered = http::send(request, authorization.as_deref(), url, self.settings.idle, &alive).await;
        let response = answered.map_err(|cause| match length {
            Some(expected) if meter.wrong() => Cause::Length { expected },
            _ => cause,
        })?;
        let stored = self.stored(url, response).await?;
        match stored.size {
            Some(said) if said != meter.passed() => Err(Cause::Size { said, expected: meter.passed() }),
            _ => Ok(stored),
        }
    }

    /// What the server says of where the file lies.
    async fn stored(&self, url: &Url, response: Response) -> Result<Stored, Cause> {
        if let Some(elsewhere) = http::pointed(url, &response) {
            return Err(elsewhere);
        }
        match response.status() {
            StatusCode::OK | StatusCode::CREATED => {}
            StatusCode::UNAUTHORIZED => return Err(Cause::Unauthorized),
            other => return Err(Cause::Status { code: other.as_u16() }),
        }
        let body = http::short(response, url, self.settings.idle, crate::MAX_BODY).await?;
        let stored = Stored::read(&body)?;
        let place = http::parse(&stored.url)?;
        allowed(&self.settings, url, &place)?;
        Ok(stored)
    }
}

/// A server may give its files out itself, or where its user allowed it.
fn allowed(settings: &Settings, server: &Url, place: &Url) -> Result<(), Cause> {
    let host = http::host(place);
    if host != http::host(server) && !settings.other_hosts.iter().any(|other| other.eq_ignore_ascii_case(host)) {
        return Err(Cause::OtherHost(host.to_owned()));
    }
    if server.scheme() == "https" && place.scheme() != "https" { Err(Cause::Downgrade) } else { Ok(()) }
}

/// The file, if it is one and as long as it is said to be.
async fn opened(path: std::path::PathBuf, declared: u64) -> Result<std::fs::File, Cause> {
    let open = move || {
        // a pipe would wait here for its other end
        if !std::fs::metadata(&path).map_err(Cause::Open)?.is_file() {
            return Err(Cause::Open(io::Error::other("it is not a file")));
        }
        let file = std::fs::File::open(&path).map_err(Cause::Open)?;
        match file.metadata().map_err(Cause::Open)?.len() {
            read if read < declared => Err(Cause::Send(SendError::Shorter { declared, read })),
            read if read > declared => Err(Cause::Send(SendError::Longer { declared })),
            _ => Ok(file),
        }
    };
    tokio::task::spawn_blocking(open).await.map_err(|e| Cause::Bug(e.to_string()))?
}

/// Reads on a thread where waiting for the disk and the cipher holds nobody up. Ends with the stream.
fn read_aside(mut reader: Encrypting<std::fs::File>) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (give, take) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut room = BytesMut::zeroed(CHUNK);
            let chunk = match reader.read(&mut room) {
                Ok(0) => break,
                Ok(read) => Ok(room.split_to(read).freeze()),
                Err(error) => Err(error),
            };
            let failed = chunk.is_err();
            if give.blocking_send(chunk).is_err() || failed {
                break;
            }
        }
    });
    stream::unfold(take, |mut take| async move { take.recv().await.map(|chunk| (chunk, take)) })
}

/// Counts what passes, and lets no more and no less pass than was announced.
#[derive(Default)]
struct Meter {
    passed: AtomicU64,
    wrong: AtomicBool,
}
impl Meter {
    fn passed(&self) -> u64 {
        self.passed.load(Ordering::Acquire)
    }
    fn wrong(&self) -> bool {
        self.wrong.load(Ordering::Acquire)
    }
    fn measured<S: Stream<Item = io::Result<Bytes>>>(self: Arc<Self>, body: S, length: Option<u64>) -> impl Stream<Item = io::Result<Bytes>> {
        let end = self.clone();
        let passing = body.map(move |chunk| {
            let bytes = chunk?;
            let more = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let passed = self.passed.fetch_add(more, Ordering::AcqRel).saturating_add(more);
            if length.is_some_and(|length| passed > length) { self.fail() } else { Ok(bytes) }
        });
        let checked = stream::once(async move { if length.is_some_and(|length| end.passed() != length) { end.fail() } else { Ok(Bytes::new()) } });
        passing.chain(checked).filter(|chunk| std::future::ready(!matches!(chunk, Ok(bytes) if bytes.is_empty())))
    }
    fn fail(&self) -> io::Result<Bytes> {
        self.wrong.store(true, Ordering::Release);
        Err(io::Error::other("the length is not the one announced"))
    }
}
