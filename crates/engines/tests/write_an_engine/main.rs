//! The engine of `docs/write-an-engine.md` passes the suite, as the page says, and the page shows the engine that does. Its other blocks
//! are run as doctests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::arithmetic_side_effects, missing_docs)]
mod line;
use subrosa_testkit::{conformance::engine::Promises, engine_conformance};

const PROMISES: Promises = Promises {
    authentic: true, // what was changed is not shown
    no_replay: true, // what comes twice is shown once
    empty: true,     // a message with nothing in it arrives too
    any_content: false,
    files: false,
    needs_keys: false,
};
engine_conformance!(suite, || line::Line::new(&[7; 32]), PROMISES);

#[test]
fn the_page_shows_what_is_tested() {
    let page = include_str!("../../../../docs/write-an-engine.md");
    let blocks: Vec<&str> = page.split("```").filter_map(|block| block.strip_prefix("rust")).collect();
    let engine = include_str!("line.rs").split_once('\n').unwrap().1.trim();
    assert!(blocks[0].contains(engine), "the engine of the page is not tests/write_an_engine/line.rs");
    let suite = blocks.last().unwrap().split_once('\n').unwrap().1;
    let here = include_str!("main.rs");
    let (used, promised) = suite.trim().split_once("\n\n").unwrap();
    assert!(here.contains(used) && here.contains(promised), "the suite of the page is not the one above");
}

/// A new installation, an old copy of the store, another chat, the other side: what was counted once is counted again.
#[test]
fn no_nonce_is_used_twice_whatever_becomes_of_the_count() {
    use std::collections::HashSet;
    use subrosa_engine::*;
    let mut nonces = HashSet::new();
    for (me, to_whom) in [("alice@x", "bob@x"), ("alice@x", "bob@x"), ("alice@x", "aaron@x"), ("alice@x", "alice@x"), ("bob@x", "alice@x")] {
        let mut machine = Machine::new(me.into());
        let line = machine.install(line::Line::new(&[7; 32]));
        machine.route(move |_| Some(line.id()));
        let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
        let mut step = machine.begin(Time(0), &mut rng);
        let (id, chat, to, kind) = ("1".into(), ChatId(to_whom.into()), Recipients::People(vec![to_whom.into()]), Kind::Text);
        step.feed(Input::Send { id, chat, to, kind, plain: Plaintext::text("hello"), headers: Headers::default() });
        let outputs = step.commit(&mut MemoryStore::default()).unwrap();
        let Some((_, Output::Transmit { wire: Wire::Encrypted(part), .. })) = outputs.iter().next() else { panic!("it is sent") };
        assert!(nonces.insert(part.body[..12].to_vec()), "{me} to {to_whom}: one nonce for two messages");
    }
}
