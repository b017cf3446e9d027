//! One tab: what a person sees and does in it, and what a developer can ask it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::prelude::*;

use crate::browser::Session;
use crate::driver::{BrowserError, wait};

/// How long a page may take for what we wait for; generous, as machines are shared.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Finds what a screen reader finds: by role and name.
const BY_ROLE: &str = r#"
const [role, name] = arguments;
const tags = { button: 'button,[role=button]', link: 'a[href]', textbox: 'input:not([type=checkbox]):not([type=radio]),textarea,[role=textbox]',
  checkbox: 'input[type=checkbox],[role=checkbox],[role=switch]', heading: 'h1,h2,h3,h4,[role=heading]', dialog: 'dialog[open],[role=dialog]',
  alert: '[role=alert]', status: '[role=status]', listitem: 'li,[role=listitem]', tab: '[role=tab]', menuitem: '[role=menuitem]' };
const text = (e) => (e.innerText ?? '').trim().replace(/\s+/g, ' ');
const named = (e) => {
  const by = e.getAttribute('aria-labelledby');
  if (by) return by.split(/\s+/).map((id) => text(document.getElementById(id) ?? {})).join(' ');
  return e.getAttribute('aria-label') ?? (e.labels?.length ? text(e.labels[0]) : e.placeholder && !text(e) ? e.placeholder : text(e));
};
const seen = (e) => e.checkVisibility() && !e.closest('[inert]');
return [...document.querySelectorAll(tags[role] ?? `[role=${role}]`)].find((e) => seen(e) && named(e) === name) ?? null;
"#;

/// A tab of a browser.
#[derive(Clone, Debug)]
pub struct Tab {
    session: Arc<Session>,
    window: WindowHandle,
}

impl Tab {
    pub(crate) fn begin(session: Arc<Session>, window: WindowHandle) -> Result<Self, BrowserError> {
        session.prepare(&window)?;
        Ok(Tab { session, window })
    }

    fn with<T>(&self, act: impl FnOnce(&WebDriver) -> Result<T, BrowserError>) -> Result<T, BrowserError> {
        self.session.within(&self.window, act)
    }

    /// Shows a page.
    ///
    /// # Errors
    /// When nobody answers there.
    pub fn goto(&self, url: &str) -> Result<(), BrowserError> {
        self.with(|driver| Ok(wait(driver.goto(url))?))
    }

    /// As F5 does.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn reload(&self) -> Result<(), BrowserError> {
        self.with(|driver| Ok(wait(driver.refresh())?))
    }

    /// Closes it, also when it crashed.
    ///
    /// # Errors
    /// When the browser is gone.
    pub fn close(self) -> Result<(), BrowserError> {
        self.session.close(&self.window)
    }

    /// Runs the body of a function; what it returns.
    ///
    /// # Errors
    /// [`BrowserError`] when it throws.
    pub fn script(&self, body: &str) -> Result<Value, BrowserError> {
        self.script_with(body, vec![])
    }

    /// The same with `arguments`.
    ///
    /// # Errors
    /// As [`Tab::script`].
    pub fn script_with(&self, body: &str, arguments: Vec<Value>) -> Result<Value, BrowserError> {
        self.with(|driver| Ok(wait(driver.execute(body, arguments))?.json().clone()))
    }

    /// Runs the body of an async function; what it returns.
    ///
    /// # Errors
    /// [`BrowserError::Script`] when it throws.
    pub fn script_async(&self, body: &str) -> Result<Value, BrowserError> {
        let wrapped = format!(
            "const done = arguments[arguments.length - 1];
             (async () => {{ {body} }})().then((value) => done({{ value }}), (e) => done({{ error: String(e?.stack ?? e) }}));"
        );
        let result = self.with(|driver| Ok(wait(driver.execute_async(&wrapped, vec![]))?.json().clone()))?;
        match result["error"].as_str() {
            Some(error) => Err(BrowserError::Script(error.to_owned())),
            None => Ok(result["value"].clone()),
        }
    }

    /// Waits until an expression is true.
    ///
    /// # Errors
    /// [`BrowserError::Waited`] with what the page shows instead.
    pub fn wait_for(&self, what: &str, expression: &str) -> Result<(), BrowserError> {
        self.wait_until(what, || Ok((self.script(&format!("return !!({expression})"))? == true).then_some(())))
    }

    /// Waits until a look at the page gives something. What throws meanwhile is looked at again: a page may be on its way.
    ///
    /// # Errors
    /// [`BrowserError::Waited`] with what the page shows instead.
    pub fn wait_until<T>(&self, what: &str, mut look: impl FnMut() -> Result<Option<T>, BrowserError>) -> Result<T, BrowserError> {
        let start = Instant::now();
        loop {
            let last = match look() {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => None,
                Err(error) => Some(error),
            };
            if start.elapsed() > PATIENCE {
                let page = self.describe();
                let what = last.map_or_else(|| what.to_owned(), |error| format!("{what} (the last look: {error})"));
                return Err(BrowserError::Waited { what, page });
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The page's text, address and problems, for people. A picture of it goes below `SUBROSA_BROWSER_PICTURES`, where that is set.
    pub fn describe(&self) -> String {
        let shown = self.script("return `${location.href}\n${(document.body?.innerText ?? '').slice(0, 3000)}`");
        let shown = shown.map_or_else(|error| error.to_string(), |text| text.as_str().unwrap_or_default().to_owned());
        let mut text = format!("{shown}\nproblems: {:?}", self.problems().unwrap_or_default());
        if let Some(dir) = std::env::var_os("SUBROSA_BROWSER_PICTURES").map(PathBuf::from) {
            let name = std::thread::current().name().unwrap_or("main").replace("::", "-");
            let path = dir.join(format!("{name}-{}.png", self.window));
            if std::fs::create_dir_all(&dir).is_ok() && self.picture(&path).is_ok() {
                text.push_str(&format!("\npicture: {}", path.display()));
            }
        }
        text
    }

    /// Whether there is an element with this `data-testid` that can be seen.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn has(&self, id: &str) -> Result<bool, BrowserError> {
        Ok(self.script(&format!("return !!({})", visible(id)))? == true)
    }

    /// Waits for the element with this `data-testid`.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn see(&self, id: &str) -> Result<(), BrowserError> {
        self.wait_for(&format!("`{id}`"), &visible(id))
    }

    /// Clicks, as a person does: what is covered by something else can't be clicked. Waits for it.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn click(&self, id: &str) -> Result<(), BrowserError> {
        self.on(&format!("`{id}` to click"), &format!("return {}", visible(id)), vec![], |element| wait(element.click()))
    }

    /// Clicks what a screen reader calls so: `click_named("button", "Send")`.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn click_named(&self, role: &str, name: &str) -> Result<(), BrowserError> {
        self.on(&format!("the {role} {name:?}"), BY_ROLE, vec![role.into(), name.into()], |element| wait(element.click()))
    }

    /// Types into the field with this `data-testid`, in place of what stands there.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn type_into(&self, id: &str, text: &str) -> Result<(), BrowserError> {
        self.on(&format!("`{id}` to type into"), &format!("return {}", visible(id)), vec![], |element| {
            wait(async {
                element.clear().await?;
                element.send_keys(text).await
            })
        })
    }

    /// Puts text into a field as pasting does, whatever its length and characters: the driver's keyboard is slow, and knows the basic plane only.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn paste_into(&self, id: &str, text: &str) -> Result<(), BrowserError> {
        self.see(id)?;
        let body = format!(
            "const e = {}; e.focus(); const own = Object.getPrototypeOf(e);
             Object.getOwnPropertyDescriptor(own, 'value').set.call(e, arguments[0]); e.dispatchEvent(new InputEvent('input', {{ bubbles: true }}));",
            visible(id)
        );
        self.script_with(&body, vec![text.into()]).map(drop)
    }

    /// Types to whatever has the focus: [`thirtyfour::Key`]s too.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn keys(&self, keys: impl Into<String>) -> Result<(), BrowserError> {
        let keys: String = keys.into();
        self.with(|driver| Ok(wait(driver.action_chain().send_keys(keys).perform())?))
    }

    /// The text of the element with this `data-testid`. Waits for it.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn text(&self, id: &str) -> Result<String, BrowserError> {
        self.see(id)?;
        let text = self.script(&format!("return ({}).innerText", visible(id)))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// An attribute of the element with this `data-testid`. Waits for the element.
    ///
    /// # Errors
    /// [`BrowserError::Waited`]
    pub fn attribute(&self, id: &str, name: &str) -> Result<Option<String>, BrowserError> {
        self.see(id)?;
        let value = self.script_with(&format!("return ({}).getAttribute(arguments[0])", visible(id)), vec![name.into()])?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// Finds by script, acts, and finds again where the page was drawn anew or lay under something.
    fn on(&self, what: &str, find: &str, arguments: Vec<Value>, mut act: impl FnMut(WebElement) -> WebDriverResult<()>) -> Result<(), BrowserError> {
        self.wait_until(what, || {
            self.with(|driver| {
                let found = wait(driver.execute(find, arguments.clone()))?;
                if found.json().is_null() {
                    return Ok(None);
                }
                act(found.element()?)?;
                Ok(Some(()))
            })
        })
    }

    /// What went wrong in the page since the last call: violations of its policy, uncaught errors, errors on its console.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn problems(&self) -> Result<Vec<String>, BrowserError> {
        let own = self.script("return (window.__violations ?? []).splice(0)")?;
        let own = own.as_array().into_iter().flatten().map(|text| text.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>();
        let console = self.with(|driver| Ok(wait(driver.browser_log())?))?;
        // What the network refuses is no fault of the page: gateways are stopped in tests. A socket that breaks while it is
        // being opened is told as the script's line that opened it.
        let severe = console.into_iter().filter(|entry| {
            let of_socket = entry.message.contains("WebSocket connection to '") && entry.message.contains("' failed: ");
            entry.level == "SEVERE" && entry.source.as_deref() != Some("network") && !of_socket
        });
        Ok(own.into_iter().chain(severe.map(|entry| entry.message)).collect())
    }

    /// What axe-core finds wrong with the page as it is shown now: rule, weight, and the first element.
    ///
    /// # Errors
    /// When axe-core is not there: `SUBROSA_AXE` names its `axe.min.js`.
    pub fn axe(&self) -> Result<Vec<String>, BrowserError> {
        let path = axe().ok_or_else(|| BrowserError::Script("axe-core is not there; `cargo xtask test` installs it".into()))?;
        let source = std::fs::read_to_string(&path).map_err(|error| BrowserError::Script(error.to_string()))?;
        self.script(&format!("{source}; return 0"))?;
        let found = self.script_async(
            "const r = await axe.run(document, { resultTypes: ['violations'] });
             return r.violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.length} × ${v.nodes[0].html}`)",
        )?;
        Ok(found.as_array().into_iter().flatten().map(|text| text.as_str().unwrap_or_default().to_owned()).collect())
    }

    /// A picture of what is seen, as PNG.
    ///
    /// # Errors
    /// When it can't be taken or written.
    pub fn picture(&self, path: &Path) -> Result<(), BrowserError> {
        self.with(|driver| Ok(wait(driver.screenshot(path))?))
    }

    /// A command of the DevTools protocol.
    ///
    /// # Errors
    /// When Chromium refuses it.
    pub fn cdp(&self, method: &str, parameters: Value) -> Result<Value, BrowserError> {
        self.with(|driver| Session::cdp(driver, method, parameters))
    }

    /// From now on the page's origin may store so much, in bytes. `None`: as much as the disk allows.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn quota(&self, bytes: Option<u64>) -> Result<(), BrowserError> {
        let mut parameters = json!({"origin": self.origin()?});
        if let Some(bytes) = bytes {
            parameters["quotaSize"] = bytes.into();
        }
        self.cdp("Storage.overrideQuotaForOrigin", parameters).map(drop)
    }

    /// Takes away all that the page's origin stored, as a browser does that is short of space.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn evict(&self) -> Result<(), BrowserError> {
        self.cdp("Storage.clearDataForOrigin", json!({"origin": self.origin()?, "storageTypes": "all"})).map(drop)
    }

    /// Freezes the tab as a browser does with one that is long in the background, or wakes it.
    ///
    /// # Errors
    /// When the tab is gone.
    pub fn freeze(&self, frozen: bool) -> Result<(), BrowserError> {
        self.cdp("Page.setWebLifecycleState", json!({"state": if frozen { "frozen" } else { "active" }})).map(drop)
    }

    fn origin(&self) -> Result<String, BrowserError> {
        // Chromium takes it with the slash only
        Ok(format!("{}/", self.script("return location.origin")?.as_str().unwrap_or_default()))
    }
}

/// Where axe-core is: `SUBROSA_AXE`, or where `cargo xtask` puts it.
fn axe() -> Option<PathBuf> {
    let installed = || Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(|root| root.join("target/npm/node_modules/axe-core/axe.min.js"));
    std::env::var_os("SUBROSA_AXE").map(PathBuf::from).or_else(installed).filter(|path| path.is_file())
}

/// An expression for the element that a person sees: some are there twice, for narrow and for wide screens.
fn visible(id: &str) -> String {
    format!("[...document.querySelectorAll('[data-testid=' + CSS.escape({}) + ']')].find((e) => e.checkVisibility())", json!(id))
}
