//! The ids that a message is known by (XEP-0359). Whoever writes a message may write any id into it: only what an archive says of its own
//! counts, where its server announces that it takes out what others write in its name (§6).
use super::{MAX_ID, Mapping};
use crate::ns;
use minidom::Element;
use subrosa_engine::{Address, MessageId};

/// The longest id of an archive, in bytes.
pub(crate) const MAX_ARCHIVE_ID: usize = 1024;

/// How a message is known, besides by the id in [`subrosa_engine::Input::Receive`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// What its author named it, and rooms leave as it is. Nobody vouches for it.
    pub origin: Option<MessageId>,
    /// What the archive it was put into names it: the account's, or the room's. One that the archive's own server vouches for. To catch up
    /// from only where all before it is here too.
    pub archive: Option<StanzaId>,
    /// In a room, what it calls whoever wrote it: all that is known of somebody whose address it does not tell.
    pub nick: Option<String>,
}
/// A message's place in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StanzaId {
    /// Whose archive: the account's bare address or a room's.
    pub by: Address,
    /// Its name there, at most 1024 bytes; says nothing to anybody else.
    pub id: String,
}

impl Mapping {
    /// Whether `by`, the account's own bare address or a joined room's, announces `urn:xmpp:sid:0` (XEP-0030): only then its ids are
    /// believed. Nobody is, at first.
    pub fn believe(&mut self, by: Address, announced: bool) {
        if announced {
            self.believed.insert(by);
        } else {
            self.believed.remove(&by);
        }
    }
    /// Of a stanza that came by way of this archive.
    pub(crate) fn ids(&self, stanza: &Element, by: &Address) -> Ids {
        let origin = stanza.get_child("origin-id", ns::SID).and_then(|id| id.attr("id")).filter(|id| !id.is_empty() && id.len() <= MAX_ID);
        let in_room = stanza.attr("from").filter(|_| stanza.attr("type") == Some("groupchat"));
        let nick = in_room.and_then(|from| from.split_once('/')).map(|(_, nick)| nick.to_owned());
        Ids { origin: origin.map(MessageId::from), nick, archive: stanza_id(stanza, by).filter(|_| self.believed.contains(by)) }
    }
}
/// The one that is said to be by this archive; of several nobody can say which is.
pub(crate) fn stanza_id(parent: &Element, by: &Address) -> Option<StanzaId> {
    let is_by = |child: &&Element| child.is("stanza-id", ns::SID) && child.attr("by").is_some_and(|named| is_address(named, by));
    let mut all = parent.children().filter(is_by);
    let id = all.next()?.attr("id").filter(|id| is_archive_id(id))?;
    all.next().is_none().then(|| StanzaId { by: by.clone(), id: id.to_owned() })
}
pub(crate) fn is_archive_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ARCHIVE_ID
}
/// Whether a text is this very bare address.
pub(crate) fn is_address(text: &str, address: &Address) -> bool {
    text == address.as_str() || jid::BareJid::new(text).is_ok_and(|jid| jid.as_str() == address.as_str())
}
