//! What every engine must do, whatever it encrypts with: carry bytes unchanged, fail closed, leave its state alone
//! when something went wrong, and survive hostile input. [`crate::engine_conformance`] makes a test of each check.
//!
//! Two people talk through a [`crate::World`], their engines wrapped so that the hooks can be made to misbehave ([`subject`]).
//! Checks by what they look at: [`messages`], [`trouble`] (errors, hostile bodies, crashes), [`waiting`] (messages that are finished
//! later, engines that are removed), [`files`].
mod files;
mod messages;
mod pair;
mod subject;
mod trouble;
mod waiting;

pub use files::{encrypts_files, keeps_files_apart, refuses_changed_files, survives_hostile_file_keys};
pub use messages::{carries_messages, carries_what_it_promises, leaves_notices_and_what_it_does_not_want_alone};
pub use subject::{Misbehaviour, Subject};
pub use trouble::{
    an_error_is_no_choice_of_clear_text, fails_closed, refuses_what_was_changed, refuses_with_the_very_code, shows_a_message_once,
    shows_nothing_foreign, survives_a_crash_at_every_commit, survives_hostile_bodies, survives_restarts,
};
pub use waiting::{ends_what_began_with_it, waits_until_completed};

/// What an engine promises beyond the house rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promises {
    /// A message changed on its way is not shown; a file changed on its way is refused.
    pub authentic: bool,
    /// A message that comes twice is shown once.
    pub no_replay: bool,
    /// It asks the network for keys before the first message.
    pub needs_keys: bool,
    /// Any bytes under any content type arrive as they were. Else: texts without control characters do; with any they
    /// may show U+FFFD in their place, and what can't be carried is refused to its sender.
    pub any_content: bool,
    /// A message with nothing in it arrives too.
    pub empty: bool,
    /// It encrypts files.
    pub files: bool,
}

/// One `#[test]` for each check of the suite, in a module of the given name. The second is a closure without captures that makes
/// the engine, or a [`Subject`](crate::conformance::engine::Subject) where messages are finished later.
///
/// ```
/// use subrosa_testkit::{conformance::engine::Promises, engine_conformance, toy};
///
/// engine_conformance!(xor, || toy::Xor(42), Promises::default());
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! engine_conformance {
    ($name:ident, $make:expr, $promises:expr) => {
        $crate::engine_conformance!(@ $name, $make, $promises;
            carries_messages, carries_what_it_promises, leaves_notices_and_what_it_does_not_want_alone,
            fails_closed, refuses_with_the_very_code, an_error_is_no_choice_of_clear_text, survives_hostile_bodies,
            refuses_what_was_changed, shows_nothing_foreign, shows_a_message_once, survives_restarts, survives_a_crash_at_every_commit,
            waits_until_completed, ends_what_began_with_it,
            encrypts_files, keeps_files_apart, refuses_changed_files, survives_hostile_file_keys);
    };
    (@ $name:ident, $make:expr, $promises:expr; $($check:ident),+) => {
        mod $name {
            #[allow(unused_imports)] // where all of it is named in full
            use super::*;
            $(
                #[test]
                fn $check() {
                    $crate::conformance::engine::$check(|| ::std::convert::Into::into(($make)()), $promises);
                }
            )+
        }
    };
}
