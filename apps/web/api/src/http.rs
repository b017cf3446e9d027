//! What goes by HTTP: entering and leaving. Bodies are [`crate::encode`]d, `Content-Type: application/octet-stream`, which with
//! the check of `Origin` and the cookie's `SameSite=Strict` no other site can send. Paths are below the gateway's base path.
use crate::{Jid, Millis};
use serde::{Deserialize, Serialize};

/// `POST`: [`Login`] → [`LoggedIn`] and a cookie, or [`crate::Failure`] with 400, 401, 403, 429, 502 or 503.
pub const LOGIN: &str = "api/v1/login";
/// `POST`, empty: this browser leaves; its cookie is void from now on. 204.
pub const LOGOUT: &str = "api/v1/logout";
/// `GET`: [`LoggedIn`] of the cookie, or 401.
pub const WHOAMI: &str = "api/v1/whoami";
/// `GET`: the WebSocket of [`crate::socket`], with the cookie. `?v=` [`crate::VERSION`]. 403 from a foreign origin. Without a valid cookie, or
/// for another version, it opens and is closed with [`CLOSE_REVOKED`] or [`CLOSE_VERSION`], because a browser does not tell the status
/// of a socket that was refused.
pub const SOCKET: &str = "api/v1/socket";
/// `GET` beside the page: [`Site`] in JSON. The only thing that the page has to know before it starts.
pub const SITE: &str = "site.json";

/// Closes a socket: the cookie is void (revoked, or logged out elsewhere).
pub const CLOSE_REVOKED: u16 = 4001;
/// Closes a socket: another version; reload the page.
pub const CLOSE_VERSION: u16 = 4002;
/// Closes a socket: it sent what is no frame, or too much.
pub const CLOSE_ABUSE: u16 = 4003;
/// Closes a socket: the gateway ends in good order; come back.
pub const CLOSE_RESTART: u16 = 4004;
/// Closes a socket: the same browser opened another one.
pub const CLOSE_REPLACED: u16 = 4005;

/// Enter an account.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    /// [`crate::VERSION`].
    pub version: u32,
    /// A bare address.
    pub jid: String,
    /// Of the XMPP account. Never stored in clear.
    pub password: String,
    /// What the browser calls itself in the list of browsers: `"Firefox on Linux"`.
    pub label: String,
}
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("jid", &self.jid).finish_non_exhaustive()
    }
}
/// It worked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedIn {
    /// The account, normalised.
    pub jid: Jid,
    /// This browser from now on.
    pub browser: BrowserId,
}

/// One browser of an account, as the gateway numbers them. Not secret, not an OMEMO device id.
pub type BrowserId = u64;

/// A browser in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Browser {
    /// Which.
    pub id: BrowserId,
    /// What it called itself.
    pub label: String,
    /// It is the one that asks.
    pub this: bool,
    /// It has a socket open.
    pub connected: bool,
    /// When it logged in.
    pub since: Millis,
    /// When it was last there.
    pub seen: Millis,
}

/// Where the page finds its gateway; [`SITE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The gateway's base URL, ending in `/`; relative to the page's own where the gateway serves the page: `"./"`.
    pub api: String,
    /// [`crate::VERSION`] of the gateway.
    pub version: u32,
}
