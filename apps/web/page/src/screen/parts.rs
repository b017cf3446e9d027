//! What several screens use: dialogs, icons, fields, fingerprints.
use crate::words;
use leptos::ev::SubmitEvent;
use leptos::html;
use leptos::prelude::*;

pub const LOCKED: &str = "M7 10V7a5 5 0 0 1 10 0v3h1a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2zm2 0h6V7a3 3 0 0 0-6 0z";
pub const OPEN: &str = "M7 10V7a5 5 0 0 1 9.600-2l-1.800.9A3 3 0 0 0 9 7v3h9a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2z";
pub const CHECK: &str = "M9.500 18 4 12.500l1.500-1.500 4 4L18.500 6 20 7.500z";
pub const CHECKS: &str = "M7 18l-5.500-5.500L3 11l4 4 9-9 1.500 1.500zm5.500 0-2-2 1.500-1.500.5.5 9-9L23 7.500z";
pub const CLOCK: &str = "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2a7 7 0 1 1 0 14 7 7 0 0 1 0-14zm-1 2.500V13l4 2.400 1-1.600-3-1.800V7.500z";
pub const ALERT: &str = "M12 3 1.500 21h21zm-1 6.500h2v6h-2zm0 7.500h2v2h-2z";
pub const ARROW: &str = "M15 5 8 12l7 7 1.500-1.500L11 12l5.500-5.500z";

/// Decoration: the words stand beside it.
pub fn icon(path: &'static str) -> AnyView {
    view! { <svg class={"icon"} viewBox={"0 0 24 24"} aria-hidden={"true"}><path d=path /></svg> }.into_any()
}

/// Modal: keeps the focus, ends with Escape, and gives the focus back where it was.
pub fn dialog(id: &'static str, title: String, close: impl Fn() + Copy + Send + Sync + 'static, body: AnyView) -> AnyView {
    let node: NodeRef<html::Dialog> = NodeRef::new();
    Effect::new(move |_| {
        if let Some(dialog) = node.get() {
            request_animation_frame(move || {
                if dialog.is_connected() && !dialog.open() {
                    let _ = dialog.show_modal();
                }
            });
        }
    });
    let shut = move |_| {
        if let Some(dialog) = node.get_untracked() {
            dialog.close();
        }
    };
    view! {
        <dialog class={"dialog"} node_ref=node on:close=move |_| close() aria-labelledby={"dialog-title"} data-testid=id>
            <header class={"dialog-head"}>
                <h2 id={"dialog-title"}>{title}</h2>
                <button type={"button"} class={"quiet"} on:click=shut data-testid={"dialog-close"}>{words::CLOSE}</button>
            </header>
            {body}
        </dialog>
    }
    .into_any()
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
    pub fn view(self, value: RwSignal<String>) -> AnyView {
        let Field { id, label, kind, autocomplete, placeholder, hint, required } = self;
        let about = format!("{id}-hint");
        let described = (!hint.is_empty()).then(|| about.clone());
        view! {
            <div class={"field"}>
                <label for=id>{label}</label>
                <input id=id data-testid=id type=kind autocomplete=autocomplete placeholder=placeholder required=required
                    autocapitalize={"none"} spellcheck={"false"} aria-describedby=described
                    prop:value=move || value.get() on:input=move |e| value.set(event_target_value(&e)) />
                {(!hint.is_empty()).then(|| view! { <p class={"hint"} id=about>{hint}</p> })}
            </div>
        }
        .into_any()
    }
}

/// A failure, told at once to whoever can't see it.
pub fn failure(id: &'static str, why: Signal<Option<String>>) -> AnyView {
    view! { <p class={"failure"} role={"alert"} data-testid=id>{move || why.get()}</p> }.into_any()
}

/// A form that does not leave the page.
pub fn submitted(go: impl Fn() + 'static) -> impl Fn(SubmitEvent) + 'static {
    move |e| {
        e.prevent_default();
        go();
    }
}

/// In groups of eight digits.
pub fn fingerprint(hex: &str) -> AnyView {
    let digits: Vec<char> = hex.chars().collect();
    let groups = digits.chunks(8).map(|group| group.iter().collect::<String>()).map(|group| view! { <span>{group}</span>{" "} }).collect_view();
    view! { <code class={"fingerprint"} aria-label={words::FINGERPRINT}>{groups}</code> }.into_any()
}
