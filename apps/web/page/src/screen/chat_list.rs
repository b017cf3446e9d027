//! The list of chats: found by words, walked by arrow keys, drawn only where one looks, so that 10,000 cost no more than twenty.
use super::model::{Model, Panel, local, now};
use crate::{chats, words};
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use subrosa_web_api::Jid;
use subrosa_web_api::page::{Call, Chat};
use subrosa_web_api::socket::Standing;

/// The height of a row in the style sheet.
const ROW_REM: f64 = 4.25;
/// Rows drawn beyond what is seen, each way.
const OVER: usize = 5;

pub fn chat_list(model: Model) -> AnyView {
    let query = RwSignal::new(String::new());
    let top = RwSignal::new(0.0_f64);
    let seen = RwSignal::new(800.0_f64);
    let row = RwSignal::new(ROW_REM * 16.0);
    // the row that Tab leads to
    let current = RwSignal::new(0_usize);
    let scroller: NodeRef<html::Div> = NodeRef::new();

    let found = Memo::new(move |_| query.with(|query| model.chats.with(|chats| chats.find(query))));
    let range = Memo::new(move |_| {
        let n = found.with(Vec::len);
        let first = ((top.get() / row.get()) as usize).saturating_sub(OVER).min(n);
        let last = (((top.get() + seen.get()) / row.get()) as usize).saturating_add(OVER + 1).min(n);
        (first, last)
    });
    let drawn = move || {
        let (first, last) = range.get();
        let jid =
            |i: usize| found.with(|found| found.get(i).copied()).and_then(|place| model.chats.with(|c| c.at(place).map(|chat| chat.jid.clone())));
        (first..last).filter_map(|i| Some((i, jid(i)?))).collect::<Vec<_>>()
    };
    super::on_resize(scroller, move |element| {
        seen.set(f64::from(element.client_height()));
        row.set(ROW_REM * super::root_font());
    });
    let go = move |to: usize| {
        let to = to.min(found.with_untracked(Vec::len).saturating_sub(1));
        current.set(to);
        let Some(element) = scroller.get_untracked() else { return };
        let (y, height) = (to as f64 * row.get_untracked(), row.get_untracked());
        let at = f64::from(element.scroll_top());
        if y < at {
            element.set_scroll_top(y as i32);
        } else if y + height > at + seen.get_untracked() {
            element.set_scroll_top((y + height - seen.get_untracked()).ceil() as i32);
        }
        top.set(f64::from(element.scroll_top()));
        request_animation_frame(move || super::focus_first(&element, &format!("[data-place=\"{to}\"] .chat")));
    };
    let keys = move |e: KeyboardEvent| {
        let at = current.get_untracked();
        let far = (seen.get_untracked() / row.get_untracked()) as usize;
        let to = match e.key().as_str() {
            "ArrowDown" => at.saturating_add(1),
            "ArrowUp" => at.saturating_sub(1),
            "PageDown" => at.saturating_add(far),
            "PageUp" => at.saturating_sub(far),
            "Home" => 0,
            "End" => usize::MAX,
            _ => return,
        };
        e.prevent_default();
        go(to);
    };
    let from_search = move |e: KeyboardEvent| {
        if e.key() == "ArrowDown" {
            e.prevent_default();
            go(0);
        } else if e.key() == "Escape" && !query.with_untracked(String::is_empty) {
            query.set(String::new());
        }
    };
    let searching = move |e| {
        query.set(event_target_value(&e));
        current.set(0);
        top.set(0.0);
        if let Some(element) = scroller.get_untracked() {
            element.set_scroll_top(0);
        }
    };
    let empty = move || {
        let none = found.with(Vec::is_empty);
        none.then(|| if query.with(String::is_empty) { words::NO_CHATS } else { words::NOBODY })
    };
    view! {
        <div class={"find"}>
            <input id={"search"} type={"search"} data-testid={"search"} aria-label={words::SEARCH} placeholder={words::SEARCH} autocomplete={"off"}
                prop:value=move || query.get() on:input=searching on:keydown=from_search />
            <button type={"button"} data-testid={"add-contact"} on:click=move |_| model.panel.set(Some(Panel::AddContact))>{words::ADD_CONTACT}</button>
        </div>
        <div class={"scroller chats"} node_ref=scroller on:keydown=keys on:scroll=move |_| {
            if let Some(element) = scroller.get_untracked() {
                top.set(f64::from(element.scroll_top()));
            }
        }>
            <p class={"empty"} role={"status"}>{empty}</p>
            <ul class={"spacer"} role={"list"} aria-label={words::CHATS} style:height=move || format!("{}px", found.with(Vec::len) as f64 * row.get())>
                <For each=drawn key=|(i, jid)| (*i, jid.clone()) children=move |(i, jid)| {
                    let reached = Memo::new(move |_| {
                        let (at, (first, last)) = (current.get(), range.get());
                        at == i || (i == first && !(first..last).contains(&at))
                    });
                    entry(model, jid, i, found, reached, row)
                } />
            </ul>
        </div>
    }
    .into_any()
}

fn entry(model: Model, jid: Jid, i: usize, found: Memo<Vec<usize>>, reached: Memo<bool>, row: RwSignal<f64>) -> AnyView {
    let of = jid.clone();
    let chat = Memo::new(move |_| model.chat(&of));
    let with = move |f: fn(&Chat) -> String| move || chat.with(|chat| chat.as_ref().map(f).unwrap_or_default());
    let asks = Memo::new(move |_| chat.with(|chat| chat.as_ref().is_some_and(|chat| chat.standing == Standing::Asks)));
    let unread = Memo::new(move |_| chat.with(|chat| chat.as_ref().map_or(0, |chat| chat.unread)));
    let of = jid.clone();
    let open = move || model.open.with(|open| open.as_ref() == Some(&of)).then_some("true");
    let test = format!("chat-{jid}");
    let opened = jid.clone();
    let badge = move || {
        let n = unread.get();
        (n > 0).then(|| view! { <span class={"unread"} data-testid={"unread"} aria-label=words::unread(n)>{n.to_string()}</span> })
    };
    let request = move || asks.get().then(|| request(model, &jid));
    view! {
        <li class={"entry"} role={"listitem"} data-place=i.to_string() aria-setsize=move || found.with(Vec::len).to_string()
            aria-posinset=i.saturating_add(1).to_string() style:transform=move || format!("translateY({}px)", i as f64 * row.get())>
            <button type={"button"} class={"chat"} data-testid=test aria-current=open tabindex=move || if reached.get() { "0" } else { "-1" }
                on:click=move |_| model.open_chat(opened.clone())>
                <span class={"who"} dir={"auto"}>{with(|chat| chats::name(chat).to_owned())}</span>
                <span class={"when"}>{with(|chat| if chat.last_at > 0 { local(chat.last_at).short(now()) } else { String::new() })}</span>
                <span class={"last"} dir={"auto"}>{with(|chat| match chat.standing {
                    Standing::Asks => words::ASKS.to_owned(),
                    Standing::Asked if chat.last_text.is_empty() => words::ASKED.to_owned(),
                    Standing::Gone if chat.last_text.is_empty() => words::GONE.to_owned(),
                    _ => chat.last_text.clone(),
                })}</span>
                {badge}
            </button>
            {request}
        </li>
    }
    .into_any()
}

fn request(model: Model, jid: &Jid) -> AnyView {
    let name = untrack(|| model.name(jid));
    let (yes, no) = (jid.clone(), jid.clone());
    view! {
        <span class={"request"}>
            <button type={"button"} class={"main"} data-testid=format!("request-accept-{jid}") aria-label=words::accept(&name)
                on:click=move |_| model.call(Call::AcceptContact { jid: yes.clone() })>{words::ACCEPT}</button>
            <button type={"button"} data-testid=format!("request-decline-{jid}") aria-label=words::decline(&name)
                on:click=move |_| model.call(Call::DeclineContact { jid: no.clone() })>{words::DECLINE}</button>
        </span>
    }
    .into_any()
}
