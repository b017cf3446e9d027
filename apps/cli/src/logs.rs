//! Logs to standard error, of our own crates only: those below us may write whole stanzas, and with them a password.
use crate::failure::Failure;
use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// `-v` counts; without it `SUBROSA_LOG` says (error, warn, info, debug, trace, off), else warnings.
pub fn begin(verbose: u8) -> Result<(), Failure> {
    let named = std::env::var("SUBROSA_LOG").unwrap_or_default();
    let level = match (verbose, named.as_str()) {
        (0, "") => LevelFilter::WARN,
        (0, name) => {
            let sentence = "SUBROSA_LOG must be one of off, error, warn, info, debug, trace";
            name.parse().map_err(|_| Failure::usage(sentence))?
        }
        (1, _) => LevelFilter::INFO,
        (2, _) => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = Targets::new().with_target("subrosa", level);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_filter(ours);
    let _ = tracing_subscriber::registry().with(layer).try_init();
    Ok(())
}
