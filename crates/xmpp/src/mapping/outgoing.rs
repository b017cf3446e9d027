//! The machine's messages as stanzas, and the errors that answer others'. RFC 6121 §5.2.2, XEP-0359 (`origin-id`), XEP-0334.
use super::{Mapping, error, is_ours, kind};
use crate::xml::{self, MAX_STANZA, StanzaError, build};
use crate::{engines, ns};
use jid::BareJid;
use minidom::Element;
use std::str::FromStr as _;
use subrosa_engine::{Address, ChatId, ContentType, Kind, MessageId, Recipients, Status, Wire};

impl Mapping {
    /// The stanza of an `Output::Transmit`: the same bytes whenever it is asked for. Its id is the message's; parts after the
    /// first have their number after a dot. To the one recipient, or to the chat where there are several or it is a room. What an
    /// engine made and is no run of XML elements goes into one element of our namespace; of what goes in clear only text and such runs
    /// have a place, and as a notice, which passes engines by, nothing but a notice. The server is told what is worth keeping: not what
    /// somebody does just now, but everything else.
    ///
    /// # Errors
    /// [`StanzaError`]: it can never be sent like this.
    pub fn transmit(&self, id: &MessageId, part: u16, chat: &ChatId, to: &Recipients, kind: Kind, wire: &Wire) -> Result<Element, StanzaError> {
        let spoken = if *to == Recipients::Room { "groupchat" } else { "chat" };
        let to = match to {
            Recipients::Device(device) => &device.owner,
            Recipients::Room => &chat.0,
            Recipients::People(people) => match people.as_slice() {
                [one] => one,
                _ => &chat.0,
            },
        };
        let to = BareJid::from_str(to.as_str()).map_err(|_| StanzaError::Address)?;
        let notice = matches!(kind, Kind::Typing | Kind::Receipt);
        let (mut children, size) = match wire {
            Wire::Encrypted(part) if part.content_type == ContentType::STANZA => (xml::parse_run(&part.body)?, part.body.len()),
            // base64 makes four of three; what is around it has the content type three times
            Wire::Encrypted(part) if part.body.len() > MAX_STANZA => return Err(StanzaError::TooLarge),
            Wire::Encrypted(part) => {
                let size = part.body.len().div_ceil(3).saturating_mul(4).saturating_add(1024);
                (engines::write(kind, &part.content_type, &part.body)?, size)
            }
            Wire::Clear { plain, .. } if plain.content_type == ContentType::STANZA => {
                let run = xml::parse_run(plain.bytes())?;
                if notice && !is_notice(&run, kind) {
                    return Err(StanzaError::Notice);
                }
                (run, plain.bytes().len())
            }
            Wire::Clear { .. } if notice => return Err(StanzaError::Notice),
            Wire::Clear { plain, .. } if plain.content_type == ContentType::TEXT => {
                let text = std::str::from_utf8(plain.bytes()).map_err(|_| StanzaError::Characters)?;
                xml::check_text(text)?;
                (vec![build("body", ns::CLIENT).text(text).end()], text.len())
            }
            Wire::Clear { .. } => return Err(StanzaError::ContentType),
        };
        hint(kind, &mut children);
        let id = if part == 0 { id.to_string() } else { format!("{id}.{part}") };
        xml::check_text(&id)?;
        // what goes around the body is far below this
        if size.saturating_add(id.len().saturating_mul(2)).saturating_add(to.as_str().len()).saturating_add(1024) > MAX_STANZA {
            return Err(StanzaError::TooLarge);
        }
        let origin = build("origin-id", ns::SID).attr("id", id.as_str());
        Ok(build("message", ns::CLIENT).attr("type", spoken).attr("to", to.as_str()).attr("id", id).children(children).child(origin).end())
    }
    /// The error that answers a refused message (RFC 6120 §8.3), with the code in it. `None`: it came by carbons or from a device of
    /// our own, or its sender is no longer remembered. An error tells the sender that somebody is here: send it to contacts only.
    pub fn refuse(&mut self, id: &MessageId, from: &Address, status: Status) -> Option<Element> {
        let at = self.senders.iter().position(|(known, sender)| known == id && sender.to_bare().as_str() == from.as_str())?;
        let (_, sender) = self.senders.remove(at)?;
        Some(error(&sender, id.as_str(), status))
    }
}

/// What servers may keep (XEP-0334): they keep a body by themselves, and of the rest nothing unless they are asked to. An engine that hints at
/// every message alike is put right about what is worth nothing later.
fn hint(kind: Kind, run: &mut Vec<Element>) {
    let hint = match kind {
        Kind::Typing => {
            run.retain(|child| !child.is("store", ns::HINTS) && !child.is("no-store", ns::HINTS));
            "no-store"
        }
        _ if run.iter().any(|child| child.has_ns(ns::HINTS) || child.is("body", ns::CLIENT)) => return,
        _ => "store",
    };
    run.push(build(hint, ns::HINTS).end());
}
/// Whether these elements are a notice of this kind and nothing besides. A thread may be named, as XEP-0085 has it.
fn is_notice(run: &[Element], of: Kind) -> bool {
    let bare = |e: &Element| !is_ours(e) && e.children().next().is_none() && (e.is("thread", ns::CLIENT) || e.text().is_empty());
    run.iter().all(bare) && kind(run.iter()) == Some(of)
}
