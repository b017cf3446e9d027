//! What is said over the RPC: methods, results, notifications. Version 2; grows only by addition (docs/rpc.md).
mod answers;
mod calls;
mod notifications;

pub use answers::*;
pub use calls::*;
pub use notifications::*;

/// Raised only when something is added; nothing is ever changed or taken away.
pub const VERSION: u32 = 2;
