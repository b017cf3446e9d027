//! `cargo xtask demo`.

use crate::run::Failure;

pub fn demo(_keep: bool) -> Result<(), Failure> {
    Err("not written yet".into())
}
