//! docs/cli.md shows the keys and commands that there are.
use crate::tui::keys;
use crate::tui::model::COMMANDS;

const DOC: &str = include_str!("../../../../../docs/cli.md");

/// A row of the document's tables.
fn rows(first: &str) -> Vec<Vec<String>> {
    let table = DOC.split(first).nth(1).unwrap_or_default().lines().skip(2);
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.replace('`', "").trim().to_owned()).collect();
    table.take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn the_documents_keys_are_the_tables() {
    let ours: Vec<_> = keys::help().map(|(place, names, what)| vec![place.to_owned(), names, what.to_owned()]).collect();
    assert_eq!(rows("| Where | Key | |"), ours, "{}", table());
}

#[test]
fn the_documents_commands_are_ours() {
    let ours: Vec<_> = COMMANDS.iter().map(|(command, what)| vec![(*command).to_owned(), (*what).to_owned()]).collect();
    assert_eq!(rows("| Command | |"), ours, "{}", table());
}

/// To be put there.
fn table() -> String {
    let mut text = String::from("docs/cli.md has to say:\n\n| Where | Key | |\n|---|---|---|\n");
    for (place, names, what) in keys::help() {
        let names: Vec<_> = names.split(", ").map(|name| format!("`{name}`")).collect();
        text.push_str(&format!("| {place} | {} | {what} |\n", names.join(", ")));
    }
    text.push_str("\n| Command | |\n|---|---|\n");
    for (command, what) in COMMANDS {
        text.push_str(&format!("| `{command}` | {what} |\n"));
    }
    text
}
