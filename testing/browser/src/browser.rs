//! A Chromium: its profile, its tabs, its end.
//!
//! Owns the session with the driver and which window that session is in. A profile is a person's browser: two of them know nothing of each
//! other, and one that was killed comes back with what it had.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, WebDriver, WindowHandle};

use crate::driver::{self, BrowserError, wait};
use crate::processes;
use crate::tab::Tab;

/// A second run of the whole suite sets it: there is no SharedWorker in any browser.
const NO_SHARED_WORKER: &str = "SUBROSA_BROWSER_NO_SHARED_WORKER";
/// What a browser in a test does without, and what root and machines without a screen need.
const ARGUMENTS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
];

/// How a browser is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// `SharedWorker` is deleted before a page's first script.
    pub without_shared_worker: bool,
    /// Scripts that run before those of every page.
    pub before_pages: Vec<String>,
    /// More arguments for Chromium.
    pub arguments: Vec<String>,
    /// Width and height of the window.
    pub size: (u32, u32),
    /// It asks for dark pages.
    pub dark: bool,
}
impl Default for Options {
    fn default() -> Self {
        let without_shared_worker = std::env::var_os(NO_SHARED_WORKER).is_some();
        Options { without_shared_worker, before_pages: Vec::new(), arguments: Vec::new(), size: (1200, 900), dark: false }
    }
}

/// A running Chromium. Ends when dropped, and its profile with it.
#[derive(Debug)]
pub struct Browser {
    session: Arc<Session>,
    options: Options,
    profile: tempfile::TempDir,
}

/// The driver's session, in one window at a time.
#[derive(Debug)]
pub(crate) struct Session {
    state: Mutex<State>,
    before_pages: Vec<String>,
}
#[derive(Debug)]
struct State {
    /// `None`: it was killed.
    driver: Option<WebDriver>,
    window: Option<WindowHandle>,
}

impl Browser {
    /// Starts one with a fresh profile and one empty tab.
    ///
    /// # Errors
    /// [`BrowserError::Start`]
    pub fn start(options: &Options) -> Result<Self, BrowserError> {
        let profile = tempfile::Builder::new().prefix("subrosa-browser-").tempdir().map_err(|error| BrowserError::Start(error.to_string()))?;
        let session = Arc::new(Session::start(profile.path(), options)?);
        Ok(Browser { session, options: options.clone(), profile })
    }

    /// The tab that is there from the beginning.
    ///
    /// # Errors
    /// [`BrowserError::Driver`]
    pub fn first_tab(&self) -> Result<Tab, BrowserError> {
        let handles = self.session.in_no_tab(|driver| wait(driver.windows()).map_err(BrowserError::from))?;
        let handle = handles.into_iter().next().ok_or_else(|| BrowserError::Driver("it has no tab".into()))?;
        Tab::begin(self.session.clone(), handle)
    }

    /// Another, empty tab.
    ///
    /// # Errors
    /// [`BrowserError::Driver`]
    pub fn new_tab(&self) -> Result<Tab, BrowserError> {
        let handle = self.session.in_no_tab(|driver| wait(driver.new_tab()).map_err(BrowserError::from))?;
        Tab::begin(self.session.clone(), handle)
    }

    /// Ends the whole browser at once, as `kill -9` or a power cut does; its profile stays. Its tabs are gone.
    pub fn kill(&mut self) {
        let pid = processes::browser(self.profile.path());
        pid.into_iter().for_each(processes::kill);
        let start = Instant::now();
        while pid.is_some_and(processes::is_there) && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.session.leave();
        for name in ["SingletonLock", "SingletonCookie", "SingletonSocket"] {
            let _ = std::fs::remove_file(self.profile.path().join(name));
        }
    }

    /// Starts it again with the same profile, after [`Browser::kill`] or [`Browser::close`].
    ///
    /// # Errors
    /// [`BrowserError::Start`]
    pub fn reopen(&mut self) -> Result<(), BrowserError> {
        self.session.leave();
        self.session = Arc::new(Session::start(self.profile.path(), &self.options)?);
        Ok(())
    }

    /// Closes it in good order; its profile stays.
    pub fn close(&mut self) {
        self.session.leave();
    }

    /// How much memory the renderers take, in bytes, as the system counts it.
    pub fn memory(&self) -> u64 {
        processes::browser(self.profile.path()).into_iter().flat_map(processes::renderers).map(processes::memory).sum()
    }

    /// Whether `text` stands anywhere on its disk, in the encodings that browsers store text in. Close it before, so that everything is there.
    pub fn has_kept(&self, text: &str) -> bool {
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        !text.is_empty() && (holds(self.profile.path(), text.as_bytes()) || holds(self.profile.path(), &wide))
    }

    pub(crate) fn profile(&self) -> &Path {
        self.profile.path()
    }

    /// Kills the process that shows this tab, and its workers with it. Close the tab then.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn kill_renderer(&self, tab: &Tab) -> Result<(), BrowserError> {
        let pid = self.renderer_of(tab)?;
        processes::kill(pid);
        let start = Instant::now();
        while processes::is_there(pid) && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// The process that shows this tab: the one that works while the tab does.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn renderer_of(&self, tab: &Tab) -> Result<u32, BrowserError> {
        let browser = processes::browser(self.profile()).ok_or_else(|| BrowserError::Driver("it does not run".into()))?;
        let mut busiest = None;
        // others may be busy too, because they are just starting: until one stands out
        for round in 1..=5 {
            let before: Vec<(u32, u64)> = processes::renderers(browser).into_iter().map(|pid| (pid, processes::ticks(pid))).collect();
            let work = format!("const t = performance.now(); while (performance.now() - t < {}); return 0", 300 * round);
            tab.script(&work)?;
            let mut worked: Vec<(u64, u32)> = before.into_iter().map(|(pid, ticks)| (processes::ticks(pid).saturating_sub(ticks), pid)).collect();
            worked.sort_unstable_by(|a, b| b.cmp(a));
            busiest = worked.first().map(|(_, pid)| *pid);
            if let [(most, _), rest @ ..] = worked.as_slice()
                && rest.first().is_none_or(|(second, _)| *most > second.saturating_mul(3))
                && *most > 5
            {
                break;
            }
        }
        busiest.ok_or_else(|| BrowserError::Driver("it has no renderer".into()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session.leave();
        // A browser that the driver could not end.
        processes::browser(self.profile.path()).into_iter().for_each(processes::kill);
    }
}

impl Session {
    fn start(profile: &Path, options: &Options) -> Result<Self, BrowserError> {
        let url = driver::url()?;
        let failed = |error: thirtyfour::error::WebDriverError| BrowserError::Start(error.to_string());
        let mut wanted = DesiredCapabilities::chrome();
        let program = subrosa_interop::find_program("chromium").ok_or_else(|| BrowserError::Start("chromium is not installed".into()))?;
        wanted.set_binary(&program.to_string_lossy()).map_err(failed)?;
        let size = format!("--window-size={},{}", options.size.0, options.size.1);
        let own = [size, format!("--user-data-dir={}", profile.display())];
        let dark = options.dark.then(|| "--force-dark-mode".to_owned());
        for argument in ARGUMENTS.map(str::to_owned).iter().chain(&own).chain(&dark).chain(&options.arguments) {
            wanted.add_arg(argument).map_err(failed)?;
        }
        wanted.set_browser_log_level(thirtyfour::LoggingPrefsLogLevel::All).map_err(failed)?;
        let driver = wait(async {
            let driver = WebDriver::new(url, wanted).await?;
            driver.set_script_timeout(Duration::from_secs(120)).await?;
            Ok(driver)
        });
        let mut before_pages = options.before_pages.clone();
        if options.without_shared_worker {
            before_pages.insert(0, "delete self.SharedWorker".into());
        }
        Ok(Session { state: Mutex::new(State { driver: Some(driver.map_err(failed)?), window: None }), before_pages })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something that concerns no tab. Whatever window the session is in then, the next one that needs a window chooses it.
    fn in_no_tab<T>(&self, act: impl FnOnce(&WebDriver) -> Result<T, BrowserError>) -> Result<T, BrowserError> {
        let mut state = self.lock();
        state.window = None;
        // after a closed or crashed tab the session is nowhere
        let driver = state.driver.as_ref().ok_or_else(gone)?;
        if let Some(any) = wait(driver.windows())?.into_iter().next() {
            wait(driver.switch_to_window(any))?;
        }
        act(driver)
    }

    /// Something within a tab.
    pub(crate) fn within<T>(&self, window: &WindowHandle, act: impl FnOnce(&WebDriver) -> Result<T, BrowserError>) -> Result<T, BrowserError> {
        let mut state = self.lock();
        let driver = state.driver.as_ref().ok_or_else(gone)?;
        if state.window.as_ref() != Some(window) {
            wait(driver.switch_to_window(window.clone()))?;
            let driver = driver.clone();
            state.window = Some(window.clone());
            return act(&driver);
        }
        act(driver)
    }

    /// Closes a tab, one that crashed too.
    pub(crate) fn close(&self, window: &WindowHandle) -> Result<(), BrowserError> {
        self.within(window, |driver| wait(driver.close_window()).map_err(BrowserError::from))?;
        self.lock().window = None;
        Ok(())
    }

    /// A command of the DevTools protocol, to the tab that the session is in.
    pub(crate) fn cdp(driver: &WebDriver, method: &str, parameters: Value) -> Result<Value, BrowserError> {
        Ok(wait(driver.cdp().send_raw(method, parameters))?)
    }

    pub(crate) fn prepare(&self, window: &WindowHandle) -> Result<(), BrowserError> {
        self.within(window, |driver| {
            for source in &self.before_pages {
                Self::cdp(driver, "Page.addScriptToEvaluateOnNewDocument", json!({"source": source}))?;
            }
            Ok(())
        })
    }

    fn leave(&self) {
        let driver = self.lock().driver.take();
        if let Some(driver) = driver {
            let _ = wait(tokio_timeout(driver.quit()));
        }
    }
}

fn holds(dir: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(dir).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => holds(&path, bytes),
            Ok(kind) if kind.is_file() => std::fs::read(&path).is_ok_and(|file| file.windows(bytes.len()).any(|part| part == bytes)),
            _ => false,
        }
    })
}

/// A browser that was killed is not waited for.
async fn tokio_timeout<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(10), future).await.ok()
}

fn gone() -> BrowserError {
    BrowserError::Driver("it was killed".into())
}
