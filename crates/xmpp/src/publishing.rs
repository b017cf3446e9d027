//! How something comes onto a node of the account's so that it stays there, and those may read it who should. XEP-0060 §7.1, §7.1.5, §8.2; XEP-0163.
//!
//! Publishing takes what the server can do: Prosody takes all publish-options at once; ejabberd 23 knows only `access_model` and
//! `persist_items`, says `resource-constraint` to any other, and gives a new node one item, so the node is configured. A node
//! that somebody made with other options is configured to be what we need. Owns the steps. Knows no payload. Invariant: a node that could
//! not be made readable by all, or by nobody else, is an error, never a success.
use crate::mapping::condition;
use crate::ns;
use crate::xml::build;
use minidom::Element;
use std::collections::HashSet;
use subrosa_engine::{Address, Keep, Node, RequestError};

/// Publishing is tried so often while the server says that the node it should create is not there (ejabberd over Mnesia).
const ATTEMPTS: u8 = 4;
/// What a node keeps where the server does not take `max`.
const MANY: &str = "1000";

/// Who may read a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// All.
    Open,
    /// The account's own devices (XEP-0223).
    Own,
}
impl Access {
    fn model(self) -> &'static str {
        match self {
            Access::Open => "open",
            Access::Own => "whitelist",
        }
    }
}
/// What is published.
#[derive(Debug)]
pub(crate) struct Publication {
    node: Node,
    keep: Keep,
    access: Access,
    payload: Element,
    attempts: u8,
    /// It was configured because its options were others.
    repaired: bool,
}
impl Publication {
    pub(crate) fn new(node: Node, keep: Keep, access: Access, payload: Element) -> Self {
        Publication { node, keep, access, payload, attempts: ATTEMPTS, repaired: false }
    }
}
/// A question on the way.
#[derive(Debug)]
pub(crate) struct Step {
    publication: Publication,
    what: What,
}
#[derive(Clone, Copy, Debug)]
enum What {
    Publish(Options),
    Configure(Config, Then),
}
/// Which publish-options go along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Options {
    All,
    /// Those that ejabberd knows.
    Two,
    None,
}
/// Which form the node is configured with: from the best to what old servers take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Config {
    Max,
    Number,
    Access,
}
/// What follows configuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The item is there already.
    Finish,
    Publish,
}
/// What an answer leads to.
#[derive(Debug)]
pub(crate) enum Next {
    Ask(Step),
    Over(Result<(), RequestError>),
}
impl Step {
    /// Whose node it is.
    pub(crate) fn owner(&self) -> &Address {
        &self.publication.node.owner
    }
    /// What is in the `<iq type='set'/>`.
    pub(crate) fn payload(&self) -> Element {
        match self.what {
            What::Publish(options) => publish(&self.publication, options),
            What::Configure(config, _) => configure(&self.publication, config),
        }
    }
}

/// What was learned about the account's server.
#[derive(Debug, Default)]
pub(crate) struct Server {
    /// It takes two publish-options only.
    limited: bool,
    /// Nodes that keep many items, as far as we could bring that about.
    configured: HashSet<String>,
}
impl Server {
    /// The first question.
    pub(crate) fn begin(&self, publication: Publication) -> Step {
        let configure_first = self.limited && publication.keep == Keep::Many && !self.configured.contains(&publication.node.name);
        let what = match () {
            () if configure_first => What::Configure(Config::Max, Then::Publish),
            () if self.limited => What::Publish(Options::Two),
            () => What::Publish(Options::All),
        };
        Step { publication, what }
    }
    /// What follows an answer; in an error its `<error/>`, if it has one.
    pub(crate) fn answered(&mut self, step: Step, answer: Result<(), Option<&Element>>) -> Next {
        let Step { publication, what } = step;
        match (what, answer) {
            (What::Publish(Options::All | Options::None), Ok(())) => self.done(publication),
            (What::Publish(Options::Two), Ok(())) => {
                if publication.keep == Keep::Many && !self.configured.contains(&publication.node.name) {
                    return ask(publication, What::Configure(Config::Max, Then::Finish));
                }
                Next::Over(Ok(()))
            }
            (What::Publish(options), Err(error)) => self.not_published(publication, options, error),
            (What::Configure(config, then), Ok(())) => {
                if config != Config::Access || publication.keep == Keep::Many {
                    self.configured.insert(publication.node.name.clone());
                }
                match then {
                    Then::Finish => Next::Over(Ok(())),
                    Then::Publish => {
                        let options = if publication.repaired { Options::None } else { Options::Two };
                        ask(publication, What::Publish(options))
                    }
                }
            }
            (What::Configure(config, then), Err(error)) => match (failure(error), config, then) {
                // there is nothing to configure yet: publishing creates it
                (RequestError::NotFound, _, Then::Publish) if !publication.repaired => ask(publication, What::Publish(Options::Two)),
                (_, Config::Max, _) if publication.keep == Keep::Many => ask(publication, What::Configure(Config::Number, then)),
                (_, Config::Max | Config::Number, _) => ask(publication, What::Configure(Config::Access, then)),
                // published with its access model: that it keeps one item only is the server's limit
                (_, Config::Access, Then::Finish) => self.done(publication),
                (_, Config::Access, Then::Publish) if !publication.repaired => ask(publication, What::Publish(Options::Two)),
                (error, Config::Access, Then::Publish) => Next::Over(Err(error)),
            },
        }
    }
    fn done(&mut self, publication: Publication) -> Next {
        self.configured.insert(publication.node.name);
        Next::Over(Ok(()))
    }
    fn not_published(&mut self, publication: Publication, options: Options, error: Option<&Element>) -> Next {
        let is = |name: &str| error.is_some_and(|e| condition(e) == Some(name));
        let precondition = error.is_some_and(|e| e.has_child("precondition-not-met", ns::PUBSUB_ERRORS));
        let attempts = publication.attempts.saturating_sub(1);
        if attempts > 0 && is("item-not-found") {
            return ask(Publication { attempts, ..publication }, What::Publish(options));
        }
        if !publication.repaired && precondition {
            return ask(Publication { repaired: true, ..publication }, What::Configure(Config::Max, Then::Publish));
        }
        // options that it does not know; ejabberd says resource-constraint
        if options == Options::All && ["resource-constraint", "bad-request", "not-acceptable", "feature-not-implemented"].into_iter().any(is) {
            self.limited = true;
            let what = match publication.keep {
                Keep::Many => What::Configure(Config::Max, Then::Publish),
                Keep::One => What::Publish(Options::Two),
            };
            return ask(publication, what);
        }
        Next::Over(Err(failure(error)))
    }
}
fn ask(publication: Publication, what: What) -> Next {
    Next::Ask(Step { publication, what })
}

/// XEP-0060 §7.1, §7.1.5.
fn publish(publication: &Publication, options: Options) -> Element {
    let node = &publication.node;
    let item = build("item", ns::PUBSUB).maybe("id", node.item.as_deref()).child(publication.payload.clone());
    let mut fields = fields(publication);
    if options == Options::All && publication.keep == Keep::Many {
        fields.push(("pubsub#max_items", "max"));
    }
    if options == Options::All && publication.access == Access::Own {
        fields.push(("pubsub#send_last_published_item", "never")); // XEP-0490 §4.2
    }
    let options = (options != Options::None)
        .then(|| build("publish-options", ns::PUBSUB).child(form("http://jabber.org/protocol/pubsub#publish-options", &fields)).end());
    let publish = build("publish", ns::PUBSUB).attr("node", node.name.as_str()).child(item);
    build("pubsub", ns::PUBSUB).child(publish).children(options).end()
}
/// XEP-0060 §8.2.
fn configure(publication: &Publication, config: Config) -> Element {
    let mut fields = fields(publication);
    match (publication.keep, config) {
        (Keep::Many, Config::Max) => fields.push(("pubsub#max_items", "max")),
        (Keep::Many, Config::Number) => fields.push(("pubsub#max_items", MANY)),
        _ => {}
    }
    if publication.access == Access::Own && config == Config::Max {
        fields.push(("pubsub#send_last_published_item", "never"));
    }
    let configure = build("configure", ns::PUBSUB_OWNER).attr("node", publication.node.name.as_str());
    build("pubsub", ns::PUBSUB_OWNER).child(configure.child(form("http://jabber.org/protocol/pubsub#node_config", &fields))).end()
}
fn fields(publication: &Publication) -> Vec<(&'static str, &'static str)> {
    vec![("pubsub#access_model", publication.access.model()), ("pubsub#persist_items", "true")]
}
/// XEP-0004, to be submitted.
pub(crate) fn form(form_type: &str, fields: &[(&str, &str)]) -> Element {
    let field = |name: &str, value: &str| build("field", ns::DATA).attr("var", name).child(build("value", ns::DATA).text(value));
    let head = field("FORM_TYPE", form_type).attr("type", "hidden");
    build("x", ns::DATA).attr("type", "submit").child(head).children(fields.iter().map(|(name, value)| field(name, value).end())).end()
}
/// What an error of a node means.
pub(crate) fn failure(error: Option<&Element>) -> RequestError {
    let Some(condition) = error.and_then(condition) else { return RequestError::Malformed };
    match condition {
        // service-unavailable and feature-not-implemented: no such account, or no PEP there
        "item-not-found" | "gone" | "service-unavailable" | "feature-not-implemented" => RequestError::NotFound,
        "forbidden" | "not-authorized" | "not-allowed" | "registration-required" | "subscription-required" | "payment-required" => {
            RequestError::Forbidden
        }
        "remote-server-not-found" | "remote-server-timeout" | "recipient-unavailable" => RequestError::Unreachable,
        "bad-request" | "jid-malformed" | "unexpected-request" | "not-acceptable" => RequestError::Malformed,
        _ => RequestError::Refused,
    }
}
