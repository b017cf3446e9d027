//! A person with a browser of their own, signed in.

use std::collections::{BTreeMap, HashSet};
use std::ops::Deref;

use subrosa_interop::{Party, PeerError, Read};

use crate::browser::{Browser, Options};
use crate::driver::BrowserError;
use crate::page::{Message, Page};

/// A browser in which an account is signed in. It takes part in the scenarios of `subrosa_interop`.
#[derive(Debug)]
pub struct Messenger {
    page: Page,
    url: String,
    address: String,
    /// Messages that [`Party::read`] gave.
    read: HashSet<String>,
    /// Messages that no good conversation has.
    odd: BTreeMap<String, String>,
    /// The browser; it ends with this value.
    pub browser: Browser,
}

impl Messenger {
    /// Starts a browser and shows the page at `url`; nobody is signed in.
    ///
    /// # Errors
    /// [`BrowserError`]
    pub fn start(url: &str, options: &Options) -> Result<Self, BrowserError> {
        let browser = Browser::start(options)?;
        let page = Page { tab: browser.first_tab()? };
        page.tab.goto(url)?;
        page.tab.see("signin-jid")?;
        let url = url.to_owned();
        Ok(Messenger { page, url, address: String::new(), read: HashSet::new(), odd: BTreeMap::new(), browser })
    }

    /// Starts a browser, signs in, and waits until everything is open.
    ///
    /// # Errors
    /// [`BrowserError`]
    pub fn sign_in(url: &str, jid: &str, password: &str, options: &Options) -> Result<Self, BrowserError> {
        let mut messenger = Self::start(url, options)?;
        messenger.enter(jid, password, None)?;
        Ok(messenger)
    }

    /// Signs in, and waits until everything is open.
    ///
    /// # Errors
    /// [`BrowserError`]
    pub fn enter(&mut self, jid: &str, password: &str, passphrase: Option<&str>) -> Result<(), BrowserError> {
        self.page.log_in(jid, password, passphrase)?;
        self.address = jid.to_owned();
        self.page.online()
    }

    /// The page in its first tab.
    pub fn page(&self) -> &Page {
        &self.page
    }

    /// The page once more, in another tab of this browser.
    ///
    /// # Errors
    /// [`BrowserError`]
    pub fn another_tab(&self) -> Result<Page, BrowserError> {
        let page = Page { tab: self.browser.new_tab()? };
        page.tab.goto(&self.url)?;
        page.tab.see("link-state")?;
        Ok(page)
    }

    /// Kills the whole browser, starts it again and shows the page; the account is still signed in.
    ///
    /// # Errors
    /// [`BrowserError`]
    pub fn crash(&mut self) -> Result<(), BrowserError> {
        self.browser.kill();
        self.browser.reopen()?;
        self.page = Page { tab: self.browser.first_tab()? };
        self.page.tab.goto(&self.url)
    }

    /// Kills the renderer of its tab, the engine with it, and shows the page in a new tab.
    ///
    /// # Errors
    /// [`BrowserError`]
    pub fn crash_tab(&mut self) -> Result<(), BrowserError> {
        let new = Page { tab: self.browser.new_tab()? }; // the last tab's end would be the browser's
        self.browser.kill_renderer(&self.page.tab)?;
        std::mem::replace(&mut self.page, new).tab.close()?;
        self.page.tab.goto(&self.url)
    }

    fn note(&mut self, messages: &[Message]) {
        for message in messages {
            let odd = message.unreadable.is_some() || message.state == "failed" || message.protection == "clear";
            if odd {
                self.odd.insert(message.id.clone(), format!("{message:?}"));
            }
        }
    }

    fn failed(&self, error: BrowserError) -> PeerError {
        PeerError::Refused { peer: format!("the browser of {}", self.address), what: error.to_string() }
    }

    /// In the open chat, or else in the next chat that shows unread messages.
    fn look_for(&mut self, text: &str) -> Result<Option<Read>, BrowserError> {
        if let Some(from) = self.page.chat()? {
            let messages = self.page.messages()?;
            self.note(&messages);
            let found = messages.into_iter().find(|m| !m.own && m.text.as_deref() == Some(text) && !self.read.contains(&m.id));
            if let Some(message) = found {
                self.read.insert(message.id);
                let protocol = Some(message.protocol.replace("legacy", "1")).filter(|protocol| !protocol.is_empty());
                return Ok(Some(Read { from, device: None, protocol }));
            }
        }
        let next = self
            .page
            .tab
            .script("return document.querySelector('[data-testid^=chat-]:has([data-testid=unread])')?.dataset.testid.slice(5) ?? null")?;
        if let Some(jid) = next.as_str() {
            self.page.open_chat(jid)?;
        }
        Ok(None)
    }
}

impl Deref for Messenger {
    type Target = Page;

    fn deref(&self) -> &Page {
        &self.page
    }
}

impl Party for Messenger {
    fn address(&self) -> &str {
        &self.address
    }

    fn send(&mut self, to: &str, text: &str) -> Result<(), PeerError> {
        let sent = self.page.open_chat(to).and_then(|()| self.page.write(text)).and_then(|()| self.page.own(text, &["sent", "delivered", "failed"]));
        match sent {
            Ok(message) if message.state == "failed" => {
                Err(PeerError::Refused { peer: format!("the browser of {}", self.address), what: message.why })
            }
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn read(&mut self, text: &str) -> Result<Read, PeerError> {
        let tab = self.page.tab.clone();
        let found = tab.wait_until(&format!("the message {text:.200?}"), || self.look_for(text));
        found.map_err(|error| self.failed(error))
    }

    fn complaints(&mut self) -> Vec<String> {
        let messages = self.page.messages();
        let problems = self.page.tab.problems();
        match (messages, problems) {
            (Ok(messages), Ok(problems)) => {
                self.note(&messages);
                std::mem::take(&mut self.odd).into_values().chain(problems).collect()
            }
            (Err(error), _) | (_, Err(error)) => vec![error.to_string()],
        }
    }
}
