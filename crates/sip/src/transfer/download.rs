//! A file comes from the server.
use super::http::{self, Alive, Opened};
use super::{Cause, Stage, TransferError, Transfers};
use crate::Offer;
use bytes::Bytes;
use reqwest::header::CONTENT_ENCODING;
use reqwest::{Method, Response, StatusCode, Url};
use std::path::{Path, PathBuf};
use std::time::Duration;
use subrosa_engine::FileCipher;
use subrosa_files::{DiskSpool, Receiving};
use tokio::sync::mpsc;

/// How many chunks may wait for the disk.
const WAITING: usize = 4;

/// A file on its way here, chunk by chunk.
#[derive(Debug)]
pub struct Download {
    response: Response,
    url: Url,
    idle: Duration,
    size: Option<u64>,
    left: u64,
    limit: u64,
}
impl Download {
    /// How many bytes the server says that there are. Fewer are an error at the end.
    pub fn size(&self) -> Option<u64> {
        self.size
    }
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// [`TransferError`]
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, TransferError> {
        self.next().await.map_err(|cause| cause.during(Stage::Downloading))
    }
    async fn next(&mut self) -> Result<Option<Bytes>, Cause> {
        let chunk = Alive::now().watch(self.idle, self.response.chunk()).await?.map_err(|e| http::failed(&self.url, &e))?;
        let came = chunk.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        match self.left.checked_sub(came) {
            Some(left) => self.left = left,
            None => return Err(Cause::TooLarge { size: self.limit.saturating_add(1), limit: self.limit }),
        }
        Ok(chunk)
    }
}

impl Transfers {
    /// Asks for what lies at `url`.
    ///
    /// # Errors
    /// [`TransferError`]
    pub async fn download(&self, url: &str) -> Result<Download, TransferError> {
        self.fetch(url).await.map_err(|cause| cause.during(Stage::Downloading))
    }

    async fn fetch(&self, url: &str) -> Result<Download, Cause> {
        let url = http::parse(url)?;
        self.outside.check(&url).map_err(|inside| Cause::Inside(inside.0))?;
        let opened = http::open(&self.fetcher, &self.settings, &Method::GET, url, None).await?;
        let (url, response) = match opened {
            Opened::Answered(url, response) => (url, response),
            Opened::Challenged(url, answer) => match http::open(&self.fetcher, &self.settings, &Method::GET, url, Some(answer)).await? {
                Opened::Answered(url, response) => (url, response),
                Opened::Challenged(..) => return Err(Cause::Unauthorized),
            },
        };
        if response.status() != StatusCode::OK {
            return Err(Cause::Status { code: response.status().as_u16() });
        }
        if let Some(encoding) = response.headers().get(CONTENT_ENCODING).filter(|e| !e.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(Cause::Encoded(String::from_utf8_lossy(encoding.as_bytes()).chars().take(40).collect()));
        }
        let (size, limit) = (response.content_length(), self.settings.largest);
        match size {
            Some(size) if size > limit => Err(Cause::TooLarge { size, limit }),
            _ => Ok(Download { response, url, idle: self.settings.idle, size, left: limit, limit }),
        }
    }

    pub(super) async fn receive(&self, offer: &Offer, cipher: Option<Box<dyn FileCipher>>, directory: &Path) -> Result<PathBuf, TransferError> {
        let (file, limit) = (offer.file.clone(), self.settings.largest);
        if file.size > limit {
            return Err(Cause::TooLarge { size: file.size, limit }.during(Stage::Downloading));
        }
        let (in_clear, expected) = (cipher.is_none(), file.size);
        let mut keeper = Keeper::start(directory.to_owned(), move |spool| Receiving::new(file, cipher, spool)).await?;
        let mut download = self.download(&offer.url).await?;
        if let Some(said) = download.size().filter(|said| in_clear && *said != expected) {
            return Err(Cause::Size { said, expected }.during(Stage::Downloading));
        }
        while let Some(bytes) = download.chunk().await? {
            if !keeper.take(bytes).await {
                break; // it says why at the end
            }
        }
        keeper.finish().await
    }
}

/// Decrypts and writes on a thread where waiting for the disk holds nobody up. Dropped, it leaves nothing.
struct Keeper {
    give: mpsc::Sender<Option<Bytes>>,
    result: tokio::task::JoinHandle<Result<PathBuf, Cause>>,
}
impl Keeper {
    /// With a place on the disk, or why there is none: before anything is asked of a server.
    async fn start(directory: PathBuf, begin: impl FnOnce(DiskSpool) -> Receiving<DiskSpool> + Send + 'static) -> Result<Self, TransferError> {
        let opened = tokio::task::spawn_blocking(move || DiskSpool::new(directory)).await;
        let spool = opened.map_err(|e| Cause::Bug(e.to_string())).and_then(|spool| spool.map_err(Cause::Spool));
        let receiving = begin(spool.map_err(|cause| cause.during(Stage::Saving))?);
        let (give, take) = mpsc::channel(WAITING);
        Ok(Keeper { give, result: tokio::task::spawn_blocking(move || keep(receiving, take)) })
    }
    /// False: it has failed.
    async fn take(&mut self, bytes: Bytes) -> bool {
        self.give.send(Some(bytes)).await.is_ok()
    }
    async fn finish(self) -> Result<PathBuf, TransferError> {
        let _ = self.give.send(None).await;
        let result = self.result.await.unwrap_or_else(|e| Err(Cause::Bug(e.to_string())));
        result.map_err(|cause| cause.during(Stage::Saving))
    }
}
fn keep(mut receiving: Receiving<DiskSpool>, mut take: mpsc::Receiver<Option<Bytes>>) -> Result<PathBuf, Cause> {
    while let Some(bytes) = take.blocking_recv() {
        match bytes {
            Some(bytes) => receiving = receiving.chunk(&bytes)?,
            None => return receiving.finish()?.save().map_err(|unsaved| Cause::Spool(unsaved.error)),
        }
    }
    // whoever gave the bytes is gone
    Err(Cause::Bug("the transfer was given up".into()))
}
