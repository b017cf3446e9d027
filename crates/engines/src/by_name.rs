//! An engine chosen by a word: for settings files, command lines, C.
use crate::{Base64, Base64Later, Completions, KeyError, PresharedAead, Xor};
use subrosa_engine::{Coded, Engine, Fault};

/// What a name gave. It is installed as any other: `machine.install(named.engine)`.
pub struct Named {
    /// To install.
    pub engine: Box<dyn Engine>,
    /// For engines that finish messages on a thread of their own: what the host has to feed.
    pub completions: Option<Completions>,
}
impl<E: Engine> From<E> for Named {
    fn from(engine: E) -> Self {
        Named { engine: Box::new(engine), completions: None }
    }
}

/// What can be asked for, a line each: the name, and what it is.
pub const NAMES: &[(&str, &str)] = &[
    ("xor", "Linphone's sample with its key: no protection"),
    ("xor-hex", "the same in hexadecimal digits, for a Linphone on the other side: no protection"),
    ("base64", "no protection"),
    ("base64-async", "Base64 on a thread of its own: no protection"),
    ("preshared:KEY", "AES-256-GCM; KEY is 64 hexadecimal digits, or @ and the path of a file with them"),
    ("preshared-base64:KEY", "the same in Base64, for a Linphone on the other side"),
];

/// No engine for this name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing is called so.
    #[error("there is no engine `{0}`; there are {names}", names = names())]
    Unknown(String),
    /// A name that needs a key stood alone, or one that takes none had one.
    #[error("`{0}` is not all of it, or too much; there are {names}", names = names())]
    Parameter(String),
    /// The key is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The engine needs a thread.
    #[error("the system makes no thread for the engine: {0}")]
    Thread(#[from] std::io::Error),
}
impl Coded for NameError {
    fn code(&self) -> &'static str {
        match self {
            NameError::Unknown(_) => "engine.unknown",
            NameError::Parameter(_) => "engine.parameter",
            NameError::Key(e) => e.code(),
            NameError::Thread(_) => "engine.thread",
        }
    }
    fn fault(&self) -> Fault {
        if let NameError::Thread(_) = self { Fault::Bug } else { Fault::Caller }
    }
}
fn names() -> String {
    NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// The engine of this name: one of [`NAMES`]. A key in a command line can be read by everybody on the machine; one in a file can't.
///
/// ```
/// let named = subrosa_engines::by_name("xor-hex")?;
/// let mut machine = subrosa_engine::Machine::new("sip:alice@example.org".into());
/// let engine = machine.install(named.engine);
/// machine.route(move |_chat| Some(engine.id()));
///
/// let error = subrosa_engines::by_name("rot13").err().expect("there is none");
/// assert!(error.to_string().starts_with("there is no engine `rot13`; there are xor, xor-hex, "));
/// # Ok::<(), subrosa_engines::NameError>(())
/// ```
///
/// # Errors
/// [`NameError`]
pub fn by_name(name: &str) -> Result<Named, NameError> {
    let (word, parameter) = name.split_once(':').map_or((name, None), |(word, parameter)| (word, Some(parameter)));
    Ok(match (word, parameter) {
        ("xor", None) => Xor::new().into(),
        ("xor-hex", None) => Xor::hex().into(),
        ("base64", None) => Base64.into(),
        ("base64-async", None) => {
            let (engine, completions) = Base64Later::new()?;
            Named { engine: Box::new(engine), completions: Some(completions) }
        }
        ("preshared", Some(key)) => preshared(key)?.into(),
        ("preshared-base64", Some(key)) => preshared(key)?.base64().into(),
        ("xor" | "xor-hex" | "base64" | "base64-async" | "preshared" | "preshared-base64", _) => return Err(NameError::Parameter(word.into())),
        _ => return Err(NameError::Unknown(word.into())),
    })
}
fn preshared(key: &str) -> Result<PresharedAead, KeyError> {
    match key.strip_prefix('@') {
        Some(path) => PresharedAead::from_file(path),
        None => PresharedAead::from_hex(key),
    }
}
