//! One message: its words as text, how it was protected, how far it is, and what can be done about it.
use super::dom::{El, button, el, icon, p};
use super::model::{Model, Panel, local, now};
use super::parts::{ALERT, CHECK, CHECKS, CLOCK, LOCKED, OPEN, choices};
use crate::words;
use leptos::prelude::*;
use subrosa_web_api::page::{Call, Content, LeftOut, Protection, State, Trust};

/// What may change; the words don't.
#[derive(Clone, PartialEq)]
struct Face {
    state: State,
    protection: Protection,
    at: u64,
    /// It is the first of its day.
    day: Option<String>,
}

pub fn message(model: Model, id: &str) -> El {
    let of = id.to_owned();
    let face = Memo::new(move |_| {
        model.rows.track();
        model.log.with_value(|log| {
            let row = log.place(&of)?;
            let message = log.at(row)?;
            let first = log.begins_day(row, |at| local(at).day());
            let (state, protection) = (message.state.clone(), message.protection.clone());
            Some(Face { state, protection, at: message.at, day: first.then(|| local(message.at).date(now())) })
        })
    });
    let Some((own, chat, content)) = model.log.with_value(|log| log.get(id).map(|m| (m.own, m.chat.clone(), m.content.clone()))) else {
        return el("div", "row");
    };
    let who = if own { words::YOU.to_owned() } else { model.name(&chat) };
    let words = match content {
        Content::Text(text) => p("text").attr("dir", "auto").text(&text),
        Content::Undecryptable(why) => p("unreadable").add(icon(ALERT)).text(words::UNDECRYPTABLE).text(": ").text(&why.sentence),
    };
    let day = Memo::new(move |_| face.with(|face| face.as_ref().and_then(|face| face.day.clone())));
    let at = Memo::new(move |_| face.with(|face| face.as_ref().map_or(0, |face| face.at)));
    let state = Memo::new(move |_| face.with(|face| face.as_ref().map_or(State::Here, |face| face.state.clone())));
    let protection = Memo::new(move |_| face.with(|face| face.as_ref().map_or(Protection::None, |face| face.protection.clone())));
    let time = el("time", "").live("title", move || local(at.get()).long(now())).live_text(move || local(at.get()).time());
    let failed = move || state.with(|state| matches!(state, State::Failed { .. }));
    let foot = p("foot").when(move || protection.with(|p| protected(p, own, failed()))).add(time).when(move || state.with(progress));
    let about = id.to_owned();
    let bubble = el("div", "bubble")
        .add(el("span", "unseen").text(&who).text(": "))
        .add(words)
        .add(foot)
        .when(move || state.with(|state| trouble(model, &about, state)))
        .when(move || protection.with(left_out));
    el("div", if own { "row own" } else { "row" })
        .attr("role", "listitem")
        .test("message")
        .attr("data-id", id)
        .attr("data-own", if own { "true" } else { "false" })
        .live("data-state", move || state.with(state_name))
        .live("data-protection", move || protection.with(protection_name))
        .when(move || day.get().map(|day| p("day").text(&day)))
        .add(bubble)
}

fn state_name(state: &State) -> &'static str {
    match state {
        State::Here => "here",
        State::Sending => "sending",
        State::Waiting(_) => "waiting",
        State::Sent => "sent",
        State::Delivered => "delivered",
        State::Failed { .. } => "failed",
    }
}
fn protection_name(protection: &Protection) -> &'static str {
    match protection {
        Protection::None => "none",
        Protection::Encrypted { .. } => "encrypted",
        Protection::Clear => "clear",
    }
}

fn protected(protection: &Protection, own: bool, failed: bool) -> Option<El> {
    match protection {
        Protection::None => None,
        Protection::Encrypted { .. } if failed => None, // nothing of it left
        Protection::Clear => Some(el("span", "mark clear").add(icon(OPEN)).text(words::CLEAR)),
        Protection::Encrypted { protocol, trust, .. } => {
            let title = if protocol.is_empty() { words::ENCRYPTED.to_owned() } else { format!("{}, {protocol}", words::ENCRYPTED) };
            let mark = el("span", "mark").attr("title", &title).add(icon(LOCKED)).add(el("span", "unseen").text(words::ENCRYPTED));
            let doubt = match trust {
                _ if own => return Some(mark),
                Trust::Trusted | Trust::Verified => return Some(mark),
                Trust::Untrusted => words::UNTRUSTED_DEVICE,
                Trust::Undecided => words::UNDECIDED_DEVICE,
            };
            Some(mark.add(el("span", "doubt").text(doubt)))
        }
    }
}

fn progress(state: &State) -> Option<El> {
    let path = match state {
        State::Here => return None,
        State::Sending | State::Waiting(_) => CLOCK,
        State::Sent => CHECK,
        State::Delivered => CHECKS,
        State::Failed { .. } => ALERT,
    };
    Some(el("span", "mark state").add(icon(path)).text(words::state(state)))
}

/// Why it is not on its way, and what can be done.
fn trouble(model: Model, id: &str, state: &State) -> Option<El> {
    match state {
        State::Waiting(why) => Some(p("why").text(&why.sentence)),
        State::Failed { why, may_clear } => {
            let (again, away, clear) = (id.to_owned(), id.to_owned(), id.to_owned());
            let clear = may_clear.then(|| button("", "allow-clear", words::SEND_CLEAR, move || model.panel.set(Some(Panel::Clear(clear.clone())))));
            let buttons = [
                button("", "retry", words::RETRY, move || model.call(Call::Retry { id: again.clone() })),
                button("", "discard", words::DISCARD, move || model.call(Call::Discard { id: away.clone() })),
            ];
            Some(el("div", "").add(p("why").text(&why.sentence)).add(choices(buttons.into_iter().chain(clear))))
        }
        _ => None,
    }
}

fn left_out(protection: &Protection) -> Option<El> {
    let Protection::Encrypted { left_out, .. } = protection else { return None };
    let line = |LeftOut { jid, device, why }: &LeftOut| el("li", "").text(&words::device_of(jid, *device)).text(": ").text(&why.sentence);
    let list = el("ul", "").add_all(left_out.iter().map(line));
    let summary = el("summary", "").text(&words::left_out(left_out.len()));
    (!left_out.is_empty()).then(|| el("details", "left-out").test("left-out").add(summary).add(list))
}
