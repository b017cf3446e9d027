//! The wire formats and payload ciphers against other people's software, hostile input, and themselves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod content;
mod corpus;
mod python;
mod round_trips;
mod vectors;

use subrosa_omemo::wire::Version;

/// The word of the vectors and the corpus for a version.
fn version(word: &str) -> Version {
    match word {
        "legacy" => Version::Legacy,
        "omemo2" => Version::Omemo2,
        _ => panic!("no version: {word}"),
    }
}
const fn word(version: Version) -> &'static str {
    match version {
        Version::Legacy => "legacy",
        Version::Omemo2 => "omemo2",
    }
}
fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
