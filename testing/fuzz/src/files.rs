//! Names of files that others chose.
use crate::text;
use subrosa_files::FileName;

pub fn name(bytes: &[u8]) {
    let name = text(bytes);
    let _ = FileName::chosen(&name);
    let safe = FileName::from_peer(&name);
    let safe = safe.as_str();
    assert!(!safe.is_empty() && safe.len() <= 255 && !safe.starts_with(['.', '-', '~']) && !safe.contains(['/', '\\', '\0', '\n', '\r', '\u{1b}']));
    assert_eq!(FileName::chosen(safe).unwrap().as_str(), safe);
    assert_eq!(FileName::from_peer(safe).as_str(), safe);
}
