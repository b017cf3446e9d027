//! What was said, on one device, for one account: an application's memory that survives, is searched, travels to a new
//! device of one's own, and is backed up. A SQLite file of its own, sealed by SQLCipher.
//!
//! It knows no network, no engine and no clock. What it is told it believes: that a message is from its sender, the engine
//! proved; that a `stanza-id` is the archive's, the transport checked.
//!
//! ```
//! # let directory = tempfile::tempdir().unwrap();
//! # let (data, key) = (directory.path(), [7; 32]);
//! use subrosa_engine::{ChatId, Content, Time};
//! use subrosa_history::{Added, At, Entry, History};
//!
//! let (me, bob) = ("alice@example.org".into(), "bob@example.org".into());
//! let mut history = History::open(data.join("history.db"), &key, &me).unwrap();
//!
//! let now = Time(1_700_000_000_000);
//! let hello = Entry::new(&bob, &bob, "m1", Content::Text("helo".into()), now);
//! assert!(matches!(history.add(&hello).unwrap(), Added::New(_)));
//! assert!(matches!(history.add(&hello).unwrap(), Added::Known(_))); // by whatever way it comes again
//!
//! let better = Content::Correction { of: "m1".into(), text: "hello".into() };
//! history.add(&Entry::new(&bob, &bob, "m2", better, Time(now.0 + 5000))).unwrap();
//!
//! let page = history.page(&ChatId(bob), At::Newest, 50).unwrap();
//! assert_eq!(page.messages[0].text(), Some("hello"));
//! assert_eq!(history.search("hel", None, 10).unwrap().len(), 1);
//! assert_eq!(history.chats().unwrap()[0].unread, 1);
//! ```
//!
//! # Rules
//! - **One message is one row**, by whatever ways it comes: its author and the author's id make it, its first words with
//!   them, and the archive's `stanza-id` where both copies have one. Who sends under another's id gets a row of their own;
//!   an id that its author uses for two messages makes two rows. Nothing that came is dropped because something else was there.
//! - **The order of arrival does not matter**: corrections, retractions, reactions and marks are kept beside the message, wait
//!   for it where it is not there yet, and are looked at again whenever something new is known about it.
//! - **Corrections and retractions count from the author only**; in a room from the same real address, and never from somebody
//!   whose real address nobody knows; from a device whose key is worth no less than that of the device that wrote (untrusted, undecided,
//!   trusted, verified; what this device wrote is verified), and not on the word of another device of one's own. What came in clear, or
//!   stood in clear beside what was encrypted, changes nothing that was encrypted. A correction that may not change its message is a row
//!   of its own, and such a retraction is told beside the words.
//! - **A place** ([`Place`]) orders everything: the time, then arrival. It never changes. What is **unread** is so because it came since,
//!   wherever it stands.
//!
//! The key of the records (`subrosa-store`) may be given: the history's own is derived from it.
mod add;
pub mod backup;
mod entry;
mod error;
mod fold;
mod item;
mod keep;
mod marks;
mod open;
mod read;
mod row;
mod search;
pub mod transfer;
mod words;

pub use add::Added;
pub use entry::{Body, Entry, SentBy, State};
pub use error::{Cause, HistoryError, OpenError};
pub use item::Decision;
pub use open::History;
pub use read::{At, Chat, Gone, Mark, Message, Page, Reaction, Retraction};
pub use row::Place;
