//! Which tests run on this machine. What is not installed is skipped with a word, unless it was asked for.

/// Names, separated by spaces, the suites that must run: what they lack is then a failure. Set by `cargo xtask`.
const REQUIRED: &str = "SUBROSA_INTEROP_REQUIRED";

/// Whether a test of the suite `name` goes on. `on_demand`: only when it is asked for by name. `missing`: what it
/// lacks here.
///
/// # Panics
/// Where the suite was asked for and lacks something: the test has failed.
pub fn goes_on(name: &str, on_demand: bool, missing: Option<String>) -> bool {
    let asked = std::env::var(REQUIRED).unwrap_or_default();
    let required = asked.split_whitespace().any(|asked| asked == name);
    let reason = missing.or_else(|| (on_demand && !required).then(|| format!("runs by `cargo xtask interop {name}`")));
    match reason {
        None => true,
        Some(what) => {
            assert!(!required, "{name} was asked for, but {what}");
            eprintln!("skipped: {name}: {what}");
            false
        }
    }
}
