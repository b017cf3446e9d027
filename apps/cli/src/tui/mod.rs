//! `subrosa tui`: a messenger on the whole terminal.
//!
//! ```text
//! terminal ──Event──► model ──Effect──► host (here, or over its socket)
//!     ▲                 │
//!     └────── view ◄────┘
//! ```
//! The model knows no terminal, the view decides nothing, `run` has the loop.
mod editor;
mod keys;
mod model;
mod run;
#[cfg(test)]
mod tests;
pub mod text;
mod view;

pub use run::run;
