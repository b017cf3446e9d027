//! The devices of somebody, or of oneself: fingerprints to compare, and what a person decides about them.
use super::bridge;
use super::model::{Model, Panel, local, now};
use super::parts::{CHECK, dialog, failure, fingerprint, icon};
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
                    request_animation_frame(move || {
                        if let Some(body) = document().body() {
                            let at = at.replace("verify-", "trust-");
                            super::focus_first(&body, &format!("dialog [data-testid=\"{at}\"]"));
                        }
                    });
                }
            }
            Ok(_) => {}
            Err(Failure { sentence, .. }) => {
                self.failed.try_set(Some(sentence));
                self.list.try_update(|_| ()); // what is shown as decided is what is decided
            }
        });
    }
    fn decide(self, device: &Device, trust: Trust) {
        let Device { jid, id, fingerprint, .. } = device.clone();
        self.ask(Call::SetTrust { jid, device: id, fingerprint, trust });
    }
}

pub fn devices(model: Model, jid: Jid) -> AnyView {
    let devices = Devices { list: RwSignal::new(None), failed: RwSignal::new(None) };
    let mine = model.is_me(&jid);
    let title = if mine { words::MY_DEVICES.to_owned() } else { words::devices_of(&untrack(|| model.name(&jid))) };
    // a decision made elsewhere, or a device that came, shows in the banners
    let of = jid.clone();
    Effect::new(move |_| {
        model.banners.track();
        devices.ask(Call::Devices { jid: of.clone() });
    });
    let on_list = untrack(|| model.chat(&jid)).is_some_and(|chat| !matches!(chat.standing, Standing::Gone | Standing::Asks));
    let remove = on_list.then(|| {
        let go = move |_| model.panel.set(Some(Panel::RemoveContact(jid.clone())));
        view! { <p class={"choices"}><button type={"button"} class={"danger"} data-testid={"remove-contact"} on:click=go>{words::REMOVE_CONTACT}</button></p> }
    });
    let list = move || match devices.list.get() {
        None if devices.failed.with(Option::is_some) => ().into_any(),
        None => view! { <p class={"hint"} role={"status"}>{words::LOADING_LIST}</p> }.into_any(),
        Some(list) if list.is_empty() => view! { <p class={"hint"}>{words::NO_DEVICES}</p> }.into_any(),
        Some(list) => view! { <ul class={"cards"} role={"list"}>{list.into_iter().map(|one| device(devices, one)).collect_view()}</ul> }.into_any(),
    };
    let body = view! {
        <p class={"hint"}>{words::DEVICES_INTRO}</p>
        {failure("devices-error", devices.failed.into())}
        {list}
        {remove}
    };
    dialog("devices", title, move || model.panel.set(None), body.into_any())
}

fn device(devices: Devices, device: Device) -> AnyView {
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
    let print = if known { fingerprint(&device.fingerprint) } else { view! { <p class={"hint"}>{words::KEY_UNSEEN}</p> }.into_any() };
    let this = device.this_device.then(|| view! { <span class={"tag"}>{words::THIS_DEVICE}</span> });
    let unlisted = (!device.listed).then(|| view! { <span class={"tag"}>{words::UNLISTED}</span> });
    let versions = (!device.versions.is_empty()).then(|| device.versions.join(", "));
    let worth = view! { <span class={"worth"} data-worth=code>{verified.then(|| icon(CHECK))}{words::trust(device.trust)}</span> };
    let (toggled, compared) = (device.clone(), device.clone());
    let choices = (!device.this_device && known).then(|| {
        let toggle = move |_| devices.decide(&toggled, if trusted { Trust::Untrusted } else { Trust::Trusted });
        let compare = (!verified).then(|| {
            let go = move |_| devices.decide(&compared, Trust::Verified);
            view! { <button type={"button"} data-testid=format!("verify-{id}") on:click=go>{words::COMPARED}</button> }
        });
        view! {
            <p class={"choices"}>
                <button type={"button"} class={"switch"} role={"switch"} aria-checked=trusted.to_string() data-testid=format!("trust-{id}") on:click=toggle>
                    {words::MAY_READ}
                </button>
                {compare}
            </p>
        }
    });
    let card = format!("device-{id}");
    let is_this = device.this_device.to_string();
    view! {
        <li class={"card"} data-testid=card data-trust=code data-this=is_this>
            <h3>{name}{" "}{this}{unlisted}</h3>
            {print}
            <p class={"hint"}>{worth}{" · "}{words::LAST_HEARD}{" "}{heard}{versions.map(|v| format!(" · {v}"))}</p>
            {choices}
        </li>
    }
    .into_any()
}
