//! Before there is an account here, while it is locked, and when the gateway forgot it: passwords go to the worker and stay nowhere else.
use super::bridge;
use super::dom::{El, button, el, focus_soon, p, submit};
use super::model::{Model, Panel};
use super::parts::{Field, failure, form};
use crate::words;
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
    fn button(self, test: &str, idle: &'static str, busy: &'static str) -> El {
        let text = move || if self.busy.get() { busy } else { idle }.to_owned();
        submit(test).live("aria-disabled", move || self.busy.get()).live_text(text)
    }
}

fn screen(children: impl IntoIterator<Item = El>) -> El {
    el("main", "enter").add(el("h1", "").text(words::APP)).add_all(children)
}

pub fn sign_in() -> El {
    let (jid, password, passphrase) = (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(String::new()));
    let attempt = Attempt::new();
    let go = move || {
        let passphrase = Some(passphrase.get_untracked()).filter(|p| !p.is_empty());
        let call = Call::SignIn { jid: jid.get_untracked().trim().to_owned(), password: password.get_untracked(), passphrase };
        attempt.go(call, password);
    };
    let address = Field { autocomplete: "username", placeholder: words::ADDRESS_HINT, required: true, ..Field::text("signin-jid", words::ADDRESS) };
    let lock = Field::secret("signin-passphrase", words::PASSPHRASE_OPTIONAL);
    let lock = Field { autocomplete: "new-password", hint: words::PASSPHRASE_HINT, required: false, ..lock };
    let form = form("", go)
        .add(address.view(jid))
        .add(Field::secret("signin-password", words::PASSWORD).view(password))
        .add(lock.view(passphrase))
        .add(failure("signin-error", attempt.failed))
        .add(attempt.button("signin-submit", words::SIGN_IN, words::SIGNING_IN));
    let about = el("details", "about").add(el("summary", "").text(words::ABOUT)).add(p("").text(words::ABOUT_TEXT));
    focus_soon("#signin-jid".into());
    screen([p("").text(words::SIGN_IN_INTRO), form, about])
}

pub fn unlock(model: Model, jid: &str) -> El {
    let passphrase = RwSignal::new(String::new());
    let attempt = Attempt::new();
    let form = form("", move || attempt.go(Call::Unlock { passphrase: passphrase.get_untracked() }, passphrase))
        .add(Field::secret("unlock-passphrase", words::PASSPHRASE).view(passphrase))
        .add(failure("unlock-error", attempt.failed))
        .add(attempt.button("unlock-submit", words::UNLOCK, words::UNLOCKING));
    let leave = button("quiet", "signout", words::SIGN_OUT, move || model.panel.set(Some(Panel::SignOut)));
    focus_soon("#unlock-passphrase".into());
    screen([p("").text(&words::locked(jid)), form, p("").add(leave)])
}

/// Beside everything else: history stays readable.
pub fn log_in_again(jid: &Jid, why: &Failure) -> El {
    let password = RwSignal::new(String::new());
    let attempt = Attempt::new();
    form("notice alarm again", move || attempt.go(Call::LogIn { password: password.get_untracked() }, password))
        .attr("aria-label", words::LOG_IN_AGAIN)
        .add(p("").attr("role", "alert").text(&why.sentence))
        .add(Field::secret("login-again-password", &words::log_in_again(jid)).view(password))
        .add(attempt.button("login-again-submit", words::LOG_IN_AGAIN, words::SIGNING_IN))
        .add(failure("login-again-error", attempt.failed))
}
