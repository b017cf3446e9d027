//! One open chat: who it is with, what happens to words sent now, the messages, and where one writes.
use super::dom::{El, button, el, focus_me, icon, p, submit};
use super::messages::messages;
use super::model::{Model, Panel};
use super::parts::{ARROW, LOCKED, OPEN, form, live_icon};
use crate::words;
use leptos::prelude::*;
use subrosa_web_api::page::{Call, Lock};
use subrosa_web_api::{Jid, MAX_TEXT};
use wasm_bindgen::JsCast;
use web_sys::KeyboardEvent;

pub fn chat(model: Model, jid: Jid) -> El {
    let of = jid.clone();
    let name = Memo::new(move |_| model.name(&of));
    let (devices, address) = (jid.clone(), jid.clone());
    let leave = move |e: web_sys::Event| {
        if e.dyn_ref::<KeyboardEvent>().is_some_and(|e| e.key() == "Escape" && !e.is_composing()) && model.panel.with_untracked(Option::is_none) {
            model.leave_chat();
        }
    };
    let back = button("quiet back", "back", "", move || model.leave_chat()).attr("aria-label", words::BACK).add(icon(ARROW));
    let names = el("div", "names")
        .add(el("h2", "").attr("id", "chat-name").attr("dir", "auto").live_text(move || name.get()))
        .add(p("address").live_text(move || if name.get() == address { String::new() } else { address.clone() }));
    let devices = button("quiet", "devices-open", words::DEVICES, move || model.panel.set(Some(Panel::Devices(devices.clone()))));
    el("section", "open")
        .attr("aria-labelledby", "chat-name")
        .on("keydown", leave)
        .add(el("header", "head").add(back).add(names).add(devices))
        .add(lock(model, jid.clone()))
        .add_all(messages(model))
        .add(composer(model, jid, name))
}

/// What happens to words sent now. Always in sight; encrypted until told otherwise.
fn lock(model: Model, jid: Jid) -> El {
    let of = jid.clone();
    let lock = Memo::new(move |_| model.chat(&of).map_or(Lock::Encrypted, |chat| chat.lock));
    let back = move || {
        let chat = jid.clone();
        let go = move || model.call(Call::RequireEncryption { chat: chat.clone() });
        (lock.get() == Lock::ClearAllowed).then(|| button("", "require-encryption", words::REQUIRE_ENCRYPTION, go))
    };
    el("div", "lock")
        .attr("role", "status")
        .test("lock")
        .live("data-lock", move || if lock.get() == Lock::Encrypted { "encrypted" } else { "clear" })
        .add(live_icon(move || if lock.get() == Lock::Encrypted { LOCKED } else { OPEN }))
        .add(el("span", "").live_text(move || words::lock(lock.get()).to_owned()))
        .when(back)
}

fn composer(model: Model, jid: Jid, name: Memo<String>) -> El {
    let draft = RwSignal::new(model.draft(&jid));
    let too_long = Memo::new(move |_| draft.with(String::len) > MAX_TEXT);
    let near = move || {
        let bytes = draft.with(String::len);
        let over = if bytes > MAX_TEXT { words::TOO_LONG } else { "" };
        if bytes > MAX_TEXT / 10 * 9 { format!("{over} {}", words::too_long(bytes)) } else { String::new() }
    };
    let of = jid.clone();
    Effect::new(move |_| model.set_draft(&of, draft.get()));
    // without `autocomplete` browsers write what is being typed into the file that brings windows back, in clear
    let area = el("textarea", "").attr("id", "draft").test("draft").attr("rows", "1").attr("dir", "auto").attr("autocomplete", "off");
    let node = area.node();
    focus_me(node.clone());
    let send = move || {
        if too_long.get_untracked() || draft.with_untracked(|draft| draft.trim().is_empty()) {
            return;
        }
        let text = draft.get_untracked();
        draft.set(String::new());
        model.set_draft(&jid, String::new());
        model.send(jid.clone(), text);
        let _ = node.focus();
    };
    let by_key = send.clone();
    let keys = move |e: web_sys::Event| {
        if e.dyn_ref::<KeyboardEvent>().is_some_and(|e| e.key() == "Enter" && !e.shift_key() && !e.is_composing()) {
            e.prevent_default();
            by_key();
        }
    };
    let area = area
        .live("aria-label", move || words::composer(&name.get()))
        .attr("placeholder", words::MESSAGE)
        .attr("aria-describedby", "draft-hint")
        .live("aria-invalid", move || too_long.get())
        .bind(draft)
        .on("keydown", keys);
    form("composer", send)
        .add(area)
        .add(submit("send").live("aria-disabled", move || too_long.get()).text(words::SEND))
        .add(p("hint").attr("id", "draft-hint").text(words::SEND_HINT))
        .add(p("failure").attr("role", "status").test("draft-length").live_text(near))
}
