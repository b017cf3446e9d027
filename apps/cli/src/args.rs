//! The command line. No password is ever taken from it: other users of the machine can read it.
mod sip;

pub use sip::{Line, Sip, SipCommand, Way};

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// End-to-end encrypted messages (OMEMO) in a terminal and for scripts.
#[derive(Debug, Parser)]
#[command(name = "subrosa", version, max_term_width = 100)]
pub struct Args {
    /// Where accounts and keys are kept [default: $XDG_DATA_HOME/subrosa]
    #[arg(long, global = true, value_name = "DIR", env = "SUBROSA_DATA")]
    pub data: Option<PathBuf>,
    /// Which account, when several are logged in
    #[arg(long, global = true, value_name = "JID")]
    pub account: Option<String>,
    /// Log to standard error: -v info, -vv debug, -vvv trace (or SUBROSA_LOG=LEVEL)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Log in, make this device and publish it; again: with another password
    Login(Login),
    /// Send one message and say, device by device, who can read it
    Send {
        /// To whom
        to: String,
        /// The message; `-` reads it from standard input
        text: String,
        /// An id of your own: the same id is never sent twice
        #[arg(long)]
        id: Option<String>,
        /// Seconds to wait for the server's acknowledgement
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
        #[command(flatten)]
        engine: Engine,
    },
    /// Show messages as they come, until interrupted
    Listen(Engine),
    /// Talk to one person, line by line, until end of input
    Chat {
        /// With whom
        with: String,
        #[command(flatten)]
        engine: Engine,
    },
    /// List the devices of a person (default: your own), their keys and what they are worth
    Devices {
        /// Whose
        of: Option<String>,
    },
    /// Decide about one device's key
    Trust {
        /// Whose device
        jid: String,
        /// Its number
        device: u32,
        /// What its key is worth
        level: Level,
        /// The key you mean, as `devices` shows it; needed when a device has changed its key
        #[arg(long, value_name = "HEX")]
        fingerprint: Option<String>,
    },
    /// Show this device's key, as text and as a QR code to scan
    Fingerprint,
    /// Show accounts, this device, the connection and what waits to be sent
    Status,
    /// Withdraw this device from the server and erase its keys and the whole history here; `backup` keeps the history
    Logout {
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Erase although the server can't be told
        #[arg(long)]
        offline: bool,
    },
    /// Go on with the identity that another program has: log in with its device and keys
    Import {
        /// How to log in
        #[command(flatten)]
        login: Login,
        /// Which program's
        #[arg(long, value_name = "PROGRAM")]
        from: ImportFrom,
        /// Its file: identity.txt of Profanity, or what python-omemo's storage has as one JSON object
        file: PathBuf,
    },
    /// Rooms of several people: make one, go in, bring people in, see who can read
    #[command(subcommand)]
    Room(RoomCommand),
    /// Show what was said with somebody or in a room, or search all of it
    History {
        /// The person's address, or the room's
        chat: Option<String>,
        /// Find messages with these words, or words that begin so
        #[arg(long, value_name = "WORDS")]
        search: Option<String>,
        /// How many at most: 1 to 500
        #[arg(long, value_name = "NUMBER")]
        limit: Option<u32>,
    },
    /// Answer a message
    Reply {
        /// The person's address, or the room's
        chat: String,
        /// Which message: its number as `history` shows it, without the # or quoted ("#…"), or its id
        of: String,
        /// The answer; `-` reads it from standard input
        text: String,
    },
    /// Set your reactions to a message; without emojis take them back
    React {
        /// The person's address, or the room's
        chat: String,
        /// Which message: its number as `history` shows it, without the # or quoted ("#…"), or its id
        of: String,
        /// All of them
        emojis: Vec<String>,
    },
    /// Give a message of yours new words
    Edit {
        /// The person's address, or the room's
        chat: String,
        /// Which message: its number as `history` shows it, without the # or quoted ("#…"), or its id
        of: String,
        /// What it says from here on; `-` reads it from standard input
        text: String,
    },
    /// Take a message of yours back; older programs may go on showing it
    Retract {
        /// The person's address, or the room's
        chat: String,
        /// Which message: its number as `history` shows it, without the # or quoted ("#…"), or its id
        of: String,
    },
    /// Say that you have compared a device's key: by the link that its QR code holds, or by hand
    Verify {
        /// The link (xmpp:…), or the person's address
        what: String,
        /// By hand: the device's number
        #[arg(requires = "fingerprint")]
        device: Option<u32>,
        /// By hand: the key that they read to you
        #[arg(requires = "device")]
        fingerprint: Option<String>,
    },
    /// Let a new device of your own read what is sent from here on
    Approve {
        /// Its number, as `devices` shows it
        device: u32,
        /// The key that `subrosa fingerprint` shows on it: with that it is verified, and your other devices and contacts learn so
        fingerprint: Option<String>,
        /// Send it what was said before too; on the new device: take what the old one offers
        #[arg(long)]
        history: bool,
    },
    /// Sessions and devices that are in trouble, or gone
    #[command(subcommand)]
    Sessions(SessionsCommand),
    /// Tell somebody that you will not read encrypted messages any more
    OptOut {
        /// Whom
        chat: String,
        /// Why; they are shown it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Go on encrypted with somebody who asked not to
    GoOn {
        /// With whom
        chat: String,
    },
    /// Let messages to somebody go UNENCRYPTED where they can't be encrypted: servers can read and change those
    AllowClear {
        /// With whom
        chat: String,
        /// Take it back: what can't be encrypted is not sent
        #[arg(long)]
        off: bool,
        /// Do not ask
        #[arg(long, conflicts_with = "off")]
        yes: bool,
    },
    /// Let the server keep somebody away; without an address: show who is kept away
    Block {
        /// Whom
        jid: Option<String>,
    },
    /// Let somebody write again
    Unblock {
        /// Whom
        jid: String,
    },
    /// Write the history into one sealed file
    Backup {
        /// Where
        file: PathBuf,
        /// Take the place of a file that is there already
        #[arg(long)]
        replace: bool,
        /// Read the passphrase from the first line of this file (else SUBROSA_PASSPHRASE, else a prompt)
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Take the history out of such a file: what is not here yet
    Restore {
        /// Which
        file: PathBuf,
        /// Read the passphrase from the first line of this file (else SUBROSA_PASSPHRASE, else a prompt)
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// A messenger on the whole terminal: F1 shows its keys
    Tui,
    /// Speak JSON-RPC 2.0 on standard input and output, one object a line (docs/rpc.md)
    Rpc(Engine),
    /// The same over SIP, through an engine: with Linphone, for example
    Sip(Box<Sip>),
}

/// `subrosa room`
#[derive(Debug, Subcommand)]
pub enum RoomCommand {
    /// List the rooms that you are in, and invitations
    List,
    /// Make a private room in which everything is encrypted
    Create {
        /// What it is called
        #[arg(long)]
        name: Option<String>,
        /// Its address [default: one at your server's own service]
        #[arg(long, value_name = "ADDRESS")]
        room: Option<String>,
        /// What you are called in it [default: the part of your address before the @]
        #[arg(long)]
        nick: Option<String>,
    },
    /// Go into a room, now and whenever you connect; this accepts an invitation
    Join {
        /// Its address
        room: String,
        /// What you are called in it [default: the part of your address before the @]
        #[arg(long)]
        nick: Option<String>,
    },
    /// Leave a room for good, or decline an invitation
    Leave {
        /// Its address
        room: String,
        /// End the room for everybody; only its owners can
        #[arg(long)]
        destroy: bool,
        /// Be no member any more, so that nothing is encrypted for you there; also for a room that you left
        #[arg(long, conflicts_with = "destroy")]
        resign: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Make somebody a member and tell them
    Invite {
        /// The room's address
        room: String,
        /// Whom
        jid: String,
        /// What they are told; it is not encrypted
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Put somebody out: what is sent from then on they can't read
    Remove {
        /// The room's address
        room: String,
        /// Whom
        jid: String,
    },
    /// List who is in it, those who are away too
    Members {
        /// The room's address
        room: String,
    },
    /// Show the room's picture, or set it (owners can)
    Avatar {
        /// The room's address
        room: String,
        /// A picture to set: PNG, JPEG, GIF or WebP, at most 128 KiB
        file: Option<PathBuf>,
        /// Write the room's picture to this file, which is not there yet
        #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "remove"])]
        save: Option<PathBuf>,
        /// Take the picture away
        #[arg(long, conflicts_with = "file")]
        remove: bool,
    },
    /// Choose what members without keys do to a message: stop it (off, at first), or be left out (on)
    LeaveOut {
        /// The room's address
        room: String,
        /// Left out, or not
        choice: OnOff,
    },
}
/// Yes or no, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// Yes
    On,
    /// No
    Off,
}
/// `subrosa sessions`
#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// Set a session up anew, when a device's messages can't be read any more
    Replace {
        /// Whose device
        jid: String,
        /// Its number
        device: u32,
    },
    /// Take a device of your own off your list: one that is lost, or not used any more
    Remove {
        /// Its number
        device: u32,
    },
    /// List devices of your own that were not heard of for two months
    Stale,
}
/// `--from` of `import`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportFrom {
    /// identity.txt below $XDG_DATA_HOME/profanity/omemo/ACCOUNT/
    Profanity,
    /// What its storage has, as one JSON object
    PythonOmemo,
}
impl ImportFrom {
    /// Whose store it is.
    pub fn source(self) -> crate::import::Source {
        match self {
            ImportFrom::Profanity => crate::import::Source::Profanity,
            ImportFrom::PythonOmemo => crate::import::Source::PythonOmemo,
        }
    }
}

/// What encrypts.
#[derive(Debug, Clone, clap::Args)]
pub struct Engine {
    /// What all chats of this process go through: omemo [the default], xor, xor-hex, base64, base64-async (these four protect from
    /// nobody), preshared:@FILE or preshared-base64:@FILE (AES-256-GCM with the 64 hexadecimal digits in FILE)
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<String>,
}

/// `subrosa login`
#[derive(Debug, clap::Args)]
pub struct Login {
    /// The account, e.g. alice@example.org
    pub jid: String,
    /// Server to connect to, instead of the one the domain names [default: as at the login before]
    #[arg(long, value_name = "HOST:PORT")]
    pub host: Option<String>,
    /// Trust the certificates in this PEM file, and no others [default: as at the login before]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Connect without TLS; loopback addresses only, for tests
    #[arg(long)]
    pub plain_loopback: bool,
    /// Read the password from the first line of this file (else SUBROSA_PASSWORD, else a prompt)
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// What a key is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Compared in person
    Verified,
    /// May read messages
    Trusted,
    /// Gets nothing
    Untrusted,
    /// Not decided; gets nothing
    Undecided,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn no_argument_takes_a_password() {
        for command in ["login", "sip"] {
            let args = Args::command();
            let command = args.find_subcommand(command).expect("there");
            let named: Vec<_> = command.get_arguments().map(|a| a.get_id().as_str().to_owned()).filter(|n| n.contains("password")).collect();
            assert_eq!(named, ["password_file"]);
        }
    }

    #[test]
    fn the_account_may_stand_before_or_behind_what_to_do() {
        for args in [&["sip", "--from", "sip:a@x", "listen"][..], &["sip", "listen", "--from", "sip:a@x"]] {
            let args = Args::try_parse_from([&["subrosa"], args].concat()).expect("parses");
            assert!(matches!(args.command, Command::Sip(sip) if sip.line.from.as_deref() == Some("sip:a@x")));
        }
    }

    #[test]
    fn an_engine_is_named_where_messages_pass() {
        for command in [&["send", "bob@x", "hi"][..], &["listen"], &["chat", "bob@x"], &["rpc"]] {
            let args = [&["subrosa"], command, &["--engine", "xor"]].concat();
            assert!(Args::try_parse_from(args).is_ok(), "{command:?}");
        }
        assert!(Args::try_parse_from(["subrosa", "devices", "--engine", "xor"]).is_err());
    }

    #[test]
    fn a_message_may_begin_with_a_dash_after_two() {
        let args = Args::try_parse_from(["subrosa", "send", "bob@x", "--", "-1"]).expect("parses");
        assert!(matches!(args.command, Command::Send { text, .. } if text == "-1"));
    }

    /// Every command in the blocks of docs/cli.md; `…` stands for what a reader fills in.
    #[test]
    fn the_documents_commands_are_true() {
        let text = include_str!("../../../docs/cli.md").replace("\\\n", " ");
        let mut commands = 0;
        for line in text.split("```").skip(1).step_by(2).flat_map(str::lines).filter(|line| line.starts_with("subrosa ")) {
            let words = line.split(" #").next().unwrap_or_default();
            // quotes are around what has spaces or semicolons
            let quoted = words.split('"').enumerate().flat_map(|(n, part)| if n % 2 == 1 { vec![part] } else { part.split_whitespace().collect() });
            let given: Vec<_> = quoted.filter(|word| *word != "…").collect();
            Args::try_parse_from(&given).unwrap_or_else(|e| panic!("{line}: {e}"));
            commands += 1;
        }
        assert!(commands >= 15, "{commands}");
    }
}
