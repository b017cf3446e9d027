//! `include/subrosa.h` is what the sources say, and compilers of C and C++ take it.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::path::Path;
use std::process::Command;
use subrosa_interop::{find_program, goes_on};

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
/// Strict compilers of several standards take it, and one of C++.
#[test]
fn compilers_take_the_header() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("only.c");
    std::fs::write(&source, "#include \"subrosa.h\"\nint main(void) { return SUBROSA_FAULT_NONE; }\n").unwrap();
    let strict = ["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"];
    for (compiler, options) in [
        ("cc", ["-x", "c", "-std=c89"]),
        ("cc", ["-x", "c", "-std=c99"]),
        ("cc", ["-x", "c", "-std=c17"]),
        ("c++", ["-x", "c++", "-std=c++98"]),
        ("c++", ["-x", "c++", "-std=c++20"]),
    ] {
        if !goes_on("c", false, find_program(compiler).is_none().then(|| format!("there is no {compiler}"))) {
            continue;
        }
        let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
        let output = Command::new(compiler).args(options).args(strict).arg("-Wno-long-long").arg("-I").arg(include).arg(&source).output().unwrap();
        assert!(output.status.success(), "{compiler} {options:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What cbindgen leaves as it is: C89 has no comma at the end of an enumeration and no `//`, and a comment of one line is one line.
fn in_shape(header: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let (mut comment, mut text): (bool, Vec<String>) = (false, Vec::new());
    for line in header.lines().map(str::trim_end) {
        let indent = line.split_at(line.find(|c: char| c != ' ').unwrap_or(0)).0;
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
