//! Where passwords come from: a file, the environment, a prompt. Never the command line, which other users of the machine can read.
use crate::failure::Failure;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// The longest password taken.
const LIMIT: u16 = 4096;

/// From the file, else `SUBROSA_PASSWORD`, else a prompt.
pub fn asked(whose: &str, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    if let Some(given) = given(file)? {
        return Ok(given);
    }
    if !std::io::stdin().is_terminal() {
        let sentence = "there is no terminal to ask for the password; give it in a file (--password-file) or in SUBROSA_PASSWORD";
        return Err(Failure::usage(sentence));
    }
    whole(typed(&format!("Password of {whose}: "), "password")?, "password")
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
    let passphrase = typed("Passphrase of the file: ", "passphrase")?;
    if new && *typed("The same again: ", "passphrase")? != *passphrase {
        return Err(Failure::usage("the two passphrases differ; nothing was done"));
    }
    whole(passphrase, "passphrase")
}
/// What a person types and nobody sees. Ctrl-C ends it like an empty line does, and the terminal is as before: a signal would leave it mute.
fn typed(prompt: &str, what: &str) -> Result<Zeroizing<String>, Failure> {
    let failed = |e: std::io::Error| Failure::usage(format!("the {what} can't be read from the terminal: {e}"));
    let mut err = std::io::stderr();
    let raw = Raw::begin().map_err(failed)?;
    write!(err, "{prompt}").and_then(|()| err.flush()).map_err(failed)?;
    let mut secret = Zeroizing::new(String::with_capacity(LIMIT.into())); // not moved while it is typed: no copies stay behind
    let end = loop {
        let Event::Key(key) = event::read().map_err(failed)? else { continue };
        match key.code {
            _ if key.kind == KeyEventKind::Release => {}
            KeyCode::Enter => break Ok(()),
            KeyCode::Char('j' | 'm') if key.modifiers == KeyModifiers::CONTROL => break Ok(()), // typed before this began
            KeyCode::Char('c' | 'd') if key.modifiers == KeyModifiers::CONTROL => break Err(Failure::usage("interrupted; nothing was done")),
            KeyCode::Char('u') if key.modifiers == KeyModifiers::CONTROL => secret.clear(),
            KeyCode::Backspace => drop(secret.pop()),
            KeyCode::Char(c) if !key.modifiers.contains(KeyModifiers::CONTROL) && secret.len() < usize::from(LIMIT).saturating_sub(4) => {
                secret.push(c)
            }
            _ => {}
        }
    };
    drop(raw);
    let _ = writeln!(err);
    end.map(|()| secret)
}
/// The terminal gives every key and shows none, until this is dropped.
struct Raw;
impl Raw {
    fn begin() -> std::io::Result<Self> {
        terminal::enable_raw_mode().map(|()| Raw)
    }
}
impl Drop for Raw {
    fn drop(&mut self) {
        let _ = terminal::disable_raw_mode();
    }
}
fn whole(secret: Zeroizing<String>, what: &str) -> Result<Zeroizing<String>, Failure> {
    if secret.is_empty() { Err(Failure::usage(format!("the {what} is empty; nothing was done"))) } else { Ok(secret) }
}
fn first_line(file: impl BufRead) -> std::io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(256)); // not moved while it is read: no copies stay behind
    file.take(LIMIT.into()).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}
