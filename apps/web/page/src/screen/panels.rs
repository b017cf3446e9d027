//! Dialogs that ask or tell one thing each: browsers, contacts, clear text, leaving, what this protects from.
use super::bridge;
use super::model::{Model, Panel, local, now};
use super::parts::{Field, dialog, failure, submitted};
use crate::words;
use leptos::prelude::*;
use subrosa_web_api::http::Browser;
use subrosa_web_api::page::{Answer, Call};
use subrosa_web_api::{Failure, Jid, MessageId};

fn shut(model: Model) -> impl Fn() + Copy + Send + Sync + 'static {
    move || model.panel.set(None)
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
fn cancel(model: Model) -> AnyView {
    view! { <button type={"button"} on:click=move |_| model.panel.set(None)>{words::CANCEL}</button> }.into_any()
}

pub fn add_contact(model: Model) -> AnyView {
    let (jid, name, failed) = (RwSignal::new(String::new()), RwSignal::new(String::new()), RwSignal::new(None));
    let field = |id, label: &'static str, placeholder, required| Field {
        id,
        label: label.into(),
        kind: "text",
        autocomplete: "off",
        placeholder,
        hint: "",
        required,
    };
    let go = move || {
        let call = Call::AddContact { jid: jid.get_untracked().trim().to_owned(), name: name.get_untracked().trim().to_owned() };
        then_close(model, call, failed);
    };
    let body = view! {
        <form on:submit=submitted(go)>
            {field("contact-jid", words::ADDRESS, words::ADDRESS_HINT, true).view(jid)}
            {field("contact-name", words::NAME_OPTIONAL, "", false).view(name)}
            {failure("contact-error", failed.into())}
            <p class={"choices"}><button type={"submit"} class={"main"} data-testid={"contact-submit"}>{words::ADD}</button>{cancel(model)}</p>
        </form>
    };
    dialog("add-contact-dialog", words::ADD_CONTACT.into(), shut(model), body.into_any())
}

pub fn remove_contact(model: Model, jid: Jid) -> AnyView {
    let failed = RwSignal::new(None);
    let text = words::remove_contact(&untrack(|| model.name(&jid)));
    let go = move |_| then_close(model, Call::RemoveContact { jid: jid.clone() }, failed);
    let body = view! {
        <p>{text}</p>
        {failure("remove-error", failed.into())}
        <p class={"choices"}><button type={"button"} class={"main"} data-testid={"remove-confirm"} on:click=go>{words::REMOVE}</button>{cancel(model)}</p>
    };
    dialog("remove-dialog", words::REMOVE_CONTACT.into(), shut(model), body.into_any())
}

/// The only way to clear text, one chat at a time.
pub fn clear(model: Model, id: MessageId) -> AnyView {
    let failed = RwSignal::new(None);
    let text = words::clear_warning(&model.open.get_untracked().map(|jid| untrack(|| model.name(&jid))).unwrap_or_default());
    let go = move |_| then_close(model, Call::AllowClear { id: id.clone() }, failed);
    let body = view! {
        <p>{text}</p>
        {failure("clear-error", failed.into())}
        <p class={"choices"}>
            {cancel(model)}
            <button type={"button"} class={"danger"} data-testid={"allow-clear-confirm"} on:click=go>{words::CLEAR_CONFIRM}</button>
        </p>
    };
    dialog("clear-dialog", words::CLEAR_TITLE.into(), shut(model), body.into_any())
}

pub fn about(model: Model) -> AnyView {
    dialog("about", words::ABOUT.into(), shut(model), view! { <p>{words::ABOUT_TEXT}</p> }.into_any())
}

pub fn sign_out(model: Model) -> AnyView {
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
    let erased = words::ERASED.map(|line| view! { <li>{line}</li> }).into_iter().collect_view();
    let anyway = move || {
        failed.with(Option::is_some).then(|| {
            view! {
                <p>{words::SIGN_OUT_OFFLINE}</p>
                <p class={"choices"}>
                    <button type={"button"} class={"danger"} data-testid={"signout-anyway"} on:click=move |_| go(true)>{words::ERASE_ANYWAY}</button>
                </p>
            }
        })
    };
    let label = move || if busy.get() { words::SIGNING_OUT } else { words::SIGN_OUT_CONFIRM };
    let body = view! {
        <p>{words::SIGN_OUT_TEXT}</p>
        <ul>{erased}</ul>
        <p class={"choices"}>
            {cancel(model)}
            <button type={"button"} class={"danger"} data-testid={"signout-confirm"} on:click=move |_| go(false)>{label}</button>
        </p>
        {failure("signout-error", failed.into())}
        {anyway}
    };
    dialog("signout-dialog", words::SIGN_OUT_TITLE.into(), shut(model), body.into_any())
}

pub fn browsers(model: Model) -> AnyView {
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
        let here = this.then(|| view! { <span class={"tag"}>{words::THIS_DEVICE}</span> });
        let connected = connected.then(|| view! { <span class={"tag"}>{words::CONNECTED}</span> });
        let times = words::browser_times(&local(since).long(now()), &local(seen).long(now()));
        let revoke = (!this).then(|| {
            let about = words::revoke(&label);
            let go = move |_| ask(Call::Revoke { browser: id });
            view! { <p class={"choices"}><button type={"button"} data-testid=format!("revoke-{id}") aria-label=about on:click=go>{words::REVOKE}</button></p> }
        });
        view! {
            <li class={"card"} data-testid=format!("browser-{id}") data-this=this.to_string()>
                <h3>{label}{" "}{here}{connected}</h3>
                <p class={"hint"}>{times}</p>
                {revoke}
            </li>
        }
    };
    let shown = move || match list.get() {
        None if failed.with(Option::is_some) => ().into_any(),
        None => view! { <p class={"hint"} role={"status"}>{words::LOADING_LIST}</p> }.into_any(),
        Some(list) => view! { <ul class={"cards"} role={"list"}>{list.into_iter().map(one).collect_view()}</ul> }.into_any(),
    };
    let body = view! { <p class={"hint"}>{words::BROWSERS_INTRO}</p>{failure("browsers-error", failed.into())}{shown} };
    dialog("browsers", words::BROWSERS.into(), shut(model), body.into_any())
}

/// Whatever lies over everything else now.
pub fn panel(model: Model) -> AnyView {
    let shown = move || {
        model.panel.get().map(|panel| match panel {
            Panel::Devices(jid) => super::devices::devices(model, jid),
            Panel::Browsers => browsers(model),
            Panel::SignOut => sign_out(model),
            Panel::About => about(model),
            Panel::AddContact => add_contact(model),
            Panel::RemoveContact(jid) => remove_contact(model, jid),
            Panel::Clear(id) => clear(model, id),
        })
    };
    (move || shown()).into_any()
}
