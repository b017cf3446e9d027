//! `cargo xtask interop`: Subrosa against other people's software, all that `test` leaves out included.

use clap::ValueEnum;

use crate::install::{Need, ensure};
use crate::run::{Failure, cargo, loud, quiet};
use crate::web::{Flavour, web};

/// Names the peers, separated by spaces, that must be there: their tests fail instead of being skipped.
pub const REQUIRED: &str = "SUBROSA_INTEROP_REQUIRED";

/// One of the suites of `testing/interop/tests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// python-omemo, OMEMO 2
    #[value(name = "python-omemo-2")]
    PythonOmemo2,
    /// python-omemo, legacy
    PythonOmemoLegacy,
    /// omemo-dr, Gajim's library
    OmemoDr,
    /// Gajim
    Gajim,
    /// Profanity
    Profanity,
    /// Dino (needs root)
    Dino,
    /// Ours and one of each in one room
    OneOfEach,
    /// The exchange over ejabberd
    Ejabberd,
    /// Linphone's library: messages and files by SIP
    Liblinphone,
    /// `kill -9` at any moment
    Kill,
}

impl Suite {
    /// The files of tests, and of them those that have this in their names.
    fn tests(self) -> (&'static [&'static str], &'static str) {
        const CONVERSATIONS: &[&str] = &["--test", "peers", "--test", "subrosa", "--test", "rooms"];
        match self {
            Self::PythonOmemo2 => (CONVERSATIONS, "python_omemo_2"),
            Self::PythonOmemoLegacy => (CONVERSATIONS, "python_omemo_legacy"),
            Self::OmemoDr => (CONVERSATIONS, "omemo_dr"),
            Self::Gajim => (CONVERSATIONS, "gajim"),
            Self::Profanity => (CONVERSATIONS, "profanity"),
            Self::Dino => (CONVERSATIONS, "dino"),
            Self::OneOfEach => (&["--test", "rooms"], "one_of_each"),
            Self::Ejabberd => (CONVERSATIONS, "ejabberd"),
            Self::Liblinphone => (&["--test", "linphone"], ""),
            Self::Kill => (&["--test", "kill"], ""),
        }
    }

    fn needs(self) -> &'static [Need] {
        match self {
            Self::Gajim => &[Need::Gajim, Need::Browser],
            Self::Profanity => &[Need::Profanity],
            Self::Dino => &[Need::Dino],
            Self::OneOfEach => &[Need::Gajim, Need::Profanity, Need::Dino],
            Self::Ejabberd => &[Need::Ejabberd, Need::Gajim, Need::Profanity],
            Self::Liblinphone => &[Need::Linphone],
            Self::PythonOmemo2 | Self::PythonOmemoLegacy | Self::OmemoDr | Self::Kill => &[],
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

pub fn interop(chosen: &[Suite]) -> Result<(), Failure> {
    let suites = if chosen.is_empty() { Suite::value_variants() } else { chosen };
    let mut needs = vec![Need::OpenSsl, Need::Prosody, Need::Python];
    needs.extend(suites.iter().flat_map(|suite| suite.needs()));
    ensure(&needs)?;
    quiet("building subrosa", &mut cargo(&["build", "--locked", "-p", "subrosa-cli"]))?;
    let mut failed = Vec::new();
    for suite in suites {
        let (files, names) = suite.tests();
        let mut command = cargo(&["test", "--locked", "--no-fail-fast", "-p", "subrosa-interop"]);
        // One conversation at a time: screens and shared cores make several of them slow.
        command.args(files).args(["--", "--include-ignored", "--test-threads", "1", names]).env(REQUIRED, suite.name());
        let mut passed = loud(&suite.name(), &mut command).is_ok();
        if *suite == Suite::Gajim {
            passed &= gajim_and_a_browser().is_ok();
        }
        if !passed {
            failed.push(suite.name());
        }
    }
    if failed.is_empty() {
        println!("\nAll of them passed: {}.", suites.iter().map(|suite| suite.name()).collect::<Vec<_>>().join(", "));
        Ok(())
    } else {
        Err(format!("these failed: {}", failed.join(", ")).into())
    }
}

/// The other clients meet a browser in the ordinary tests.
fn gajim_and_a_browser() -> Result<(), Failure> {
    let page = web(Flavour::Release)?;
    quiet("building subrosa-gateway", &mut cargo(&["build", "--locked", "-p", "subrosa-gateway"]))?;
    let mut command = cargo(&["test", "--locked", "-p", "subrosa-browser-tests", "--test", "talk", "gajim"]);
    loud("gajim and a browser", command.env(REQUIRED, "gajim browser").env("SUBROSA_WEB_DIST", page))
}
