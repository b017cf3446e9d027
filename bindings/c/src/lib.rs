//! The C ABI, `include/subrosa.h`: engines by a table of six functions with Liblinphone's names, and the whole machine.
//!
//! | | |
//! |---|---|
//! | `handle` | which pointers C holds, and what they are |
//! | `text`, `error`, `log` | strings and buffers, errors and the guard around every export, the log |
//! | `engine`, `message`, `content`, `transfer` | an engine that C wrote: its table, what its hooks see, its files |
//! | `machine`, `store`, `feed` | the machine, its store, what goes in |
//! | `outputs`, `wanted`, `told`, `cipher` | what comes out |
//! | `rooms` | chats of many |
//! | `devices` | what a client of OMEMO asks beyond messages |
//!
//! Nothing is decided here: pointers are checked, words are translated. The header is written from these files by cbindgen:
//! `tests/header.rs`, in the order of the modules below. Rules for callers stand at its top, from `cbindgen.toml`, and hold for every function in place of a `Safety` section.
#![allow(clippy::missing_safety_doc)]
mod error;
mod log;

mod engine;
mod message;

mod content;
mod transfer;

mod machine;
mod store;

mod feed;

mod outputs;
mod rooms;
mod told;
mod wanted;

mod cipher;
mod devices;
mod handle;
mod text;
