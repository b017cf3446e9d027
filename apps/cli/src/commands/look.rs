//! The short commands that look at something or decide something: `devices`, `trust`, `fingerprint`, `status`.
use super::{ask, print};
use crate::args::Level;
use crate::failure::Failure;
use crate::home::Home;
use crate::rpc::Call;
use crate::rpc::types::{DeviceList, Devices, Scope, SetTrust, Status};
use crate::show;

pub async fn devices(home: &Home, account: Option<&str>, of: Option<String>) -> Result<(), Failure> {
    let list: DeviceList = ask(home, account, false, Call::Devices(Devices { jid: of.clone(), account: None })).await?;
    if list.devices.is_empty() {
        let whose = of.unwrap_or_else(|| "this account".into());
        return print(&format!("{} has no devices that can be written to\n", show::clean(&whose)));
    }
    let lines: String = list.devices.iter().map(|d| show::device(d) + "\n").collect();
    print(&lines)
}

pub async fn trust(home: &Home, account: Option<&str>, jid: String, device: u32, fingerprint: Option<String>, level: Level) -> Result<(), Failure> {
    let text = format!("device {device} of {} is {} now\n", show::clean(&jid), show::word(level));
    let call = Call::Trust(SetTrust { jid, device, fingerprint, level, account: None });
    ask::<serde_json::Value>(home, account, false, call).await?;
    print(&text)
}

pub async fn fingerprint(home: &Home, account: Option<&str>) -> Result<(), Failure> {
    let one = home.account(account)?;
    let status: Status = ask(home, Some(&one.jid), false, Call::Status(Scope::default())).await?;
    let known = status.accounts.into_iter().find_map(|a| Some((a.device?, a.fingerprint?)));
    let Some((device, key)) = known else {
        return Err(Failure::not_logged_in(Some(&one.jid)));
    };
    print(&show::own_key(&one.jid, device, &key))
}

pub async fn status(home: &Home, account: Option<&str>) -> Result<(), Failure> {
    let status: Status = ask(home, account, true, Call::Status(Scope::default())).await?;
    print(&show::status(&status))
}
