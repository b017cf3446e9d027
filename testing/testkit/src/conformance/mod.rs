//! The suites that a store and an engine must pass before they count as done.
pub mod engine;
pub mod store;
