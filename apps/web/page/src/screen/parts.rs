//! What several screens use: dialogs, fields, failures, fingerprints.
use super::dom::{El, button, el, icon, live, p};
use super::model::Model;
use crate::words;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlDialogElement;

pub const LOCKED: &str = "M7 10V7a5 5 0 0 1 10 0v3h1a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2zm2 0h6V7a3 3 0 0 0-6 0z";
pub const OPEN: &str = "M7 10V7a5 5 0 0 1 9.600-2l-1.800.9A3 3 0 0 0 9 7v3h9a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2z";
pub const CHECK: &str = "M9.500 18 4 12.500l1.500-1.500 4 4L18.500 6 20 7.500z";
pub const CHECKS: &str = "M7 18l-5.500-5.500L3 11l4 4 9-9 1.500 1.500zm5.500 0-2-2 1.500-1.500.5.5 9-9L23 7.500z";
pub const CLOCK: &str = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2a7 7 0 1 1 0 14 7 7 0 0 1 0-14zm-1 2.500V13l4 2.400 1-1.600-3-1.800V7.500z";
pub const ALERT: &str = "M12 3 1.500 21h21zm-1 6.500h2v6h-2zm0 7.500h2v2h-2z";
pub const ARROW: &str = "M15 5 8 12l7 7 1.500-1.500L11 12l5.500-5.500z";

/// Modal: keeps the focus, ends with Escape, and gives the focus back where it was.
pub fn dialog(model: Model, test: &str, title: &str, body: impl IntoIterator<Item = El>) -> El {
    let dialog = el("dialog", "dialog").test(test).attr("aria-labelledby", "dialog-title").on("close", move |_| model.panel.set(None));
    let native: HtmlDialogElement = dialog.node().unchecked_into();
    let (shown, shut) = (native.clone(), native);
    request_animation_frame(move || {
        if shown.is_connected() && !shown.open() {
            let _ = shown.show_modal();
        }
    });
    let head = el("header", "dialog-head").add(el("h2", "").attr("id", "dialog-title").text(title)).add(button(
        "quiet",
        "dialog-close",
        words::CLOSE,
        move || shut.close(),
    ));
    dialog.add(head).add_all(body)
}
/// Leaves the dialog.
pub fn cancel(model: Model) -> El {
    button("", "dialog-cancel", words::CANCEL, move || model.panel.set(None))
}
/// Buttons beside each other.
pub fn choices(buttons: impl IntoIterator<Item = El>) -> El {
    p("choices").add_all(buttons)
}

/// A labelled input.
pub struct Field {
    pub id: &'static str,
    pub label: String,
    pub kind: &'static str,
    pub autocomplete: &'static str,
    pub placeholder: &'static str,
    pub hint: &'static str,
    pub required: bool,
}
impl Field {
    pub fn text(id: &'static str, label: &str) -> Self {
        Field { id, label: label.into(), kind: "text", autocomplete: "off", placeholder: "", hint: "", required: false }
    }
    pub fn secret(id: &'static str, label: &str) -> Self {
        Field { kind: "password", autocomplete: "current-password", required: true, ..Field::text(id, label) }
    }
    pub fn view(self, value: RwSignal<String>) -> El {
        let Field { id, label, kind, autocomplete, placeholder, hint, required } = self;
        let about = format!("{id}-hint");
        let input = el("input", "").attr("id", id).test(id).attr("type", kind).attr("autocomplete", autocomplete).attr("placeholder", placeholder);
        let input = input.attr("autocapitalize", "none").attr("spellcheck", "false").attr_if("required", required.then_some(""));
        let input = input.attr_if("aria-describedby", (!hint.is_empty()).then_some(&about)).bind(value);
        let field = el("div", "field").add(el("label", "").attr("for", id).text(&label)).add(input);
        if hint.is_empty() { field } else { field.add(p("hint").attr("id", &about).text(hint)) }
    }
}

/// A failure, told at once to whoever can't see it.
pub fn failure(test: &str, why: RwSignal<Option<String>>) -> El {
    p("failure").attr("role", "alert").test(test).live_text(move || why.get().unwrap_or_default())
}
/// A form that does not leave the page.
pub fn form(class: &str, go: impl Fn() + 'static) -> El {
    el("form", class).on("submit", move |e| {
        e.prevent_default();
        go();
    })
}
/// In groups of eight digits.
pub fn fingerprint(hex: &str) -> El {
    let digits: Vec<char> = hex.chars().collect();
    digits.chunks(8).fold(el("code", "fingerprint"), |code, group| code.add(el("span", "").text(&group.iter().collect::<String>())).text(" "))
}
/// A small remark beside a name.
pub fn tag(text: &str) -> El {
    el("span", "tag").text(text)
}
/// An icon that changes.
pub fn live_icon(f: impl Fn() -> &'static str + 'static) -> El {
    let svg = icon("");
    let node = svg.node();
    live(move || {
        if let Some(path) = node.first_element_child() {
            let _ = path.set_attribute("d", f());
        }
    });
    svg
}
