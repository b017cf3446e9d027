//! Dialogs that ask or tell one thing each: browsers, contacts, clear text, leaving, what this protects from.
use super::bridge;
use super::devices::devices;
use super::dom::{El, button, el, p, submit};
use super::model::{Model, Panel, local, now};
use super::parts::{Field, cancel, choices, dialog, failure, form, tag};
use crate::words;
use leptos::prelude::*;
use subrosa_web_api::http::Browser;
use subrosa_web_api::page::{Answer, Call};
use subrosa_web_api::{Failure, Jid, MessageId};

/// Whatever lies over everything else now.
pub fn panel(model: Model) -> Option<El> {
    Some(match model.panel.get()? {
        Panel::Devices(jid) => devices(model, jid),
        Panel::Browsers => browsers(model),
        Panel::SignOut => sign_out(model),
        Panel::About => dialog(model, "about", words::ABOUT, [p("").text(words::ABOUT_TEXT)]),
        Panel::AddContact => add_contact(model),
        Panel::RemoveContact(jid) => remove_contact(model, jid),
        Panel::Clear(id) => clear(model, id),
    })
}

/// Asks; closes the dialog when it worked, says why when not.
fn then_close(model: Model, call: Call, failed: RwSignal<Option<String>>) {
    bridge::call(call, move |result| match result {
        Ok(_) => model.panel.set(None),
        Err(Failure { sentence, .. }) => {
            failed.try_set(Some(sentence));
        }
    });
}

fn add_contact(model: Model) -> El {
    let (jid, name, failed) = (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(None));
    let go = move || {
        let call = Call::AddContact { jid: jid.get_untracked().trim().to_owned(), name: name.get_untracked().trim().to_owned() };
        then_close(model, call, failed);
    };
    let address = Field { placeholder: words::ADDRESS_HINT, required: true, ..Field::text("contact-jid", words::ADDRESS) };
    let form = form("", go)
        .add(address.view(jid))
        .add(Field::text("contact-name", words::NAME_OPTIONAL).view(name))
        .add(failure("contact-error", failed))
        .add(choices([submit("contact-submit").text(words::ADD), cancel(model)]));
    dialog(model, "add-contact-dialog", words::ADD_CONTACT, [form])
}

fn remove_contact(model: Model, jid: Jid) -> El {
    let failed = RwSignal::new(None);
    let text = words::remove_contact(&untrack(|| model.name(&jid)));
    let go = move || then_close(model, Call::RemoveContact { jid: jid.clone() }, failed);
    let buttons = [cancel(model), button("danger", "remove-confirm", words::REMOVE, go)];
    dialog(model, "remove-dialog", words::REMOVE_CONTACT, [p("").text(&text), failure("remove-error", failed), choices(buttons)])
}

/// The only way to clear text, one chat at a time.
fn clear(model: Model, id: MessageId) -> El {
    let failed = RwSignal::new(None);
    let text = words::clear_warning(&untrack(|| model.open.get().map(|jid| model.name(&jid))).unwrap_or_default());
    let go = move || then_close(model, Call::AllowClear { id: id.clone() }, failed);
    let buttons = [cancel(model), button("danger", "allow-clear-confirm", words::CLEAR_CONFIRM, go)];
    dialog(model, "clear-dialog", words::CLEAR_TITLE, [p("").text(&text), failure("clear-error", failed), choices(buttons)])
}

fn sign_out(model: Model) -> El {
    let (busy, failed) = (RwSignal::new(false), RwSignal::new(None::<String>));
    let go = move |even_offline| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        bridge::call(Call::SignOut { even_offline }, move |result| {
            busy.try_set(false);
            match result {
                Ok(_) => model.panel.set(None),
                Err(Failure { sentence, .. }) => {
                    failed.try_set(Some(sentence));
                }
            }
        });
    };
    let label = move || if busy.get() { words::SIGNING_OUT } else { words::SIGN_OUT_CONFIRM }.to_owned();
    let confirm = button("danger", "signout-confirm", "", move || go(false)).live_text(label);
    let anyway = el("div", "").when(move || {
        let erase = || choices([button("danger", "signout-anyway", words::ERASE_ANYWAY, move || go(true))]);
        failed.with(Option::is_some).then(|| el("div", "").add(p("").text(words::SIGN_OUT_OFFLINE)).add(erase()))
    });
    let erased = el("ul", "").add_all(words::ERASED.map(|line| el("li", "").text(line)));
    let ask = choices([cancel(model), confirm]);
    dialog(model, "signout-dialog", words::SIGN_OUT_TITLE, [p("").text(words::SIGN_OUT_TEXT), erased, ask, failure("signout-error", failed), anyway])
}

fn browsers(model: Model) -> El {
    let (list, failed) = (RwSignal::new(None::<Vec<Browser>>), RwSignal::new(None::<String>));
    let ask = move |call| {
        bridge::call(call, move |result| match result {
            Ok(Answer::Browsers(browsers)) => {
                list.try_set(Some(browsers));
                failed.try_set(None);
            }
            Ok(_) => {}
            Err(Failure { sentence, .. }) => {
                failed.try_set(Some(sentence));
            }
        });
    };
    ask(Call::Browsers);
    let one = move |browser: Browser| {
        let Browser { id, label, this, connected, since, seen } = browser;
        let tags = [this.then_some(words::THIS_DEVICE), connected.then_some(words::CONNECTED)];
        let times = words::browser_times(&local(since).long(now()), &local(seen).long(now()));
        let revoke = (!this).then(|| {
            let go = move || ask(Call::Revoke { browser: id });
            choices([button("", &format!("revoke-{id}"), words::REVOKE, go).attr("aria-label", &words::revoke(&label))])
        });
        el("li", "card")
            .test(&format!("browser-{id}"))
            .attr("data-this", if this { "true" } else { "false" })
            .add(el("h3", "").text(&label).text(" ").add_all(tags.into_iter().flatten().map(tag)))
            .add(p("hint").text(&times))
            .add_all(revoke)
    };
    let shown = el("div", "").when(move || match list.get() {
        None if failed.with(Option::is_some) => None,
        None => Some(p("hint").attr("role", "status").text(words::LOADING_LIST)),
        Some(list) => Some(el("ul", "cards").attr("role", "list").add_all(list.into_iter().map(one))),
    });
    dialog(model, "browsers", words::BROWSERS, [p("hint").text(words::BROWSERS_INTRO), failure("browsers-error", failed), shown])
}
