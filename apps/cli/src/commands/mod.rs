//! The subcommands. Each opens the accounts it needs (here or in the process that has them), asks, prints.
mod backup;
mod chat;
mod history;
mod keys;
mod listen;
mod login;
mod logout;
mod look;
pub mod password;
mod rooms;
mod rpc;
mod send;
mod sip;

use crate::args::{Args, Command, SessionsCommand};
use crate::engine::Choice;
use crate::failure::{Failure, FaultName};
use crate::home::Home;
use crate::rpc::Call;
use crate::session::Accounts;
use serde::de::DeserializeOwned;
use std::io::{BufRead, IsTerminal, Write};

/// Carries out what the command line says.
pub async fn run(args: Args) -> Result<(), Failure> {
    let home = Home::locate(args.data)?;
    let account = args.account.as_deref();
    let engine = |named: &crate::args::Engine| Choice::parse(named.engine.as_deref());
    match args.command {
        Command::Login(login) => login::run(&home, login, None).await,
        Command::Import { login, from, file } => login::import(&home, login, from.source(), &file).await,
        Command::Room(command) => rooms::run(&home, account, command).await,
        Command::History { chat, search, limit } => history::show(&home, account, chat, search, limit).await,
        Command::Reply { chat, of, text } => history::about(&home, account, history::reply(chat, &of, send::text(&text)?)).await,
        Command::React { chat, of, emojis } => history::about(&home, account, history::react(chat, &of, emojis)).await,
        Command::Edit { chat, of, text } => history::about(&home, account, history::edit(chat, &of, send::text(&text)?)).await,
        Command::Retract { chat, of } => history::about(&home, account, history::retract(chat, &of)).await,
        Command::Verify { what, device, fingerprint } => keys::verify(&home, account, what, device, fingerprint).await,
        Command::Approve { device, fingerprint, history } => keys::approve(&home, account, device, fingerprint, history).await,
        Command::Sessions(SessionsCommand::Replace { jid, device }) => keys::replace(&home, account, jid, device).await,
        Command::Sessions(SessionsCommand::Remove { device }) => keys::remove(&home, account, device).await,
        Command::Sessions(SessionsCommand::Stale) => keys::stale(&home, account).await,
        Command::OptOut { chat, reason } => keys::opt_out(&home, account, chat, reason).await,
        Command::GoOn { chat } => keys::go_on(&home, account, chat).await,
        Command::AllowClear { chat, off, yes } => keys::allow_clear(&home, account, chat, off, yes).await,
        Command::Block { jid } => keys::block(&home, account, jid, true).await,
        Command::Unblock { jid } => keys::block(&home, account, Some(jid), false).await,
        Command::Backup { file, replace, passphrase_file } => backup::back_up(&home, account, &file, replace, passphrase_file).await,
        Command::Restore { file, passphrase_file } => backup::restore(&home, account, &file, passphrase_file).await,
        Command::Send { to, text, id, timeout, engine: named } => send::run(&home, account, engine(&named)?, to, &text, id, timeout).await,
        Command::Listen(named) => listen::run(&home, account, engine(&named)?).await,
        Command::Chat { with, engine: named } => chat::run(&home, account, engine(&named)?, &with).await,
        Command::Devices { of } => look::devices(&home, account, of).await,
        Command::Trust { jid, device, level, fingerprint } => look::trust(&home, account, jid, device, fingerprint, level).await,
        Command::Fingerprint => look::fingerprint(&home, account).await,
        Command::Status => look::status(&home, account).await,
        Command::Logout { yes, offline } => logout::run(&home, account, yes, offline).await,
        Command::Sip(sip) => sip::run(&home, *sip).await,
        Command::Tui => crate::tui::run(&home, account).await,
        Command::Rpc(named) => rpc::run(&home, account, engine(&named)?).await,
    }
}

/// One question to one account, then its end.
async fn ask<T: DeserializeOwned>(home: &Home, account: Option<&str>, all: bool, call: Call) -> Result<T, Failure> {
    let accounts = Accounts::open(home, account, all, None).await?;
    let answer = accounts.call(call).await;
    accounts.stop().await;
    read(answer?)
}
/// An answer as its type.
fn read<T: DeserializeOwned>(answer: serde_json::Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|e| Failure::bug(format!("an answer was not understood ({e}); is another version of subrosa running?")))
}

/// Writes to standard output and flushes; somebody who does not read to the end (`| head`) is no error of ours.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::unread()),
        Err(e) => Err(Failure::new("output", FaultName::Caller, format!("standard output can't be written: {e}"))),
    }
}

/// A person says yes to what can't be undone. `remedy`: what to do where nobody can be asked.
fn confirmed(question: &str, remedy: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("there is no terminal to ask on; {remedy}")));
    }
    let mut err = std::io::stderr();
    let _ = write!(err, "{question} [y/N] ");
    let _ = err.flush();
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|e| Failure::usage(format!("the answer can't be read: {e}")))?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

/// Resolves when the process is asked to end.
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut any = tokio::task::JoinSet::new();
    for mut signal in kinds.into_iter().filter_map(|kind| signal(kind).ok()) {
        any.spawn(async move { signal.recv().await });
    }
    if any.join_next().await.is_none() {
        std::future::pending().await
    }
}
