//! What is wrong, and how far the way out is open: always in sight, told to whoever can't see it.
use super::bridge;
use super::model::Model;
use crate::words;
use leptos::prelude::*;
use subrosa_web_api::Failure;
use subrosa_web_api::page::{Call, Link};

fn name(link: &Link) -> &'static str {
    match link {
        Link::Online => "online",
        Link::Connecting => "connecting",
        Link::NoGateway(_) => "no-gateway",
        Link::NoServer(_) => "no-server",
        Link::LoggedOut(_) => "logged-out",
        Link::WrongVersion => "wrong-version",
    }
}

/// The way out, in the list's head.
pub fn link(model: Model) -> AnyView {
    let state = move || if model.up.get() { model.link.with(name) } else { "connecting" };
    let text = move || if model.up.get() { model.link.with(words::link) } else { words::ENGINE_AWAY };
    let why = move || {
        model.link.with(|link| match link {
            Link::NoGateway(Failure { sentence, .. }) | Link::NoServer(Failure { sentence, .. }) => Some(sentence.clone()),
            _ => None,
        })
    };
    let now = move || {
        model.link.with(|link| matches!(link, Link::NoGateway(_) | Link::NoServer(_))).then(|| {
            let go = move |_| model.call(Call::ConnectNow);
            view! { <button type={"button"} class={"quiet"} data-testid={"connect-now"} on:click=go>{words::CONNECT_NOW}</button> }
        })
    };
    view! {
        <div class={"link"}>
            <p role={"status"} aria-live={"polite"} data-testid={"link-state"} data-link=state title=why>{text}</p>
            {now}
        </div>
    }
    .into_any()
}

fn reload() -> AnyView {
    view! { <button type={"button"} class={"main"} data-testid={"reload"} on:click=move |_| bridge::reload()>{words::RELOAD}</button> }.into_any()
}

/// Over everything: what needs a person.
pub fn notices(model: Model) -> AnyView {
    let outdated = move || model.outdated.get() || model.link.with(|link| *link == Link::WrongVersion);
    let old = move || {
        outdated()
            .then(|| view! { <div class={"notice alarm"} data-testid={"outdated"}><p>{words::OUTDATED}</p><p class={"choices"}>{reload()}</p></div> })
    };
    let stuck = move || {
        model
            .stuck
            .get()
            .then(|| view! { <div class={"notice alarm"} data-testid={"stuck"}><p>{words::STUCK}</p><p class={"choices"}>{reload()}</p></div> })
    };
    let trouble = move || {
        let trouble = model.trouble.get()?;
        Some(view! { <div class={"notice alarm"} data-testid={"trouble"} data-code=trouble.code><p>{trouble.sentence}</p></div> })
    };
    let notice = move || {
        let failure = model.notice.get()?;
        let dismiss = move |_| model.notice.set(None);
        Some(view! {
            <div class={"notice"} data-testid={"notice"} data-code=failure.code>
                <p>{failure.sentence}</p>
                <p class={"choices"}><button type={"button"} data-testid={"notice-dismiss"} on:click=dismiss>{words::DISMISS}</button></p>
            </div>
        })
    };
    let again = move || {
        let Link::LoggedOut(why) = model.link.get() else { return None };
        Some(super::enter::log_in_again(model.me()?.jid, why))
    };
    view! { <div class={"notices"}><div role={"alert"}>{old}{stuck}{trouble}{notice}</div>{again}</div> }.into_any()
}

/// The engine starts.
pub fn loading(model: Model) -> AnyView {
    let slow = RwSignal::new(false);
    let _ = set_timeout_with_handle(
        move || {
            slow.try_set(true);
        },
        std::time::Duration::from_secs(10),
    );
    let late = move || slow.get().then(|| view! { <p>{words::SLOW}</p>{reload()} });
    let _ = model;
    view! { <main class={"enter"}><h1>{words::APP}</h1><p role={"status"} data-testid={"loading"}>{words::LOADING}</p>{late}</main> }.into_any()
}

/// It can't go on.
pub fn broken(model: Model, why: Failure) -> AnyView {
    let leave = move |_| model.panel.set(Some(super::model::Panel::SignOut));
    view! {
        <main class={"enter"} data-testid={"broken"} data-code=why.code>
            <h1>{words::BROKEN}</h1>
            <p role={"alert"}>{why.sentence}</p>
            <p class={"choices"}>{reload()}<button type={"button"} data-testid={"signout"} on:click=leave>{words::SIGN_OUT}</button></p>
        </main>
    }
    .into_any()
}
