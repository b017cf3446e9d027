//! Puts the built page into the program: every file of `SUBROSA_WEB_DIST`, with its gzipped form where there is one beside it.
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=SUBROSA_WEB_DIST");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=migrations");
    let mut files = Vec::new();
    if let Some(dist) = std::env::var_os("SUBROSA_WEB_DIST").filter(|dist| !dist.is_empty()) {
        let dist = PathBuf::from(dist);
        let dist = dist.canonicalize().unwrap_or(dist);
        println!("cargo::rerun-if-changed={}", dist.display());
        walk(&dist, "", &mut files);
    }
    files.sort();
    let mut table = String::from("&[\n");
    for (name, path) in files.iter().filter(|(name, _)| !name.ends_with(".gz")) {
        let gz = PathBuf::from(format!("{}.gz", path.display()));
        let gz = if gz.is_file() { format!("Some(include_bytes!({gz:?}))") } else { "None".into() };
        let _ = writeln!(table, "    File {{ name: {name:?}, bytes: include_bytes!({path:?}), gz: {gz} }},");
    }
    table.push_str("]\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default()).join("files.rs");
    if let Err(why) = std::fs::write(&out, table) {
        println!("cargo::error={}: {why}", out.display());
    }
}

fn walk(dir: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(why) => return println!("cargo::error=SUBROSA_WEB_DIST: {}: {why}", dir.display()),
    };
    for entry in entries.flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        println!("cargo::rerun-if-changed={}", path.display());
        if path.is_dir() {
            walk(&path, &format!("{name}/"), files);
        } else {
            files.push((name, path));
        }
    }
}
