//! Compiles programs in C against `subrosa.h` alone and the built library, and runs them, under valgrind where it is.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use subrosa_interop::{find_program, goes_on};

/// With which library a program is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Shared,
    Static,
}
/// What the static library needs, as `cargo rustc -p subrosa-c -- --print native-static-libs` says.
const NATIVE: &[&str] = &["-lpthread", "-ldl", "-lm"];

pub fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
/// Where the library is, built now: cargo builds none for tests of a crate that only C links.
pub fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // target/debug/deps/this-test
        let deps = std::env::current_exe().unwrap();
        let profile = deps.ancestors().nth(2).unwrap().to_owned();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--package", "subrosa-c", "--lib", "--target-dir"]).arg(profile.parent().unwrap());
        let name = profile.file_name().unwrap().to_str().unwrap();
        let bench = !cfg!(test); // a bench without the harness
        cargo.args([
            "--profile",
            if name == "debug" {
                "dev"
            } else if bench {
                "bench"
            } else {
                name
            },
        ]);
        succeed(&mut cargo);
        profile
    })
}
fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let says = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{}{}", output.status, says(&output.stdout), says(&output.stderr));
    output
}

/// A program, compiled.
pub struct Program {
    path: PathBuf,
    _directory: tempfile::TempDir,
}
impl Program {
    /// `None`: there is no compiler here, and nobody asked for it.
    pub fn compile(sources: &[PathBuf], link: Link, options: &[&str]) -> Option<Self> {
        if !goes_on("c", false, find_program("cc").is_none().then(|| "there is no cc".into())) {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        let mut cc = Command::new("cc");
        cc.args(["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-D_POSIX_C_SOURCE=200809L", "-pthread", "-g"]);
        cc.args(options).arg("-I").arg(here().join("include")).arg("-o").arg(&path).args(sources);
        match link {
            Link::Shared => cc.arg("-L").arg(library()).arg("-lsubrosa").arg(format!("-Wl,-rpath,{}", library().display())),
            Link::Static => cc.arg(library().join("libsubrosa.a")).args(NATIVE),
        };
        succeed(&mut cc);
        Some(Program { path, _directory: directory })
    }
    /// One of `tests/c`.
    pub fn of(name: &str, link: Link) -> Option<Self> {
        Self::compile(&[here().join("tests/c").join(name)], link, &[])
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = succeed(Command::new(&self.path).args(arguments));
        String::from_utf8(output.stdout).unwrap()
    }
    /// No wrong access, nothing lost.
    pub fn run_under_valgrind(&self, arguments: &[&str]) {
        if !goes_on("valgrind", false, find_program("valgrind").is_none().then(|| "there is no valgrind".into())) {
            return;
        }
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["-q", "--leak-check=full", "--errors-for-leak-kinds=definite,possible", "--error-exitcode=99", "--num-callers=24"]);
        valgrind.arg(format!("--suppressions={}", here().join("tests/valgrind.supp").display()));
        succeed(valgrind.arg(&self.path).args(arguments));
    }
}
