//! The programs of `tests/c`: engines and machines from C, over `subrosa.h` alone.
mod common;

use common::{Link, Program};

fn clean(name: &str) {
    let Some(program) = Program::of(name, Link::Shared) else { return };
    assert_eq!(program.run(&[]), "ok\n");
    program.run_under_valgrind(&[]);
}

#[test]
fn an_engine_by_a_table() {
    clean("xor.c");
}
