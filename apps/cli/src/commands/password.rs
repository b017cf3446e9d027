//! Where passwords come from: a file, the environment, a prompt. Never the command line, which other users of the machine can read.
use crate::failure::Failure;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use zeroize::Zeroizing;

/// The longest password taken.
const LIMIT: u64 = 4096;

/// From the file, else `SUBROSA_PASSWORD`, else a prompt.
pub fn asked(whose: &str, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    if let Some(given) = given(file)? {
        return Ok(given);
    }
    if !std::io::stdin().is_terminal() {
        let sentence = "there is no terminal to ask for the password; give it in a file (--password-file) or in SUBROSA_PASSWORD";
        return Err(Failure::usage(sentence));
    }
    let typed = rpassword::prompt_password(format!("Password of {whose}: "));
    whole(Zeroizing::new(typed.map_err(|e| Failure::usage(format!("the password can't be read from the terminal: {e}")))?), "password")
}
/// From the file, else `SUBROSA_PASSWORD`. `None`: neither is there.
pub fn given(file: Option<&Path>) -> Result<Option<Zeroizing<String>>, Failure> {
    let password = match (file, std::env::var("SUBROSA_PASSWORD")) {
        (Some(path), _) => {
            let file = std::fs::File::open(path).map_err(|e| Failure::io("reading", path, &e))?;
            first_line(std::io::BufReader::new(file)).map_err(|e| Failure::io("reading", path, &e))?
        }
        (None, Ok(given)) => Zeroizing::new(given),
        (None, Err(_)) => return Ok(None),
    };
    whole(password, "password").map(Some)
}
/// Of a sealed file: from the file, else `SUBROSA_PASSPHRASE`, else a prompt. `new`: asked for twice.
pub fn passphrase(file: Option<&Path>, new: bool) -> Result<Zeroizing<String>, Failure> {
    if let Some(path) = file {
        let opened = std::fs::File::open(path).map_err(|e| Failure::io("reading", path, &e))?;
        return first_line(std::io::BufReader::new(opened)).map_err(|e| Failure::io("reading", path, &e)).and_then(|read| whole(read, "passphrase"));
    }
    if let Ok(given) = std::env::var("SUBROSA_PASSPHRASE") {
        return whole(Zeroizing::new(given), "passphrase");
    }
    if !std::io::stdin().is_terminal() {
        let sentence = "there is no terminal to ask for the passphrase; give it in a file (--passphrase-file) or in SUBROSA_PASSPHRASE";
        return Err(Failure::usage(sentence));
    }
    let ask = |prompt: &str| {
        let typed = rpassword::prompt_password(prompt);
        typed.map(Zeroizing::new).map_err(|e| Failure::usage(format!("the passphrase can't be read from the terminal: {e}")))
    };
    let passphrase = ask("Passphrase of the file: ")?;
    if new && *ask("The same again: ")? != *passphrase {
        return Err(Failure::usage("the two passphrases differ; nothing was done"));
    }
    whole(passphrase, "passphrase")
}
fn whole(secret: Zeroizing<String>, what: &str) -> Result<Zeroizing<String>, Failure> {
    if secret.is_empty() { Err(Failure::usage(format!("the {what} is empty; nothing was done"))) } else { Ok(secret) }
}
fn first_line(file: impl BufRead) -> std::io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(256)); // not moved while it is read: no copies stay behind
    file.take(LIMIT).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}
