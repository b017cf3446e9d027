//! The arrows of ARCHITECTURE.md: who may depend on whom. Only apps, bindings, testing and xtask combine crates.

/// A crate of the workspace.
#[derive(Debug)]
pub struct Member {
    /// `subrosa-…`
    pub name: String,
    /// Its manifest's path below the root.
    pub place: String,
    /// Which of our crates it depends on, and whether only its tests do.
    pub needs: Vec<(String, bool)>,
}

/// What a crate below `crates/` may depend on. One that is not named here may depend on no crate of ours.
const ALLOWED: [(&str, &[&str]); 7] = [
    ("subrosa-omemo", &["subrosa-engine", "subrosa-ratchet"]),
    ("subrosa-store", &["subrosa-engine"]),
    ("subrosa-history", &["subrosa-engine"]),
    ("subrosa-xmpp", &["subrosa-engine"]),
    ("subrosa-files", &["subrosa-engine"]),
    ("subrosa-engines", &["subrosa-engine", "subrosa-files"]),
    ("subrosa-sip", &["subrosa-engine", "subrosa-files"]),
];

/// Tests of any crate may use these.
const FOR_TESTS: [&str; 2] = ["subrosa-testkit", "subrosa-interop"];

/// A sentence for each arrow that must not be.
pub fn wrong(members: &[Member]) -> Vec<String> {
    let mut wrong = Vec::new();
    for member in members.iter().filter(|member| member.place.starts_with("crates/")) {
        let allowed = ALLOWED.iter().find(|(name, _)| *name == member.name).map_or(&[] as &[&str], |(_, allowed)| allowed);
        for (needed, in_tests) in &member.needs {
            let needed = needed.as_str();
            let fine = allowed.contains(&needed) || *in_tests && (FOR_TESTS.contains(&needed) || needed == member.name);
            if !fine {
                let kind = if *in_tests { "tests must not depend" } else { "must not depend" };
                wrong.push(format!("{} {kind} on {needed} ({})", member.name, member.place));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::{Member, wrong};

    fn member(name: &str, place: &str, needs: &[(&str, bool)]) -> Member {
        let needs = needs.iter().map(|(name, in_tests)| ((*name).to_owned(), *in_tests)).collect();
        Member { name: name.to_owned(), place: format!("{place}/Cargo.toml"), needs }
    }

    #[test]
    fn the_star_is_accepted() {
        let members = [
            member("subrosa-engine", "crates/engine", &[("subrosa-testkit", true)]),
            member("subrosa-omemo", "crates/omemo", &[("subrosa-engine", false), ("subrosa-ratchet", false), ("subrosa-interop", true)]),
            member("subrosa-cli", "apps/cli", &[("subrosa-omemo", false), ("subrosa-xmpp", false)]),
        ];
        assert_eq!(wrong(&members), [""; 0]);
    }

    #[test]
    fn wrong_arrows_are_named() {
        let members = [
            member("subrosa-engine", "crates/engine", &[("subrosa-omemo", false)]),
            member("subrosa-xmpp", "crates/xmpp", &[("subrosa-omemo", true)]),
            member("subrosa-store", "crates/store", &[("subrosa-testkit", false)]),
            member("subrosa-new", "crates/new", &[("subrosa-engine", false)]),
        ];
        let wrong = wrong(&members);
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert!(wrong[0].contains("subrosa-engine must not depend on subrosa-omemo"), "{wrong:?}");
    }
}
