//! One message: its words as text, how it was protected, how far it is, and what can be done about it.
use super::model::{Model, Panel, local, now};
use super::parts::{ALERT, CHECK, CHECKS, CLOCK, LOCKED, OPEN, icon};
use crate::words;
use leptos::prelude::*;
use subrosa_web_api::MessageId;
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

pub fn message(model: Model, id: MessageId) -> AnyView {
    let of = id.clone();
    let face = Memo::new(move |_| {
        model.rows.track();
        model.log.with_value(|log| {
            let row = log.place(&of)?;
            let message = log.at(row)?;
            let day = local(message.at).day();
            let same = row.checked_sub(1).and_then(|before| log.at(before)).is_some_and(|before| local(before.at).day() == day);
            let (state, protection) = (message.state.clone(), message.protection.clone());
            Some(Face { state, protection, at: message.at, day: (!same).then(|| local(message.at).date(now())) })
        })
    });
    let Some((own, chat, content)) = model.log.with_value(|log| log.get(&id).map(|m| (m.own, m.chat.clone(), m.content.clone()))) else {
        return ().into_any();
    };
    let who = if own { words::YOU.to_owned() } else { untrack(|| model.name(&chat)) };
    let words = match content {
        Content::Text(text) => view! { <p class={"text"} dir={"auto"}>{text}</p> }.into_any(),
        Content::Undecryptable(why) => view! { <p class={"unreadable"}>{icon(ALERT)}{words::UNDECRYPTABLE}{": "}{why.sentence}</p> }.into_any(),
    };
    let day = move || face.with(|face| face.as_ref().and_then(|face| face.day.clone())).map(|day| view! { <p class={"day"}>{day}</p> });
    let time = move || face.with(|face| face.as_ref().map(|face| local(face.at).time()));
    let full = move || face.with(|face| face.as_ref().map(|face| local(face.at).long(now())));
    let state = Memo::new(move |_| face.with(|face| face.as_ref().map_or(State::Here, |face| face.state.clone())));
    let protection = Memo::new(move |_| face.with(|face| face.as_ref().map_or(Protection::None, |face| face.protection.clone())));
    let row = id.clone();
    view! {
        <div class={"row"} class:own=own role={"listitem"} data-testid={"message"} data-id=row data-own=own.to_string()
            data-state=move || state.with(state_name) data-protection=move || protection.with(protection_name)>
            {day}
            <div class={"bubble"}>
                <span class={"unseen"}>{who}{": "}</span>
                {words}
                <p class={"foot"}>
                    {move || protection.with(|p| protected(p, own))}
                    <time title=full>{time}</time>
                    {move || state.with(progress)}
                </p>
                {move || state.with(|state| trouble(model, &id, state))}
                {move || protection.with(left_out)}
            </div>
        </div>
    }
    .into_any()
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

fn protected(protection: &Protection, own: bool) -> Option<AnyView> {
    match protection {
        Protection::None => None,
        Protection::Clear => Some(view! { <span class={"mark clear"}>{icon(OPEN)}{words::CLEAR}</span> }.into_any()),
        Protection::Encrypted { protocol, trust, .. } => {
            let doubt = match trust {
                _ if own => None,
                Trust::Untrusted => Some(words::UNTRUSTED_DEVICE),
                Trust::Undecided => Some(words::UNDECIDED_DEVICE),
                Trust::Trusted | Trust::Verified => None,
            };
            let title = if protocol.is_empty() { words::ENCRYPTED.to_owned() } else { format!("{}, {protocol}", words::ENCRYPTED) };
            let doubt = doubt.map(|doubt| view! { <span class={"doubt"}>{doubt}</span> });
            Some(view! { <span class={"mark"} title=title>{icon(LOCKED)}<span class={"unseen"}>{words::ENCRYPTED}</span>{doubt}</span> }.into_any())
        }
    }
}

fn progress(state: &State) -> Option<AnyView> {
    let path = match state {
        State::Here => return None,
        State::Sending | State::Waiting(_) => CLOCK,
        State::Sent => CHECK,
        State::Delivered => CHECKS,
        State::Failed { .. } => ALERT,
    };
    let text = words::state(state);
    Some(view! { <span class={"mark state"}>{icon(path)}{text}</span> }.into_any())
}

/// Why it is not on its way, and what can be done.
fn trouble(model: Model, id: &MessageId, state: &State) -> Option<AnyView> {
    match state {
        State::Waiting(why) => Some(view! { <p class={"why"}>{why.sentence.clone()}</p> }.into_any()),
        State::Failed { why, may_clear } => {
            let (again, away, clear) = (id.clone(), id.clone(), id.clone());
            let open = move |_| model.panel.set(Some(Panel::Clear(clear.clone())));
            let in_clear =
                may_clear.then(|| view! { <button type={"button"} data-testid={"allow-clear"} on:click=open>{words::SEND_CLEAR}</button> });
            Some(
                view! {
                    <p class={"why"}>{why.sentence.clone()}</p>
                    <p class={"choices"}>
                        <button type={"button"} data-testid={"retry"} on:click=move |_| model.call(Call::Retry { id: again.clone() })>{words::RETRY}</button>
                        <button type={"button"} data-testid={"discard"} on:click=move |_| model.call(Call::Discard { id: away.clone() })>{words::DISCARD}</button>
                        {in_clear}
                    </p>
                }
                .into_any(),
            )
        }
        _ => None,
    }
}

fn left_out(protection: &Protection) -> Option<AnyView> {
    let Protection::Encrypted { left_out, .. } = protection else { return None };
    if left_out.is_empty() {
        return None;
    }
    let lines = left_out
        .iter()
        .map(|LeftOut { jid, device, why }| {
            let (who, why) = (words::device_of(jid, *device), why.sentence.clone());
            view! { <li>{who}{": "}{why}</li> }
        })
        .collect_view();
    Some(
        view! { <details class={"left-out"} data-testid={"left-out"}><summary>{words::left_out(left_out.len())}</summary><ul>{lines}</ul></details> }
            .into_any(),
    )
}
