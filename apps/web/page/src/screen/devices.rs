//! The devices of somebody, or of oneself: fingerprints to compare, and what a person decides about them.
use super::bridge;
use super::dom::{El, button, el, focus_soon, icon, p};
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
                let at = document().active_element().and_then(|element| element.get_attribute("data-testid"));
                self.failed.try_set(None);
                self.list.try_set(Some(devices));
                // the list is drawn anew: whoever works by keyboard stays where he was
                if let Some(at) = at {
                    focus_soon(format!("dialog [data-testid=\"{}\"]", at.replace("verify-", "trust-")));
                }
            }
            Ok(_) => {}
            Err(Failure { sentence, .. }) => {
                self.failed.try_set(Some(sentence));
            }
        });
    }
    fn decide(self, device: &Device, trust: Trust) {
        let Device { jid, id, fingerprint, .. } = device.clone();
        self.ask(Call::SetTrust { jid, device: id, fingerprint, trust });
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
    let list = el("div", "").when(move || match devices.list.get() {
        None if devices.failed.with(Option::is_some) => None,
        None => Some(p("hint").attr("role", "status").text(words::LOADING_LIST)),
        Some(list) if list.is_empty() => Some(p("hint").text(words::NO_DEVICES)),
        Some(list) => Some(el("ul", "cards").attr("role", "list").add_all(list.into_iter().map(|one| device(devices, one)))),
    });
    let body = [p("hint").text(words::DEVICES_INTRO), failure("devices-error", devices.failed), list];
    dialog(model, "devices", &title, body.into_iter().chain(remove))
}

fn device(devices: Devices, device: Device) -> El {
    let id = device.id;
    let known = !device.fingerprint.is_empty();
    let trusted = matches!(device.trust, Trust::Trusted | Trust::Verified);
    let verified = device.trust == Trust::Verified;
    let code = match device.trust {
        Trust::Untrusted => "untrusted",
        Trust::Undecided => "undecided",
        Trust::Trusted => "trusted",
        Trust::Verified => "verified",
    };
    let name = if device.label.is_empty() { words::device(id) } else { format!("{} ({})", device.label, words::device(id)) };
    let heard = if device.last_heard == 0 { words::NEVER.to_owned() } else { local(device.last_heard).long(now()) };
    let tags = [device.this_device.then_some(words::THIS_DEVICE), (!device.listed).then_some(words::UNLISTED)];
    let worth = el("span", "worth").attr("data-worth", code).add_all(verified.then(|| icon(CHECK))).text(words::trust(device.trust));
    let versions = if device.versions.is_empty() { String::new() } else { format!(" · {}", device.versions.join(", ")) };
    let card = el("li", "card")
        .test(&format!("device-{id}"))
        .attr("data-trust", code)
        .attr("data-this", if device.this_device { "true" } else { "false" })
        .add(el("h3", "").text(&name).text(" ").add_all(tags.into_iter().flatten().map(tag)))
        .add(if known { fingerprint(&device.fingerprint) } else { p("hint").text(words::KEY_UNSEEN) })
        .add(p("hint").add(worth).text(" · ").text(words::LAST_HEARD).text(" ").text(&heard).text(&versions));
    if device.this_device || !known {
        return card;
    }
    let compared = device.clone();
    let toggle = move || devices.decide(&device, if trusted { Trust::Untrusted } else { Trust::Trusted });
    let toggle = button("switch", &format!("trust-{id}"), words::MAY_READ, toggle).attr("role", "switch");
    let toggle = toggle.attr("aria-checked", if trusted { "true" } else { "false" });
    let compare = (!verified).then(|| button("", &format!("verify-{id}"), words::COMPARED, move || devices.decide(&compared, Trust::Verified)));
    card.add(choices([toggle].into_iter().chain(compare)))
}
