//! The trust screen: the devices of a person, or one's own, and what is decided about them.
use super::{Asked, Dialog, Prompt, Screen, Sure, Tag};
use crate::args::Level;
use crate::rpc::types::*;
use crate::show;
use crate::tui::keys::Action;

/// Whose devices are looked at.
pub struct Trusting {
    pub jid: String,
    /// Who was looked at before one's own.
    pub other: Option<String>,
    /// `None`: not known yet.
    pub devices: Option<Vec<DeviceInfo>>,
    /// Own ones that were not heard of for long.
    pub stale: Vec<StaleDevice>,
    pub blocked: bool,
    pub at: usize,
}

impl Screen {
    /// Opens it, or opens it on somebody else.
    pub(super) fn open_trust(&mut self, jid: String, other: Option<String>) {
        self.ask_trust(&jid);
        let screen = Trusting { jid, other, devices: None, stale: Vec::new(), blocked: false, at: 0 };
        match self.dialogs.last_mut() {
            Some(Dialog::Trust(now)) => *now = screen,
            _ => self.dialogs.push(Dialog::Trust(screen)),
        }
    }
    /// All that it shows, anew; what is there stays until the answers come.
    pub(super) fn ask_trust(&mut self, jid: &str) {
        self.ask_devices(jid);
        let account = self.jid();
        if account.as_deref() == Some(jid) {
            self.call(Tag::Stale, Call::StaleDevices(OfAccount { account }));
        } else {
            self.call(Tag::Blocked, Call::Blocked(OfAccount { account }));
        }
    }
    pub(super) fn ask_devices(&mut self, jid: &str) {
        let account = self.jid();
        self.call(Tag::Devices { jid: jid.to_owned() }, Call::Devices(Devices { jid: Some(jid.to_owned()), account }));
    }
    pub(super) fn trusting(&mut self) -> Option<&mut Trusting> {
        self.dialogs.iter_mut().rev().find_map(|dialog| match dialog {
            Dialog::Trust(trusting) => Some(trusting),
            _ => None,
        })
    }
    pub(super) fn act_in_trust(&mut self, action: Action) {
        let Some(account) = self.jid() else { return };
        let Some(trusting) = self.trusting() else { return };
        let (jid, other, blocked) = (trusting.jid.clone(), trusting.other.clone(), trusting.blocked);
        let own = jid == account;
        match action {
            Action::Link => return self.dialogs.push(Prompt::dialog(Asked::Link)),
            Action::Code => return self.show_code(),
            Action::Own if own => return self.open_trust(other.unwrap_or(account), None),
            Action::Own => return self.open_trust(account, Some(jid)),
            Action::Block if own => return self.warn("that is your own account"),
            Action::Block if blocked => {
                return self.call(Tag::Decided(jid.clone()), Call::Unblock(OfPerson { jid, account: Some(account) }));
            }
            Action::Block => {
                let text = format!("Block {}? Nothing more comes from them.", crate::tui::text::line(&jid));
                return self.dialogs.push(Dialog::Question { text, what: Sure::Block(jid) });
            }
            _ => {}
        }
        let Some(device) = trusting.devices.as_ref().and_then(|all| all.get(trusting.at)).cloned() else {
            return self.warn("there is no device to decide about");
        };
        let DeviceNumber::Number(number) = device.device else {
            return self.warn("this device has no number; decide about it with the program that made it");
        };
        if device.own && action != Action::Choose {
            return self.warn("that is this device itself");
        }
        match action {
            Action::Verify => match device.fingerprint {
                Some(fingerprint) => {
                    let whose = if own { "your other device".to_owned() } else { crate::tui::text::line(&jid) };
                    let text = format!(
                        "Compare with what device {number} of {whose} shows as its fingerprint:\n\n{}\n\nIs it the same, group by group?",
                        show::groups(&fingerprint)
                    );
                    self.dialogs.push(Dialog::Question { text, what: Sure::Verify { jid, device: number, fingerprint } });
                }
                None => self.warn("its key was not seen yet; write to it first"),
            },
            Action::Admit => self.decide(jid, number, device.fingerprint, Level::Trusted),
            Action::Reject => self.decide(jid, number, device.fingerprint, Level::Untrusted),
            Action::Approve | Action::ApproveWithHistory if own => {
                let history = action == Action::ApproveWithHistory;
                let what = if history {
                    "It can read all messages from now on, and gets the history, or gives the one that it offers."
                } else {
                    "It can read all messages from now on."
                };
                let key = device.fingerprint.as_deref().map_or(String::new(), |key| format!("\n\n{}\n", show::groups(key)));
                let text = format!("Is device {number} yours, and does it show this fingerprint?{key}\n{what}");
                let what = Sure::Approve { device: number, fingerprint: device.fingerprint, history };
                self.dialogs.push(Dialog::Question { text, what });
            }
            Action::Approve | Action::ApproveWithHistory => self.warn("only own devices are approved; trust or verify this one"),
            Action::Replace => {
                let call = Call::ReplaceSession(ReplaceSession { jid: jid.clone(), device: number, account: Some(account) });
                self.call(Tag::Done(format!("a new session with device {number} is being set up")), call);
            }
            Action::RemoveDevice if own => {
                let text = format!("Take device {number} off the list of your devices? Nobody encrypts to it any more.");
                self.dialogs.push(Dialog::Question { text, what: Sure::RemoveDevice(number) });
            }
            Action::RemoveDevice => self.warn("only own devices can be taken off the list"),
            _ => {}
        }
    }
    fn decide(&mut self, jid: String, device: u32, fingerprint: Option<String>, level: Level) {
        let account = self.jid();
        self.call(Tag::Decided(jid.clone()), Call::Trust(SetTrust { jid, device, fingerprint, level, account }));
    }
    fn show_code(&mut self) {
        let known = self.account().and_then(|a| Some((a.jid.clone(), a.device?, a.fingerprint.clone()?)));
        let Some((jid, device, fingerprint)) = known else { return self.warn("this device has no key yet") };
        let link = show::uri(&jid, device, &fingerprint);
        match show::qr(&link) {
            Some(code) => self.dialogs.push(Dialog::Code { rows: code.lines().map(str::to_owned).collect(), link }),
            None => self.warn("the address is too long for a QR code"),
        }
    }
}
