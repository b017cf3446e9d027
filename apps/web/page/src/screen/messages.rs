//! The messages of the open chat, drawn only where one looks. Opens at its end and stays there while somebody looks at the end; otherwise the
//! row that one looks at stays where it is, whatever comes before or grows.
use super::message::message;
use super::model::Model;
use crate::words;
use leptos::html;
use leptos::prelude::*;
use subrosa_web_api::MessageId;

/// Rows drawn beyond what is seen, each way.
const OVER: usize = 6;
/// So near the end counts as the end, in pixels.
const NEAR: f64 = 40.0;

/// Where the list stands. Plain data, for frames and handlers.
#[derive(Clone, Default)]
struct Hold {
    at_end: bool,
    /// The first row in sight, and how far its top is above the edge.
    row: Option<(MessageId, f64)>,
}

#[derive(Clone, Copy)]
struct List {
    model: Model,
    scroller: NodeRef<html::Div>,
    spacer: NodeRef<html::Div>,
    slice: NodeRef<html::Div>,
    top: RwSignal<f64>,
    seen: RwSignal<f64>,
    at_end: RwSignal<bool>,
    /// Heights changed.
    grown: RwSignal<u32>,
    hold: StoredValue<Hold>,
    /// The last scroll position that is accounted for: a different one is a person's doing.
    known: StoredValue<f64>,
    /// A frame is on its way.
    queued: StoredValue<bool>,
}

pub fn messages(model: Model) -> AnyView {
    let list = List {
        model,
        scroller: NodeRef::new(),
        spacer: NodeRef::new(),
        slice: NodeRef::new(),
        top: RwSignal::new(f64::MAX),
        seen: RwSignal::new(800.0),
        at_end: RwSignal::new(true),
        grown: RwSignal::new(0),
        hold: StoredValue::new(Hold { at_end: true, row: None }),
        known: StoredValue::new(0.0),
        queued: StoredValue::new(false),
    };
    let range = Memo::new(move |_| {
        list.grown.track();
        model.rows.track();
        let (top, seen) = (list.top.get(), list.seen.get());
        model.log.with_value(|log| {
            let first = log.heights.at(top.min(log.heights.total() - seen).max(0.0)).saturating_sub(OVER);
            let last = log.heights.at(top + seen).saturating_add(OVER + 1).min(log.len());
            (first.min(last), last)
        })
    });
    let drawn = move || {
        model.rows.track();
        let (first, last) = range.get();
        model.log.with_value(|log| (first..last).filter_map(|i| log.at(i).map(|m| m.id.clone())).collect::<Vec<_>>())
    };
    // the list itself may be redrawn after this effect: the work waits for the frame
    Effect::new(move |_| {
        range.track();
        model.rows.track();
        list.queue();
    });
    super::on_resize(list.scroller, move |element| {
        list.seen.set(f64::from(element.client_height()));
        list.queue();
    });
    super::on_resize(list.slice, move |_| list.queue());
    let scrolled = move |_| {
        let Some(element) = list.scroller.get_untracked() else { return };
        list.scrolled(f64::from(element.scroll_top()), f64::from(element.client_height()));
        list.older();
    };
    let offset = move || {
        list.grown.track();
        model.rows.track();
        let first = range.get().0;
        format!("translateY({}px)", model.log.with_value(|log| log.heights.before(first)))
    };
    let total = move || {
        list.grown.track();
        model.rows.track();
        format!("{}px", model.log.with_value(|log| log.heights.total()))
    };
    let empty = move || {
        model.rows.track();
        model.log.with_value(|log| log.is_empty().then_some(if log.loading { words::OPENING } else { words::EMPTY_CHAT }))
    };
    let to_end = move |_| {
        list.hold.update_value(|hold| hold.at_end = true);
        list.queue();
    };
    let down = move || {
        (!list.at_end.get())
            .then(|| view! { <button type={"button"} class={"to-end"} data-testid={"to-end"} on:click=to_end>{words::TO_END}</button> })
    };
    view! {
        <div class={"scroller log"} role={"log"} aria-live={"off"} aria-label={words::MESSAGES} tabindex={"0"} node_ref=list.scroller on:scroll=scrolled>
            <p class={"empty"}>{empty}</p>
            <div class={"spacer"} node_ref=list.spacer style:height=total>
                <div class={"slice"} role={"list"} node_ref=list.slice style:transform=offset>
                    <For each=drawn key=|id| id.clone() children=move |id| message(model, id) />
                </div>
            </div>
        </div>
        {down}
        <p class={"unseen"} role={"status"} aria-live={"polite"}>{move || model.spoken.get()}</p>
    }
    .into_any()
}

impl List {
    fn scrolled(self, top: f64, seen: f64) {
        if (top - self.known.get_value()).abs() < 1.0 {
            return;
        }
        self.known.set_value(top);
        self.note(top, seen);
        self.top.set(top);
    }
    /// What a person looks at now.
    fn note(self, top: f64, seen: f64) {
        let hold = self.model.log.with_value(|log| {
            let first = log.heights.at(top);
            let row = log.at(first).map(|m| (m.id.clone(), top - log.heights.before(first)));
            Hold { at_end: top + seen >= log.heights.total() - NEAR, row }
        });
        if self.at_end.get_untracked() != hold.at_end {
            self.at_end.set(hold.at_end);
        }
        self.hold.set_value(hold);
    }
    fn older(self) {
        if self.top.get_untracked() < self.seen.get_untracked() * 1.5 {
            self.model.ask_older();
        }
    }
    fn queue(self) {
        if self.queued.try_get_value() == Some(false) {
            self.queued.set_value(true);
            request_animation_frame(move || self.settle());
        }
    }
    /// Measures what is drawn, then puts back what one looks at.
    fn settle(self) {
        if self.queued.try_update_value(|queued| *queued = false).is_none() {
            return; // the chat was left
        }
        let (Some(scroller), Some(spacer), Some(slice)) = (self.scroller.get_untracked(), self.spacer.get_untracked(), self.slice.get_untracked())
        else {
            return;
        };
        let seen = f64::from(scroller.client_height());
        self.scrolled(f64::from(scroller.scroll_top()), seen); // its event may come only after this frame
        let rows = slice.children();
        let mut grown = false;
        let measured: Vec<(MessageId, f64)> = (0..rows.length())
            .filter_map(|i| rows.item(i))
            .filter_map(|row| Some((row.get_attribute("data-id")?, row.get_bounding_client_rect().height())))
            .collect();
        self.model.log.update_value(|log| {
            for (id, height) in measured {
                if let Some(row) = log.place(&id) {
                    grown |= log.heights.set(row, height) != 0.0;
                }
            }
        });
        let hold = self.hold.get_value();
        let (total, wanted) = self.model.log.with_value(|log| {
            let total = log.heights.total();
            let kept = hold.row.as_ref().and_then(|(id, above)| Some(log.heights.before(log.place(id)?) + above));
            (total, if hold.at_end { Some((total - seen).max(0.0)) } else { kept })
        });
        // before scrolling: the old height would cut it short
        let _ = web_sys::HtmlElement::style(&spacer).set_property("height", &format!("{total}px"));
        if let Some(wanted) = wanted
            && (wanted - f64::from(scroller.scroll_top())).abs() >= 1.0
        {
            scroller.set_scroll_top(wanted.round() as i32);
        }
        let top = f64::from(scroller.scroll_top());
        self.known.set_value(top);
        if grown {
            self.grown.update(|n| *n = n.wrapping_add(1));
        }
        if self.top.get_untracked() != top {
            self.top.set(top);
        }
        if self.seen.get_untracked() != seen {
            self.seen.set(seen);
        }
        if hold.at_end || hold.row.is_none() {
            self.note(top, seen);
            if hold.at_end {
                self.hold.update_value(|h| h.at_end = true);
                self.at_end.set(true);
            }
        }
        self.older();
    }
}
