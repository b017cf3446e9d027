//! The engine worker of the web messenger: one device for all tabs of a browser.
//!
//! ```text
//! pages ──ports──► front ──► host (machine, OMEMO, history) ──► IndexedDB
//!                    └─────► socket, login ──► gateway
//! ```
//! `host` decides and is tested without a browser; `browser` has the ports, the socket, the clock and the database.
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "what only the browser uses"))]
#[cfg(target_arch = "wasm32")]
mod browser;
mod host;
mod rows;
mod shelf;
