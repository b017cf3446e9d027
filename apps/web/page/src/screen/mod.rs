//! The page itself: which screen is shown, and what all screens share.
mod banners;
mod bridge;
mod chat;
mod chat_list;
mod devices;
mod enter;
mod message;
mod messages;
mod model;
mod panels;
mod parts;
mod status;

use crate::words;
use leptos::ev;
use leptos::prelude::*;
use model::{Model, Panel};
use subrosa_web_api::page::Phase;
use subrosa_web_api::{Failure, Jid};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;

/// Called by the glue when the page is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    leptos::mount::mount_to_body(app);
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

fn app() -> AnyView {
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
    Effect::new(move |_| {
        let unread = model.chats.with(crate::chats::Chats::unread);
        document().set_title(&if unread > 0 { format!("({unread}) {}", words::APP) } else { words::APP.to_owned() });
    });
    listen(model);
    bridge::start(model);
    let screen = move || match place.get() {
        Place::Loading => status::loading(model),
        Place::SignIn => enter::sign_in(),
        Place::Unlock(jid) => enter::unlock(model, jid),
        Place::Chats => chats(model),
        Place::Broken(why) => status::broken(model, why),
    };
    view! {
        <div class={"app"}>
            {status::notices(model)}
            {screen}
            {panels::panel(model)}
        </div>
    }
    .into_any()
}

/// Keys and events of the whole window.
fn listen(model: Model) {
    let _ = window_event_listener(ev::keydown, |e| {
        if (e.ctrl_key() || e.meta_key()) && e.key().eq_ignore_ascii_case("k") {
            e.prevent_default();
            if let Some(body) = document().body() {
                focus_first(&body, "#search");
            }
        }
    });
    let _ = window_event_listener(ev::popstate, move |_| model.left());
    let _ = window_event_listener(ev::focus, move |_| model.read());
    let seen = Closure::<dyn FnMut()>::new(move || model.read()).into_js_value();
    let _ = document().add_event_listener_with_callback("visibilitychange", seen.unchecked_ref());
}

/// The list and, beside it or instead of it, the open chat.
fn chats(model: Model) -> AnyView {
    let me = move || model.me().map(|me| me.jid);
    let mine = move |_| {
        if let Some(me) = untrack(|| model.me()) {
            model.panel.set(Some(Panel::Devices(me.jid)));
        }
    };
    let button = move |test: &'static str, label: &'static str, panel: Panel| {
        let go = move |_| model.panel.set(Some(panel.clone()));
        view! { <button type={"button"} class={"quiet"} data-testid=test on:click=go>{label}</button> }
    };
    let open = Memo::new(move |_| model.open.with(Option::is_some));
    let pane = move || match model.open.get() {
        Some(jid) => chat::chat(model, jid),
        None => view! { <p class={"empty"}>{words::NO_CHAT_OPEN}</p> }.into_any(),
    };
    view! {
        {banners::banners(model)}
        <h1 class={"unseen"}>{words::APP}</h1>
        <div class={"panes"} class:chatting=move || open.get()>
            <aside class={"list"} aria-label={words::CHATS}>
                <header class={"head"}>
                    <p class={"me"}>{me}</p>
                    {status::link(model)}
                </header>
                {chat_list::chat_list(model)}
                <nav class={"foot"} aria-label={words::APP}>
                    <button type={"button"} class={"quiet"} data-testid={"own-devices-open"} on:click=mine>{words::MY_DEVICES}</button>
                    {button("browsers-open", words::BROWSERS, Panel::Browsers)}
                    {button("about-open", words::ABOUT, Panel::About)}
                    {button("signout", words::SIGN_OUT, Panel::SignOut)}
                </nav>
            </aside>
            <main class={"pane"}>{pane}</main>
        </div>
    }
    .into_any()
}

fn focus_first(within: &web_sys::Element, selector: &str) {
    if let Ok(Some(found)) = within.query_selector(selector)
        && let Ok(found) = found.dyn_into::<web_sys::HtmlElement>()
    {
        let _ = found.focus();
    }
}

/// Pixels of a rem.
fn root_font() -> f64 {
    document()
        .document_element()
        .and_then(|root| window().get_computed_style(&root).ok().flatten())
        .and_then(|style| style.get_property_value("font-size").ok())
        .and_then(|size| size.trim_end_matches("px").parse().ok())
        .unwrap_or(16.0)
}

/// Runs when an element is there, and whenever its size changes, until its screen goes.
fn on_resize<E>(node: NodeRef<E>, f: impl Fn(&web_sys::Element) + Copy + 'static)
where
    E: leptos::html::ElementType + 'static,
    E::Output: JsCast + Clone + 'static + AsRef<web_sys::Element>,
{
    let watching = StoredValue::new_local(None::<(web_sys::ResizeObserver, Closure<dyn FnMut()>)>);
    Effect::new(move |_| {
        let Some(element) = node.get() else { return };
        let element = AsRef::<web_sys::Element>::as_ref(&element).clone();
        f(&element);
        let of = element.clone();
        let changed = Closure::<dyn FnMut()>::new(move || f(&of));
        if let Ok(observer) = web_sys::ResizeObserver::new(changed.as_ref().unchecked_ref()) {
            observer.observe(&element);
            watching.set_value(Some((observer, changed)));
        }
    });
    on_cleanup(move || {
        let _ = watching.try_update_value(|watching| {
            if let Some((observer, _)) = watching.take() {
                observer.disconnect();
            }
        });
    });
}
