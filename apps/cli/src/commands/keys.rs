//! Decisions about devices, sessions and people: `verify`, `approve`, `sessions`, `device`, `block`.
use super::{ask, confirmed, print};
use crate::failure::Failure;
use crate::home::Home;
use crate::rpc::Call;
use crate::rpc::types::{
    AllowClear, Approve, Blocked, OfAccount, OfChat, OfPerson, OptOut, RemoveDevice, ReplaceSession, StaleDevices, Verified, Verify,
};
use crate::show::{clean, time};
use serde_json::Value;

/// `what`: a link, or an address with a number and a key.
pub async fn verify(home: &Home, account: Option<&str>, what: String, device: Option<u32>, fingerprint: Option<String>) -> Result<(), Failure> {
    let link = what.contains(':');
    if !link && device.is_none() {
        let sentence = "say what was compared: the link of their QR code (xmpp:…), or their address, the device's number and the key they read out";
        return Err(Failure::usage(sentence));
    }
    let verify = if link { Verify { uri: Some(what), ..Verify::default() } } else { Verify { jid: Some(what), ..Verify::default() } };
    let done: Verified = ask(home, account, false, Call::Verify(Verify { device, fingerprint, ..verify })).await?;
    let mut text: String = done.devices.iter().map(|device| format!("device {device} of {} is verified now\n", clean(&done.jid))).collect();
    for key in &done.later {
        text.push_str(&format!("no device has shown the key {} yet; one that does is verified then\n", clean(key)));
    }
    print(&text)
}
pub async fn approve(home: &Home, account: Option<&str>, device: u32, fingerprint: Option<String>, history: bool) -> Result<(), Failure> {
    let worth = match &fingerprint {
        Some(_) => " and is verified: your other devices and verified contacts are told".to_owned(),
        None => format!(
            ", trusted by its number alone, of which nobody is told; `subrosa approve {device} FINGERPRINT`, with what `subrosa fingerprint` \
             shows on it, verifies it"
        ),
    };
    ask::<Value>(home, account, false, Call::Approve(Approve { device, fingerprint, history, account: None })).await?;
    let more = if history { "; the history goes there while both are connected: leave `subrosa listen` or `subrosa tui` running" } else { "" };
    print(&format!("device {device} gets messages from here on{worth}{more}\n"))
}
pub async fn replace(home: &Home, account: Option<&str>, jid: String, device: u32) -> Result<(), Failure> {
    let text = format!("a new session with device {device} of {} is being set up\n", clean(&jid));
    ask::<Value>(home, account, false, Call::ReplaceSession(ReplaceSession { jid, device, account: None })).await?;
    print(&text)
}
pub async fn remove(home: &Home, account: Option<&str>, device: u32) -> Result<(), Failure> {
    ask::<Value>(home, account, false, Call::RemoveDevice(RemoveDevice { device, account: None })).await?;
    print(&format!("device {device} is off the list of your devices; nobody encrypts to it any more\n"))
}
pub async fn stale(home: &Home, account: Option<&str>) -> Result<(), Failure> {
    let list: StaleDevices = ask(home, account, false, Call::StaleDevices(OfAccount::default())).await?;
    if list.devices.is_empty() {
        return print("all devices of this account were heard of lately\n");
    }
    let line = |d: &crate::rpc::types::StaleDevice| {
        let label = d.label.as_deref().map_or(String::new(), |label| format!("  ({})", clean(label)));
        let heard = d.heard.map_or_else(|| "never heard of".into(), |at| format!("last heard of {}", time(at)));
        format!("{:>10}  {heard}{label}; take it off with `subrosa sessions remove {}`\n", d.device, d.device)
    };
    print(&list.devices.iter().map(line).collect::<String>())
}
pub async fn opt_out(home: &Home, account: Option<&str>, chat: String, reason: Option<String>) -> Result<(), Failure> {
    let text = format!("{} was told that encrypted messages are not read here\n", clean(&chat));
    ask::<Value>(home, account, false, Call::OptOut(OptOut { chat, reason, id: None, timeout: None, account: None })).await?;
    print(&text)
}
pub async fn go_on(home: &Home, account: Option<&str>, chat: String) -> Result<(), Failure> {
    let text = format!("messages to {} are encrypted all the same\n", clean(&chat));
    ask::<Value>(home, account, false, Call::GoOn(OfChat { chat, account: None })).await?;
    print(&text)
}
pub async fn allow_clear(home: &Home, account: Option<&str>, chat: String, off: bool, yes: bool) -> Result<(), Failure> {
    let who = clean(&chat);
    let question = format!(
        "Let messages to {who} go UNENCRYPTED where they can't be encrypted? Servers on the way can read and change them, and what comes in \
         clear in the name of {who} is shown."
    );
    if !off && !yes && !confirmed(&question, "say --yes if messages may go unencrypted")? {
        return print("nothing was changed: what can't be encrypted is not sent\n");
    }
    ask::<Value>(home, account, false, Call::AllowClear(AllowClear { chat, off, account: None })).await?;
    print(&match off {
        true => format!("messages to {who} are encrypted, or not sent\n"),
        false => format!("messages to {who} go UNENCRYPTED where they can't be encrypted; `subrosa allow-clear {who} --off` takes that back\n"),
    })
}
/// Without an address: who is blocked.
pub async fn block(home: &Home, account: Option<&str>, jid: Option<String>, block: bool) -> Result<(), Failure> {
    let Some(jid) = jid else {
        let list: Blocked = ask(home, account, false, Call::Blocked(OfAccount::default())).await?;
        if list.blocked.is_empty() {
            return print("nobody is blocked\n");
        }
        return print(&list.blocked.iter().map(|who| clean(who) + "\n").collect::<String>());
    };
    let text = format!("{} {}\n", clean(&jid), if block { "is blocked: nothing more comes from there" } else { "may write again" });
    let of = OfPerson { jid, account: None };
    ask::<Value>(home, account, false, if block { Call::Block(of) } else { Call::Unblock(of) }).await?;
    print(&text)
}
