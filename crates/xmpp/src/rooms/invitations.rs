//! Invitations: through the room (XEP-0045 §7.8.2) and from person to person (XEP-0249).
use super::form::cut;
use super::news::Invitation;
use super::text_of;
use crate::xml::build;
use crate::{bare, ns};
use minidom::Element;
use subrosa_engine::Address;

/// Characters of somebody's reason; the rest is cut.
pub(super) const MAX_REASON: usize = 1024;
/// Bytes of a password.
const MAX_PASSWORD: usize = 1024;

/// What a reason of ours, or of others, says.
pub(super) fn reason(parent: &Element, namespace: &str) -> String {
    cut(&text_of(parent, "reason", namespace), MAX_REASON)
}
/// In a message from this room.
pub(super) fn mediated(stanza: &Element, room: &Address) -> Option<Invitation> {
    let x = stanza.get_child("x", ns::MUC_USER)?;
    let invite = x.get_child("invite", ns::MUC_USER)?;
    Some(Invitation {
        room: room.clone(),
        by: invite.attr("from").and_then(|from| bare(from).ok()),
        direct: false,
        reason: reason(invite, ns::MUC_USER),
        password: Some(text_of(x, "password", ns::MUC_USER)).filter(|p| !p.is_empty() && p.len() <= MAX_PASSWORD),
    })
}
/// In a message from this person.
pub(super) fn direct(stanza: &Element, by: Option<Address>) -> Option<Invitation> {
    let x = stanza.get_child("x", ns::CONFERENCE)?;
    let room = bare(x.attr("jid")?).ok().filter(|room| room.as_str().contains('@'))?;
    let password = x.attr("password").filter(|p| !p.is_empty() && p.len() <= MAX_PASSWORD);
    Some(Invitation { room, by, direct: true, reason: cut(x.attr("reason").unwrap_or_default(), MAX_REASON), password: password.map(str::to_owned) })
}
/// Nothing is in the message besides the invitation and what goes with it.
pub(crate) fn is_invitation_alone(stanza: &Element) -> bool {
    let goes_along = [ns::CLIENT, ns::CONFERENCE, ns::MUC_USER, ns::HINTS, ns::SID, ns::DELAY, ns::CHAT_STATES];
    stanza.children().all(|child| goes_along.into_iter().any(|namespace| child.has_ns(namespace)))
}
/// To the room, which passes it on.
pub(super) fn through(room: &Address, id: String, who: &Address, reason: &str) -> Element {
    let reason = (!reason.is_empty()).then(|| build("reason", ns::MUC_USER).text(reason).end());
    let invite = build("invite", ns::MUC_USER).attr("to", who.as_str()).children(reason);
    build("message", ns::CLIENT).attr("to", room.as_str()).attr("id", id).child(build("x", ns::MUC_USER).child(invite)).end()
}
/// To the person.
pub(super) fn to(who: &Address, id: String, room: &Address, reason: &str, password: Option<&str>) -> Element {
    let x = build("x", ns::CONFERENCE).attr("jid", room.as_str()).maybe("password", password);
    let x = x.maybe("reason", Some(reason).filter(|reason| !reason.is_empty()));
    build("message", ns::CLIENT).attr("to", who.as_str()).attr("id", id).child(x).end()
}
/// To the room: we do not come.
pub(super) fn declined(invitation: &Invitation, id: String, reason: &str) -> Option<Element> {
    let by = invitation.by.as_ref().filter(|_| !invitation.direct)?;
    let reason = (!reason.is_empty()).then(|| build("reason", ns::MUC_USER).text(reason).end());
    let decline = build("decline", ns::MUC_USER).attr("to", by.as_str()).children(reason);
    let x = build("x", ns::MUC_USER).child(decline);
    Some(build("message", ns::CLIENT).attr("to", invitation.room.as_str()).attr("id", id).child(x).end())
}
