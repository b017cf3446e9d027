//! What `tests/browser.rs` and `cargo xtask bench --web` call in a browser.
//!
//! A check is a function that panics when something is wrong. A panic ends the module: its message goes to the scope's `panicked`.
#![cfg(target_arch = "wasm32")]
#![allow(unsafe_code)] // what `#[wasm_bindgen]` expands to
mod bench;
mod checks;
mod raw;

use subrosa_testkit::conformance::store::{self, Place};
use subrosa_wasm::{Database, IndexedDbStore, State};
use wasm_bindgen::prelude::*;

/// Sends the words of a panic out before the module dies.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|info| raw::panicked(&info.to_string())));
}

/// A database, new for each check.
struct Browser(String);
impl Place for Browser {
    type Store = IndexedDbStore;
    async fn open(&mut self) -> Result<IndexedDbStore, String> {
        open(&self.0).await.map_err(|e| format!("{e:?}"))
    }
    /// As a full disk does: at some put in the middle.
    fn break_commits(&mut self, _: &mut IndexedDbStore, broken: bool) -> bool {
        raw::break_puts(broken);
        true
    }
}
/// Made or opened, without a passphrase.
async fn open(name: &str) -> Result<IndexedDbStore, subrosa_wasm::StoreError> {
    let database = Database::open(name).await?;
    match database.state().await? {
        State::Empty => database.create(None).await,
        _ => database.unlock(None).await,
    }
}

macro_rules! suite {
    ($($check:ident),* ; $($own:ident),*) => {
        /// The names of all checks.
        #[wasm_bindgen]
        pub fn names() -> Vec<String> {
            [$(concat!("conformance/", stringify!($check))),* , $(stringify!($own)),*].map(str::to_owned).into()
        }
        /// Runs one, on a database of its own.
        #[wasm_bindgen]
        pub async fn check(name: String) {
            let database = format!("check/{name}");
            match name.as_str() {
                $(concat!("conformance/", stringify!($check)) => store::$check(&mut Browser(database)).await,)*
                $(stringify!($own) => checks::$own(&database).await,)*
                _ => panic!("no check has this name"),
            }
        }
    };
}
suite! {
    answers_in_order, is_empty_at_first, puts_replaces_and_deletes, keeps_every_value, takes_many_keys, tells_keys_apart,
    survives_reopening, a_failed_commit_changes_nothing, an_abandoned_commit_is_whole_or_not, refuses_a_second_handle, a_machine_lives_in_it;
    a_passphrase_opens_and_a_wrong_one_does_not, states_are_told_apart, a_second_opener_fences_the_first, nothing_is_stored_in_clear,
    rows_in_another_place_are_damaged, missing_parts_are_damaged, an_erased_database_is_gone, lists_are_kept_in_order,
    staged_rows_go_with_the_commit_or_stay, a_full_disk_is_said
}
pub use bench::{last_100_of_10_000, message_to_100, ratchet};
pub use checks::{fill, filled, rounds, whole};
