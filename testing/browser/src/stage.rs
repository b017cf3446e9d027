//! Where the tests of the messenger play: Prosody with alice and bob, a gateway, and a line to it that is listened to.

use subrosa_interop::{Friends, Gateway, GatewayOptions, Prosody, Subrosa, Wire};

use crate::browser::Options;
use crate::messenger::Messenger;

/// Every text of the tests says it: it must stand in nothing that is not a browser's.
pub const MARK: &str = "under the rose";

const ACCOUNTS: [(&str, &str); 3] = [("alice", "pw-alice"), ("bob", "pw-bob"), ("carol", "pw-carol")];

/// Servers for one test.
#[derive(Debug)]
pub struct Stage {
    /// Between browsers and the gateway.
    pub wire: Wire,
    /// The gateway.
    pub gateway: Gateway,
    /// The XMPP server.
    pub server: Prosody,
}

impl Stage {
    /// Everything is set; `None`, and a word about it, where something is missing here.
    ///
    /// # Panics
    /// When something is there and does not start.
    pub fn set() -> Option<Self> {
        Self::set_with(GatewayOptions::default())
    }

    /// The same with a gateway of this kind.
    ///
    /// # Panics
    /// As [`Stage::set`].
    pub fn set_with(options: GatewayOptions) -> Option<Self> {
        Self::set_among(Friends::All, options)
    }

    /// The same, with these contact lists.
    ///
    /// # Panics
    /// As [`Stage::set`].
    pub fn set_among(friends: Friends, options: GatewayOptions) -> Option<Self> {
        crate::goes_on().then(|| {
            let server = Prosody::start(&ACCOUNTS, friends).unwrap_or_else(|error| panic!("{error}"));
            let gateway = Gateway::start_with(&server, options).unwrap_or_else(|error| panic!("{error}"));
            let wire = Wire::before(&gateway).expect("a port");
            Stage { wire, gateway, server }
        })
    }

    /// A browser of somebody, signed in.
    ///
    /// # Panics
    /// When they can't sign in.
    pub fn browser_of(&self, user: &str) -> Messenger {
        self.browser_with(user, &Options::default())
    }

    /// The same with a browser of this kind.
    ///
    /// # Panics
    /// When they can't sign in.
    pub fn browser_with(&self, user: &str, options: &Options) -> Messenger {
        Messenger::sign_in(&self.wire.url, &self.server.address(user), &format!("pw-{user}"), options)
            .unwrap_or_else(|error| panic!("{user}: {error}\nthe gateway's log:\n{}", self.gateway.log()))
    }

    /// Somebody in the terminal.
    ///
    /// # Panics
    /// When it does not start.
    pub fn terminal_of(&self, user: &str, data: &tempfile::TempDir) -> Subrosa {
        Subrosa::start(&self.server, user, &format!("pw-{user}"), data.path()).unwrap_or_else(|error| panic!("{error}"))
    }

    /// What must be true after every good conversation.
    ///
    /// # Panics
    /// When it is not.
    pub fn nobody_knows(&self) {
        assert!(!self.server.has_seen(MARK), "the XMPP server has seen a text in clear");
        assert!(!self.gateway.has_kept(MARK), "the gateway has kept a text in clear");
        assert!(!self.gateway.has_in_memory(MARK).expect("it runs"), "the gateway has a text in its memory");
        assert!(!self.wire.has_carried(MARK), "a text went to or from the gateway in clear");
        for (user, password) in ACCOUNTS {
            assert!(!self.gateway.has_kept(password), "the gateway has kept the password of {user}");
        }
    }
}
