//! Before there is an account here, while it is locked, and when the gateway forgot it: passwords go to the worker and stay nowhere else.
use super::bridge;
use super::model::Model;
use super::parts::{Field, failure, submitted};
use crate::words;
use leptos::html;
use leptos::prelude::*;
use subrosa_web_api::page::Call;
use subrosa_web_api::{Failure, Jid};

/// A call in progress, and how the last one failed.
#[derive(Clone, Copy)]
struct Attempt {
    busy: RwSignal<bool>,
    failed: RwSignal<Option<String>>,
}
impl Attempt {
    fn new() -> Self {
        Attempt { busy: RwSignal::new(false), failed: RwSignal::new(None) }
    }
    /// `wrong`: what may have to be typed anew.
    fn go(self, call: Call, wrong: RwSignal<String>) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.failed.set(None);
        bridge::call(call, move |result| {
            // the screen may be gone
            self.busy.try_set(false);
            wrong.try_update(String::clear);
            self.failed.try_set(result.err().map(|Failure { sentence, .. }| sentence));
        });
    }
    fn button(self, id: &'static str, idle: &'static str, busy: &'static str) -> AnyView {
        let text = move || if self.busy.get() { busy } else { idle };
        view! { <button type={"submit"} class={"main"} data-testid=id aria-disabled=move || self.busy.get().to_string()>{text}</button> }.into_any()
    }
}

fn focused(form: NodeRef<html::Form>) {
    Effect::new(move |_| {
        if let Some(form) = form.get() {
            request_animation_frame(move || super::focus_first(&form, "input"));
        }
    });
}

pub fn sign_in() -> AnyView {
    let (jid, password, passphrase) = (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(String::new()));
    let attempt = Attempt::new();
    let form = NodeRef::new();
    focused(form);
    let go = move || {
        let passphrase = Some(passphrase.get_untracked()).filter(|p| !p.is_empty());
        let call = Call::SignIn { jid: jid.get_untracked().trim().to_owned(), password: password.get_untracked(), passphrase };
        attempt.go(call, password);
    };
    let address = Field {
        id: "signin-jid",
        label: words::ADDRESS.into(),
        kind: "text",
        autocomplete: "username",
        placeholder: words::ADDRESS_HINT,
        hint: "",
        required: true,
    };
    let secret = Field {
        id: "signin-password",
        label: words::PASSWORD.into(),
        kind: "password",
        autocomplete: "current-password",
        placeholder: "",
        hint: "",
        required: true,
    };
    let lock = Field {
        id: "signin-passphrase",
        label: words::PASSPHRASE_OPTIONAL.into(),
        kind: "password",
        autocomplete: "new-password",
        placeholder: "",
        hint: words::PASSPHRASE_HINT,
        required: false,
    };
    view! {
        <main class={"enter"}>
            <h1>{words::APP}</h1>
            <p>{words::SIGN_IN_INTRO}</p>
            <form node_ref=form on:submit=submitted(go)>
                {address.view(jid)}
                {secret.view(password)}
                {lock.view(passphrase)}
                {failure("signin-error", attempt.failed.into())}
                {attempt.button("signin-submit", words::SIGN_IN, words::SIGNING_IN)}
            </form>
            <details class={"about"}><summary>{words::ABOUT}</summary><p>{words::ABOUT_TEXT}</p></details>
        </main>
    }
    .into_any()
}

pub fn unlock(model: Model, jid: Jid) -> AnyView {
    let passphrase = RwSignal::new(String::new());
    let attempt = Attempt::new();
    let form = NodeRef::new();
    focused(form);
    let field = Field {
        id: "unlock-passphrase",
        label: words::PASSPHRASE.into(),
        kind: "password",
        autocomplete: "current-password",
        placeholder: "",
        hint: "",
        required: true,
    };
    let leave = move |_| model.panel.set(Some(super::model::Panel::SignOut));
    view! {
        <main class={"enter"}>
            <h1>{words::APP}</h1>
            <p>{words::locked(&jid)}</p>
            <form node_ref=form on:submit=submitted(move || attempt.go(Call::Unlock { passphrase: passphrase.get_untracked() }, passphrase))>
                {field.view(passphrase)}
                {failure("unlock-error", attempt.failed.into())}
                {attempt.button("unlock-submit", words::UNLOCK, words::UNLOCKING)}
            </form>
            <p><button type={"button"} class={"quiet"} data-testid={"signout"} on:click=leave>{words::SIGN_OUT}</button></p>
        </main>
    }
    .into_any()
}

/// Beside everything else: history stays readable.
pub fn log_in_again(jid: Jid, why: Failure) -> AnyView {
    let password = RwSignal::new(String::new());
    let attempt = Attempt::new();
    let field = Field {
        id: "login-again-password",
        label: words::log_in_again(&jid),
        kind: "password",
        autocomplete: "current-password",
        placeholder: "",
        hint: "",
        required: true,
    };
    view! {
        <form class={"notice alarm again"} aria-label={words::LOG_IN_AGAIN}
            on:submit=submitted(move || attempt.go(Call::LogIn { password: password.get_untracked() }, password))>
            <p role={"alert"}>{why.sentence}</p>
            {field.view(password)}
            {attempt.button("login-again-submit", words::LOG_IN_AGAIN, words::SIGNING_IN)}
            {failure("login-again-error", attempt.failed.into())}
        </form>
    }
    .into_any()
}
