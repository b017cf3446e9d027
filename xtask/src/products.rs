//! `cargo xtask gateway`, `screenshots` and `c`: what is made for others.

use std::fs;

use crate::install::{Need, ensure};
use crate::run::{Failure, cargo, quiet, root, target};
use crate::web::{Flavour, web};

/// One binary with the page inside.
pub fn gateway() -> Result<(), Failure> {
    ensure(&[Need::OpenSsl])?;
    let page = web(Flavour::Release)?;
    let mut build = cargo(&["build", "--locked", "--release", "-p", "subrosa-gateway"]);
    quiet("building subrosa-gateway", build.env("SUBROSA_WEB_DIST", page))?;
    println!("\n{}", target().join("release/subrosa-gateway").display());
    println!("docs/operate.md says how to run it.");
    Ok(())
}

/// What C programs are built with: the header, the library in both forms, and what pkg-config says of them.
pub fn c() -> Result<(), Failure> {
    ensure(&[Need::OpenSsl])?;
    quiet("building libsubrosa", &mut cargo(&["build", "--locked", "--release", "-p", "subrosa-c"]))?;
    let out = target().join("c");
    let (include, lib, pkgconfig) = (out.join("include"), out.join("lib"), out.join("lib/pkgconfig"));
    for directory in [&include, &lib, &pkgconfig] {
        fs::create_dir_all(directory)?;
    }
    fs::copy(root().join("bindings/c/include/subrosa.h"), include.join("subrosa.h"))?;
    for library in ["libsubrosa.so", "libsubrosa.a"] {
        fs::copy(target().join("release").join(library), lib.join(library))?;
    }
    let version = env!("CARGO_PKG_VERSION");
    fs::write(
        pkgconfig.join("subrosa.pc"),
        format!(
            "prefix=${{pcfiledir}}/../..\nincludedir=${{prefix}}/include\nlibdir=${{prefix}}/lib\n\n\
             Name: subrosa\nDescription: Pluggable end-to-end encryption for instant messaging\nVersion: {version}\n\
             Cflags: -I${{includedir}}\nLibs: -L${{libdir}} -lsubrosa\nLibs.private: {PRIVATE}\n"
        ),
    )?;
    println!("\n{}", out.display());
    println!("docs/c.md says how to build with it.");
    Ok(())
}
/// What the static library needs of the system: `cargo rustc -p subrosa-c -- --print native-static-libs`.
const PRIVATE: &str = "-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc";

/// The pictures of the README, anew.
pub fn screenshots() -> Result<(), Failure> {
    ensure(&[Need::OpenSsl, Need::Prosody, Need::Browser])?;
    let page = web(Flavour::Release)?;
    quiet("building", &mut cargo(&["build", "--locked", "-p", "subrosa-gateway", "-p", "subrosa-browser-tests"]))?;
    let out = root().join("docs");
    let mut take = cargo(&["run", "--locked", "-p", "subrosa-browser-tests", "--bin", "screenshots", "--"]);
    take.arg(&out).env("SUBROSA_WEB_DIST", page).env("SUBROSA_GATEWAY", target().join("debug/subrosa-gateway"));
    quiet("taking the pictures", &mut take)?;
    println!("{0}/web.png, {0}/web-dark.png", out.display());
    Ok(())
}
