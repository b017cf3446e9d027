//! One open chat: who it is with, what happens to words sent now, the messages, and where one writes.
use super::messages::messages;
use super::model::{Model, Panel};
use super::parts::{ARROW, LOCKED, OPEN, icon};
use crate::words;
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use subrosa_web_api::page::{Call, Lock};
use subrosa_web_api::{Jid, MAX_TEXT};

pub fn chat(model: Model, jid: Jid) -> AnyView {
    let of = jid.clone();
    let name = Memo::new(move |_| model.name(&of));
    let devices = jid.clone();
    let sub = jid.clone();
    let address = move || (name.get() != sub).then(|| sub.clone());
    let leave = move |e: KeyboardEvent| {
        if e.key() == "Escape" && model.panel.with_untracked(Option::is_none) {
            model.leave_chat();
        }
    };
    view! {
        <section class={"open"} aria-labelledby={"chat-name"} on:keydown=leave>
            <header class={"head"}>
                <button type={"button"} class={"quiet back"} aria-label={words::BACK} data-testid={"back"} on:click=move |_| model.leave_chat()>{icon(ARROW)}</button>
                <div class={"names"}>
                    <h2 id={"chat-name"} dir={"auto"}>{move || name.get()}</h2>
                    <p class={"address"}>{address}</p>
                </div>
                <div class={"tools"}>
                    <button type={"button"} class={"quiet"} data-testid={"devices-open"}
                        on:click=move |_| model.panel.set(Some(Panel::Devices(devices.clone())))>{words::DEVICES}</button>
                </div>
            </header>
            {lock(model, jid.clone())}
            {messages(model)}
            {composer(model, jid, name)}
        </section>
    }
    .into_any()
}

/// What happens to words sent now. Always in sight; encrypted until told otherwise.
fn lock(model: Model, jid: Jid) -> AnyView {
    let of = jid.clone();
    let lock = Memo::new(move |_| model.chat(&of).map_or(Lock::Encrypted, |chat| chat.lock));
    let back = move || {
        let chat = jid.clone();
        let go = move |_| model.call(Call::RequireEncryption { chat: chat.clone() });
        (lock.get() == Lock::ClearAllowed)
            .then(|| view! { <button type={"button"} data-testid={"require-encryption"} on:click=go>{words::REQUIRE_ENCRYPTION}</button> })
    };
    let path = move || if lock.get() == Lock::Encrypted { icon(LOCKED) } else { icon(OPEN) };
    let name = move || if lock.get() == Lock::Encrypted { "encrypted" } else { "clear" };
    view! {
        <div class={"lock"} role={"status"} data-testid={"lock"} data-lock=name>
            {path}
            <span>{move || words::lock(lock.get())}</span>
            {back}
        </div>
    }
    .into_any()
}

fn composer(model: Model, jid: Jid, name: Memo<String>) -> AnyView {
    let draft = RwSignal::new(model.draft(&jid));
    let area: NodeRef<html::Textarea> = NodeRef::new();
    Effect::new(move |_| {
        if let Some(area) = area.get() {
            request_animation_frame(move || {
                let _ = area.focus();
            });
        }
    });
    let too_long = Memo::new(move |_| draft.with(String::len) > MAX_TEXT);
    let near = move || {
        let bytes = draft.with(String::len);
        let over = bytes > MAX_TEXT;
        (bytes > MAX_TEXT / 10 * 9).then(|| if over { format!("{}: {}", words::TOO_LONG, words::too_long(bytes)) } else { words::too_long(bytes) })
    };
    let of = jid.clone();
    let typed = move |e| {
        let text = event_target_value(&e);
        model.set_draft(&of, text.clone());
        draft.set(text);
    };
    let send = move || {
        if too_long.get_untracked() || draft.with_untracked(|draft| draft.trim().is_empty()) {
            return;
        }
        let text = draft.get_untracked();
        draft.set(String::new());
        model.set_draft(&jid, String::new());
        model.send(jid.clone(), text);
        if let Some(area) = area.get_untracked() {
            let _ = area.focus();
        }
    };
    let by_key = send.clone();
    let keys = move |e: KeyboardEvent| {
        if e.key() == "Enter" && !e.shift_key() && !e.is_composing() {
            e.prevent_default();
            by_key();
        }
    };
    view! {
        <form class={"composer"} on:submit=super::parts::submitted(send)>
            <textarea id={"draft"} data-testid={"draft"} rows={"1"} dir={"auto"} node_ref=area aria-label=move || words::composer(&name.get())
                placeholder={words::MESSAGE} aria-describedby={"draft-hint"} aria-invalid=move || too_long.get().to_string() prop:value=move || draft.get()
                on:input=typed on:keydown=keys></textarea>
            <button type={"submit"} class={"main"} data-testid={"send"} aria-disabled=move || too_long.get().to_string()>{words::SEND}</button>
            <p class={"hint"} id={"draft-hint"}>{words::SEND_HINT}</p>
            <p class={"failure"} role={"status"} data-testid={"draft-length"}>{near}</p>
        </form>
    }
    .into_any()
}
