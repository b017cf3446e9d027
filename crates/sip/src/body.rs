//! Why a body that came can't be read.
use subrosa_engine::{Coded, Fault};

/// Why a body can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// Longer than is read, in bytes.
    #[error("the body has {0} bytes, more than are read")]
    TooLarge(usize),
    /// Not XML, not in UTF-8, or with a document type.
    #[error("the body is not well-formed XML in UTF-8, or has a document type")]
    NotXml,
    /// More elements, or deeper ones, than are read.
    #[error("the body has too many elements or nests them too deeply")]
    TooDeep,
    /// Another element than its content type says.
    #[error("the body is not a <{0}> of the namespace that its content type names")]
    WrongRoot(&'static str),
    /// A part that has to be there is not.
    #[error("the body lacks its {0}")]
    Missing(&'static str),
    /// What may stand once stands twice, so that it could be read in two ways.
    #[error("the body has more than one {0}")]
    Repeated(&'static str),
    /// A part has no value that it may have.
    #[error("the {0} in the body has no value that is allowed there")]
    Malformed(&'static str),
}
impl Coded for BodyError {
    fn code(&self) -> &'static str {
        match self {
            BodyError::TooLarge(_) => "body.too-large",
            BodyError::NotXml => "body.not-xml",
            BodyError::TooDeep => "body.too-deep",
            BodyError::WrongRoot(_) => "body.wrong-root",
            BodyError::Missing(_) => "body.missing",
            BodyError::Repeated(_) => "body.repeated",
            BodyError::Malformed(_) => "body.malformed",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Peer
    }
}
