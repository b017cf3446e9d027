//! `include/subrosa.h` is what the sources say, and compilers of C and C++ take it.
#![allow(clippy::unwrap_used, clippy::panic)]
mod common;

use std::path::Path;

/// Renew the header with `SUBROSA_RENEW=1 cargo test -p subrosa-c --test header`.
#[test]
fn the_header_is_not_stale() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(here.join("cbindgen.toml")).unwrap();
    let mut written = Vec::new();
    cbindgen::Builder::new().with_crate(here).with_config(config).generate().unwrap().write(&mut written);
    let written = in_shape(&String::from_utf8(written).unwrap());
    assert!(written.is_ascii(), "compilers differ in what they make of other characters");
    let path = here.join("include/subrosa.h");
    if std::env::var_os("SUBROSA_RENEW").is_some() {
        std::fs::write(&path, written).unwrap();
    } else if std::fs::read_to_string(&path).unwrap_or_default() != written {
        panic!("{} is stale: renew it with `SUBROSA_RENEW=1 cargo test -p subrosa-c --test header`", path.display());
    }
}
/// What cbindgen leaves as it is: C89 has no comma at the end of an enumeration and no `//`, and a comment of one line is one line.
fn in_shape(header: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let (mut comment, mut text): (bool, Vec<String>) = (false, Vec::new());
    for line in header.lines().map(str::trim_end) {
        let indent = &line[..line.len() - line.trim_start().len()];
        match line.trim_start() {
            "/*" => comment = true,
            "*/" if comment => {
                let indent = indent.strip_suffix(' ').unwrap_or(indent); // its star stands under the other
                let joined = text.join("\n").replace('\n', &format!("\n{indent}   ")).replace(&format!("\n{indent}   \n"), "\n\n");
                lines.push(format!("{indent}/* {joined} */"));
                (comment, text) = (false, Vec::new());
            }
            words if comment => text.push(words.to_owned()),
            code => match code.split_once("// ") {
                Some((code, words)) => lines.push(format!("{} /* {words} */", code.trim_end())),
                None => {
                    if let Some(last) = lines.last_mut().filter(|_| code.starts_with('}')) {
                        *last = last.strip_suffix(',').unwrap_or(last).to_owned();
                    }
                    lines.push(line.to_owned());
                }
            },
        }
    }
    lines.dedup_by(|next, line| next.is_empty() && line.is_empty());
    lines.join("\n") + "\n"
}
