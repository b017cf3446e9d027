//! Names of files, as far as they can be trusted: one component of a path, on any system.
//!
//! A peer's name is made safe, a person's is taken as it is or refused.

/// Bytes; what Linux, macOS and Windows allow.
const MAX: usize = 255;
/// What a file without a usable name is called.
const UNNAMED: &str = "file";
/// Names of devices on Windows, with any extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
/// The same, followed by a digit.
const PORTS: [&str; 2] = ["com", "lpt"];

/// A name that stays in its directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileName(String);

/// Why a name is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, `.` or `..`.
    #[error("the file has no name: give it one")]
    Empty,
    /// A separator, or a byte that ends names.
    #[error("a file name contains no path: leave out / and \\, and name the directory apart")]
    Path,
    /// Longer than file systems take.
    #[error("the file name is longer than {MAX} bytes: give it a shorter one")]
    TooLong,
}
impl subrosa_engine::Coded for NameError {
    fn code(&self) -> &'static str {
        match self {
            NameError::Empty => "file.name-empty",
            NameError::Path => "file.name-path",
            NameError::TooLong => "file.name-too-long",
        }
    }
    fn fault(&self) -> subrosa_engine::Fault {
        subrosa_engine::Fault::Caller
    }
}

impl FileName {
    /// What a person chose: one component of a path, hidden if they like.
    ///
    /// # Errors
    /// [`NameError`]
    pub fn chosen(name: &str) -> Result<Self, NameError> {
        match name {
            "" | "." | ".." => Err(NameError::Empty),
            _ if name.contains(['/', '\\', '\0']) => Err(NameError::Path),
            _ if name.len() > MAX => Err(NameError::TooLong),
            _ => Ok(FileName(name.to_owned())),
        }
    }
    /// What a peer named it, made safe: the last component of a path, not hidden, no option of a command and nobody's home directory,
    /// nothing that a terminal or Windows takes for something else, at most 255 bytes. Always gives one. A shell must still quote it.
    #[must_use]
    pub fn from_peer(name: &str) -> Self {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let visible: String = last.chars().filter(|c| !is_invisible(*c)).map(|c| if is_special(c) { '_' } else { c }).collect();
        let name = visible.trim_start_matches(|c: char| c == '.' || c.is_whitespace());
        let (stem, extension) = split(name);
        let name = format!("{}{extension}", shortened(stem, MAX.saturating_sub(extension.len())));
        let name = name.trim_end_matches(|c: char| c == '.' || c.is_whitespace());
        match name {
            "" => FileName(UNNAMED.to_owned()),
            _ if is_device(name) || name.starts_with(['-', '~']) => {
                // cut again, it may end in a dot again
                let name = format!("_{name}");
                FileName(shortened(&name, MAX).trim_end_matches(|c: char| c == '.' || c.is_whitespace()).to_owned())
            }
            _ => FileName(name.to_owned()),
        }
    }
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// `name (number).ext`, still not too long; as it is for 0.
    pub(crate) fn numbered(&self, number: u32) -> Self {
        if number == 0 {
            return self.clone();
        }
        let (stem, extension) = split(&self.0);
        let end = format!(" ({number}){extension}");
        FileName(format!("{}{end}", shortened(stem, MAX.saturating_sub(end.len()))))
    }
}
impl std::fmt::Display for FileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Before and from the last point, or two where the first of them says that it is an archive. What is long is no extension.
fn split(name: &str) -> (&str, &str) {
    let point = |name: &str| name.rfind('.').filter(|at| *at > 0 && name.len().saturating_sub(*at) <= 32);
    let Some(last) = point(name) else { return (name, "") };
    let (stem, _) = name.split_at(last);
    let at = point(stem).filter(|at| stem.get(*at..) == Some(".tar")).unwrap_or(last);
    name.split_at(at)
}
/// At most so many bytes of it, no torn character.
fn shortened(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}
/// Control characters, and what makes a name read otherwise than it is: marks and overrides of direction, joiners, a stray byte order mark.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}
/// What Windows does not take.
fn is_special(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let port = |port: &str| {
        stem.strip_prefix(port)
            .is_some_and(|number| number.chars().count() == 1 && number.contains(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '¹', '²', '³']))
    };
    DEVICES.contains(&stem.as_str()) || PORTS.iter().any(|name| port(name))
}
