//! Colours that words have in every program: consistent colour generation (XEP-0392 §5), and what of it a terminal can show.
//!
//! Owns the hue of a text, HSLuv at full saturation, and the choice between 16 million and 256 colours. A terminal that has neither, and
//! one whose owner set `NO_COLOR`, gets none: a fingerprint is compared by its digits, colours only help the eye (§9).
use sha1::{Digest, Sha1};

/// Red, green and blue.
pub type Rgb = [u8; 3];
/// In the middle: as far from a dark background as from a light one (XEP-0392 §8).
const LIGHTNESS: f64 = 50.0;

/// How many colours a terminal has beside the sixteen that its owner chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// None of them is shown.
    None,
    /// The cube of 216 and the greys, as xterm has them.
    Indexed,
    /// All.
    Direct,
}
impl Depth {
    /// Of a terminal with these variables in its environment.
    pub fn of(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let (term, colours) = (set("TERM").unwrap_or_default(), set("COLORTERM").unwrap_or_default());
        match () {
            () if set("NO_COLOR").is_some() => Depth::None,
            () if matches!(colours.as_str(), "truecolor" | "24bit") || term.ends_with("-direct") => Depth::Direct,
            () if term.contains("256color") => Depth::Indexed,
            () => Depth::None,
        }
    }
    /// Of this process's environment.
    pub fn here() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }
}

/// The colour of a text (XEP-0392 §5.1, §5.2).
pub fn of(text: &str) -> Rgb {
    rgb(hue(text), LIGHTNESS).map(|part| (part * 255.0).round().clamp(0.0, 255.0) as u8)
}
/// In degrees.
fn hue(text: &str) -> f64 {
    let digest = Sha1::digest(text.as_bytes());
    let low = digest.iter().take(2).rev().fold(0u16, |value, byte| value << 8 | u16::from(*byte));
    f64::from(low) / 65536.0 * 360.0
}

/// HSLuv to sRGB, saturation 100 (hsluv.org, revision 4).
fn rgb(hue: f64, l: f64) -> [f64; 3] {
    /// XYZ to linear sRGB.
    const M: [[f64; 3]; 3] = [
        [3.240_969_941_904_521, -1.537_383_177_570_093, -0.498_610_760_293],
        [-0.969_243_636_280_87, 1.875_967_501_507_72, 0.041_555_057_407_175],
        [0.055_630_079_696_993, -0.203_976_958_888_97, 1.056_971_514_242_878],
    ];
    const KAPPA: f64 = 903.296_296_2;
    const EPSILON: f64 = 0.008_856_451_6;
    const WHITE: (f64, f64) = (0.197_830_006_642_83, 0.468_319_994_938_79);
    let (sin, cos) = hue.to_radians().sin_cos();
    // the chroma at which the first of the six edges of sRGB is reached in this direction
    let cubed = (l + 16.0).powi(3) / 1_560_896.0;
    let sub = if cubed > EPSILON { cubed } else { l / KAPPA };
    let edges = M.iter().flat_map(|[m1, m2, m3]| {
        [0.0, 1.0].map(|t| {
            let bottom = (632_260.0 * m3 - 126_452.0 * m2) * sub + 126_452.0 * t;
            let slope = (284_517.0 * m1 - 94_839.0 * m3) * sub / bottom;
            let intercept = ((838_422.0 * m3 + 769_860.0 * m2 + 731_718.0 * m1) * l * sub - 769_860.0 * t * l) / bottom;
            intercept / (sin - slope * cos)
        })
    });
    let chroma = edges.filter(|length| *length >= 0.0).fold(f64::INFINITY, f64::min);
    let (u, v) = (chroma * cos / (13.0 * l) + WHITE.0, chroma * sin / (13.0 * l) + WHITE.1);
    let y = if l > 8.0 { ((l + 16.0) / 116.0).powi(3) } else { l / KAPPA };
    let x = 9.0 * y * u / (4.0 * v);
    let z = (9.0 * y - 15.0 * v * y - v * x) / (3.0 * v);
    M.map(|[m1, m2, m3]| {
        let linear = m1 * x + m2 * y + m3 * z;
        if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 }
    })
}

/// The nearest of the 216 that a terminal of 256 colours has, by its number.
pub fn indexed(rgb: Rgb) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    rgb.iter().fold(0, |index, part| {
        let near = (0u8..).zip(STEPS).min_by_key(|(_, step)| step.abs_diff(*part)).map_or(0, |(n, _)| n);
        index * 6 + near
    }) + 16
}
/// The text with its colour around it, for standard output.
pub fn painted(text: &str, depth: Depth) -> String {
    let rgb = of(text);
    match (depth, rgb) {
        (Depth::None, _) => text.to_owned(),
        (Depth::Indexed, _) => format!("\x1b[38;5;{}m{text}\x1b[39m", indexed(rgb)),
        (Depth::Direct, [r, g, b]) => format!("\x1b[38;2;{r};{g};{b}m{text}\x1b[39m"),
    }
}
/// A group of a fingerprint: what has a colour of its own in a text for people (XEP-0384 §8).
pub fn is_group(word: &str) -> bool {
    word.len() == 8 && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// XEP-0392 §13.1.
    #[test]
    fn colours_are_the_specifications() {
        for (text, angle, colour) in [
            ("Romeo", 327.255_249, [0.865, 0.000, 0.686]),
            ("juliet@capulet.lit", 209.410_400, [0.000, 0.515, 0.573]),
            ("😺", 331.199_341, [0.872, 0.000, 0.659]),
            ("council", 359.994_507, [0.918, 0.000, 0.394]),
            ("Board", 171.430_664, [0.000, 0.527, 0.457]),
        ] {
            assert!((hue(text) - angle).abs() < 1e-6, "{text}: {}", hue(text));
            let made = rgb(hue(text), 50.0);
            assert!(made.iter().zip(colour).all(|(made, known)| (made - known).abs() < 6e-4), "{text}: {made:?}");
            assert!(of(text).iter().zip(colour).all(|(made, known)| (f64::from(*made) / 255.0 - known).abs() < 0.003));
        }
    }

    #[test]
    fn a_terminal_gets_what_it_has() {
        let depth = |vars: &[(&str, &str)]| Depth::of(|name| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()));
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Depth::Direct);
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("NO_COLOR", "")]), Depth::Indexed);
        assert_eq!(depth(&[("TERM", "xterm-256color"), ("COLORTERM", "24bit"), ("NO_COLOR", "1")]), Depth::None);
        assert_eq!((depth(&[("TERM", "dumb")]), depth(&[])), (Depth::None, Depth::None));
        assert_eq!((indexed([255, 0, 0]), indexed([0, 0, 0]), indexed([255, 255, 255]), indexed([96, 134, 176])), (196, 16, 231, 67));
        assert_eq!(painted("8bd1c1f0", Depth::None), "8bd1c1f0");
        let [r, g, b] = of("8bd1c1f0");
        assert_eq!(painted("8bd1c1f0", Depth::Direct), format!("\x1b[38;2;{r};{g};{b}m8bd1c1f0\x1b[39m"));
        assert!(is_group("8bd1c1f0") && !is_group("8BD1C1F0") && !is_group("8bd1c1f") && !is_group("trusted!"));
    }
}
