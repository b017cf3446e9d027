//! The web messenger in real browsers: a Chromium with a profile of its own, driven over WebDriver, and on top of it the page as a
//! person sees it.
//!
//! Everything blocks, so that a browser takes part in the scenarios of `subrosa_interop` like any other client.
//!
//! ```no_run
//! use subrosa_browser_tests::{Messenger, Options};
//! use subrosa_interop::{Friends, Gateway, Prosody, scenario};
//!
//! let server = Prosody::start(&[("alice", "pw-alice"), ("bob", "pw-bob")], Friends::All)?;
//! let gateway = Gateway::start(&server)?;
//! let mut alice = Messenger::sign_in(&gateway.url, "alice@localhost", "pw-alice", &Options::default())?;
//! let mut bob = Messenger::sign_in(&gateway.url, "bob@localhost", "pw-bob", &Options::default())?;
//! scenario::deliver(&mut alice, &mut bob, "under the rose")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod browser;
mod driver;
mod messenger;
mod page;
mod processes;
mod stage;
mod tab;
mod tamper;

pub use browser::{Browser, Options};
pub use driver::BrowserError;
pub use messenger::Messenger;
pub use page::{Banner, Device, Message, Page};
pub use stage::{MARK, Stage};
pub use tab::Tab;
pub use tamper::Tamper;

/// What is missing to run a browser here, if anything is.
pub fn missing() -> Option<String> {
    let program = |name: &str, package: &str| {
        subrosa_interop::find_program(name).is_none().then(|| format!("{name} is not installed (Debian package `{package}`)"))
    };
    program("chromium", "chromium").or_else(|| program("chromedriver", "chromium-driver"))
}

/// Whether a test of the whole messenger goes on here: browser, gateway, page and Prosody are there.
pub fn goes_on() -> bool {
    let page = || subrosa_interop::web_dist().is_none().then(|| "the page is not built (`cargo xtask web`)".to_owned());
    let missing = missing().or_else(subrosa_interop::Prosody::missing).or_else(subrosa_interop::Gateway::missing).or_else(page);
    subrosa_interop::goes_on("browser", false, missing)
}
