//! Why something that arrived is not used.

/// What is wrong with a piece of XML from the network. Names carried are names of the schema, never content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Not well-formed, or XML that XMPP forbids (doctype, entities, processing instructions).
    #[error("not well-formed XML")]
    NotXml,
    /// Longer than [`super::MAX_BYTES`].
    #[error("{0} bytes: more than the {limit} that are read", limit = super::MAX_BYTES)]
    TooLarge(usize),
    /// Elements nested deeper than [`super::MAX_DEPTH`].
    #[error("elements nested deeper than {limit}", limit = super::MAX_DEPTH)]
    TooDeep,
    /// More of one thing than is accepted.
    #[error("more than {limit} of <{what}>")]
    TooMany {
        /// The element repeated.
        what: &'static str,
        /// How many are accepted.
        limit: usize,
    },
    /// The element has the right name in a namespace that is not the expected one.
    #[error("<{0}> is in the wrong namespace")]
    WrongNamespace(&'static str),
    /// Another element than the expected one.
    #[error("expected <{0}>")]
    WrongElement(&'static str),
    /// A required element is not there.
    #[error("<{0}> is missing")]
    MissingElement(&'static str),
    /// An element that may stand once stands twice.
    #[error("<{0}> stands more than once")]
    RepeatedElement(&'static str),
    /// A required attribute is not there.
    #[error("the attribute {attribute} of <{element}> is missing")]
    MissingAttribute {
        /// The element.
        element: &'static str,
        /// Its attribute.
        attribute: &'static str,
    },
    /// Text that is not the base64 of anything.
    #[error("<{0}> is not base64")]
    BadBase64(&'static str),
    /// A key or signature of a length that it cannot have.
    #[error("<{what}> has {len} bytes")]
    WrongKeyLength {
        /// The element.
        what: &'static str,
        /// The length found.
        len: usize,
    },
    /// A legacy key of 33 bytes that does not begin with the type of its curve, 5.
    #[error("<{0}> is a key of an unknown type")]
    WrongKeyType(&'static str),
    /// An id that is not a decimal number.
    #[error("the id of <{0}> is not a number")]
    BadId(&'static str),
    /// An id above 2³¹−1 (XEP-0384 §5.1, §5.3.2).
    #[error("the id of <{0}> is above 2147483647")]
    IdOutOfRange(&'static str),
    /// The same id for two keys.
    #[error("the id {id} stands twice in <{what}>")]
    DuplicateId {
        /// Where.
        what: &'static str,
        /// The id.
        id: u32,
    },
    /// An element that servers act on, and that an envelope would hide from them (XEP-0420 §9).
    #[error("<{0}> has no place in an envelope")]
    Misplaced(&'static str),
    /// Not a point in time as XEP-0082 writes it.
    #[error("not a date and time")]
    BadTime,
}
