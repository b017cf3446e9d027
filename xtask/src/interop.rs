//! `cargo xtask interop`: Subrosa against other people's software, all that `test` leaves out included.

use clap::ValueEnum;

use crate::install::{Need, ensure};
use crate::run::{Failure, cargo, loud};

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
    /// The exchange over ejabberd
    Ejabberd,
    /// `kill -9` at any moment
    Kill,
}

impl Suite {
    /// The test file, and of it the tests that have this in their name.
    fn tests(self) -> (&'static str, &'static str) {
        match self {
            Self::PythonOmemo2 => ("subrosa", "python_omemo_2"),
            Self::PythonOmemoLegacy => ("subrosa", "python_omemo_legacy"),
            Self::OmemoDr => ("subrosa", "omemo_dr"),
            Self::Gajim => ("subrosa", "gajim"),
            Self::Profanity => ("subrosa", "profanity"),
            Self::Ejabberd => ("subrosa", "ejabberd"),
            Self::Kill => ("kill", ""),
        }
    }

    fn needs(self) -> &'static [Need] {
        match self {
            Self::Gajim => &[Need::Gajim],
            Self::Profanity => &[Need::Profanity],
            Self::Ejabberd => &[Need::Ejabberd],
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
    let mut failed = Vec::new();
    for suite in suites {
        let (file, names) = suite.tests();
        let mut command = cargo(&["test", "--locked", "-p", "subrosa-interop", "--test", file, "--", "--include-ignored"]);
        // One conversation at a time: screens and shared cores make several of them slow.
        command.args(["--test-threads", "1", names]).env(REQUIRED, suite.name());
        if loud(&suite.name(), &mut command).is_err() {
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
