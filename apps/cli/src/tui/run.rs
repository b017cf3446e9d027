//! The terminal and the loop: keys, notifications and answers in, calls out, a picture after each batch of them.
//!
//! However it ends, by a key, an error, a signal or a panic, the terminal is as it was.
use super::model::{Effect, Event, Screen, Tag};
use super::view::{self, Theme};
use crate::colour::Depth;
use crate::commands::interrupted;
use crate::engine::Choice;
use crate::failure::{Failure, FaultName};
use crate::home::Home;
use crate::host::new_id;
use crate::rpc::Call;
use crate::rpc::server::{Backend, closed};
use crate::rpc::types::Notification;
use crate::session::Accounts;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange, KeyEventKind};
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use ratatui::crossterm::{cursor, execute, queue};
use serde_json::Value;
use std::io::{IsTerminal, Stdout, stdin, stdout};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What is taken in before the screen is drawn again.
const BATCH: usize = 512;

/// All accounts, or the one named.
pub async fn run(home: &Home, account: Option<&str>) -> Result<(), Failure> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        return Err(Failure::usage("`subrosa tui` needs a terminal for its input and its output; scripts use `subrosa rpc`"));
    }
    let accounts = Accounts::open(home, account, true, Some(&Choice::default())).await?;
    let end = on_terminal(&accounts).await;
    accounts.stop().await;
    end
}

async fn on_terminal(accounts: &Accounts) -> Result<(), Failure> {
    let broken = |e: std::io::Error| Failure::new("output", FaultName::Caller, format!("the terminal can't be used: {e}"));
    let _restored = Taken::take().map_err(broken)?;
    let mut terminal = Terminal::new(CrosstermBackend::new(stdout())).map_err(broken)?;
    let zone = jiff::tz::TimeZone::system();
    let theme = Theme { colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()), depth: Depth::here() };
    let mut keys = keys();
    let (subscriber, mut notes) = mpsc::unbounded_channel();
    accounts.subscribe(None, subscriber)?;
    let mut screen = Screen::new(size().map_err(broken)?, zone);
    let mut asked = JoinSet::new();
    let first = screen.start();
    carry_out(first, accounts, &mut asked, &mut terminal).map_err(broken)?;
    let (interrupted, ended) = (interrupted(), accounts.ended());
    tokio::pin!(interrupted, ended);
    loop {
        // terminals that know it show a picture only when it is whole
        queue!(stdout(), BeginSynchronizedUpdate).map_err(broken)?;
        terminal.draw(|frame| view::draw(frame, &screen, theme)).map_err(broken)?;
        execute!(stdout(), EndSynchronizedUpdate).map_err(broken)?;
        let mut event = tokio::select! {
            () = &mut interrupted => return Ok(()),
            failure = &mut ended => return Err(failure),
            key = keys.recv() => match key {
                Some(event) => Some(event),
                None => return Ok(()), // the terminal is gone
            },
            note = notes.recv() => match note {
                Some(note) => Some(Event::Note(Box::new(note))),
                None => return Err(ended.await),
            },
            Some(answer) = asked.join_next() => answered(answer),
        };
        for _ in 0..BATCH {
            let Some(now) = event.take() else { break };
            if !carry_out(screen.update(now), accounts, &mut asked, &mut terminal).map_err(broken)? {
                return Ok(());
            }
            event = next(&mut keys, &mut notes, &mut asked);
        }
        // one that was taken out and found the batch full
        if let Some(now) = event
            && !carry_out(screen.update(now), accounts, &mut asked, &mut terminal).map_err(broken)?
        {
            return Ok(());
        }
    }
}

type Asked = JoinSet<(Tag, Result<Value, Failure>)>;

/// What is there already.
fn next(keys: &mut mpsc::UnboundedReceiver<Event>, notes: &mut mpsc::UnboundedReceiver<Notification>, asked: &mut Asked) -> Option<Event> {
    if let Ok(event) = keys.try_recv() {
        return Some(event);
    }
    if let Ok(note) = notes.try_recv() {
        return Some(Event::Note(Box::new(note)));
    }
    asked.try_join_next().and_then(answered)
}
fn answered(answer: Result<(Tag, Result<Value, Failure>), tokio::task::JoinError>) -> Option<Event> {
    answer.ok().map(|(tag, answer)| Event::Answer(tag, answer))
}

/// `false`: it is the end.
fn carry_out(
    effects: Vec<Effect>,
    accounts: &Accounts,
    asked: &mut Asked,
    terminal: &mut Terminal<CrosstermBackend<Stdout>>,
) -> Result<bool, std::io::Error> {
    for effect in effects {
        match effect {
            Effect::Call(tag, mut call) => {
                name(&mut call);
                let reply = accounts.begin(*call);
                asked.spawn(async move { (tag, reply.await.unwrap_or_else(|_| Err(closed()))) });
            }
            Effect::Shown { account, seq } => accounts.shown(&account, seq),
            Effect::Redraw => terminal.clear()?,
            Effect::Quit => return Ok(false),
        }
    }
    Ok(true)
}
/// Under its id it can be asked again and is sent once.
fn name(call: &mut Call) {
    let id = match call {
        Call::Send(call) => &mut call.id,
        Call::Reply(call) => &mut call.id,
        Call::React(call) => &mut call.id,
        Call::Edit(call) => &mut call.id,
        Call::Retract(call) => &mut call.id,
        _ => return,
    };
    id.get_or_insert_with(new_id);
}

/// What the terminal says, from a thread of its own: reading it blocks.
fn keys() -> mpsc::UnboundedReceiver<Event> {
    let (said, heard) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let event = match event {
                event::Event::Key(key) if key.kind != KeyEventKind::Release => Event::Key(key),
                event::Event::Paste(text) => Event::Paste(text),
                event::Event::Resize(width, height) => Event::Resize(width, height),
                event::Event::FocusGained => Event::Focus(true),
                event::Event::FocusLost => Event::Focus(false),
                _ => continue,
            };
            if said.send(event).is_err() {
                return;
            }
        }
    });
    heard
}

/// The terminal, while it is ours.
struct Taken;
impl Taken {
    fn take() -> std::io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |what| {
            give_back();
            before(what);
        }));
        enable_raw_mode()?;
        let taken = Taken;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange)?;
        Ok(taken)
    }
}
impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}
/// As it was. A terminal that is gone needs nothing.
fn give_back() {
    let _ = execute!(stdout(), EndSynchronizedUpdate, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
}
