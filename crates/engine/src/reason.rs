//! Why not, in words that a person can act on. Codes never change once released: RPC, C and JavaScript carry them.
use crate::{Address, Device, Status};

/// Why not: one word for the peer, one for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What goes on the wire.
    pub status: Status,
    /// What the person is told.
    pub reason: Reason,
    /// The device that the refused message names as its sender, where the engine could tell.
    pub device: Option<Device>,
    /// Whom it is about: the members of a room who can't be encrypted to.
    pub people: Vec<Address>,
}
impl Refusal {
    /// With the device that the refused message names.
    pub fn by(self, device: Device) -> Self {
        Refusal { device: Some(device), ..self }
    }
    /// With those whom it is about.
    pub fn about(self, people: Vec<Address>) -> Self {
        Refusal { people, ..self }
    }
}
impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Reason::Engine.with(status)
    }
}
impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        reason.with(reason.status())
    }
}
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.reason.fmt(f)
    }
}

macro_rules! coded {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal, $sentence:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant,)* }
        impl $name {
            /// All there are, in no order that means anything.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            /// The stable name: never changes once released.
            pub const fn code(self) -> &'static str {
                match self { $($name::$variant => $code,)* }
            }
            /// The one with this code.
            pub fn from_code(code: &str) -> Option<Self> {
                $name::ALL.iter().copied().find(|r| r.code() == code)
            }
            /// What happened, and who can do what about it.
            pub const fn sentence(self) -> &'static str {
                match self { $($name::$variant => $sentence,)* }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.sentence())
            }
        }
    };
}

coded! {
    /// Why a message was not sent or not received; every engine's refusals fall into these.
    Reason {
        /// The engine did not say, or failed.
        Engine = "engine", "The encryption engine failed; nothing was sent or shown. The log says more. What came is kept, and tried again by another version or engine.";
        /// It is in clear, and this chat does not allow that.
        NotEncrypted = "not-encrypted", "The message is not encrypted, and this chat allows only encrypted ones. Allow clear text for this chat, or ask the sender to encrypt.";
        /// Written before this device was known to the sender.
        NotForThisDevice = "not-for-this-device", "The sender did not encrypt to this device. Write to them once, so that they learn of it, and ask them to send it again.";
        /// No session, and the message does not start one.
        NoSession = "no-session", "There is no session with the sending device. Write to its owner once, so that a new one is set up, and ask them to send it again.";
        /// It does not decrypt: changed on the way, or the session is out of step.
        Damaged = "damaged", "The message could not be decrypted: it was changed on the way or the session is out of step. Ask the sender to send it again; if that fails, replace the session.";
        /// Its key is not the one that both sides were to have.
        OtherKey = "other-key", "The message is encrypted with another key than the one that is set here. Set the same key on both sides and ask the sender to send it again.";
        /// It was decrypted before.
        Duplicate = "duplicate", "The message was received before; nobody has to do anything.";
        /// The sending key was rejected by a person.
        Untrusted = "untrusted", "The message comes from a device that you do not trust. Compare its fingerprint with its owner, and trust it if it is theirs: then the message is read.";
        /// Nobody is left who could read it: see the report.
        NoDevice = "no-device", "No device is left that could read the message; the report says for each why. Trust at least one, or wait until the contact has one.";
        /// A known device shows another identity key.
        KeyChanged = "key-changed", "The device shows another identity key than before. Compare the new fingerprint with its owner, and trust it only if it is theirs: then the message is read.";
        /// Its counter is further ahead than a session may skip.
        TooFarAhead = "too-far-ahead", "Too many messages before this one are missing, so that its key can't be computed safely. Replace the session and ask the sender to send it again.";
        /// It starts a session with a prekey that is not ours, or was used before.
        UnknownPreKey = "unknown-prekey", "The message starts a session with a prekey that this device no longer has. Write to the sender once, and ask them to send it again.";
        /// Keys did not arrive in time.
        Expired = "expired", "The keys needed did not arrive in time. Check the connection and send it again; what came is tried again with the next connection.";
        /// The server said no to what was needed.
        ServerRefused = "server-refused", "The server refused what is needed to encrypt; nothing was sent. Try again later, or ask its operator.";
        /// The server did not say which devices there are.
        DeviceListUnavailable = "device-list-unavailable", "The server does not show the devices of the contact; nothing was sent. Try again later.";
        /// The contact's server says that they publish no devices: there is nobody to encrypt to.
        NoEncryption = "no-encryption", "The contact has no device that can decrypt; nothing was sent. Ask them to switch encryption on, or allow clear text for this chat.";
        /// What is inside names another sender, recipient or time than the stanza around it.
        EnvelopeMismatch = "envelope-mismatch", "The encrypted part names another sender, recipient or time than the message around it. Somebody may have moved it; ask the sender whether they wrote it.";
        /// Not what the protocol says it must be.
        Malformed = "malformed", "The encrypted message is not well-formed. The sender's program may be broken; ask them to update it.";
        /// Encrypted in a way that no installed engine speaks.
        Unsupported = "unsupported", "The message is encrypted in a way that this program does not know. Ask the sender to use another; it is tried again when this program can more.";
        /// What the engine made of it is of a type that the application can't show.
        ContentType = "content-type", "The message is of a type that this program can't show. Ask the sender to send it as text or as a file.";
        /// In a room: some of its members have no device that can read it.
        MembersWithoutKeys = "members-without-keys", "Some members of the room have no device that can decrypt; nothing was sent. Choose for this room to leave them out, or ask them to switch encryption on.";
        /// In a room: nobody says who sent it, and no member has its key.
        UnknownMember = "unknown-member", "Nobody in the room is known to have the key of this message, so that nobody can say who wrote it. It is tried again when more is known about the members.";
        /// The chat is not a room in which messages can be encrypted.
        NotInRoom = "not-in-room", "This is not a room that you have joined and that shows its members; nothing was sent. Join it, or ask its owner to make it members-only and non-anonymous.";
        /// The contact will not use encryption any more.
        OptedOut = "opted-out", "The contact asks not to be sent encrypted messages any more; nothing was sent. Decide for this chat: go on encrypted, or allow clear text.";
        /// Longer than is accepted.
        TooLarge = "too-large", "The message is larger than is accepted. Ask the sender to send it in parts or as a file.";
    }
}
impl Reason {
    /// With a status of one's own choice.
    pub fn with(self, status: Status) -> Refusal {
        Refusal { status, reason: self, device: None, people: Vec::new() }
    }
    /// The status that the house gives it.
    pub fn status(self) -> Status {
        match self {
            Reason::Engine => Status::INTERNAL,
            Reason::Expired => Status::TIMEOUT,
            Reason::Untrusted | Reason::KeyChanged => Status::FORBIDDEN,
            Reason::Malformed | Reason::EnvelopeMismatch => Status::BAD_REQUEST,
            Reason::ContentType => Status::UNSUPPORTED_MEDIA,
            Reason::TooLarge => Status::TOO_LARGE,
            Reason::ServerRefused | Reason::DeviceListUnavailable | Reason::NoEncryption => Status::UNAVAILABLE,
            _ => Status::NOT_ACCEPTABLE,
        }
    }
}

coded! {
    /// Why a device was left out. Reasons that a person can act on.
    Exclusion {
        /// A person said no.
        Untrusted = "untrusted", "You do not trust this device. Trust it if its fingerprint is its owner's.";
        /// Nobody decided yet: its owner has verified devices and this one is not, or keys are decided by hand.
        Undecided = "undecided", "Nobody decided about this device yet. Compare its fingerprint with its owner, then trust it or not.";
        /// A new device of one's own account, not yet approved here.
        AwaitsApproval = "awaits-approval", "This new device of your own account awaits your approval here. Approve it if it is yours; change your password if it is not.";
        /// It shows another key than it had.
        IdentityKeyChanged = "identity-key-changed", "The device shows another identity key than before. Compare the new fingerprint with its owner, and trust it only if it is theirs.";
        /// It published no keys.
        NoBundle = "no-bundle", "The device published no keys. Its owner should start their program once, or remove the device.";
        /// What it published is broken, or its signature is.
        BadBundle = "bad-bundle", "The keys that the device published are broken or wrongly signed. Its owner should update their program or remove the device.";
        /// The server did not hand its keys out.
        BundleUnavailable = "bundle-unavailable", "The server did not hand out the keys of the device. Try again later.";
        /// It is no longer on its owner's list.
        NotListed = "not-listed", "The device is no longer on its owner's list.";
        /// The session with it can't encrypt any more.
        BrokenSession = "broken-session", "The session with the device is broken. Replace it.";
        /// Of a member of a room who has more devices than fit into a message beside those of the others.
        TooManyDevices = "too-many-devices", "Its owner has more devices than a message to this room has room for. They should remove those that they do not use.";
    }
}

coded! {
    /// What some recipients do not get of a message, because their version of the protocol, or their programs, have no form for it.
    Omission {
        /// A reaction.
        Reaction = "reaction", "Older programs of some recipients do not get the reaction: it would travel in clear.";
        /// That a message is taken back.
        Retraction = "retraction", "Older programs of some recipients go on showing the message.";
        /// Delivered, read.
        Receipt = "receipt", "Older programs of some recipients are not told that the message arrived or was read: it would travel in clear.";
        /// Somebody is writing.
        Typing = "typing", "Older programs of some recipients are not told that you are writing: it would travel in clear.";
        /// Something else inside the envelope.
        Other = "other", "Older programs of some recipients do not get this: they have no form for it.";
    }
}

coded! {
    /// What a person should know, though no message is concerned.
    Warning {
        /// This device's memory is older than what it has done.
        RolledBack = "rolled-back", "The memory of this device is older than what it has already sent: it was put back from a copy. All sessions are set up anew; messages that came in between can't be read here. Ask for them again.";
        /// The contact asks not to be sent encrypted messages.
        OptOut = "opt-out", "The contact asks not to be sent encrypted messages any more. Nothing is sent until you decide for this chat: go on encrypted, or allow clear text.";
        /// Somebody took this device off the account's list; it is back.
        Delisted = "delisted", "Another of your devices took this one off the list of your devices; it is back on it. If that goes on, update the program there.";
        /// A device tried to decide about keys that are none of its business.
        TrustMessage = "trust-message", "A device tried to change whom you trust, and may not. Nothing was changed. If it is a device of a contact, ask them whether they know of it.";
        /// What was published for this device was damaged; it is published again.
        BundleRepaired = "bundle-repaired", "The keys that your server handed out for this device were not its own; they are published again. If that goes on, ask its operator.";
        /// A device that was written to in the newer version of the protocol is written to in the older one.
        Downgraded = "downgraded", "A device that used the newer version of OMEMO is written to in the older one, because its owner's server no longer shows its newer keys. Words stay encrypted; what stands beside them, replies and the like, goes in clear. Ask its owner whether they changed their program; if not, their server took the keys away.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_distinct_kebab_case_and_found_again() {
        let codes: Vec<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), Reason::ALL.len());
        assert!(codes.iter().all(|c| c.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
        assert!(Reason::ALL.iter().all(|r| Reason::from_code(r.code()) == Some(*r) && r.sentence().ends_with('.')));
        assert!(Exclusion::ALL.iter().all(|r| Exclusion::from_code(r.code()) == Some(*r) && r.sentence().ends_with('.')));
        assert!(Omission::ALL.iter().all(|r| Omission::from_code(r.code()) == Some(*r) && r.sentence().ends_with('.')));
        assert!(Warning::ALL.iter().all(|r| Warning::from_code(r.code()) == Some(*r) && r.sentence().ends_with('.')));
        assert_eq!(Reason::from_code("no such thing"), None);
    }
}
