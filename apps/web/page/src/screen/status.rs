//! What is wrong, and how far the way out is open: always in sight, told to whoever can't see it.
use super::bridge;
use super::dom::{El, button, el, p};
use super::enter::log_in_again;
use super::model::{Model, Panel};
use super::parts::choices;
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
pub fn link(model: Model) -> El {
    let state = move || if model.up.get() { model.link.with(name) } else { "connecting" };
    let text = move || if model.up.get() { model.link.with(words::link) } else { words::ENGINE_AWAY }.to_owned();
    let why = move || {
        model.link.with(|link| match link {
            Link::NoGateway(Failure { sentence, .. }) | Link::NoServer(Failure { sentence, .. }) => Some(sentence.clone()),
            _ => None,
        })
    };
    let away = Memo::new(move |_| model.link.with(|link| matches!(link, Link::NoGateway(_) | Link::NoServer(_))));
    let now = move || away.get().then(|| button("quiet", "connect-now", words::CONNECT_NOW, move || model.call(Call::ConnectNow)));
    let state = p("").attr("role", "status").attr("aria-live", "polite").test("link-state").live("data-link", state).live("title", why);
    el("div", "link").add(state.live_text(text)).when(now)
}

fn reload() -> El {
    button("main", "reload", words::RELOAD, bridge::reload)
}
fn notice(class: &str, test: &str, text: &str) -> El {
    el("div", class).test(test).add(p("").text(text))
}

/// Over everything: what needs a person.
pub fn notices(model: Model) -> El {
    let old = Memo::new(move |_| model.outdated.get() || model.link.with(|link| *link == Link::WrongVersion));
    let old = move || old.get().then(|| notice("notice alarm", "outdated", words::OUTDATED).add(choices([reload()])));
    let stuck = move || model.stuck.get().then(|| notice("notice alarm", "stuck", words::STUCK).add(choices([reload()])));
    let trouble = move || {
        let Failure { code, sentence } = model.trouble.get()?;
        Some(notice("notice alarm", "trouble", &sentence).attr("data-code", &code))
    };
    let failed = move || {
        let Failure { code, sentence } = model.notice.get()?;
        let dismiss = button("", "notice-dismiss", words::DISMISS, move || model.notice.set(None));
        Some(notice("notice", "notice", &sentence).attr("data-code", &code).add(choices([dismiss])))
    };
    // a memo: the same told once more must not take away what is being typed
    let again = Memo::new(move |_| {
        let why = model.link.with(|link| if let Link::LoggedOut(why) = link { Some(why.clone()) } else { None })?;
        Some((model.me()?.jid, why))
    });
    let again = move || again.get().map(|(jid, why)| log_in_again(&jid, &why));
    let told = el("div", "").attr("role", "alert").when(old).when(stuck).when(trouble).when(failed);
    el("div", "notices").add(told).when(again)
}

/// The engine starts.
pub fn loading() -> El {
    let slow = RwSignal::new(false);
    let late = move || {
        slow.try_set(true);
    };
    let _ = set_timeout_with_handle(late, std::time::Duration::from_secs(10));
    el("main", "enter")
        .add(el("h1", "").text(words::APP))
        .add(p("").attr("role", "status").test("loading").text(words::LOADING))
        .when(move || slow.get().then(|| el("div", "").add(p("").text(words::SLOW)).add(choices([reload()]))))
}

/// It can't go on.
pub fn broken(model: Model, why: &Failure) -> El {
    let leave = button("", "signout", words::SIGN_OUT, move || model.panel.set(Some(Panel::SignOut)));
    el("main", "enter")
        .test("broken")
        .attr("data-code", &why.code)
        .add(el("h1", "").text(words::BROKEN))
        .add(p("").attr("role", "alert").text(&why.sentence))
        .add(choices([reload(), leave]))
}
