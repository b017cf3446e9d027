//! The messenger's page as a person sees it, in one tab.
//!
//! Knows the page's `data-testid`s and nothing of what lies below it.

use serde_json::Value;

use crate::driver::BrowserError;
use crate::tab::Tab;

/// The messages that are drawn: those in sight and some around.
const MESSAGES: &str = "
const drawn = () => [...document.querySelectorAll('[data-testid=message]')].map((row) => ({
  id: row.dataset.id, own: row.dataset.own === 'true', state: row.dataset.state, protection: row.dataset.protection,
  text: row.querySelector('.text')?.textContent ?? null, unreadable: row.querySelector('.unreadable')?.textContent ?? null,
  why: row.querySelector('.why')?.textContent ?? '', mark: row.querySelector('.mark')?.title ?? '',
}));";
/// Up the whole list and back to its end; what was drawn on the way, in its order.
const SCROLLED: &str = "
const list = document.querySelector('[role=log]'), pause = () => new Promise((r) => setTimeout(r, 60));
let found = new Map(), still = 0;
list.scrollTop = list.scrollHeight;
await pause();
while (still < 6) {
  const before = [list.scrollTop, list.scrollHeight, found.size].join();
  found = new Map([...drawn().map((m) => [m.id, m]), ...[...found].filter(([id]) => !drawn().some((m) => m.id === id))]);
  list.scrollTop -= list.clientHeight / 2;
  await pause();
  still = before === [list.scrollTop, list.scrollHeight, found.size].join() ? still + 1 : 0;
}
list.scrollTop = list.scrollHeight;
return [...found.values()];";
const DEVICES: &str = "
return [...document.querySelectorAll('[data-testid=devices] li[data-trust]')].map((card) => ({
  id: Number(card.dataset.testid.slice('device-'.length)), trust: card.dataset.trust, this: card.dataset.this === 'true',
  fingerprint: (card.querySelector('.fingerprint')?.textContent ?? '').replaceAll(/\\s/g, ''),
}))";
const BANNERS: &str = "
return [...document.querySelectorAll('[data-testid=banner]')].map((b) => [b.dataset.kind, b.dataset.jid, b.dataset.device])";

/// A message as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// The account wrote it.
    pub own: bool,
    /// Its words; none where it can't be read.
    pub text: Option<String>,
    /// Why it can't be read.
    pub unreadable: Option<String>,
    /// `here`, `sending`, `waiting`, `sent`, `delivered`, `failed`.
    pub state: String,
    /// `none`, `encrypted`, `clear`.
    pub protection: String,
    /// `omemo:2`, `omemo:legacy`; empty where the page does not say.
    pub protocol: String,
    /// Why it waits or failed.
    pub why: String,
}
/// A device in the dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its number.
    pub id: u32,
    /// 64 hex digits; empty where its key was not seen.
    pub fingerprint: String,
    /// `untrusted`, `undecided`, `trusted`, `verified`.
    pub trust: String,
    /// It is this browser.
    pub this: bool,
}
/// A banner about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banner {
    /// `new-device`, `new-own-device`, `key-changed`.
    pub kind: String,
    /// Whose device.
    pub jid: String,
    /// Its number.
    pub device: u32,
}

/// The messenger in a tab.
#[derive(Clone, Debug)]
pub struct Page {
    /// The tab itself.
    pub tab: Tab,
}
impl Page {
    /// Signs in and waits until the page is there; the rest of the way may still be open.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] with the page's words.
    pub fn log_in(&self, jid: &str, password: &str, passphrase: Option<&str>) -> Result<(), BrowserError> {
        self.tab.type_into("signin-jid", jid)?;
        self.tab.type_into("signin-password", password)?;
        if let Some(passphrase) = passphrase {
            self.tab.type_into("signin-passphrase", passphrase)?;
        }
        self.tab.click("signin-submit")?;
        self.entered("signin-error")
    }

    /// Opens the keys that a passphrase locks.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] with the page's words.
    pub fn unlock(&self, passphrase: &str) -> Result<(), BrowserError> {
        self.tab.type_into("unlock-passphrase", passphrase)?;
        self.tab.click("unlock-submit")?;
        self.entered("unlock-error")
    }

    fn entered(&self, error: &str) -> Result<(), BrowserError> {
        let look = || {
            let refused =
                self.tab.script_with("return document.querySelector(`[data-testid=${arguments[0]}]`)?.textContent ?? ''", vec![error.into()])?;
            match refused.as_str() {
                Some(why) if !why.is_empty() => Ok(Some(Err(BrowserError::Refused(why.to_owned())))),
                _ => Ok(self.tab.has("link-state")?.then_some(Ok(()))),
            }
        };
        self.tab.wait_until("the list of chats", look)?
    }

    /// Waits until the way out is open, also where the gateway asks for the password again. Chromium writes cookies to its disk every 30
    /// seconds: one that is killed before has forgotten its login, not its keys.
    ///
    /// # Errors
    /// [`BrowserError`]
    pub fn back_online(&self, password: &str) -> Result<(), BrowserError> {
        let state = "return document.querySelector('[data-testid=link-state]')?.dataset.link ?? null";
        let settled = || Ok(self.tab.script(state)?.as_str().filter(|state| ["online", "logged-out"].contains(state)).map(str::to_owned));
        if self.tab.wait_until("the way out to be open, or the login to be asked for", settled)? == "logged-out" {
            self.tab.type_into("login-again-password", password)?;
            self.tab.click("login-again-submit")?;
        }
        self.online()
    }

    /// Waits until the way out is open: gateway, XMPP server, keys published.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn online(&self) -> Result<(), BrowserError> {
        self.link("online")
    }

    /// Waits until the way out is so: `online`, `connecting`, `no-gateway`, `no-server`, `logged-out`, `wrong-version`.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn link(&self, state: &str) -> Result<(), BrowserError> {
        self.tab.wait_for(
            &format!("the way out to be {state}"),
            &format!("document.querySelector('[data-testid=link-state]')?.dataset.link === '{state}'"),
        )
    }

    /// Opens the chat with a contact, wherever in the list they are.
    ///
    /// # Errors
    /// [`BrowserError::Waited`] where there is no such contact.
    pub fn open_chat(&self, jid: &str) -> Result<(), BrowserError> {
        if self.chat()?.as_deref() == Some(jid) && self.tab.has("draft")? {
            return Ok(());
        }
        if self.tab.has("back")? {
            self.tab.click("back")?; // a narrow window shows one of both
        }
        let button = format!("chat-{jid}");
        // not all of the list is drawn, or what was searched for last still is
        let more = "const drawn = document.querySelectorAll('[aria-setsize]');
            return Number(drawn[0]?.ariaSetSize ?? 0) > drawn.length || !!document.querySelector('[data-testid=search]')?.value";
        if !self.tab.has(&button)? && self.tab.script(more)? == true {
            self.tab.type_into("search", jid)?;
        }
        self.tab.click(&button)?;
        self.tab.wait_until(&format!("the chat with {jid}"), || Ok((self.chat()?.as_deref() == Some(jid)).then_some(())))
    }

    /// With whom the open chat is.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn chat(&self) -> Result<Option<String>, BrowserError> {
        let open = self.tab.script("return document.querySelector('[data-testid^=chat-][aria-current=true]')?.dataset.testid.slice(5) ?? null")?;
        Ok(open.as_str().map(str::to_owned))
    }

    /// Writes into the open chat and presses the button. Does not wait for anything.
    ///
    /// # Errors
    /// [`BrowserError::Waited`] where no chat is open.
    pub fn write(&self, text: &str) -> Result<(), BrowserError> {
        self.tab.paste_into("draft", text)?;
        self.tab.click("send")
    }

    /// The messages of the open chat that are drawn, the oldest first: the last ones, unless somebody scrolled.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn messages(&self) -> Result<Vec<Message>, BrowserError> {
        Ok(read(&self.tab.script(&format!("{MESSAGES} return drawn()"))?))
    }

    /// All messages of the open chat, the oldest first: scrolls through them.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn all_messages(&self) -> Result<Vec<Message>, BrowserError> {
        Ok(read(&self.tab.script_async(&format!("{MESSAGES} {SCROLLED}"))?))
    }

    /// Waits for a message in the open chat.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn message(&self, what: &str, wanted: impl Fn(&Message) -> bool) -> Result<Message, BrowserError> {
        self.tab.wait_until(what, || Ok(self.messages()?.into_iter().rev().find(&wanted)))
    }

    /// Waits until an own message with these words is in one of these states.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn own(&self, text: &str, states: &[&str]) -> Result<Message, BrowserError> {
        let wanted = |message: &Message| message.own && message.text.as_deref() == Some(text) && states.contains(&message.state.as_str());
        self.message(&format!("the own message {text:.200?} to be {states:?}"), wanted)
    }

    /// How many unread messages the list shows for a contact.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn unread(&self, jid: &str) -> Result<u32, BrowserError> {
        let look =
            "return Number(document.querySelector(`[data-testid=${CSS.escape('chat-' + arguments[0])}] [data-testid=unread]`)?.textContent ?? 0)";
        let count = self.tab.script_with(look, vec![jid.into()])?;
        Ok(count.as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or_default())
    }

    /// The devices of a contact, from their chat's dialog, which is closed again.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn devices(&self, jid: &str) -> Result<Vec<Device>, BrowserError> {
        self.open_chat(jid)?;
        self.in_devices("devices-open", |page| page.device_cards())
    }

    /// The account's own devices.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn own_devices(&self) -> Result<Vec<Device>, BrowserError> {
        self.in_devices("own-devices-open", |page| page.device_cards())
    }

    /// Trusts an own device, or does so no more, and waits until that is shown.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn trust_own(&self, device: u32, trusted: bool) -> Result<(), BrowserError> {
        self.in_devices("own-devices-open", |page| page.switch(device, trusted))
    }

    /// Trusts a device of a contact, or does so no more, and waits until that is shown.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn trust(&self, jid: &str, device: u32, trusted: bool) -> Result<(), BrowserError> {
        self.open_chat(jid)?;
        self.in_devices("devices-open", |page| page.switch(device, trusted))
    }

    fn switch(&self, device: u32, trusted: bool) -> Result<(), BrowserError> {
        let (button, is) = (format!("trust-{device}"), trusted.to_string());
        if self.tab.attribute(&button, "aria-checked")?.as_deref() != Some(&is) {
            self.tab.click(&button)?;
        }
        let shown = || Ok((self.tab.attribute(&button, "aria-checked")?.as_deref() == Some(&is)).then_some(()));
        self.tab.wait_until(&format!("device {device} to be decided"), shown)
    }

    fn device_cards(&self) -> Result<Vec<Device>, BrowserError> {
        let cards = self.tab.wait_until("the list of devices", || {
            let cards = self.tab.script(DEVICES)?;
            Ok(cards.as_array().filter(|cards| !cards.is_empty()).cloned())
        })?;
        let device = |card: &Value| Device {
            id: card["id"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or_default(),
            fingerprint: card["fingerprint"].as_str().unwrap_or_default().to_owned(),
            trust: card["trust"].as_str().unwrap_or_default().to_owned(),
            this: card["this"] == true,
        };
        Ok(cards.iter().map(device).collect())
    }

    fn in_devices<T>(&self, button: &str, act: impl FnOnce(&Self) -> Result<T, BrowserError>) -> Result<T, BrowserError> {
        self.tab.click(button)?;
        self.tab.see("devices")?;
        let done = act(self)?;
        self.close_dialog()?;
        Ok(done)
    }

    /// Closes the dialog that is open.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn close_dialog(&self) -> Result<(), BrowserError> {
        self.tab.click("dialog-close")?;
        self.tab.wait_for("the dialog to close", "!document.querySelector('dialog')")
    }

    /// The banners that are shown.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn banners(&self) -> Result<Vec<Banner>, BrowserError> {
        let found = self.tab.script(BANNERS)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let banner = |b: &Value| Banner { kind: text(&b[0]), jid: text(&b[1]), device: text(&b[2]).parse().unwrap_or_default() };
        Ok(found.as_array().into_iter().flatten().map(banner).collect())
    }

    /// Waits for the banner of a new device of one's own, and approves it.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn approve(&self) -> Result<Banner, BrowserError> {
        let found = || Ok(self.banners()?.into_iter().find(|banner| banner.kind == "new-own-device"));
        let banner = self.tab.wait_until("the banner of a new own device", found)?;
        let find = format!("document.querySelector('[data-testid=banner][data-kind=new-own-device][data-device=\"{}\"]')", banner.device);
        self.tab.script(&format!("{find}.querySelector('[data-testid=banner-approve]').click()"))?;
        self.tab.wait_for("the banner to go", &format!("!{find}"))?;
        Ok(banner)
    }

    /// Puts somebody onto the list of contacts.
    ///
    /// # Errors
    /// [`BrowserError::Refused`] with the page's words.
    pub fn add_contact(&self, jid: &str, name: &str) -> Result<(), BrowserError> {
        self.tab.click("add-contact")?;
        self.tab.type_into("contact-jid", jid)?;
        self.tab.type_into("contact-name", name)?;
        self.tab.click("contact-submit")?;
        let look = || {
            let why = self.tab.script("return document.querySelector('[data-testid=contact-error]')?.textContent ?? ''")?;
            match why.as_str() {
                Some(why) if !why.is_empty() => Ok(Some(Err(BrowserError::Refused(why.to_owned())))),
                _ => Ok((!self.tab.has("add-contact-dialog")?).then_some(Ok(()))),
            }
        };
        self.tab.wait_until("the contact to be added", look)?
    }

    /// Signs out, waits until that is done, and is where one signs in.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn sign_out(&self) -> Result<(), BrowserError> {
        self.tab.click("signout")?;
        self.tab.click("signout-confirm")?;
        self.tab.see("signin-jid")
    }
}

fn read(rows: &Value) -> Vec<Message> {
    let message = |row: &Value| {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        let some = |name: &str| text(name).unwrap_or_default();
        Message {
            id: some("id"),
            own: row["own"] == true,
            text: text("text"),
            unreadable: text("unreadable"),
            state: some("state"),
            protection: some("protection"),
            protocol: some("mark").split_once(", ").map(|(_, protocol)| protocol.to_owned()).unwrap_or_default(),
            why: some("why"),
        }
    };
    rows.as_array().into_iter().flatten().map(message).collect()
}
