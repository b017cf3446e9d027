//! No GPL, AGPL or unknown licence in anything that we link: every crate of the resolved graph, of all targets and
//! kinds, must offer a licence of this list.

use cargo_metadata::Metadata;

use crate::run::Failure;

/// Licences that ask for no more than notice, and MPL-2.0, which asks for changes to its own files.
const ALLOWED: [&str; 17] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Say MIT but carry AGPL headers in their files.
const REFUSED: [&str; 1] = ["wacore-libsignal"];

/// A sentence for each crate that must not be there.
pub fn wrong(metadata: &Metadata) -> Result<Vec<String>, Failure> {
    let resolve = metadata.resolve.as_ref().ok_or("cargo metadata gave no resolved graph")?;
    let mut wrong = Vec::new();
    for node in &resolve.nodes {
        let package = &metadata[&node.id];
        let name = format!("{} {}", package.name, package.version);
        match package.license.as_deref() {
            _ if REFUSED.contains(&package.name.as_str()) => wrong.push(format!("{name}: its files are AGPL, whatever it says")),
            None => wrong.push(format!("{name}: names no licence")),
            Some(text) => match allows(text) {
                Ok(true) => {}
                Ok(false) => wrong.push(format!("{name}: {text} is not on the list")),
                Err(what) => wrong.push(format!("{name}: {text:?} can't be read: {what}")),
            },
        }
    }
    Ok(wrong)
}

/// Whether an SPDX expression offers an allowed licence: either side of OR, both sides of AND.
fn allows(expression: &str) -> Result<bool, String> {
    // The old way to write OR.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = Words { words: spaced.split_whitespace().collect(), next: 0 };
    let allowed = words.either()?;
    match words.peek() {
        None => Ok(allowed),
        Some(word) => Err(format!("{word} is left over")),
    }
}

struct Words<'a> {
    words: Vec<&'a str>,
    next: usize,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let is = self.peek() == Some(word);
        self.next += usize::from(is);
        is
    }

    fn either(&mut self) -> Result<bool, String> {
        let mut allowed = self.both()?;
        while self.take("OR") {
            allowed |= self.both()?;
        }
        Ok(allowed)
    }

    fn both(&mut self) -> Result<bool, String> {
        let mut allowed = self.one()?;
        while self.take("AND") {
            allowed &= self.one()?;
        }
        Ok(allowed)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.take("(") {
            let allowed = self.either()?;
            return if self.take(")") { Ok(allowed) } else { Err("a bracket is open".to_owned()) };
        }
        let word = self.peek().filter(|word| !["OR", "AND", "WITH", ")"].contains(word));
        let licence = word.ok_or("a licence is missing")?;
        self.next += 1;
        if !self.take("WITH") {
            return Ok(ALLOWED.contains(&licence));
        }
        let exception = self.peek().ok_or("an exception is missing")?;
        self.next += 1;
        Ok(ALLOWED.contains(&licence) || ALLOWED.contains(&format!("{licence} WITH {exception}").as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "LGPL-2.1-or-later OR (GPL-2.0 OR BSD-3-Clause)",
        ] {
            assert_eq!(allows(good), Ok(true), "{good}");
        }
        for bad in ["GPL-3.0-only", "AGPL-3.0-or-later", "MIT AND GPL-2.0", "(MIT OR ISC) AND AGPL-3.0-only", "Proprietary", "LGPL-3.0"] {
            assert_eq!(allows(bad), Ok(false), "{bad}");
        }
        for broken in ["", "MIT OR", "(MIT", "MIT MIT", "OR MIT", "MIT WITH"] {
            assert!(allows(broken).is_err(), "{broken}");
        }
    }
}
