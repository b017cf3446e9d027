//! The page itself: which screen is shown, and what belongs to the whole window.
mod banners;
mod bridge;
mod chat;
mod chat_list;
mod devices;
mod dom;
mod enter;
mod message;
mod messages;
mod model;
mod panels;
mod parts;
mod status;

use crate::words;
use dom::{El, button, el, p};
use leptos::ev;
use leptos::prelude::*;
use model::{Model, Panel};
use subrosa_web_api::page::Phase;
use subrosa_web_api::{Failure, Jid};
use wasm_bindgen::prelude::*;

/// Called by the glue when the page is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    leptos::mount::mount_to_body(|| {
        if let Some(body) = document().body() {
            let _ = body.append_child(&app().node());
        }
    });
}

/// Which screen; [`Phase`] without what changes within a screen.
#[derive(Clone, PartialEq)]
enum Place {
    Loading,
    SignIn,
    Unlock(Jid),
    Chats,
    Broken(Failure),
}

fn app() -> El {
    let model = Model::new();
    let place = Memo::new(move |_| {
        model.phase.with(|phase| match phase {
            Phase::Loading => Place::Loading,
            Phase::SignedOut => Place::SignIn,
            Phase::Locked { jid } => Place::Unlock(jid.clone()),
            Phase::Ready(_) => Place::Chats,
            Phase::Broken(why) => Place::Broken(why.clone()),
        })
    });
    dom::live(move || {
        let unread = model.chats.with(crate::chats::Chats::unread);
        document().set_title(&if unread > 0 { format!("({unread}) {}", words::APP) } else { words::APP.to_owned() });
    });
    listen(model);
    bridge::start(model);
    let screen = move || {
        Some(match place.get() {
            Place::Loading => status::loading(),
            Place::SignIn => enter::sign_in(),
            Place::Unlock(jid) => enter::unlock(model, &jid),
            Place::Chats => chats(model),
            Place::Broken(why) => status::broken(model, &why),
        })
    };
    el("div", "app").add(status::notices(model)).when(screen).when(move || panels::panel(model))
}

/// Keys and events of the whole window.
fn listen(model: Model) {
    let _ = window_event_listener(ev::keydown, |e| {
        if (e.ctrl_key() || e.meta_key()) && e.key().eq_ignore_ascii_case("k") {
            e.prevent_default();
            dom::focus_soon("#search".into());
        }
    });
    let _ = window_event_listener(ev::popstate, move |_| model.left());
    let _ = window_event_listener(ev::focus, move |_| model.read());
    let seen = Closure::<dyn FnMut()>::new(move || model.read()).into_js_value();
    let _ = document().add_event_listener_with_callback("visibilitychange", seen.unchecked_ref());
}

/// The list and, beside it or instead of it, the open chat.
fn chats(model: Model) -> El {
    let me = move || model.me().map(|me| me.jid).unwrap_or_default();
    let mine = move || model.panel.set(untrack(|| model.me()).map(|me| Panel::Devices(me.jid)));
    let opens = move |test: &str, label: &str, panel: Panel| button("quiet", test, label, move || model.panel.set(Some(panel.clone())));
    let open = Memo::new(move |_| model.open.with(Option::is_some));
    let foot = el("nav", "foot")
        .attr("aria-label", words::APP)
        .add(button("quiet", "own-devices-open", words::MY_DEVICES, mine))
        .add(opens("browsers-open", words::BROWSERS, Panel::Browsers))
        .add(opens("about-open", words::ABOUT, Panel::About))
        .add(opens("signout", words::SIGN_OUT, Panel::SignOut));
    let list = el("section", "list")
        .attr("aria-label", words::CHATS)
        .add(el("header", "head").add(p("me").live_text(me)).add(status::link(model)))
        .add_all(chat_list::chat_list(model))
        .add(foot);
    let pane = el("section", "pane").when(move || {
        Some(match model.open.get() {
            Some(jid) => chat::chat(model, jid),
            None => p("empty").text(words::NO_CHAT_OPEN),
        })
    });
    // one landmark for both: a narrow window shows one of them
    let panes = el("main", "").live("class", move || if open.get() { "panes chatting" } else { "panes" }).add(list).add(pane);
    let name = el("header", "unseen").add(el("h1", "").text(words::APP));
    el("div", "whole").add(name).add(banners::banners(model)).add(panes)
}
