//! `cargo xtask gateway` and `screenshots`: what is made of the web messenger for others.

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
