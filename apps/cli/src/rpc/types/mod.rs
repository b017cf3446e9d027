//! What is said over the RPC: methods, results, notifications. Version 3; grows only by addition (docs/rpc.md).
mod answers;
mod calls;
mod history;
mod keys;
mod notifications;
mod rooms;
mod safekeeping;

pub use answers::*;
pub use calls::*;
pub use history::*;
pub use keys::*;
pub use notifications::*;
pub use rooms::*;
pub use safekeeping::*;

use calls::{Params, of_account};
use notifications::{Note, kept, told};

/// Raised only when something is added; nothing is ever changed or taken away.
pub const VERSION: u32 = 3;
