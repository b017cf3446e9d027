//! What a person has to see about keys: new devices of contacts, new ones of the own account, changed keys. Stays until it was answered.
use super::model::{Model, Panel};
use super::parts::fingerprint;
use crate::words;
use leptos::prelude::*;
use subrosa_web_api::page::{Banner, BannerKind, Call, Trust};

/// How many are shown at a time.
const SHOWN: usize = 2;

pub fn banners(model: Model) -> AnyView {
    // what is about the own account, and what looks like an attack, goes first
    let shown = Memo::new(move |_| {
        let mut banners = model.banners.get();
        banners.sort_by_key(|banner| match banner.kind {
            BannerKind::NewOwnDevice(_) => 0,
            BannerKind::KeyChanged => 1,
            BannerKind::NewDevice(_) => 2,
        });
        banners.truncate(SHOWN);
        banners
    });
    let more = move || model.banners.with(Vec::len).checked_sub(SHOWN).filter(|n| *n > 0).map(words::more_banners);
    view! {
        <div class={"banners"} role={"alert"}>
            <For each=move || shown.get() key=|banner| (banner.id, banner.fingerprint.clone()) children=move |one| banner(model, one) />
            <p class={"hint"}>{more}</p>
        </div>
    }
    .into_any()
}

fn banner(model: Model, banner: Banner) -> AnyView {
    let decide = {
        let Banner { id, jid, device, fingerprint, .. } = banner.clone();
        move |trust: Trust| {
            model.call(Call::SetTrust { jid: jid.clone(), device, fingerprint: fingerprint.clone(), trust });
            model.call(Call::Dismiss { banner: id });
        }
    };
    let id = banner.id;
    let dismiss = move |_| model.call(Call::Dismiss { banner: id });
    let of = banner.jid.clone();
    let look = move |_| model.panel.set(Some(Panel::Devices(of.clone())));
    let name = untrack(|| model.name(&banner.jid));
    let approve = |label: &'static str| {
        let decide = decide.clone();
        view! { <button type={"button"} class={"main"} data-testid={"banner-approve"} on:click=move |_| decide(Trust::Trusted)>{label}</button> }
            .into_any()
    };
    let refuse = || {
        let decide = decide.clone();
        view! { <button type={"button"} data-testid={"banner-refuse"} on:click=move |_| decide(Trust::Untrusted)>{words::REFUSE}</button> }.into_any()
    };
    let (kind, text, first, second, last, alarm) = match banner.kind {
        BannerKind::NewOwnDevice(_) => ("new-own-device", words::NEW_OWN_DEVICE.to_owned(), approve(words::APPROVE), refuse(), words::LATER, true),
        BannerKind::KeyChanged => ("key-changed", words::key_changed(&name), approve(words::TRUST_KEY), ().into_any(), words::KEEP_REFUSING, true),
        BannerKind::NewDevice(trust @ (Trust::Trusted | Trust::Verified)) => {
            ("new-device", words::new_device(&name, trust), ().into_any(), refuse(), words::DISMISS, false)
        }
        BannerKind::NewDevice(trust) => ("new-device", words::new_device(&name, trust), approve(words::TRUST), ().into_any(), words::DISMISS, false),
    };
    let shown = (!banner.fingerprint.is_empty()).then(|| fingerprint(&banner.fingerprint));
    view! {
        <div class={"notice"} class:alarm=alarm data-testid={"banner"} data-kind=kind data-jid=banner.jid data-device=banner.device.to_string()>
            <p>{text}</p>
            <p>{words::device(banner.device)}{" "}{shown}</p>
            <p class={"choices"}>
                {first}
                {second}
                <button type={"button"} on:click=look>{words::LOOK}</button>
                <button type={"button"} data-testid={"banner-dismiss"} on:click=dismiss>{last}</button>
            </p>
        </div>
    }
    .into_any()
}
