//! What a person has to see about keys: new devices of contacts, new ones of the own account, changed keys. Stays until it was answered.
use super::dom::{El, button, el, p};
use super::model::{Model, Panel};
use super::parts::{choices, fingerprint};
use crate::words;
use leptos::prelude::*;
use subrosa_web_api::page::{Banner, BannerKind, Call, Trust};

/// How many are shown at a time.
const SHOWN: usize = 2;

pub fn banners(model: Model) -> El {
    // what is about the own account, and what looks like an attack, goes first
    let shown = move || {
        model.banners.with(|banners| {
            let rank = |banner: &Banner| match banner.kind {
                BannerKind::NewOwnDevice(_) => 0,
                BannerKind::KeyChanged => 1,
                BannerKind::NewDevice(_) => 2,
            };
            let mut keys: Vec<(i32, u64, String)> =
                banners.iter().map(|banner| (rank(banner), banner.id, format!("{} {}", banner.id, banner.fingerprint))).collect();
            keys.sort();
            keys.into_iter().take(SHOWN).map(|(_, _, key)| key).collect()
        })
    };
    let find = move |key: &str| {
        let id = key.split(' ').next().and_then(|id| id.parse().ok());
        let found = model.banners.with_untracked(|banners| banners.iter().find(|banner| Some(banner.id) == id).cloned());
        found.map_or_else(|| el("div", ""), |found| banner(model, found))
    };
    let more = move || {
        let more = model.banners.with(Vec::len).saturating_sub(SHOWN);
        if more > 0 { words::more_banners(more) } else { String::new() }
    };
    el("div", "banners").attr("role", "alert").add(el("div", "").each(shown, find)).add(p("hint").live_text(more))
}

fn banner(model: Model, banner: Banner) -> El {
    let Banner { id, jid, device, fingerprint: print, kind } = banner;
    let decide = |class: &str, test: &str, label: &str, trust: Trust| {
        let (jid, fingerprint) = (jid.clone(), print.clone());
        button(class, test, label, move || {
            model.call(Call::SetTrust { jid: jid.clone(), device, fingerprint: fingerprint.clone(), trust });
            model.call(Call::Dismiss { banner: id });
        })
    };
    let approve = |label: &str| Some(decide("main", "banner-approve", label, Trust::Trusted));
    let refuse = || Some(decide("", "banner-refuse", words::REFUSE, Trust::Untrusted));
    let name = model.name(&jid);
    let (code, text, first, second, last) = match kind {
        BannerKind::NewOwnDevice(_) => ("new-own-device", words::NEW_OWN_DEVICE.to_owned(), approve(words::APPROVE), refuse(), words::LATER),
        BannerKind::KeyChanged => ("key-changed", words::key_changed(&name), approve(words::TRUST_KEY), None, words::KEEP_REFUSING),
        BannerKind::NewDevice(trust @ (Trust::Trusted | Trust::Verified)) => {
            ("new-device", words::new_device(&name, trust), None, refuse(), words::DISMISS)
        }
        BannerKind::NewDevice(trust) => ("new-device", words::new_device(&name, trust), approve(words::TRUST), None, words::DISMISS),
    };
    let of = jid.clone();
    let look = button("", "banner-look", words::LOOK, move || model.panel.set(Some(Panel::Devices(of.clone()))));
    let dismiss = button("", "banner-dismiss", last, move || model.call(Call::Dismiss { banner: id }));
    let alarm = !matches!(kind, BannerKind::NewDevice(_));
    el("div", if alarm { "notice alarm" } else { "notice" })
        .test("banner")
        .attr("data-kind", code)
        .attr("data-jid", &jid)
        .attr("data-device", &device.to_string())
        .add(p("").text(&text))
        .add(p("").text(&words::device(device)).add_all((!print.is_empty()).then(|| fingerprint(&print))))
        .add(choices(first.into_iter().chain(second).chain([look, dismiss])))
}
