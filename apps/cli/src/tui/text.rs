//! Text of other people on its way to the screen: harmless, measured, broken into rows. Everything that is drawn went through here.
//!
//! Widths are those of `unicode-width`, which ratatui reckons with too; what is one sign for the eye (a grapheme) stays together.
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Characters of one grapheme that are kept: enough for every emoji; a heap of accents ends here.
const CLUSTER: usize = 24;

/// One that could drive the terminal or turn the direction of what stands around it.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// On one line, without what could drive the terminal: of that a `�` stays.
pub fn line(text: &str) -> String {
    tidy(text, false)
}
/// The same, with its line breaks.
pub fn lines(text: &str) -> String {
    tidy(text, true)
}
fn tidy(text: &str, breaks: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        match grapheme {
            "\n" | "\r\n" | "\u{2028}" | "\u{2029}" => out.push(if breaks { '\n' } else { ' ' }),
            "\t" => out.push(' '),
            _ => out.extend(grapheme.chars().take(CLUSTER).map(|c| if is_harmful(c) { '\u{fffd}' } else { c })),
        }
    }
    out
}

/// Columns that it takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Its beginning in so many columns; `…` stands for the rest. For text on one line.
pub fn cut(text: &str, columns: usize) -> String {
    // the ends of long texts are not looked at: a message may have 100,000 signs
    let mut out = String::new();
    let mut used: usize = 0;
    let mut graphemes = text.graphemes(true);
    while let Some(grapheme) = graphemes.next() {
        let wide = grapheme.width();
        let last = used.saturating_add(wide) == columns && graphemes.as_str().is_empty();
        if used.saturating_add(wide) < columns || last {
            out.push_str(grapheme);
            used = used.saturating_add(wide);
        } else {
            if columns > 0 {
                out.push('…');
            }
            break;
        }
    }
    out
}

/// Rows of at most so many columns, broken between words where they fit, else within. The first row may be shorter by `first` columns.
/// Never without a row.
pub fn wrap(text: &str, columns: usize, first: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut rows = Vec::new();
    let mut row = String::new();
    // of the row that is being filled
    let mut used = 0;
    let mut room = columns.saturating_sub(first).max(2);
    for (n, paragraph) in text.split('\n').enumerate() {
        if n > 0 {
            rows.push(std::mem::take(&mut row));
            (used, room) = (0, columns);
        }
        for word in paragraph.split_word_bounds() {
            let wide = word.width();
            if used + wide <= room {
                row.push_str(word);
                used += wide;
                continue;
            }
            if word.chars().all(char::is_whitespace) {
                continue; // at the end of a row
            }
            if used > 0 && wide <= columns {
                rows.push(std::mem::take(&mut row).trim_end().to_owned());
                (used, room) = (0, columns);
            }
            for grapheme in word.graphemes(true) {
                let wide = grapheme.width();
                if used + wide > room {
                    rows.push(std::mem::take(&mut row));
                    (used, room) = (0, columns);
                }
                row.push_str(grapheme);
                used += wide;
            }
        }
    }
    rows.push(row);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_drives_a_terminal_is_left() {
        let bad = "\x1b]0;title\x07\x1b[2J\r\n\u{9b}31m\u{202e}ok\u{2066}\tnext\u{7f}\u{feff}\u{2028}end";
        for tidied in [line(bad), lines(bad)] {
            assert!(tidied.chars().all(|c| c == '\n' || !is_harmful(c)), "{tidied:?}");
        }
        assert_eq!(line("a\nb\r\nc\td"), "a b c d");
        assert_eq!(lines("a\nb\r\nc"), "a\nb\nc");
        let heap = format!("a{}", "\u{301}".repeat(1000));
        assert_eq!(line(&heap).chars().count(), CLUSTER);
        let family = "👨‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ❤️ שלום مرحبا";
        assert_eq!(line(family), family);
    }

    #[test]
    fn cuts_between_signs_and_says_so() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello!", 5), "hell…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("x", 0), "");
        assert_eq!(cut("👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 3), "👨‍👩‍👧‍👦…");
    }

    #[test]
    fn rows_fit_and_nothing_is_lost() {
        assert_eq!(wrap("", 10, 0), [""]);
        assert_eq!(wrap("the quick brown fox", 10, 0), ["the quick", "brown fox"]);
        assert_eq!(wrap("the quick brown fox", 10, 5), ["the", "quick", "brown fox"]);
        assert_eq!(wrap("a\n\nb", 10, 0), ["a", "", "b"]);
        assert_eq!(wrap("0123456789abcdef", 10, 0), ["0123456789", "abcdef"]);
        assert_eq!(wrap("日本語日本語", 5, 0), ["日本", "語日", "本語"]);
        for text in ["one two  three 日本語 👨‍👩‍👧‍👦👨‍👩‍👧‍👦 x", "aaaaaaaaaaaaaaaaaaaaaaaa bb", "  lead"] {
            for columns in 2..20 {
                for first in [0, 3, 30] {
                    let rows = wrap(text, columns, first);
                    assert!(rows.iter().all(|row| width(row) <= columns), "{columns} {rows:?}");
                    let kept = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                    assert_eq!(kept(&rows.concat()), kept(text));
                }
            }
        }
    }
}
