//! What a message says as children of a stanza, and back: [`Content`] and the run of elements of
//! [`subrosa_engine::ContentType::STANZA`]. In clear the run stands in the `<message>`, encrypted inside an envelope (XEP-0420), so that
//! nothing in it is for servers: hints are [`crate::Mapping::transmit`]'s.
//!
//! Owns the forms of XEP-0461, XEP-0428, XEP-0444, XEP-0308, XEP-0424, XEP-0184, XEP-0333, XEP-0085 and the opt-out of XEP-0384 §5.7. Says nothing
//! about who may do what: whether somebody wrote the message that they correct or take back, and whether an opt-out came encrypted, as
//! it must, its reader looks.
//!
//! Invariants: what is shown of a message is its body, all of it, or the lines behind a quotation that is marked as one; what names no
//! message is no answer, correction or reaction, but the words that it has; numbers and lengths are bounded.
mod fallback;
mod read;

pub use read::{Said, asks, read, said};

use crate::mapping::MAX_ID;
use crate::ns;
use crate::xml::{self, MAX_STANZA, StanzaError, build};
use minidom::Element;
use subrosa_engine::{Content, Typing};

/// Reactions of one person to one message that are taken.
const MAX_EMOJIS: usize = 32;
/// Bytes of one: the longest of Unicode's have 41.
const MAX_EMOJI: usize = 64;
/// What older programs are shown instead of a retraction.
const RETRACTED: &str = "This message takes back an earlier one, which this program cannot do.";

const STATES: [(Typing, &str); 5] = [
    (Typing::Active, "active"),
    (Typing::Composing, "composing"),
    (Typing::Paused, "paused"),
    (Typing::Inactive, "inactive"),
    (Typing::Gone, "gone"),
];

/// What a message with words asks of whoever gets it. Between two people only: in rooms nobody is asked (XEP-0184 §5.3, XEP-0333 §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ask {
    /// To say when it has arrived (XEP-0184): by [`Content::Delivered`].
    pub receipt: bool,
    /// To say when it was read (XEP-0333): by [`Content::Displayed`].
    pub displayed: bool,
}

/// The bytes of a `Plaintext` of [`subrosa_engine::ContentType::STANZA`].
///
/// ```
/// # use subrosa_engine::{Content, ContentType, Plaintext};
/// # use subrosa_xmpp::content;
/// let run = content::write(&Content::Correction { of: "1".into(), text: "I meant this".into() }).unwrap();
/// let back = content::read(&Plaintext::new(ContentType::STANZA, run)).unwrap();
/// assert!(matches!(back, Some(Content::Correction { of, text }) if of.as_str() == "1" && text == "I meant this"));
/// ```
///
/// # Errors
/// [`StanzaError`]: characters that XML cannot hold, too much of it, no usable id, reactions that are none.
pub fn write(content: &Content) -> Result<Vec<u8>, StanzaError> {
    write_asking(content, Ask::default())
}
/// The same with what is asked for, where it has words; else nothing is.
///
/// # Errors
/// As [`write()`].
pub fn write_asking(content: &Content, ask: Ask) -> Result<Vec<u8>, StanzaError> {
    let mut run = elements(content)?;
    if content.text().is_some() {
        run.extend(ask.displayed.then(|| build("markable", ns::MARKERS).end()));
        run.extend(ask.receipt.then(|| build("request", ns::RECEIPTS).end()));
    }
    let mut out = Vec::new();
    for element in &run {
        xml::write(element, &mut out)?;
    }
    if out.len() > MAX_STANZA { Err(StanzaError::TooLarge) } else { Ok(out) }
}
fn elements(content: &Content) -> Result<Vec<Element>, StanzaError> {
    if content.of().is_some_and(|of| !is_id(of.as_str())) {
        return Err(StanzaError::Id);
    }
    let about = |name: &str, namespace: &str| build(name, namespace).maybe("id", content.of().map(|of| of.as_str()));
    Ok(match content {
        Content::Text(text) => vec![body(text)],
        Content::Reply { author, text, quote, .. } => {
            let reply = about("reply", ns::REPLY).maybe("to", author.as_ref().map(|author| author.as_str())).end();
            match fallback::quoted(quote).filter(|_| !text.trim().is_empty()) {
                Some((quoted, mark)) => vec![body(&(quoted + text)), reply, mark],
                None => vec![body(text), reply],
            }
        }
        Content::Reaction { emojis, .. } => {
            let mut reactions: Vec<&str> = Vec::new();
            emojis.iter().for_each(|emoji| {
                if !reactions.contains(&emoji.as_str()) {
                    reactions.push(emoji)
                }
            });
            if reactions.len() > MAX_EMOJIS || !reactions.iter().all(|emoji| is_emoji(emoji)) {
                return Err(StanzaError::Reaction);
            }
            let reactions = reactions.into_iter().map(|emoji| build("reaction", ns::REACTIONS).text(emoji).end());
            vec![about("reactions", ns::REACTIONS).children(reactions).end()]
        }
        Content::Correction { text, .. } => vec![body(text), about("replace", ns::CORRECT).end()],
        Content::Retraction { .. } => vec![about("retract", ns::RETRACT).end(), fallback::whole(ns::RETRACT), body(RETRACTED)],
        Content::Delivered { .. } => vec![about("received", ns::RECEIPTS).end()],
        Content::Displayed { .. } => vec![about("displayed", ns::MARKERS).end()],
        Content::Typing(state) => {
            let name = STATES.iter().find(|(known, _)| known == state).map_or("active", |(_, name)| name);
            vec![build(name, ns::CHAT_STATES).end()]
        }
        Content::OptOut { reason } => {
            let reason = Some(reason.trim()).filter(|reason| !reason.is_empty()).map(|reason| build("reason", ns::OMEMO).text(reason).end());
            vec![build("opt-out", ns::OMEMO).children(reason).end()]
        }
        // what came later than this crate
        _ => return Err(StanzaError::ContentType),
    })
}
fn body(text: &str) -> Element {
    build("body", ns::CLIENT).text(text).end()
}
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID
}
/// As far as that can be told without Unicode's tables (UTS #51): no words, no spaces, no plain ASCII. The few letters are those that
/// stand in emojis: ℹ, Ⓜ, and those in squares.
fn is_emoji(text: &str) -> bool {
    let fits = |c: char| match c {
        '\u{2139}' | '\u{24c2}' | '\u{1f130}'..='\u{1f189}' => true,
        c => !c.is_alphabetic() && !c.is_whitespace() && !c.is_control(),
    };
    text.len() <= MAX_EMOJI && !text.is_ascii() && text.chars().all(fits)
}

#[cfg(test)]
mod tests;
