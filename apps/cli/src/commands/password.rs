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
    whole(Zeroizing::new(typed.map_err(|e| Failure::usage(format!("the password can't be read from the terminal: {e}")))?))
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
    whole(password).map(Some)
}
fn whole(password: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    if password.is_empty() { Err(Failure::usage("the password is empty; nothing was done")) } else { Ok(password) }
}
fn first_line(file: impl BufRead) -> std::io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(256)); // not moved while it is read: no copies stay behind
    file.take(LIMIT).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}
