//! How text is taken apart for the index, and what is looked for with it. Knows no database.
//!
//! Words are the index's own business: the tokenizer parts them, folds case and takes accents off. Scripts that put no space between
//! words, Korean and every emoji stand in the index as pairs: each character with the one behind it, the last of a run alone. So any
//! part of a run is a phrase of pairs, and a single character begins one. What the tokenizer might take for punctuation stands
//! under a private character (plane 15).
//!
//! What a text becomes never changes within a form of the database: it is taken out of the index as it was put in.
use std::borrow::Cow;

/// The longest part of what is looked for; the rest of it is cut.
const WORD: usize = 64;

/// A text as the index has it.
pub(crate) fn indexed(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| in_runs(c).is_some()) { Cow::Owned(paired(text, false).0) } else { Cow::Borrowed(text) }
}
/// One word of what is looked for, as a string of FTS5, of which nothing is syntax. `None`: nothing could be found by it.
pub(crate) fn phrase(word: &str) -> Option<String> {
    let end = word.char_indices().nth(WORD).map_or(word.len(), |(at, _)| at);
    let word = word.get(..end).filter(|word| word.chars().any(|c| c.is_alphanumeric() || in_runs(c).is_some()))?;
    let (parts, end) = paired(word, true);
    let begins = match end {
        // everything that begins with one letter is too much to be an answer, and to be looked for
        End::Word => word.len() > 1,
        End::Alone => true,
        End::Pair => false,
    };
    Some(format!("\"{}\"{}", parts.replace('"', "\"\""), if begins { "*" } else { "" }))
}

/// What is last.
enum End {
    Word,
    /// A run of a single character.
    Alone,
    /// The last pair of a run.
    Pair,
}
/// With its runs as pairs. `open`: a run may go on behind the end.
fn paired(text: &str, open: bool) -> (String, End) {
    let mut out = String::with_capacity(text.len().saturating_mul(2));
    // the last of a run, whose pair is not written yet, and whether it ends one
    let mut before: Option<(char, bool)> = None;
    for c in text.chars().filter(|c| !is_variation(*c)) {
        let this = in_runs(c);
        match (before, this) {
            (Some((first, _)), Some(second)) => out.extend([' ', first, second]),
            (Some((last, _)), None) => out.extend([' ', last, ' ', c]),
            (None, Some(_)) => {}
            (None, None) => out.push(c),
        }
        before = this.map(|this| (this, before.is_some()));
    }
    match before {
        None => (out, End::Word),
        Some((_, true)) if open => (out, End::Pair),
        Some((last, _)) => {
            out.extend([' ', last]);
            (out, End::Alone)
        }
    }
}
/// The form of a letter or picture: nothing that is said.
fn is_variation(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}
/// The character that stands for this one in pairs; `None`: it belongs to a word, or is none.
fn in_runs(c: char) -> Option<char> {
    match c {
        '\0'..='\u{a8}' => None,
        // kana, Han, Hangul: letters all
        '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' => Some(c),
        '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' => Some(c),
        '\u{20000}'..='\u{3ffff}' => Some(c),
        // Thai, Lao, Tibetan, Myanmar; Jamo; Khmer; Tai scripts, Buginese; Balinese
        '\u{e00}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}' | '\u{1950}'..='\u{1aaf}' | '\u{1b00}'..='\u{1b7f}' => private(c),
        // the rest of East Asia: radicals, marks, Bopomofo, Jamo, what is in circles and squares, Yi; Javanese, Myanmar, Tai Viet; narrow forms
        '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{a4cf}' => private(c),
        '\u{a960}'..='\u{a9ff}' | '\u{aa60}'..='\u{aadf}' | '\u{d7b0}'..='\u{d7ff}' | '\u{ff66}'..='\u{ffdc}' | '\u{1aff0}'..='\u{1b16f}' => {
            private(c)
        }
        // pictures
        '©' | '®' | '‼' | '⁉' | '\u{20e3}' | '™' | 'ℹ' => private(c),
        '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{2460}'..='\u{27bf}' | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}' => private(c),
        '\u{1f000}'..='\u{1fbff}' => private(c),
        _ => None,
    }
}
/// One for each: no two characters above have the same last sixteen bits.
fn private(c: char) -> Option<char> {
    char::from_u32(0xf_0000 | (u32::from(c) & 0xffff))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn runs_are_pairs_and_words_stay() {
        assert!(matches!(indexed("plain Wörter"), Cow::Borrowed("plain Wörter")));
        assert_eq!(indexed("abc東京は1。晴"), "abc 東京 京は は 1。 晴");
        assert_eq!(phrase("京").unwrap(), "\" 京\"*");
        assert_eq!(phrase("東京").unwrap(), "\" 東京\"");
        assert_eq!(phrase("京は1").unwrap(), "\" 京は は 1\"*");
        assert_eq!(phrase("a").unwrap(), "\"a\"");
        assert_eq!(phrase("a\"b").unwrap(), "\"a\"\"b\"*");
        assert_eq!((phrase("\""), phrase("。")), (None, None));
        assert_eq!(indexed("❤\u{fe0f}x"), indexed("❤x"));
    }
    #[test]
    fn no_two_are_one() {
        let all: Vec<char> = ('\0'..=char::MAX).filter_map(in_runs).collect();
        let different: std::collections::HashSet<&char> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
