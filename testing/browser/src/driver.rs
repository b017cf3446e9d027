//! One chromedriver for all browsers of a test program, and the runtime that waits for it.

use std::fs;
use std::future::Future;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use subrosa_interop::{Guarded, find_program, wait_until};
use thirtyfour::error::WebDriverError;
use tokio::runtime::Runtime;

/// What went wrong with a browser.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// It, or its driver, could not be started.
    #[error("the browser can't be started: {0}")]
    Start(String),
    /// It did not do what it was told.
    #[error("the browser: {0}")]
    Driver(String),
    /// A script of ours threw.
    #[error("a script in the page: {0}")]
    Script(String),
    /// The page said no.
    #[error("the page says: {0}")]
    Refused(String),
    /// It was not so in time.
    #[error("waited for {what}; the page shows:\n{page}")]
    Waited {
        /// For what.
        what: String,
        /// The page's text, its address and its problems.
        page: String,
    },
}
impl From<WebDriverError> for BrowserError {
    fn from(error: WebDriverError) -> Self {
        BrowserError::Driver(error.to_string())
    }
}

struct Driver {
    url: String,
    _process: Guarded,
}

/// Where chromedriver listens; started when it is first asked for. It ends with this program, however that ends.
pub(crate) fn url() -> Result<&'static str, BrowserError> {
    static DRIVER: OnceLock<Result<Driver, String>> = OnceLock::new();
    DRIVER.get_or_init(start).as_ref().map(|driver| driver.url.as_str()).map_err(|why| BrowserError::Start(why.clone()))
}

fn start() -> Result<Driver, String> {
    let program = find_program("chromedriver").ok_or("chromedriver is not installed (Debian package `chromium-driver`)")?;
    let dir = tempfile::Builder::new().prefix("subrosa-driver-").tempdir().map_err(|error| error.to_string())?;
    let log = dir.path().join("log");
    let mut process = Guarded::start(Command::new(program).arg("--port=0"), &log).map_err(|error| error.to_string())?;
    let mut port = None;
    // Its log is of use until then only, and nothing that is left at the program's end would be removed.
    let up = wait_until(&mut process, Duration::from_secs(20), || {
        let said = fs::read_to_string(&log).unwrap_or_default();
        port = said.split_once("successfully on port ").and_then(|(_, rest)| rest.split_once('.')).and_then(|(port, _)| port.parse::<u16>().ok());
        port.is_some()
    });
    match (up, port) {
        (Ok(()), Some(port)) => Ok(Driver { url: format!("http://127.0.0.1:{port}"), _process: process }),
        (up, _) => Err(format!("chromedriver {}", up.err().unwrap_or("said no port"))),
    }
}

/// Waits for what the driver does.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().expect("a runtime: threads can be started")
    });
    runtime.block_on(future)
}
