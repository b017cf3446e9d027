//! `cargo xtask web`: what a browser loads. The wasm modules with their glue, the static files, each once more gzipped.
//!
//! Reproducible: no path of this machine is in the files, gzip carries no time. A gate: the page makes no element by parsing
//! text (which Trusted Types refuse). A size over its budget is said, here and in the benches.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{Need, ensure, wasm_opt};
use crate::run::{Failure, cargo, quiet, root};

/// A package that is compiled to wasm, and the name of its glue.
type Module = (&'static str, &'static str);

const APP: [Module; 2] = [("subrosa-web-page", "app"), ("subrosa-web-worker", "engine")];
const TESTS: [Module; 1] = [("subrosa-wasm-tests", "tests")];

/// Gzipped, in bytes.
const ENGINE_BUDGET: usize = 200_000;
const PAGE_BUDGET: usize = 450_000;

/// How it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// What is shipped.
    Release,
    /// Quick to build, large.
    Dev,
}

impl Flavour {
    /// Of cargo, and the directory that cargo puts it into.
    fn profile(self) -> (&'static str, &'static str) {
        match self {
            Self::Release => ("web", "web"),
            Self::Dev => ("dev", "debug"),
        }
    }
}

/// Below `target/`, whatever `CARGO_TARGET_DIR` says: the gateway is built with it.
fn directory(name: &str) -> PathBuf {
    root().join("target/web").join(name)
}

/// Builds the application into `target/web/dist`, or `target/web/dev`, and says how large it is.
pub fn web(flavour: Flavour) -> Result<PathBuf, Failure> {
    let (out, sizes, optimised) = build(flavour)?;
    print!("{}", table(&sizes));
    match flavour {
        Flavour::Release if optimised => over_budget(&sizes).iter().for_each(|over| eprintln!("  ! {over}")),
        Flavour::Release => eprintln!("  ! without wasm-opt: too large, and the budgets are not checked"),
        Flavour::Dev => {}
    }
    Ok(out)
}

/// The same without a word: the place, the sizes, and whether it was optimised.
pub fn build(flavour: Flavour) -> Result<(PathBuf, Vec<Size>, bool), Failure> {
    let out = directory(if flavour == Flavour::Release { "dist" } else { "dev" });
    let optimised = modules(&APP, flavour, &out)?;
    gate(&fs::read_to_string(out.join("app.js"))?)?;
    let mut keep: BTreeSet<String> = outputs(&APP).collect();
    for entry in fs::read_dir(root().join("apps/web/static"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            write_if_changed(&out.join(&name), &fs::read(entry.path())?)?;
            keep.insert(name);
        }
    }
    tidy(&out, &keep)?;
    let sizes = keep.into_iter().map(|name| size(&out, name, flavour)).collect::<Result<Vec<_>, _>>()?;
    Ok((out, sizes, optimised))
}

/// Builds the module of the tests and benches that run in a browser.
pub fn tests(flavour: Flavour) -> Result<PathBuf, Failure> {
    let out = directory(if flavour == Flavour::Release { "bench" } else { "tests" });
    modules(&TESTS, flavour, &out)?;
    Ok(out)
}

/// Compiles, binds and optimises. `false`: there is no wasm-opt.
fn modules(modules: &[Module], flavour: Flavour, out: &Path) -> Result<bool, Failure> {
    ensure(&[Need::Wasm])?;
    let optimiser = if flavour == Flavour::Release { wasm_opt() } else { None };
    let target = root().join("target/wasm");
    let (profile, folder) = flavour.profile();
    let mut build = cargo(&["build", "--locked", "--target", "wasm32-unknown-unknown", "--profile", profile]);
    build.args(modules.iter().flat_map(|(package, _)| ["-p", *package]));
    build.env("CARGO_TARGET_DIR", &target).env("CARGO_ENCODED_RUSTFLAGS", flags()?.join("\u{1f}")).env_remove("RUSTFLAGS");
    quiet("compiling to WebAssembly", &mut build)?;
    fs::create_dir_all(out)?;
    for (package, name) in modules {
        let compiled = target.join("wasm32-unknown-unknown").join(folder).join(format!("{}.wasm", package.replace('-', "_")));
        let compiled = without_marker(fs::read(compiled)?);
        let stamp = stamp(&compiled, optimiser.as_deref());
        let stamp_file = directory(&format!(".{}-{name}", out.file_name().unwrap_or_default().to_string_lossy()));
        let files = [format!("{name}.js"), format!("{name}_bg.wasm")];
        let is_there = files.iter().all(|file| out.join(file).is_file());
        if is_there && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
            continue;
        }
        bind(name, compiled, out)?;
        if let Some(program) = &optimiser {
            optimise(program, &out.join(&files[1]))?;
        }
        fs::write(stamp_file, stamp)?;
    }
    Ok(optimiser.is_some())
}

/// Names that modules get.
fn outputs(modules: &[Module]) -> impl Iterator<Item = String> {
    modules.iter().flat_map(|(_, name)| [format!("{name}.js"), format!("{name}_bg.wasm")])
}

/// For rustc: no path of this machine; components without their types, which is smaller from ten of them on; ciphers and hashes in
/// loops instead of long lines, which is smaller and no slower that one could measure.
fn flags() -> Result<Vec<String>, Failure> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).unwrap_or_default();
    // The standard library's own paths are its version's, but where its sources are installed they become that place.
    let version = rustc(&["-vV"])?;
    let hash = version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).ok_or("rustc does not say which it is")?;
    let sources = Path::new(rustc(&["--print", "sysroot"])?.trim()).join("lib/rustlib/src/rust");
    let paths = [(root(), "/src".to_owned()), (home.as_path(), "/cargo".into()), (&sources, format!("/rustc/{hash}"))];
    let paths = paths.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let switches = ["erase_components", r#"aes_backend_soft="compact""#, r#"sha2_backend_soft="compact""#];
    Ok(paths.into_iter().chain(switches.map(|switch| format!("--cfg={switch}"))).collect())
}

fn rustc(args: &[&str]) -> Result<String, Failure> {
    let out = Command::new("rustc").current_dir(root()).args(args).output().map_err(|error| format!("could not run `rustc`: {error}"))?;
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The glue, as modules of the web. A library of the same version as the crate: no program to install.
fn bind(name: &str, compiled: Vec<u8>, out: &Path) -> Result<(), Failure> {
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_bytes(name, compiled).web(true)?.typescript(false).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(out).map_err(|error| format!("wasm-bindgen on {name}: {error:#}"))?;
    Ok(())
}

const FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-call-indirect-overlong",
];

fn optimise(program: &Path, module: &Path) -> Result<(), Failure> {
    let name = format!("optimising {}", module.file_name().unwrap_or_default().to_string_lossy());
    let mut command = Command::new(program);
    // Nothing of Rust's lies in the first kilobyte: the stack grows down to it, and ends long before.
    command.args(["-Oz", "--low-memory-unused", "--converge"]).args(FEATURES).args(["--strip-debug", "--strip-producers", "--strip-target-features"]);
    quiet(&name, command.arg(module).arg("-o").arg(module)).map(drop)
}

/// A macro of the page's framework puts a hash of where its source lies into a symbol: zeros instead.
fn without_marker(mut module: Vec<u8>) -> Vec<u8> {
    const MARKER: &[u8] = b"_WASM_SPLIT_MARKER_";
    let found: Vec<usize> = module.windows(MARKER.len()).enumerate().filter(|(_, window)| *window == MARKER).map(|(at, _)| at).collect();
    for at in found {
        let digits = module.iter_mut().skip(at + MARKER.len()).take(16);
        digits.filter(|digit| digit.is_ascii_hexdigit()).for_each(|digit| *digit = b'0');
    }
    module
}

/// Of everything that the outputs of a module depend on. Compiled into us: how it is done.
fn stamp(compiled: &[u8], optimiser: Option<&Path>) -> String {
    let mut hasher = DefaultHasher::new();
    (compiled, optimiser, include_str!("web.rs")).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Refuses a page that would make elements by parsing text: its framework does that by a `<template>` and its content.
fn gate(glue: &str) -> Result<(), Failure> {
    if glue.contains("arg0.content;") || glue.contains(".innerHTML") {
        return Err("the page makes elements by parsing text, which its own policy refuses: in `view!`, put texts and attribute values of \
                    elements that never change into braces (`<p class={\"hint\"}>{\"text\"}</p>`)"
            .into());
    }
    Ok(())
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    Ok(fs::write(path, bytes)?)
}

/// Removes what an earlier build left.
fn tidy(out: &Path, keep: &BTreeSet<String>) -> Result<(), Failure> {
    for entry in fs::read_dir(out)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let of = name.strip_suffix(".gz").unwrap_or(&name);
        if !keep.contains(of) {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

/// A file's name, its size, its size gzipped.
type Size = (String, usize, usize);

/// Gzips a file beside itself, unless it is there already: what is shipped as small as gzip can, which takes a while.
fn size(out: &Path, name: String, flavour: Flavour) -> Result<Size, Failure> {
    let (bytes, place) = (fs::read(out.join(&name))?, out.join(format!("{name}.gz")));
    let mut old = Vec::new();
    let packed = fs::read(&place).unwrap_or_default();
    if flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut old).is_ok() && old == bytes {
        return Ok((name, bytes.len(), packed.len()));
    }
    let mut packed = Vec::new();
    match flavour {
        Flavour::Release => zopfli::compress(zopfli::Options::default(), zopfli::Format::Gzip, bytes.as_slice(), &mut packed)?,
        Flavour::Dev => {
            let mut encoder = flate2::GzBuilder::new().mtime(0).write(&mut packed, flate2::Compression::fast());
            encoder.write_all(&bytes)?;
            encoder.finish()?;
        }
    }
    fs::write(place, &packed)?;
    Ok((name, bytes.len(), packed.len()))
}

fn total(sizes: &[Size]) -> usize {
    sizes.iter().map(|(.., packed)| packed).sum()
}

fn table(sizes: &[Size]) -> String {
    let width = sizes.iter().map(|(name, ..)| name.len()).max().unwrap_or(0).max("in all".len());
    let mut text = format!("{:<width$}  {:>9}  {:>9}\n", "file", "bytes", "gzip");
    for (name, bytes, packed) in sizes {
        text.push_str(&format!("{name:<width$}  {bytes:>9}  {packed:>9}\n"));
    }
    let bytes: usize = sizes.iter().map(|(_, bytes, _)| bytes).sum();
    text.push_str(&format!("{:<width$}  {bytes:>9}  {:>9}\n", "in all", total(sizes)));
    text
}

/// A sentence for each budget that is not kept.
fn over_budget(sizes: &[Size]) -> Vec<String> {
    let measured = budgets(sizes).into_iter().filter(|(.., is, budget)| is > budget);
    measured.map(|(what, _, is, budget)| format!("{what}: {is} bytes gzipped, its budget is {budget}")).collect()
}

/// What is measured, its name in the benches, the bytes and the budget.
pub fn budgets(sizes: &[Size]) -> [(&'static str, &'static str, usize, usize); 2] {
    let engine = sizes.iter().find(|(name, ..)| name == "engine_bg.wasm").map_or(0, |(.., packed)| *packed);
    [("the engine's wasm", "engine_wasm", engine, ENGINE_BUDGET), ("everything that the page loads", "page", total(sizes), PAGE_BUDGET)]
}

#[cfg(test)]
mod tests {
    use super::{gate, over_budget, table, without_marker};

    #[test]
    fn a_page_that_parses_markup_is_refused() {
        assert!(gate("e.textContent = t;").is_ok());
        assert!(gate("e.innerHTML = t;").is_err());
        assert!(gate("const ret = arg0.content;").is_err());
    }

    #[test]
    fn the_marker_is_the_same_everywhere() {
        let module = b"\0_WASM_SPLIT_MARKER_0123456789abcdef\x01ab_WASM_SPLIT_MARKER_fedcba9876543210".to_vec();
        let same = without_marker(module);
        assert_eq!(same, b"\0_WASM_SPLIT_MARKER_0000000000000000\x01ab_WASM_SPLIT_MARKER_0000000000000000");
    }

    #[test]
    fn budgets_are_of_what_is_sent() {
        let sizes = |engine, rest| [("app.js".to_owned(), 9, rest), ("engine_bg.wasm".to_owned(), 500_000, engine)];
        assert!(over_budget(&sizes(200_000, 250_000)).is_empty());
        assert!(over_budget(&sizes(200_001, 0)).len() == 1);
        assert!(over_budget(&sizes(200_000, 250_001)).len() == 1);
        assert_eq!(
            table(&sizes(1, 2)),
            "file                bytes       gzip\napp.js                  9          2\nengine_bg.wasm     500000          1\nin all             500009          3\n"
        );
    }
}
