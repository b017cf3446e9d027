//! A run of elements to what it says. Hostile or torn ones are read as the words in them.
use super::{Ask, MAX_EMOJIS, STATES, fallback, is_emoji, is_id};
use crate::xml::{StanzaError, parse_run};
use crate::{bare, ns, receipts};
use minidom::Element;
use subrosa_engine::{Content, ContentType, MessageId, Plaintext};

/// What a message says. `None`: nothing that is known here.
///
/// What it is about is told by the strongest thing in it: an opt-out, a retraction, a reaction; words, which are a correction or an answer
/// if they name a message; and without words a marker, a receipt, a chat state. Of several bodies the one without a language counts, else
/// the first.
///
/// # Errors
/// [`StanzaError`]: it is no text or no run of elements.
pub fn read(plain: &Plaintext) -> Result<Option<Content>, StanzaError> {
    if plain.content_type == ContentType::TEXT {
        let text = std::str::from_utf8(plain.bytes()).map_err(|_| StanzaError::Characters)?;
        return Ok(Some(Content::Text(text.to_owned())));
    }
    if plain.content_type != ContentType::STANZA {
        return Ok(None);
    }
    Ok(content(&parse_run(plain.bytes())?))
}
/// What a message says, with what stood in clear beside what was encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The words are what was encrypted, all of them.
    pub content: Option<Content>,
    /// What it answers or corrects was said in clear: anybody on the way can have written it.
    pub beside: bool,
    /// And in clear it was said that it takes a message back.
    pub claim: Option<Content>,
}
/// As [`read`], with the references that stood in clear beside what was encrypted, where nothing in it says otherwise. They hide no words.
///
/// # Errors
/// [`StanzaError`]: it is no text or no run of elements.
pub fn said(plain: &Plaintext) -> Result<Said, StanzaError> {
    let content = read(plain)?;
    let run = if plain.content_type == ContentType::STANZA { parse_run(plain.bytes())? } else { Vec::new() };
    let beside: Vec<Element> = find(&run, "beside", ns::BESIDE).map(|beside| beside.children().cloned().collect()).unwrap_or_default();
    let Some(Content::Text(text)) = content else { return Ok(Said { content, ..Said::default() }) };
    if let Some(of) = retraction(&beside) {
        return Ok(Said { content: Some(Content::Text(text)), beside: false, claim: Some(Content::Retraction { of }) });
    }
    let content = refers(&beside, text);
    Ok(Said { beside: !matches!(content, Content::Text(_)), content: Some(content), claim: None })
}
/// What a message asks for, in clear too. What is no run of elements asks for nothing.
pub fn asks(plain: &Plaintext) -> Ask {
    let run = Some(plain).filter(|plain| plain.content_type == ContentType::STANZA).and_then(|plain| parse_run(plain.bytes()).ok());
    let mut run = run.unwrap_or_default();
    let beside: Vec<Element> = find(&run, "beside", ns::BESIDE).map(|beside| beside.children().cloned().collect()).unwrap_or_default();
    run.extend(beside);
    Ask { receipt: receipts::is_asked_in(&run), displayed: run.iter().any(|e| e.is("markable", ns::MARKERS)) }
}

fn content(run: &[Element]) -> Option<Content> {
    let body = Body::of(run);
    let words = body.as_ref().filter(|body| !body.text.is_empty());
    if let Some(element) = find(run, "opt-out", ns::OMEMO) {
        let reason = element.get_child("reason", ns::OMEMO).map(Element::text).unwrap_or_default();
        let reason = Some(reason.trim()).filter(|reason| !reason.is_empty()).or(words.map(|body| body.text.trim()));
        return Some(Content::OptOut { reason: reason.unwrap_or_default().to_owned() });
    }
    if let Some(of) = retraction(run) {
        return Some(Content::Retraction { of });
    }
    if let Some(reaction) = reaction(run).filter(|_| words.is_none_or(|body| body.alone && fallback::is_all(run, ns::REACTIONS, &body.text))) {
        return Some(reaction);
    }
    words.map(|body| words_of(run, body)).or_else(|| notice(run)).or_else(|| body.as_ref().map(|body| words_of(run, body)))
}
/// The one of its name; of several nobody can say which counts.
fn only<'a>(run: &'a [Element], name: &str, namespace: &str) -> Option<&'a Element> {
    let mut all = run.iter().filter(|e| e.is(name, namespace));
    let first = all.next()?;
    all.next().is_none().then_some(first)
}
fn find<'a>(run: &'a [Element], name: &str, namespace: &str) -> Option<&'a Element> {
    run.iter().find(|e| e.is(name, namespace))
}
/// The message that an element names.
fn named(element: &Element) -> Option<MessageId> {
    element.attr("id").filter(|id| is_id(id)).map(MessageId::from)
}

struct Body {
    text: String,
    /// There is no other: marks in it mean it.
    alone: bool,
}
impl Body {
    fn of(run: &[Element]) -> Option<Self> {
        let mut bodies = run.iter().filter(|e| e.is("body", ns::CLIENT));
        let first = bodies.next()?;
        let others: Vec<_> = bodies.collect();
        let spoken = |body: &&Element| body.attrs().iter().any(|((_, name), _)| name.as_str() == "lang");
        let body = std::iter::once(first).chain(others.iter().copied()).find(|body| !spoken(body)).unwrap_or(first);
        Some(Body { text: body.text(), alone: others.is_empty() })
    }
}
fn words_of(run: &[Element], body: &Body) -> Content {
    let answers = only(run, "reply", ns::REPLY).is_some_and(|reply| named(reply).is_some());
    let text = if answers && body.alone { fallback::without(run, ns::REPLY, &body.text) } else { &body.text };
    refers(run, text.to_owned())
}
/// Words, and what they correct or answer.
fn refers(run: &[Element], text: String) -> Content {
    let reply = only(run, "reply", ns::REPLY).and_then(|reply| Some((named(reply)?, reply)));
    match (only(run, "replace", ns::CORRECT).and_then(named), reply) {
        (Some(of), _) => Content::Correction { of, text },
        (None, Some((of, reply))) => {
            let author = reply.attr("to").and_then(|to| bare(to).ok());
            Content::Reply { of, author, text, quote: String::new() }
        }
        (None, None) => Content::Text(text),
    }
}
/// XEP-0424 of both namespaces. A moderator's (XEP-0425) is the room's word, and for the part that does rooms.
fn retraction(run: &[Element]) -> Option<MessageId> {
    if let Some(retract) = only(run, "retract", ns::RETRACT) {
        let moderated = retract.children().any(|c| c.name() == "moderated");
        return named(retract).filter(|_| !moderated);
    }
    let apply = only(run, "apply-to", ns::APPLY_TO)?;
    named(apply).filter(|_| apply.children().count() == 1 && apply.has_child("retract", ns::RETRACT_0))
}
fn reaction(run: &[Element]) -> Option<Content> {
    let element = only(run, "reactions", ns::REACTIONS)?;
    let of = named(element)?;
    let mut emojis: Vec<String> = Vec::new();
    for reaction in element.children().filter(|c| c.is("reaction", ns::REACTIONS)) {
        let emoji = reaction.text();
        let emoji = emoji.trim();
        if emojis.len() < MAX_EMOJIS && is_emoji(emoji) && !emojis.iter().any(|known| known == emoji) {
            emojis.push(emoji.to_owned());
        }
    }
    Some(Content::Reaction { of, emojis })
}
/// What has no words. A marker says more than a receipt; XEP-0333 had its own of both once.
fn notice(run: &[Element]) -> Option<Content> {
    let marker = |name: &str| run.iter().filter(|e| e.is(name, ns::MARKERS)).find_map(named);
    if let Some(of) = marker("displayed").or_else(|| marker("acknowledged")) {
        return Some(Content::Displayed { of });
    }
    if let Some(of) = receipts::received_in(run).or_else(|| marker("received")) {
        return Some(Content::Delivered { of });
    }
    let state = |e: &Element| STATES.iter().find(|(_, name)| e.is(*name, ns::CHAT_STATES)).map(|(state, _)| *state);
    run.iter().find_map(state).map(Content::Typing)
}
