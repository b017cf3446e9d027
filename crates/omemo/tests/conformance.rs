//! The suite that every engine must pass.
mod common;
use subrosa_omemo::Omemo;
use subrosa_testkit::conformance::engine::Promises;
use subrosa_testkit::engine_conformance;

engine_conformance!(omemo, Omemo::default, Promises { authentic: true, no_replay: true, needs_keys: true, ..Promises::default() });
