//! The program of `docs/c.md` compiles as the page says and prints what the page says.
#![allow(clippy::unwrap_used)]
mod common;

use common::{Link, Program};

#[test]
fn the_first_program() {
    let page = include_str!("../../../docs/c.md");
    let block = |opening: &str| page.split_once(opening).unwrap().1.split_once("```").unwrap().0;
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("first.c");
    std::fs::write(&source, block("```c\n")).unwrap();
    for link in [Link::Shared, Link::Static] {
        let Some(program) = Program::compile(std::slice::from_ref(&source), link, &["-Wno-missing-field-initializers"]) else { return };
        assert_eq!(program.run(&[]), block("It prints\n\n```\n"));
        program.run_under_valgrind(&[]);
    }
}
