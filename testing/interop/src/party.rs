//! Who takes part in a conversation, ours or not, and what is asked of a pair of them.
//!
//! Every scenario is written once, over [`Party`]; the tests run all of them for each peer.

use crate::lines::PeerError;

/// A message as its receiver read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The bare address of the sender.
    pub from: String,
    /// The sender's device, where the peer can say it.
    pub device: Option<u32>,
    /// `omemo:2` or `omemo:1` (legacy), where the peer can say it.
    pub protocol: Option<String>,
}

/// One who can write and read encrypted messages.
pub trait Party {
    /// The bare address.
    fn address(&self) -> &str;

    /// Encrypts and sends; returns when the message is on its way.
    ///
    /// # Errors
    /// [`PeerError`] when it could not, with the party's own reason.
    fn send(&mut self, to: &str, text: &str) -> Result<(), PeerError>;

    /// Waits until exactly this text was received and decrypted.
    ///
    /// # Errors
    /// [`PeerError::Silent`] with all the party said instead.
    fn read(&mut self, text: &str) -> Result<Read, PeerError>;

    /// Lets what arrives wait unread. False: this party can't.
    ///
    /// # Errors
    /// [`PeerError`] when the party is gone.
    fn hold(&mut self) -> Result<bool, PeerError> {
        Ok(false)
    }

    /// Reads what waited.
    ///
    /// # Errors
    /// [`PeerError`] when the party is gone.
    fn release(&mut self) -> Result<(), PeerError> {
        Ok(())
    }

    /// What it could not read, or read in clear, until now: must be empty after a good conversation.
    fn complaints(&mut self) -> Vec<String>;
}

/// `one` writes first, `other` answers.
///
/// # Errors
/// The first thing that did not arrive.
pub fn first_by(one: &mut dyn Party, other: &mut dyn Party, mark: &str) -> Result<(), PeerError> {
    deliver(one, other, &format!("{mark}: first <&> ü 🌹"))?;
    deliver(other, one, &format!("{mark}: answer"))?;
    Ok(())
}

/// Both write before either has read the other: two sessions are started for the same pair of devices.
///
/// The messages that started them arrive at whoever keeps the session they belong to; what is asked for by the
/// scenario is that afterwards both read each other ([`ten_each_way`]).
///
/// # Errors
/// A send that failed.
pub fn both_at_once(one: &mut dyn Party, other: &mut dyn Party, mark: &str) -> Result<(), PeerError> {
    let held = other.hold()?;
    one.send(other.address(), &format!("{mark}: crossing from one"))?;
    other.send(one.address(), &format!("{mark}: crossing from the other"))?;
    one.read(&format!("{mark}: crossing from the other"))?;
    if held {
        other.release()?;
    }
    other.read(&format!("{mark}: crossing from one"))?;
    Ok(())
}

/// Ten messages each way, mixed: single ones, runs, and crossing ones.
///
/// # Errors
/// The first message that did not arrive.
pub fn ten_each_way(one: &mut dyn Party, other: &mut dyn Party, mark: &str) -> Result<(), PeerError> {
    let (here, there) = (one.address().to_owned(), other.address().to_owned());
    // true: `one` writes. Ten of each.
    let turns = [[true, false, true, true, false, false], [true, true, true, false, false, true], [false, false, true, false, true, false]];
    let turns = turns.into_iter().flatten().chain([true, false]);
    let (mut from_one, mut from_other) = (Vec::new(), Vec::new());
    for (number, ones) in turns.enumerate() {
        let text = format!("{mark}: number {number}");
        if ones {
            one.send(&there, &text)?;
            from_one.push(text);
        } else {
            other.send(&here, &text)?;
            from_other.push(text);
        }
        // Every third time all is read, so that runs and crossings happen in between.
        if number % 3 == 2 {
            read_all(other, &mut from_one)?;
            read_all(one, &mut from_other)?;
        }
    }
    read_all(other, &mut from_one)?;
    read_all(one, &mut from_other)
}

/// Sends one message and waits until it was read.
///
/// # Errors
/// A send that failed or a message that did not arrive.
pub fn deliver(from: &mut dyn Party, to: &mut dyn Party, text: &str) -> Result<Read, PeerError> {
    from.send(to.address(), text)?;
    to.read(text)
}

fn read_all(reader: &mut dyn Party, texts: &mut Vec<String>) -> Result<(), PeerError> {
    texts.drain(..).try_for_each(|text| reader.read(&text).map(drop))
}
