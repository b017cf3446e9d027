//! `--engine`: what the chats of a process go through, where it is not OMEMO.
use crate::failure::{Failure, FaultName};
use std::path::Path;
use subrosa_engine::{EngineId, Machine};
use subrosa_engines::{Completions, by_name};

/// The chosen engine; OMEMO where none was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice(Option<String>);

impl Choice {
    /// As it stands on the command line: `omemo`, or a name of [`by_name`] whose key, if it has one, is in a file.
    pub fn parse(given: Option<&str>) -> Result<Self, Failure> {
        let Some(given) = given.filter(|name| *name != "omemo") else { return Ok(Choice(None)) };
        let name = match given.split_once(':') {
            Some((word, key)) if word.starts_with("preshared") => format!("{word}:@{}", key_file(word, key)?),
            _ => given.to_owned(),
        };
        by_name(&name).map_err(|e| Failure::coded(&e))?; // what is wrong with it is told before anything is opened
        Ok(Choice(Some(name)))
    }
    /// `None`: OMEMO. Else as others compare it: two processes that say the same have the same engine.
    pub fn other(&self) -> Option<&str> {
        self.0.as_deref()
    }
    /// Puts it into a machine; with what it finishes on threads of its own. `None`: it is OMEMO.
    pub fn install(&self, machine: &mut Machine) -> Result<Option<(EngineId, Option<Completions>)>, Failure> {
        let Some(name) = self.other() else { return Ok(None) };
        let named = by_name(name).map_err(|e| Failure::coded(&e))?;
        Ok(Some((machine.install(named.engine).id(), named.completions)))
    }
    /// Whether the process that has the account runs the same one; `theirs` as `status` says it.
    pub fn agree(&self, theirs: Option<&str>) -> Result<(), Failure> {
        if self.other() == theirs {
            return Ok(());
        }
        let (ours, theirs) = (self.other().unwrap_or("omemo"), theirs.unwrap_or("omemo"));
        let sentence = format!(
            "the process that has the account open runs the engine {theirs}, not {ours}; end it, or say --engine {theirs} if that is what you mean"
        );
        Err(Failure::new("engine.another", FaultName::Caller, sentence))
    }
}

/// The whole path. A key itself is never taken from the command line: other users of the machine can read that.
fn key_file(word: &str, key: &str) -> Result<String, Failure> {
    let Some(file) = key.strip_prefix('@').filter(|file| !file.is_empty()) else {
        let why = "other users of this machine can read what stands on the command line";
        return Err(Failure::usage(format!("{why}; write the key into a file that only you can read, and say {word}:@FILE")));
    };
    let path = std::path::absolute(file).map_err(|e| Failure::io("finding", Path::new(file), &e))?;
    path.to_str().map(str::to_owned).ok_or_else(|| Failure::usage("the name of the key file is no UTF-8; give it another"))
}

/// What an engine protects from, in a word for a person.
pub fn protection(engine: &str) -> &'static str {
    if engine.starts_with("preshared") { "encrypted with a key that both sides have" } else { "no protection" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_found_by_their_names() {
        assert_eq!(Choice::parse(None), Ok(Choice(None)));
        assert_eq!(Choice::parse(Some("omemo")), Ok(Choice(None)));
        for (name, _) in subrosa_engines::NAMES.iter().filter(|(name, _)| !name.contains(':')) {
            assert_eq!(Choice::parse(Some(name)).expect("there").other(), Some(*name));
            assert_eq!(protection(name), "no protection");
        }
        for bad in ["rot13", "", "xor:key", "preshared"] {
            assert!(Choice::parse(Some(bad)).expect_err("none").code.starts_with("engine."), "{bad}");
        }
    }

    #[test]
    fn a_key_is_taken_from_a_file_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("key");
        std::fs::write(&file, "5a".repeat(32) + "\n").expect("writes");
        let name = format!("preshared:@{}", file.display());
        let choice = Choice::parse(Some(&name)).expect("a key");
        assert_eq!(choice.other(), Some(name.as_str()));
        let hex = Choice::parse(Some(&format!("preshared:{}", "5a".repeat(32)))).expect_err("on the command line");
        assert!(hex.code == "request.invalid" && hex.sentence.contains("preshared:@FILE") && !hex.sentence.contains("5a5a"));
        for bad in ["preshared:", "preshared:@"] {
            assert_eq!(Choice::parse(Some(bad)).expect_err(bad).code, "request.invalid");
        }
        std::fs::write(&file, "short").expect("writes");
        assert!(Choice::parse(Some(&name)).is_err());
        assert!(Choice::parse(Some("preshared:@/nowhere/key")).is_err());
    }

    #[test]
    fn another_engine_than_that_of_the_open_account_is_told() {
        let xor = Choice::parse(Some("xor")).expect("there");
        assert_eq!(xor.agree(Some("xor")), Ok(()));
        let failure = Choice::default().agree(Some("xor")).expect_err("not the same");
        assert!(failure.sentence.contains("runs the engine xor, not omemo"), "{failure}");
        assert!(xor.agree(None).is_err() && Choice::default().agree(None).is_ok());
    }
}
