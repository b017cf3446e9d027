//! docs/omemo-rules.md can't drift: every place in code that it names is there, every test that it names is a test, every rule has what
//! it needs to have, and every test that is here for a rule or a habit is named in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const HEAD: [&str; 6] = ["Rule", "Section", "Kept", "Code", "Tests", "But"];
/// Crates by the name they have in the table.
const CRATES: [(&str, &str); 9] = [
    ("omemo", "crates/omemo"),
    ("ratchet", "crates/ratchet"),
    ("engine", "crates/engine"),
    ("xmpp", "crates/xmpp"),
    ("history", "crates/history"),
    ("testkit", "testing/testkit"),
    ("interop", "testing/interop"),
    ("cli", "apps/cli"),
    ("gateway", "apps/gateway"),
];

#[derive(Clone, Debug)]
struct Rule {
    line: usize,
    what: String,
    section: String,
    kept: String,
    code: Vec<String>,
    tests: Vec<String>,
    but: String,
}
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}
fn document() -> String {
    text(&root().join("docs/omemo-rules.md")).expect("docs/omemo-rules.md")
}
/// What stands between backticks and is a path.
fn paths(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
/// The rows of the tables with these columns; every other table is an error.
fn rules(document: &str) -> Result<Vec<Rule>, String> {
    let mut all = Vec::new();
    let mut lines = document.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        if !line.starts_with('|') {
            continue;
        }
        let cells = |line: &str| line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        if cells(line)[1..] != HEAD[1..] {
            return Err(format!("line {}: a table with other columns", at + 1));
        }
        lines.next_if(|(_, line)| line.starts_with("|-")).ok_or("a table without a rule below its head")?;
        while let Some((at, line)) = lines.next_if(|(_, line)| line.starts_with('|')) {
            let [what, section, kept, code, tests, but] =
                <[String; 6]>::try_from(cells(line)).map_err(|row| format!("line {}: {} cells", at + 1, row.len()))?;
            let (code, tests) = (paths(&code), paths(&tests));
            all.push(Rule { line: at + 1, what, section, kept, code, tests, but });
        }
    }
    Ok(all)
}
/// The file of a module path in a directory, and what is left of the path: items.
fn file<'p>(directory: &Path, path: &'p [&'p str]) -> Option<(PathBuf, &'p [&'p str])> {
    // the longest way into modules that there is
    (0..=path.len()).rev().find_map(|taken| {
        let (modules, items) = path.split_at(taken);
        let place = modules.iter().fold(directory.to_owned(), |place, module| place.join(module));
        let files =
            if taken == 0 { vec![place.join("lib.rs")] } else { vec![place.with_extension("rs"), place.join("mod.rs"), place.join("main.rs")] };
        files.into_iter().find(|file| file.is_file()).map(|file| (file, items))
    })
}
/// The crate's directory, and the path in it.
fn place(path: &str) -> Result<(PathBuf, Vec<&str>), String> {
    let mut segments = path.split("::");
    let name = segments.next().unwrap_or_default();
    let directory = CRATES.iter().find(|(known, _)| *known == name).ok_or(format!("{path}: no crate {name}"))?.1;
    Ok((root().join(directory), segments.collect()))
}
/// Whether the text declares an item, or has methods of it.
fn declares(text: &str, item: &str) -> bool {
    ["fn", "struct", "enum", "trait", "const", "static", "type", "mod", "impl"].into_iter().any(|word| {
        text.match_indices(&format!("{word} {item}")).any(|(at, found)| {
            let part = |c: char| c.is_alphanumeric() || c == '_';
            !text[..at].ends_with(part) && !text[at + found.len()..].starts_with(part)
        })
    })
}
fn code_exists(path: &str) -> Result<(), String> {
    let (directory, segments) = place(path)?;
    let (file, items) = file(&directory.join("src"), &segments).ok_or(format!("{path}: no such module"))?;
    let text = text(&file).unwrap();
    match items.iter().find(|item| !declares(&text, item)) {
        None if items.is_empty() => Err(format!("{path}: a whole module")),
        None => Ok(()),
        Some(missing) => Err(format!("{path}: no {missing} in {}", file.display())),
    }
}
/// Whether the text has a test of this name: not only a function, and not one that is left out.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = |line: &str| {
        let after = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name));
        after.is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    lines.iter().enumerate().filter(|(_, line)| declared(line)).any(|(at, _)| {
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//") || line.is_empty());
        let above: Vec<&&str> = above.collect();
        let is = |what: &str| above.iter().any(|line| line.starts_with("#[") && line.contains(what));
        // crates/ratchet writes a test once for both profiles
        let both = text.split("both!(").skip(1).filter_map(|list| list.split(')').next()).any(|list| list.split_whitespace().any(|n| n == name));
        (is("test]") || is("test(") || both) && !is("#[ignore")
    })
}
fn test_exists(path: &str) -> Result<(), String> {
    let (directory, segments) = place(path)?;
    let name = segments.last().ok_or(format!("{path}: no test"))?;
    let found = ["tests", "src"].into_iter().filter_map(|part| file(&directory.join(part), &segments)).any(|(file, items)| {
        let inline = |items: &[&str]| items.len() == 1 || (items.len() == 2 && items[0] == "tests");
        inline(items) && text(&file).is_some_and(|text| has_test(&text, name))
    });
    if found { Ok(()) } else { Err(format!("{path}: no such test")) }
}
/// What is wrong with a row.
fn judge(rule: &Rule) -> Vec<String> {
    let mut wrong: Vec<String> = rule.code.iter().filter_map(|path| code_exists(path).err()).collect();
    wrong.extend(rule.tests.iter().filter_map(|path| test_exists(path).err()));
    let (has, but) = (!rule.code.is_empty() && !rule.tests.is_empty(), !rule.but.is_empty());
    match rule.kept.as_str() {
        "yes" if !has || but => wrong.push("a rule that is kept has code and tests, and no But".into()),
        "partly" | "otherwise" if !has || !but => wrong.push("what is kept in part or otherwise has code, tests and a But".into()),
        "no" if !but || !rule.code.is_empty() || !rule.tests.is_empty() => wrong.push("what is not kept has a But and nothing else".into()),
        "yes" | "partly" | "otherwise" | "no" => {}
        other => wrong.push(format!("kept {other:?}?")),
    }
    if rule.what.is_empty() || rule.section.is_empty() {
        wrong.push("no rule, or no section".into());
    }
    wrong.into_iter().map(|what| format!("line {}: {what}", rule.line)).collect()
}

#[test]
fn every_rule_has_its_place_and_its_test() {
    let rules = rules(&document()).unwrap();
    let wrong: Vec<String> = rules.iter().flat_map(judge).collect();
    assert!(wrong.is_empty(), "docs/omemo-rules.md:\n{}", wrong.join("\n"));
    assert!(rules.len() > 100, "{}", rules.len());
}
/// The numbers in its first lines.
#[test]
fn the_document_counts_right() {
    let document = document();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    let rules = rules(&document).unwrap();
    rules.iter().for_each(|rule| *count.entry(&rule.kept).or_default() += 1);
    let of = |kept: &str| count.get(kept).copied().unwrap_or_default();
    let sentence = format!("Kept: {}, in part: {}, otherwise: {}, not yet: {}.", of("yes"), of("partly"), of("otherwise"), of("no"));
    assert!(document.contains(&sentence), "it should say: {sentence}");
}
#[test]
fn every_test_of_a_rule_is_named() {
    let named: BTreeSet<String> = rules(&document()).unwrap().into_iter().flat_map(|rule| rule.tests).collect();
    let mut unnamed = Vec::new();
    for module in ["rules_kept", "wire_forms", "quirks::legacy", "quirks::omemo2"] {
        let path = root().join("crates/omemo/tests").join(module.replace("::", "/")).with_extension("rs");
        let text = text(&path).unwrap();
        let names = text.lines().filter_map(|line| line.strip_prefix("fn ")?.split('(').next());
        let tests: Vec<&str> = names.filter(|name| has_test(&text, name)).collect();
        assert!(tests.len() >= 8, "{module}");
        unnamed.extend(tests.into_iter().map(|name| format!("omemo::{module}::{name}")).filter(|path| !named.contains(path)));
    }
    // the check of the schema checks itself
    unnamed.retain(|path| path != "omemo::wire_forms::the_check_finds_what_is_wrong");
    assert!(unnamed.is_empty(), "docs/omemo-rules.md does not name\n{}", unnamed.join("\n"));
}
#[test]
fn what_is_not_there_is_noticed() {
    for good in ["omemo::incoming::accept", "omemo::handle::Omemo::replace_session", "ratchet::session::MAX_SKIP", "omemo::wire::sce::write"] {
        assert_eq!(code_exists(good), Ok(()));
    }
    for bad in [
        "omemo::incoming::accep",
        "omemo::incoming::acceptance",
        "omemo::incoming",
        "omemo::nowhere::accept",
        "nobody::incoming::accept",
        "omemo::handle::Omemo::devic",
        "omemo::wire::sce::Envelope::missing",
    ] {
        assert!(code_exists(bad).is_err(), "{bad}");
    }
    for good in [
        "omemo::rules::what_is_not_there_is_noticed",
        "omemo::wire::round_trips::padding",
        "omemo::records::tests::rows_come_back",
        "ratchet::conversation::heartbeat",
        "ratchet::identity::tests::sign_bit_in_the_signature",
        "xmpp::prosody::other_devices_see_copies",
    ] {
        assert_eq!(test_exists(good), Ok(()));
    }
    for bad in [
        "omemo::rules::code_exists",
        "omemo::rules::what_is_not_there",
        "omemo::rules_of_nobody::padding",
        "ratchet::conversation::events",
        "omemo::wire::padding",
    ] {
        assert!(test_exists(bad).is_err(), "{bad}");
    }
    let ignored = "#[test]\n#[ignore = \"long\"]\nfn long() {}\n/// Not one.\nfn none() {}\n#[test]\n/// One.\nasync fn one() {}\n";
    assert_eq!(["long", "none", "one", "on"].map(|name| has_test(ignored, name)), [false, false, true, false]);
    let row = |kept: &str, code: &str, tests: &str, but: &str| {
        let table = format!("| {} |\n|---|---|---|---|---|---|\n| a rule | 0384 §6 | {kept} | {code} | {tests} | {but} |\n", HEAD.join(" | "));
        judge(&rules(&table).unwrap()[0]).len()
    };
    let (code, test) = ("`omemo::incoming::accept`", "`omemo::wire::round_trips::padding`");
    assert_eq!((row("yes", code, test, ""), row("partly", code, test, "because"), row("no", "", "", "because")), (0, 0, 0));
    for (kept, code, test, but) in [
        ("yes", code, "", ""),
        ("yes", "", test, ""),
        ("yes", code, test, "but"),
        ("partly", code, test, ""),
        ("no", "", "", ""),
        ("no", code, "", "x"),
        ("maybe", code, test, ""),
    ] {
        assert_eq!(row(kept, code, test, but), 1, "{kept} {code} {test} {but}");
    }
    assert!(
        rules("| a | b |\n|---|---|\n").is_err()
            && rules(&format!("| {} |\n|---|---|---|---|---|---|\n| five | 1 | 2 | 3 | 4 |\n", HEAD.join(" | "))).is_err()
    );
}
