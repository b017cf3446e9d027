//! Files over HTTP as Liblinphone moves them (GSMA RCC.07 §3.5.4.8): an empty POST, 204, the file as one part of a POST, and XML
//! that says where it lies; a GET to fetch it.
//!
//! Owns the requests, their limits and their errors. Knows no keys and no messages: a cipher is driven by `subrosa-files`, what
//! comes out is an [`Offer`] for whoever sends messages.
//!
//! A server learns the length of a file, and when and from where it is asked. Not its name, its type, who sends it, or which program
//! this is beyond the word `subrosa`: Liblinphone tells it all of these.
//!
//! ```no_run
//! # use subrosa_sip::transfer::{Settings, Transfers};
//! # use subrosa_engine::{FileInfo, FileKey, FileCipher};
//! # async fn f(key: FileKey, up: Box<dyn FileCipher>, down: Box<dyn FileCipher>) -> Result<(), Box<dyn std::error::Error>> {
//! let transfers = Transfers::new(Settings::default())?;
//! let file = FileInfo { name: "cat.jpg".into(), content_type: "image/jpeg".into(), size: 50_001, tag: None };
//! let offer = transfers.send_file("https://files.example.org/hft.php", "cat.jpg".as_ref(), file, Some((key, up))).await?;
//! let body = offer.write(); // what the message to the recipient has to carry, encrypted
//! let saved = transfers.receive_file(&offer, Some(down), "downloads".as_ref()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Dropping a transfer ends it: the connection is closed, and nothing is left on the disk.
mod download;
mod error;
mod http;
mod inside;
mod upload;

pub use download::Download;
pub use error::{Cause, Stage, TransferError};
pub use upload::Uploaded;

use crate::connection::Roots;
use crate::{Offer, digest};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use subrosa_engine::{FileCipher, FileInfo, FileKey};
use zeroize::Zeroizing;

/// The limits of transfers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a connection may take to be there. 10 s.
    pub connect: Duration,
    /// How long nothing may move. 30 s.
    pub idle: Duration,
    /// How long the whole may take. Not limited.
    pub whole: Option<Duration>,
    /// The largest file that is fetched, in bytes. 2 GiB.
    pub largest: u64,
    /// For a file server that asks (RFC 7616).
    pub credentials: Option<Credentials>,
    /// Hosts besides the file server's own at which it may say that files lie. Only from these is a file fetched whose host has an
    /// address that is not public (loopback, private and link-local networks): whoever offers a file names its host.
    pub other_hosts: Vec<String>,
    /// How the length of an encrypted file is told.
    pub body: Body,
    /// Whose certificates are trusted.
    pub roots: Roots,
}
impl Default for Settings {
    fn default() -> Self {
        Settings {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            whole: None,
            largest: 2 << 30,
            credentials: None,
            other_hosts: Vec::new(),
            body: Body::Known,
            roots: Roots::System,
        }
    }
}
/// How the length of an encrypted file is told. The engine knows it only when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Beforehand, as that of the file: every server takes that. A cipher whose output is longer or shorter fails ([`Cause::Length`]).
    Known,
    /// Chunk by chunk: any cipher, but not every server.
    Chunked,
}

/// A name and a password for one host (RFC 7616). Told to no other.
#[derive(Clone)]
pub struct Credentials {
    host: String,
    secret: digest::Credentials,
}
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({} at {})", self.secret.name, self.host)
    }
}
impl Credentials {
    /// `host`: the file server's, without a port. `name`: for Linphone's servers the user part of the SIP address.
    pub fn new(host: impl Into<String>, name: impl Into<String>, password: impl Into<String>) -> Self {
        Credentials { host: host.into(), secret: digest::Credentials { name: name.into(), password: Zeroizing::new(password.into()) } }
    }
}

/// The host of a URL, if it is one.
pub(crate) fn host_of(url: &str) -> Option<String> {
    http::parse(url).ok().map(|url| http::host(&url).to_owned())
}

/// Uploads and downloads. Cheap to clone; transfers run beside each other.
#[derive(Clone, Debug)]
pub struct Transfers {
    client: reqwest::Client,
    /// For what others point to.
    fetcher: reqwest::Client,
    outside: Arc<inside::Outside>,
    settings: Settings,
}
impl Transfers {
    /// With these limits.
    ///
    /// # Errors
    /// [`Cause::Roots`]
    pub fn new(settings: Settings) -> Result<Self, TransferError> {
        let outside = Arc::new(inside::Outside { known: settings.other_hosts.clone() });
        let [client, fetcher] = http::clients(&settings, outside.clone()).map_err(|cause| cause.during(Stage::Opening))?;
        Ok(Transfers { client, fetcher, outside, settings })
    }
    /// The limits.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
    /// Uploads the file at `path`, through the cipher if there is one, and gives the offer for it: with the key, the tag that the
    /// cipher set, and the size and name that `file` has. Memory does not grow with the file.
    ///
    /// # Errors
    /// [`TransferError`]: nothing is offered; what the server keeps of it nobody can find.
    pub async fn send_file(
        &self,
        server: &str,
        path: &Path,
        file: FileInfo,
        encryption: Option<(FileKey, Box<dyn FileCipher>)>,
    ) -> Result<Offer, TransferError> {
        self.timed(Stage::Uploading, self.send(server, path, file, encryption)).await
    }
    /// Fetches what is offered, through the cipher if there is one, and saves it in `directory` under the offer's name, made safe; a
    /// file that has that name stays, the new one gets a number. Until its cipher has agreed it has no name. Memory does not grow with the file.
    ///
    /// # Errors
    /// [`TransferError`]: nothing is left in the directory.
    pub async fn receive_file(&self, offer: &Offer, cipher: Option<Box<dyn FileCipher>>, directory: &Path) -> Result<PathBuf, TransferError> {
        self.timed(Stage::Downloading, self.receive(offer, cipher, directory)).await
    }
    async fn timed<T>(&self, stage: Stage, work: impl Future<Output = Result<T, TransferError>>) -> Result<T, TransferError> {
        match self.settings.whole {
            None => work.await,
            Some(whole) => tokio::time::timeout(whole, work).await.unwrap_or_else(|_| Err(Cause::TooSlow(whole).during(stage))),
        }
    }
}
