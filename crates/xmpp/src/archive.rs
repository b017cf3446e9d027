//! What an archive has (XEP-0313 `urn:xmpp:mam:2`), page by page (XEP-0059).
//!
//! Owns the open query of one archive: which results belong to it, when it is over, what to ask for next. Keeps no position: the host
//! stores that of [`Finished`] with what the page brought, so that whoever dies asks for the page again. Knows no message.
//!
//! Invariants (§8.2): a result counts only from the archive's own address, under the open query's id that nobody can guess, and once; a page that leads nowhere is an error, so that nobody asks for ever.
use crate::mapping::{StanzaId, condition, is_address, is_archive_id, is_nested};
use crate::xml::build;
use crate::{ns, stamp};
use minidom::Element;
use std::collections::HashSet;
use std::time::Duration;
use subrosa_engine::{Address, Coded, Fault, Time};

/// Results of one page: as many as are asked for where nothing is said, and at most.
const PAGE: u16 = 50;
const MAX_PAGE: u16 = 500;
/// How long the archive may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Start {
    /// The oldest.
    Begin,
    After(String),
    Since(Time),
    /// The newest.
    End,
    Before(String),
    These(Vec<String>),
}
/// What is asked of an archive. Results come oldest first within a page, whichever way the pages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    from: Start,
    with: Option<Address>,
    page: u16,
}
impl Query {
    fn new(from: Start) -> Self {
        Query { from, with: None, page: PAGE }
    }
    /// All of it, forwards.
    pub fn all() -> Self {
        Query::new(Start::Begin)
    }
    /// What came after the message of this id, forwards: catching up from a stored position.
    pub fn after(id: impl Into<String>) -> Self {
        Query::new(Start::After(id.into()))
    }
    /// What came at this time and later, forwards.
    pub fn since(time: Time) -> Self {
        Query::new(Start::Since(time))
    }
    /// The newest page, then backwards.
    pub fn latest() -> Self {
        Query::new(Start::End)
    }
    /// What came before the message of this id, backwards: scrolling back.
    pub fn before(id: impl Into<String>) -> Self {
        Query::new(Start::Before(id.into()))
    }
    /// These messages, at most 500. For archives that announce [`EXTENDED`] only.
    pub fn these(ids: impl IntoIterator<Item = String>) -> Self {
        let ids = ids.into_iter().take(MAX_PAGE.into()).collect();
        Query { page: MAX_PAGE, ..Query::new(Start::These(ids)) }
    }
    /// Only what was said with them (in a room: by them).
    pub fn with(self, address: Address) -> Self {
        Query { with: Some(address), ..self }
    }
    /// At most so many results in a page: 1 to 500.
    pub fn page(self, results: u16) -> Self {
        Query { page: results.clamp(1, MAX_PAGE), ..self }
    }
    fn is_backwards(&self) -> bool {
        matches!(self.from, Start::End | Start::Before(_))
    }
    /// The id that it goes on from: never a result of it.
    fn known(&self) -> Option<&str> {
        match &self.from {
            Start::After(id) | Start::Before(id) => Some(id),
            _ => None,
        }
    }
    /// §4.1, §4.3.
    fn element(&self, query_id: &str) -> Element {
        let field = |name: &str, values: &[&str]| {
            build("field", ns::DATA).attr("var", name).children(values.iter().map(|value| build("value", ns::DATA).text(value).end())).end()
        };
        let hidden = build("field", ns::DATA).attr("var", "FORM_TYPE").attr("type", "hidden").child(build("value", ns::DATA).text(ns::MAM));
        let mut form = build("x", ns::DATA).attr("type", "submit").child(hidden);
        if let Some(with) = &self.with {
            form = form.child(field("with", &[with.as_str()]));
        }
        let mut set = build("set", ns::RSM).child(build("max", ns::RSM).text(&self.page.to_string()));
        match &self.from {
            Start::Begin => {}
            Start::After(id) => set = set.child(build("after", ns::RSM).text(id)),
            Start::Since(time) => form = form.child(field("start", &[&stamp::write(*time)])),
            Start::End => set = set.child(build("before", ns::RSM)),
            Start::Before(id) => set = set.child(build("before", ns::RSM).text(id)),
            Start::These(ids) => form = form.child(field("ids", &ids.iter().map(String::as_str).collect::<Vec<_>>())),
        }
        build("query", ns::MAM).attr("queryid", query_id).child(form).child(set).end()
    }
}

/// What archives announce that know ids in queries and tell about themselves.
pub const EXTENDED: &str = "urn:xmpp:mam:2#extended";
/// What every archive of this kind announces.
pub const ARCHIVE: &str = ns::MAM;

/// One message, as the archive has it. For [`crate::Mapping::archived`].
#[derive(Clone, Debug, PartialEq)]
pub struct Archived {
    /// Its place in the archive.
    pub at: StanzaId,
    /// A `<message>`, as it was.
    pub stanza: Element,
    /// When the archive got it.
    pub stamp: Option<Time>,
}
/// A page is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// There is nothing more this way.
    pub complete: bool,
    /// The last id of the page on the way that it goes: the newest forwards, the oldest backwards. `None`: there was nothing; a position that
    /// is known stays as it is.
    pub position: Option<String>,
    /// Results that counted.
    pub count: usize,
    /// All that the query would find, by all pages, where the archive tells.
    pub total: Option<u64>,
    /// What asks for the page after it. `None`: it is complete.
    pub next: Option<Query>,
}
/// From where to where an archive goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its oldest and its newest message, id and time each; `None`: it is empty.
    pub ends: Option<[(String, Time); 2]>,
}
/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// `item-not-found`: the message that the query starts from is no longer in the archive.
    #[error("the archive no longer has the message to go on from; start from a time instead")]
    Gone,
    /// The archive is not for this account to read.
    #[error("the archive may not be read by this account; a room's is for its members")]
    Forbidden,
    /// There is no archive.
    #[error("there is no archive here")]
    Unavailable,
    /// Not now.
    #[error("the archive does not answer now; try again later")]
    Busy,
    /// What it answered is no page, or leads nowhere.
    #[error("the archive's answer is malformed or leads nowhere")]
    Malformed,
    /// Anything else.
    #[error("the archive refused the query")]
    Refused,
}
impl Coded for ArchiveError {
    fn code(&self) -> &'static str {
        match self {
            ArchiveError::Gone => "archive.gone",
            ArchiveError::Forbidden => "archive.forbidden",
            ArchiveError::Unavailable => "archive.unavailable",
            ArchiveError::Busy => "archive.busy",
            ArchiveError::Malformed => "archive.malformed",
            ArchiveError::Refused => "archive.refused",
        }
    }
    fn fault(&self) -> Fault {
        match self {
            ArchiveError::Unavailable | ArchiveError::Busy => Fault::Network,
            ArchiveError::Gone | ArchiveError::Forbidden | ArchiveError::Malformed | ArchiveError::Refused => Fault::Peer,
        }
    }
}

/// A page that is asked for.
#[derive(Debug)]
struct Open {
    id: String,
    query: Query,
    /// The ids that came.
    seen: HashSet<String>,
    /// The first and the last of them.
    ends: Option<(String, String)>,
    /// More came than are taken in one page.
    overflow: bool,
    deadline: Time,
}
/// One archive: the account's, or a room's. Sans-IO: stanzas in, stanzas out, the time passed in.
#[derive(Debug)]
pub struct Archive {
    by: Address,
    of_account: bool,
    salt: String,
    next: u64,
    open: Option<Open>,
    extent: Option<String>,
    refused: u64,
}
impl Archive {
    /// The account's own. `salt`: any random text; makes ids that nobody can guess.
    pub fn of_account(me: Address, salt: &str) -> Self {
        Archive { by: me, of_account: true, salt: salt.into(), next: 0, open: None, extent: None, refused: 0 }
    }
    /// A room's, or another service's.
    pub fn of_room(room: Address, salt: &str) -> Self {
        Archive { of_account: false, ..Self::of_account(room, salt) }
    }
    /// Whose it is.
    pub fn by(&self) -> &Address {
        &self.by
    }
    /// Asks for a page. One that is open is given up.
    pub fn ask(&mut self, query: Query, now: Time) -> Element {
        let id = self.id();
        let iq = self.iq("set", &id, query.element(&id));
        self.open = Some(Open { id, query, seen: HashSet::new(), ends: None, overflow: false, deadline: now.after(PATIENCE) });
        iq
    }
    /// Asks where it begins and ends (§5). For archives that announce [`EXTENDED`] only.
    pub fn ask_extent(&mut self) -> Element {
        let id = self.id();
        let iq = self.iq("get", &id, build("metadata", ns::MAM).end());
        self.extent = Some(id);
        iq
    }
    /// A received `<message>`. `None`: it is no result of the page that is open.
    pub fn result(&mut self, message: &Element, now: Time) -> Option<Archived> {
        let result = message.get_child("result", ns::MAM)?;
        let ours = self.is_from(message);
        let named = self.open.as_ref().is_some_and(|open| result.attr("queryid") == Some(&open.id));
        if !ours && !named {
            return None; // another archive's
        }
        let taken = if ours && named { self.take(message, result, now) } else { Err(()) };
        match taken {
            Ok(archived) => archived,
            Err(()) => {
                self.refused = self.refused.saturating_add(1);
                None
            }
        }
    }
    /// `Ok(None)`: the archive keeps its place and no longer the message (§3.2).
    fn take(&mut self, message: &Element, result: &Element, now: Time) -> Result<Option<Archived>, ()> {
        let open = self.open.as_mut().ok_or(())?;
        let id = result.attr("id").filter(|id| is_archive_id(id)).ok_or(())?;
        let alone = message.children().filter(|child| child.has_ns(ns::MAM)).count() == 1;
        let known = open.query.known() == Some(id) || open.seen.contains(id);
        if !alone || known {
            return Err(());
        }
        if open.seen.len() >= MAX_PAGE.into() {
            open.overflow = true;
            return Err(());
        }
        let forwarded = result.get_child("forwarded", ns::FORWARD).ok_or(())?;
        let stanza = forwarded.get_child("message", ns::CLIENT);
        if stanza.is_some_and(is_nested) {
            return Err(());
        }
        open.deadline = now.after(PATIENCE);
        open.seen.insert(id.to_owned());
        let first = open.ends.take().map_or_else(|| id.to_owned(), |(first, _)| first);
        open.ends = Some((first, id.to_owned()));
        let at = StanzaId { by: self.by.clone(), id: id.to_owned() };
        Ok(stanza.map(|stanza| Archived { at, stanza: stanza.clone(), stamp: stamp::of(forwarded) }))
    }
    /// A received `<iq>` of type `result` or `error`. `None`: it does not end the page that is open.
    pub fn finished(&mut self, iq: &Element) -> Option<Result<Finished, ArchiveError>> {
        let is_it = self.is_from(iq) && self.open.as_ref().is_some_and(|open| iq.attr("id") == Some(&open.id));
        let open = self.open.take_if(|_| is_it)?;
        Some(if iq.attr("type") == Some("result") { over(iq, open) } else { Err(why(iq)) })
    }
    /// A received `<iq>` of type `result` or `error`. `None`: it does not answer [`Archive::ask_extent`].
    pub fn extent(&mut self, iq: &Element) -> Option<Result<Extent, ArchiveError>> {
        let is_it = self.is_from(iq) && self.extent.is_some() && iq.attr("id") == self.extent.as_deref();
        self.extent.take_if(|_| is_it)?;
        Some(if iq.attr("type") == Some("result") { extent(iq).ok_or(ArchiveError::Malformed) } else { Err(why(iq)) })
    }
    /// The page whose time is over.
    pub fn expire(&mut self, now: Time) -> Option<ArchiveError> {
        self.open.take_if(|open| open.deadline <= now).map(|_| ArchiveError::Busy)
    }
    /// When [`Archive::expire`] has something to do.
    pub fn wake_at(&self) -> Option<Time> {
        self.open.as_ref().map(|open| open.deadline)
    }
    /// A new stream: what was open is never answered.
    pub fn clear(&mut self) {
        self.open = None;
        self.extent = None;
    }
    /// A page is asked for and not over.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
    /// Results that were not taken: of no query, in the archive's name by others, twice, more than were asked for, wrapped again.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn id(&mut self) -> String {
        self.next = self.next.saturating_add(1);
        format!("archive-{}-{}", self.salt, self.next)
    }
    fn iq(&self, kind: &str, id: &str, payload: Element) -> Element {
        let to = Some(self.by.as_str()).filter(|_| !self.of_account);
        build("iq", ns::CLIENT).attr("type", kind).attr("id", id).maybe("to", to).child(payload).end()
    }
    /// The account's server may leave its name out (RFC 6120 §8.1.2.1).
    fn is_from(&self, stanza: &Element) -> bool {
        stanza.attr("from").map_or(self.of_account, |from| is_address(from, &self.by))
    }
}
/// Whether a received `<message>` brings something out of an archive, whoever sends it.
pub fn is_result(message: &Element) -> bool {
    message.has_child("result", ns::MAM)
}

/// §4.3.2, §4.3.3.
fn over(iq: &Element, open: Open) -> Result<Finished, ArchiveError> {
    let fin = iq.get_child("fin", ns::MAM).ok_or(ArchiveError::Malformed)?;
    let set = fin.get_child("set", ns::RSM);
    let text = |name: &str| set.and_then(|set| set.get_child(name, ns::RSM)).map(Element::text).filter(|text| is_archive_id(text));
    let backwards = open.query.is_backwards();
    let (first, last) = open.ends.unzip();
    // what came counts, not what is said to have come: a result that was lost on the way is then asked for again
    let position = if backwards { first.or_else(|| text("first")) } else { last.or_else(|| text("last")) };
    let all = fin.attr("complete").is_some_and(|complete| matches!(complete, "true" | "1")) || matches!(open.query.from, Start::These(_));
    let complete = all && !open.overflow;
    let next = match &position {
        _ if complete => None,
        Some(id) if open.query.known() == Some(id) => return Err(ArchiveError::Malformed),
        Some(id) if backwards => Some(Query { from: Start::Before(id.clone()), ..open.query }),
        Some(id) => Some(Query { from: Start::After(id.clone()), ..open.query }),
        // an empty page that is not the last
        None => return Err(ArchiveError::Malformed),
    };
    let total = text("count").and_then(|count| count.parse().ok());
    Ok(Finished { complete, position, count: open.seen.len(), total, next })
}
fn extent(iq: &Element) -> Option<Extent> {
    let metadata = iq.get_child("metadata", ns::MAM)?;
    let end = |name: &str| {
        let end = metadata.get_child(name, ns::MAM)?;
        Some((end.attr("id").filter(|id| is_archive_id(id))?.to_owned(), stamp::parse(end.attr("timestamp")?)?))
    };
    if metadata.children().next().is_none() {
        return Some(Extent { ends: None });
    }
    Some(Extent { ends: Some([end("start")?, end("end")?]) })
}
fn why(iq: &Element) -> ArchiveError {
    match iq.get_child("error", ns::CLIENT).and_then(condition) {
        Some("item-not-found") => ArchiveError::Gone,
        Some("forbidden" | "not-allowed" | "not-authorized" | "registration-required" | "subscription-required") => ArchiveError::Forbidden,
        Some("service-unavailable" | "feature-not-implemented" | "gone" | "remote-server-not-found") => ArchiveError::Unavailable,
        Some("resource-constraint" | "internal-server-error" | "remote-server-timeout" | "recipient-unavailable" | "policy-violation") => {
            ArchiveError::Busy
        }
        Some(_) => ArchiveError::Refused,
        None => ArchiveError::Malformed,
    }
}

#[cfg(test)]
mod tests;
