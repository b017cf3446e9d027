//! The list of chats: found by words, walked by arrow keys, drawn only where one looks, so that 10,000 cost no more than twenty.
use super::dom::{El, button, el, focus_first, on_resize, p, px, root_font};
use super::model::{Model, Panel, local, now};
use crate::{chats, words};
use leptos::prelude::*;
use subrosa_web_api::page::{Call, Chat};
use subrosa_web_api::socket::Standing;
use wasm_bindgen::JsCast;
use web_sys::{Event, HtmlElement, KeyboardEvent};

/// The height of a row in the style sheet.
const ROW_REM: f64 = 4.25;
/// Rows drawn beyond what is seen, each way.
const OVER: usize = 5;

#[derive(Clone, Copy)]
struct List {
    model: Model,
    query: RwSignal<String>,
    /// Places in the whole list of those that are found.
    found: Memo<Vec<usize>>,
    top: RwSignal<f64>,
    seen: RwSignal<f64>,
    row: RwSignal<f64>,
    /// The row that Tab leads to.
    current: RwSignal<usize>,
    range: Memo<(usize, usize)>,
    scroller: StoredValue<HtmlElement, LocalStorage>,
}

pub fn chat_list(model: Model) -> [El; 2] {
    let query = RwSignal::new(String::new());
    let (top, seen, row) = (RwSignal::new(0.0_f64), RwSignal::new(800.0_f64), RwSignal::new(ROW_REM * root_font()));
    let found = Memo::new(move |_| query.with(|query| model.chats.with(|chats| chats.find(query))));
    let range = Memo::new(move |_| {
        let n = found.with(Vec::len);
        let first = ((top.get() / row.get()) as usize).saturating_sub(OVER).min(n);
        let last = (((top.get() + seen.get()) / row.get()) as usize).saturating_add(OVER + 1).min(n);
        (first, last)
    });
    let scroller = el("div", "scroller chats");
    let node = scroller.node();
    let list = List { model, query, found, top, seen, row, current: RwSignal::new(0), range, scroller: StoredValue::new_local(node.clone()) };
    // a key is a row's number and whose it is
    let drawn = move || {
        let (first, last) = range.get();
        let jid = |i: usize| model.chats.with(|c| c.at(found.with(|found| found.get(i).copied())?).map(|chat| format!("{i} {}", chat.jid)));
        (first..last).filter_map(jid).collect()
    };
    let empty = move || {
        let none = found.with(Vec::is_empty);
        if !none {
            ""
        } else if query.with(String::is_empty) {
            words::NO_CHATS
        } else {
            words::NOBODY
        }
        .to_owned()
    };
    let rows = el("ul", "spacer")
        .attr("role", "list")
        .attr("aria-label", words::CHATS)
        .style("height", move || px(found.with(Vec::len) as f64 * row.get()))
        .each(drawn, move |key| {
            let (i, jid) = key.split_once(' ').unwrap_or_default();
            list.entry(i.parse().unwrap_or_default(), jid)
        });
    let sized = node.clone();
    on_resize(&node, move || {
        seen.set(f64::from(sized.client_height()));
        row.set(ROW_REM * root_font());
    });
    let scrolled = move |_| top.set(f64::from(node.scroll_top()));
    let scroller =
        scroller.on("keydown", move |e| list.key(&e)).on("scroll", scrolled).add(p("empty").attr("role", "status").live_text(empty)).add(rows);
    let search = el("input", "").attr("id", "search").attr("type", "search").test("search").attr("autocomplete", "off");
    let search = search.attr("aria-label", words::SEARCH).attr("placeholder", words::SEARCH).bind(query);
    let search = search.on("input", move |_| list.go_top()).on("keydown", move |e| list.key_in_search(&e));
    let add = button("", "add-contact", words::ADD_CONTACT, move || model.panel.set(Some(Panel::AddContact)));
    [el("div", "find").add(search).add(add), scroller]
}

impl List {
    fn go_top(self) {
        self.current.set(0);
        self.scroller.with_value(|scroller| scroller.set_scroll_top(0));
        self.top.set(0.0);
    }
    fn go(self, to: usize) {
        let to = to.min(self.found.with_untracked(Vec::len).saturating_sub(1));
        self.current.set(to);
        let scroller = self.scroller.get_value();
        let (row, seen) = (self.row.get_untracked(), self.seen.get_untracked());
        let (y, at) = (to as f64 * row, f64::from(scroller.scroll_top()));
        if y < at {
            scroller.set_scroll_top(y as i32);
        } else if y + row > at + seen {
            scroller.set_scroll_top((y + row - seen).ceil() as i32);
        }
        self.top.set(f64::from(scroller.scroll_top()));
        request_animation_frame(move || {
            focus_first(&scroller, &format!("[data-place=\"{to}\"] .chat"));
        });
    }
    fn key(self, e: &Event) {
        let Some(key) = e.dyn_ref::<KeyboardEvent>().map(KeyboardEvent::key) else { return };
        let at = self.current.get_untracked();
        let far = (self.seen.get_untracked() / self.row.get_untracked()) as usize;
        let to = match key.as_str() {
            "ArrowDown" => at.saturating_add(1),
            "ArrowUp" => at.saturating_sub(1),
            "PageDown" => at.saturating_add(far),
            "PageUp" => at.saturating_sub(far),
            "Home" => 0,
            "End" => usize::MAX,
            _ => return,
        };
        e.prevent_default();
        self.go(to);
    }
    fn key_in_search(self, e: &Event) {
        match e.dyn_ref::<KeyboardEvent>().map(KeyboardEvent::key).as_deref() {
            Some("ArrowDown") => {
                e.prevent_default();
                self.go(0);
            }
            Some("Escape") => {
                self.query.set(String::new());
                self.go_top();
            }
            _ => {}
        }
    }

    fn entry(self, i: usize, jid: &str) -> El {
        let List { model, found, current, range, row, .. } = self;
        let of = jid.to_owned();
        let chat = Memo::new(move |_| model.chat(&of));
        let with = move |f: fn(&Chat) -> String| move || chat.with(|chat| chat.as_ref().map(f).unwrap_or_default());
        let asks = Memo::new(move |_| chat.with(|chat| chat.as_ref().is_some_and(|chat| chat.standing == Standing::Asks)));
        let unread = Memo::new(move |_| chat.with(|chat| chat.as_ref().map_or(0, |chat| chat.unread)));
        let (open, opened, asking) = (jid.to_owned(), jid.to_owned(), jid.to_owned());
        let reached = move || {
            let (at, (first, last)) = (current.get(), range.get());
            if at == i || (i == first && !(first..last).contains(&at)) { "0" } else { "-1" }
        };
        let badge = move || {
            let n = unread.get();
            (n > 0).then(|| el("span", "unread").test("unread").attr("role", "img").attr("aria-label", &words::unread(n)).text(&n.to_string()))
        };
        let last = with(|chat| match chat.standing {
            Standing::Asks => words::ASKS.to_owned(),
            Standing::Asked if chat.last_text.is_empty() => words::ASKED.to_owned(),
            Standing::Gone if chat.last_text.is_empty() => words::GONE.to_owned(),
            _ => chat.last_text.clone(),
        });
        let when = with(|chat| if chat.last_at > 0 { local(chat.last_at).short(now()) } else { String::new() });
        let button = el("button", "chat")
            .attr("type", "button")
            .test(&format!("chat-{jid}"))
            .live("aria-current", move || model.open.with(|now| now.as_ref() == Some(&open)).then_some("true"))
            .live("tabindex", reached)
            .click(move || model.open_chat(opened.clone()))
            .add(el("span", "who").attr("dir", "auto").live_text(with(|chat| chats::name(chat).to_owned())))
            .add(el("span", "when").live_text(when))
            .add(el("span", "last").attr("dir", "auto").live_text(last))
            .when(badge);
        el("li", "entry")
            .attr("role", "listitem")
            .attr("data-place", &i.to_string())
            .live("aria-setsize", move || found.with(Vec::len).to_string())
            .attr("aria-posinset", &i.saturating_add(1).to_string())
            .style("transform", move || format!("translateY({})", px(i as f64 * row.get())))
            .add(button)
            .when(move || asks.get().then(|| request(model, &asking)))
    }
}

fn request(model: Model, jid: &str) -> El {
    let name = untrack(|| model.name(jid));
    let (yes, no) = (jid.to_owned(), jid.to_owned());
    let yes = move || model.call(Call::AcceptContact { jid: yes.clone() });
    let no = move || model.call(Call::DeclineContact { jid: no.clone() });
    el("span", "request")
        .add(button("main", &format!("request-accept-{jid}"), words::ACCEPT, yes).attr("aria-label", &words::accept(&name)))
        .add(button("", &format!("request-decline-{jid}"), words::DECLINE, no).attr("aria-label", &words::decline(&name)))
}
