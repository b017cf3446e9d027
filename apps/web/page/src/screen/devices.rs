//! The devices of somebody, or of oneself: fingerprints to compare, and what a person decides about them.
use super::bridge;
use super::dom::{El, button, el, icon, p};
use super::model::{Model, Panel, local, now};
use super::parts::{CHECK, choices, dialog, failure, fingerprint, tag};
use crate::words;
use leptos::prelude::*;
use subrosa_web_api::page::{Answer, Call, Device, Trust};
use subrosa_web_api::socket::Standing;
use subrosa_web_api::{Failure, Jid};

#[derive(Clone, Copy)]
struct Devices {
    list: RwSignal<Option<Vec<Device>>>,
    failed: RwSignal<Option<String>>,
}
impl Devices {
    fn ask(self, call: Call) {
        bridge::call(call, move |result| match result {
            Ok(Answer::Devices(devices)) => {
                self.failed.try_set(None);
                self.list.try_set(Some(devices));
            }
            Ok(_) => {}
            Err(Failure { sentence, .. }) => {
                self.failed.try_set(Some(sentence));
            }
        });
    }
    /// About the key that is shown.
    fn decide(self, device: Option<Device>, trust: impl FnOnce(Trust) -> Trust) {
        if let Some(Device { jid, id, fingerprint, trust: now, .. }) = device {
            self.ask(Call::SetTrust { jid, device: id, fingerprint, trust: trust(now) });
        }
    }
    fn get(self, id: u32) -> Option<Device> {
        self.list.with(|list| list.as_ref()?.iter().find(|device| device.id == id).cloned())
    }
}

pub fn devices(model: Model, jid: Jid) -> El {
    let devices = Devices { list: RwSignal::new(None), failed: RwSignal::new(None) };
    let mine = model.is_me(&jid);
    let title = if mine { words::MY_DEVICES.to_owned() } else { words::devices_of(&untrack(|| model.name(&jid))) };
    let on_list = untrack(|| model.chat(&jid)).is_some_and(|chat| !matches!(chat.standing, Standing::Gone | Standing::Asks));
    let removed = jid.clone();
    let remove = on_list.then(|| {
        let go = move || model.panel.set(Some(Panel::RemoveContact(removed.clone())));
        choices([button("danger", "remove-contact", words::REMOVE_CONTACT, go)])
    });
    // a decision made elsewhere, or a device that came, shows in the banners
    Effect::new(move |_| {
        model.banners.track();
        devices.ask(Call::Devices { jid: jid.clone() });
    });
    let how = Memo::new(move |_| devices.list.with(|list| list.as_ref().map(Vec::len)));
    let none = el("div", "").when(move || match how.get() {
        None if devices.failed.with(Option::is_some) => None,
        None => Some(p("hint").attr("role", "status").text(words::LOADING_LIST)),
        Some(0) => Some(p("hint").text(words::NO_DEVICES)),
        Some(_) => None,
    });
    // a card stays while its device does: neither focus nor place is lost when something is decided
    let keys = move || devices.list.with(|list| list.iter().flatten().map(|device| device.id.to_string()).collect());
    let cards = el("ul", "cards").attr("role", "list").each(keys, move |id| device(devices, id.parse().unwrap_or_default()));
    let body = [p("hint").text(words::DEVICES_INTRO), failure("devices-error", devices.failed), none, cards];
    dialog(model, "devices", &title, body.into_iter().chain(remove))
}

fn device(devices: Devices, id: u32) -> El {
    let device = Memo::new(move |_| devices.get(id));
    // parts that are made anew only with what they show
    let part = move |f: fn(&Device) -> String| Memo::new(move |_| device.with(|device| device.as_ref().map(f).unwrap_or_default()));
    let print = part(|device| device.fingerprint.clone());
    let trust = Memo::new(move |_| device.with(|device| device.as_ref().map_or(Trust::Undecided, |device| device.trust)));
    let this = Memo::new(move |_| device.with(|device| device.as_ref().is_some_and(|device| device.this_device)));
    let listed = Memo::new(move |_| device.with(|device| device.as_ref().is_some_and(|device| device.listed)));
    let name =
        part(|device| if device.label.is_empty() { words::device(device.id) } else { format!("{} ({})", device.label, words::device(device.id)) });
    let about = part(|device| {
        let heard = if device.last_heard == 0 { words::NEVER.to_owned() } else { local(device.last_heard).long(now()) };
        let versions = if device.versions.is_empty() { String::new() } else { format!(" · {}", device.versions.join(", ")) };
        if device.this_device { versions } else { format!(" · {} {heard}{versions}", words::LAST_HEARD) }
    });
    let trusted = move || matches!(trust.get(), Trust::Trusted | Trust::Verified);
    let flip = |now| if matches!(now, Trust::Trusted | Trust::Verified) { Trust::Untrusted } else { Trust::Trusted };
    let toggle = move || devices.decide(device.get_untracked(), flip);
    let compare = move || devices.decide(device.get_untracked(), |_| Trust::Verified);
    let decidable = Memo::new(move |_| !this.get() && !print.with(String::is_empty));
    let choices = move || {
        let toggle = button("switch", &format!("trust-{id}"), words::MAY_READ, toggle).attr("role", "switch").live("aria-checked", trusted);
        let compare = move || (trust.get() != Trust::Verified).then(|| button("", &format!("verify-{id}"), words::COMPARED, compare));
        decidable.get().then(|| choices([toggle]).when(compare))
    };
    let worth = el("span", "worth")
        .live("data-worth", move || code(trust.get()))
        .when(move || (trust.get() == Trust::Verified).then(|| icon(CHECK)))
        .live_text(move || words::trust(trust.get()).to_owned());
    let title = el("h3", "")
        .live_text(move || name.get())
        .text(" ")
        .when(move || this.get().then(|| tag(words::THIS_DEVICE)))
        .when(move || (!listed.get()).then(|| tag(words::UNLISTED)));
    el("li", "card")
        .test(&format!("device-{id}"))
        .live("data-trust", move || code(trust.get()))
        .live("data-this", move || this.get())
        .add(title)
        .when(move || Some(print.with(|print| if print.is_empty() { p("hint").text(words::KEY_UNSEEN) } else { fingerprint(print) })))
        .add(p("hint").add(worth).live_text(move || about.get()))
        .when(choices)
}

fn code(trust: Trust) -> &'static str {
    match trust {
        Trust::Untrusted => "untrusted",
        Trust::Undecided => "undecided",
        Trust::Trusted => "trusted",
        Trust::Verified => "verified",
    }
}
