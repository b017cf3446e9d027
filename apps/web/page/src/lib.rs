//! The page of the web messenger: shows what the worker tells and passes on what a person wants. Owns no keys, no sockets and nothing that
//! lasts; a reload loses drafts only. All it says and hears is [`subrosa_web_api::page`].
//!
//! What can be tested without a browser stands in modules of its own; the rest exists for `wasm32` only. Text gets into the page as text
//! nodes: every static text and attribute stands in braces, or Leptos would turn it into `innerHTML`, which Trusted Types refuse.
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::indexing_slicing))]
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
mod calls;
mod chats;
mod clock;
mod heights;
mod log;
mod words;

#[cfg(target_arch = "wasm32")]
mod screen;
