//! Inks as colours: the sixteen that every terminal has and its owner chose, on the terminal's own background, so that dark and light
//! ones both stay readable; the groups of a fingerprint in their own, where there are more. Without colours (NO_COLOR) everything is told by bold, dim and reversed.
use crate::colour::{Depth, indexed};
use crate::tui::model::Ink;
use ratatui::style::{Color, Modifier, Style};

/// How it is painted.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    pub colours: bool,
    /// Beside the sixteen; a text's own colour needs more.
    pub depth: Depth,
}
/// White and yellow can't be seen on a light terminal, black and grey not on a dark one.
const NAMES: [Color; 4] = [Color::Blue, Color::Magenta, Color::Cyan, Color::Green];

impl Theme {
    pub fn ink(self, ink: Ink) -> Style {
        let plain = Style::new();
        let colour = |style: Style, colour: Color| if self.colours { style.fg(colour) } else { style };
        match ink {
            Ink::Text => plain,
            Ink::Dim | Ink::Line => plain.add_modifier(Modifier::DIM),
            Ink::Name(sum) => colour(plain.add_modifier(Modifier::BOLD), NAMES.get(usize::from(sum % 4)).copied().unwrap_or(Color::Blue)),
            Ink::You => plain.add_modifier(Modifier::BOLD),
            Ink::Bad => colour(plain.add_modifier(Modifier::BOLD), Color::Red),
            Ink::Good => colour(plain, Color::Green),
            Ink::Own(rgb) => match (self.depth, rgb) {
                (Depth::None, _) => plain,
                (Depth::Indexed, _) => plain.fg(Color::Indexed(indexed(rgb))),
                (Depth::Direct, [r, g, b]) => plain.fg(Color::Rgb(r, g, b)),
            },
        }
    }
    /// What is chosen.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
    /// Lines between parts; of the part that has the keys.
    pub fn border(self, active: bool) -> Style {
        match (active, self.colours) {
            (true, true) => Style::new().fg(Color::Cyan),
            (true, false) => Style::new().add_modifier(Modifier::BOLD),
            (false, _) => Style::new().add_modifier(Modifier::DIM),
        }
    }
}
