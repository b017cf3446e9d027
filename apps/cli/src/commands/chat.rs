//! `subrosa chat`: a conversation with one person, line by line. What others write stays unread.
use super::listen::{is_quiet, refused};
use super::{interrupted, print, read};
use crate::engine::Choice;
use crate::failure::Failure;
use crate::home::{Home, bare};
use crate::rpc::Call;
use crate::rpc::lines::{self, Line};
use crate::rpc::server::Backend;
use crate::rpc::types::{Notification, SendOutcome, SendResult, SendText};
use crate::session::Accounts;
use crate::show;
use tokio::io::BufReader;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub async fn run(home: &Home, account: Option<&str>, engine: Choice, with: &str) -> Result<(), Failure> {
    let with = bare(with)?;
    let accounts = Accounts::open(home, account, false, Some(&engine)).await?;
    let end = talk(&accounts, accounts.ended(), &with, Shows::Theirs).await;
    accounts.stop().await;
    end
}

/// What a conversation shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// What belongs to it; the rest stays unread.
    Theirs,
    /// What others write too: whoever carries it gives nothing more before that was shown.
    All,
}

/// The conversation, over whoever carries it. `ended`: why it is over, once nothing more comes.
pub async fn talk(backend: &dyn Backend, ended: impl Future<Output = Failure>, with: &str, shows: Shows) -> Result<(), Failure> {
    let (subscriber, mut notes) = mpsc::unbounded_channel();
    backend.subscribe(None, subscriber)?;
    let (typed, mut input) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut reader = BufReader::new(tokio::io::stdin());
        let mut buffer = Vec::new();
        while let Ok(line @ (Line::Whole | Line::TooLong)) = lines::next(&mut reader, &mut buffer).await {
            let text = (line == Line::Whole).then(|| String::from_utf8(buffer.clone()).ok()).flatten();
            if typed.send(text).await.is_err() {
                return;
            }
        }
    });
    let mut sending = JoinSet::new();
    let (mut open, mut worst) = (true, None);
    loop {
        tokio::select! {
            () = interrupted() => break Ok(()),
            note = notes.recv() => {
                let Some(note) = note else { break Err(ended.await) };
                if let Some(failure) = refused(&note) {
                    break Err(failure);
                }
                if (shows == Shows::All || belongs(&note, with)) && !is_quiet(&note) {
                    if let Err(failure) = print(&format!("{}\n", show::note(&note, false))) {
                        break Err(failure);
                    }
                    if let Some(seq) = note.seq() {
                        backend.shown(note.account(), seq);
                    }
                } else if let Some(seq) = note.seq() {
                    backend.passed(note.account(), seq);
                }
            }
            line = input.recv(), if open => match line {
                None => open = false,
                Some(None) => eprintln!("that line is no text, or too long; it was not sent"),
                Some(Some(text)) if text.trim().is_empty() => {}
                Some(Some(text)) => {
                    // begun here, so that lines leave in their order
                    let reply = backend.begin(Call::Send(SendText { to: with.to_owned(), text, id: None, timeout: None, account: None }));
                    sending.spawn(reply);
                }
            },
            Some(sent) = sending.join_next() => {
                let answer = sent.ok().and_then(Result::ok).unwrap_or_else(|| Err(crate::rpc::server::closed()));
                match answer.and_then(read::<SendResult>) {
                    Ok(result) => left_out(&result),
                    Err(failure) => {
                        eprintln!("{failure}");
                        worst = Some(failure);
                    }
                }
            }
            () = std::future::ready(()), if !open && sending.is_empty() => break worst.map_or(Ok(()), Err),
        }
    }
}

fn belongs(note: &Notification, with: &str) -> bool {
    match note {
        Notification::Message(m) => m.chat == with,
        Notification::Undecryptable(u) => u.from == with,
        Notification::DeviceNew(d) => d.jid == with || d.jid == d.account,
        Notification::KeyChanged(k) => k.jid == with || k.jid == k.account,
        Notification::Bounced(b) => b.from == with,
        Notification::LeftOut(l) => l.from.as_deref() == Some(with),
        Notification::Typing(t) => t.from == with,
        Notification::Receipt(r) => r.from == with,
        Notification::File(f) => f.from == with,
        Notification::Warning(w) => w.chat.as_deref().is_none_or(|chat| chat == with),
        Notification::Invitation(_) => true,
        Notification::Room(r) => r.room == with,
        Notification::State(_) | Notification::Entry(_) | Notification::Chat(_) | Notification::HistoryProgress(_) | Notification::CatchUp(_) => {
            false
        }
        Notification::NotSent(_) | Notification::Connection(_) => true,
    }
}
/// Silence means that everybody got it.
fn left_out(result: &SendResult) {
    if result.in_clear {
        eprintln!("{}", show::IN_CLEAR);
    }
    for device in result.devices.iter().filter(|d| d.result == SendOutcome::LeftOut) {
        eprintln!("{}", show::result(device));
    }
}
