//! The messages of the open chat, drawn only where one looks. Opens at its end and stays there while somebody looks at the end; otherwise the
//! row that one looks at stays where it is, whatever comes before or grows.
use super::dom::{El, button, el, on_resize, p, px};
use super::message::message;
use super::model::Model;
use crate::words;
use leptos::prelude::*;
use subrosa_web_api::MessageId;
use web_sys::HtmlElement;

/// Rows drawn beyond what is seen, each way.
const OVER: usize = 12;
/// So near the end counts as the end, in pixels.
const NEAR: f64 = 40.0;

/// So often a frame is looked at anew what was drawn.
const PASSES: u32 = 4;

/// Where the list stands.
#[derive(Clone, Default)]
struct Hold {
    at_end: bool,
    /// The first row in sight, and how far its top is above the edge.
    row: Option<(MessageId, f64)>,
}
#[derive(Clone)]
struct Nodes {
    scroller: HtmlElement,
    spacer: HtmlElement,
    slice: HtmlElement,
}
#[derive(Clone, Copy)]
struct List {
    model: Model,
    nodes: StoredValue<Nodes, LocalStorage>,
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

pub fn messages(model: Model) -> [El; 3] {
    let (scroller, spacer, slice) = (el("div", "scroller log"), el("div", "spacer"), el("div", "slice"));
    let nodes = Nodes { scroller: scroller.node(), spacer: spacer.node(), slice: slice.node() };
    let list = List {
        model,
        nodes: StoredValue::new_local(nodes.clone()),
        top: RwSignal::new(f64::MAX),
        seen: RwSignal::new(800.0),
        at_end: RwSignal::new(true),
        grown: RwSignal::new(0),
        hold: StoredValue::new(Hold { at_end: true, row: None }),
        known: StoredValue::new(0.0),
        queued: StoredValue::new(false),
    };
    let range = Memo::new(move |_| {
        list.changes();
        let (top, seen) = (list.top.get(), list.seen.get());
        model.log.with_value(|log| {
            let top = top + log.shift;
            let first = log.heights.at(top.min(log.heights.total() - seen).max(0.0)).saturating_sub(OVER);
            let last = log.heights.at(top + seen).saturating_add(OVER + 1).min(log.len());
            (first.min(last), last)
        })
    });
    let drawn = move || {
        model.rows.track();
        let (first, last) = range.get();
        model.log.with_value(|log| (first..last).filter_map(|i| log.at(i).map(|m| m.id.clone())).collect())
    };
    // the list itself may be redrawn after this effect: the work waits for the frame
    Effect::new(move |_| {
        range.track();
        model.rows.track();
        if model.log.with_value(|log| log.shift) != 0.0 {
            queue_microtask(move || list.settle(1)); // nobody may see it before
        }
        list.queue();
    });
    on_resize(&nodes.scroller, move || list.queue());
    on_resize(&nodes.slice, move || list.queue());
    let of = nodes.scroller;
    let scrolled = move |_| {
        list.scrolled(f64::from(of.scroll_top()), f64::from(of.client_height()));
        list.older();
    };
    let offset = move || {
        list.changes();
        let first = range.get().0;
        format!("translateY({})", px(model.log.with_value(|log| log.heights.before(first))))
    };
    let total = move || {
        list.changes();
        px(model.log.with_value(|log| log.heights.total()))
    };
    let empty = move || {
        model.rows.track();
        let loading = model.log.with_value(|log| log.is_empty().then_some(log.loading));
        loading.map_or("", |loading| if loading { words::OPENING } else { words::EMPTY_CHAT }).to_owned()
    };
    let to_end = move || {
        list.hold.update_value(|hold| hold.at_end = true);
        list.queue();
    };
    let slice = slice.attr("role", "list").style("transform", offset).each(drawn, move |id| message(model, id));
    let scroller = scroller
        .attr("role", "log")
        .attr("aria-live", "off")
        .attr("aria-label", words::MESSAGES)
        .attr("tabindex", "0")
        .on("scroll", scrolled)
        .add(p("empty").live_text(empty))
        .add(spacer.style("height", total).add(slice));
    let down = el("div", "down").when(move || (!list.at_end.get()).then(|| button("to-end", "to-end", words::TO_END, to_end)));
    let spoken = p("unseen").attr("role", "status").attr("aria-live", "polite").live_text(move || model.spoken.get());
    [scroller, down, spoken]
}

impl List {
    fn changes(self) {
        self.grown.track();
        self.model.rows.track();
    }
    fn scrolled(self, top: f64, seen: f64) {
        if (top - self.known.get_value()).abs() < 1.0 {
            return;
        }
        self.known.set_value(top);
        self.note(top + self.model.log.with_value(|log| log.shift), seen); // older rows may have come since it was scrolled
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
            request_animation_frame(move || self.settle(1));
        }
    }
    /// Measures what is drawn, then puts back what one looks at. That may draw other rows, which are measured in the same frame: nobody sees them
    /// jump.
    fn settle(self, pass: u32) {
        if self.queued.try_update_value(|queued| *queued = false).is_none() {
            return; // the chat was left
        }
        let Nodes { scroller, spacer, slice } = self.nodes.get_value();
        let seen = f64::from(scroller.client_height());
        self.scrolled(f64::from(scroller.scroll_top()), seen); // its event may come only after this frame
        let rows = slice.children();
        let measured: Vec<(MessageId, f64)> = (0..rows.length())
            .filter_map(|i| rows.item(i))
            .filter_map(|row| Some((row.get_attribute("data-id")?, row.get_bounding_client_rect().height())))
            .collect();
        let mut grown = false;
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
        let _ = spacer.style().set_property("height", &px(total));
        if let Some(wanted) = wanted
            && (wanted - f64::from(scroller.scroll_top())).abs() >= 1.0
        {
            scroller.set_scroll_top(wanted.round() as i32);
        }
        self.model.log.update_value(|log| log.shift = 0.0);
        let top = f64::from(scroller.scroll_top());
        self.known.set_value(top);
        let moved = self.top.get_untracked() != top;
        if grown {
            self.grown.update(|n| *n = n.wrapping_add(1));
        }
        if moved {
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
        if (moved || grown) && pass < PASSES {
            queue_microtask(move || self.settle(pass.saturating_add(1))); // after the effects of the above
        }
        self.older();
    }
}
