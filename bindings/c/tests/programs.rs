//! The programs of `tests/c`: engines and machines from C, over `subrosa.h` alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]
mod common;

use common::{Link, Program, here};
use std::fmt::Write;

fn clean(name: &str, under_valgrind: &[&str]) -> Option<Program> {
    let program = Program::of(name, Link::Shared)?;
    assert_eq!(program.run(&[]), "ok\n");
    program.run_under_valgrind(under_valgrind);
    Some(program)
}

#[test]
fn an_engine_by_a_table() {
    clean("xor.c", &[]);
}
#[test]
fn engines_with_records_and_those_of_the_library() {
    clean("engines.c", &[]);
}
#[test]
fn files_through_the_chunk_hooks() {
    clean("files.c", &[]);
}
#[test]
fn omemo_with_a_store_that_fails() {
    if let Some(program) = clean("omemo.c", &["some"]) {
        assert_eq!(program.run(&["thorough"]), "ok\n");
    }
}
#[test]
fn handles_that_are_none() {
    clean("misuse.c", &[]);
}
#[test]
fn callbacks_that_come_back_or_free_what_called_them() {
    clean("inside.c", &[]);
}
#[test]
fn the_static_library_is_all_there() {
    if let Some(program) = Program::of("omemo.c", Link::Static) {
        assert_eq!(program.run(&[]), "ok\n");
    }
}

/// Calls every function of the header with nothing but NULLs, then with pointers to zeros.
#[test]
fn every_function_refuses_null_and_zeros() {
    let header = std::fs::read_to_string(here().join("include/subrosa.h")).unwrap();
    let functions = prototypes(&header);
    assert!(functions.len() > 100, "the header has more than {} functions", functions.len());
    let mut calls = String::new();
    for Function { name, result, arguments } in &functions {
        for zeros in [false, true] {
            let given = arguments.iter().map(|argument| match argument.as_str() {
                "subrosa_error **error" => "&error".to_owned(),
                argument if !argument.contains('*') => if argument.starts_with("subrosa_") { "NULL" } else { "0" }.to_owned(),
                _ if zeros => "(void *)zeros".to_owned(),
                _ => "NULL".to_owned(),
            });
            let call = format!("{name}({})", given.collect::<Vec<_>>().join(", "));
            let tells = arguments.last().is_some_and(|argument| argument == "subrosa_error **error");
            // what needs no more than zeros: no log, a string that is empty
            let fine = name == "subrosa_set_log" || name == "subrosa_content_new" && zeros;
            match result.as_str() {
                _ if fine => {}
                "void" => writeln!(calls, "    {call};").unwrap(),
                "int" if tells => writeln!(calls, "    CHECK({call} == SUBROSA_FAULT_CALLER); told();").unwrap(),
                "int" => writeln!(calls, "    CHECK({call} <= 5);").unwrap(),
                "size_t" | "uint64_t" => writeln!(calls, "    CHECK({call} == 0);").unwrap(),
                _ if tells => writeln!(calls, "    CHECK({call} == NULL); told();").unwrap(),
                _ => writeln!(calls, "    CHECK({call} == NULL);").unwrap(),
            }
            writeln!(calls, "    memset(zeros, 0, sizeof zeros);").unwrap();
        }
    }
    let program = format!(
        "#include \"check.h\"\nstatic uint64_t zeros[512];\nstatic subrosa_error *error;\n\
         static void told(void) {{\n    CHECK(error != NULL && subrosa_error_get_fault(error) == SUBROSA_FAULT_CALLER);\n    subrosa_error_free(error);\n    error = NULL;\n}}\n\
         int main(void) {{\n    (void)same;\n{calls}    puts(\"ok\");\n    return 0;\n}}\n"
    );
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("nulls.c");
    std::fs::write(&source, program).unwrap();
    let checks = format!("-I{}", here().join("tests/c").display());
    if let Some(program) = Program::compile(&[source], Link::Shared, &[&checks]) {
        assert_eq!(program.run(&[]), "ok\n");
        program.run_under_valgrind(&[]);
    }
}
struct Function {
    name: String,
    result: String,
    arguments: Vec<String>,
}
fn prototypes(header: &str) -> Vec<Function> {
    let mut functions = Vec::new();
    let mut lines = header.lines();
    while let Some(first) = lines.next() {
        if !first.starts_with(|c: char| c.is_ascii_lowercase()) || first.starts_with("typedef") || !first.contains('(') {
            continue;
        }
        let mut text = first.to_owned();
        while !text.ends_with(");") {
            text.push_str(lines.next().expect("a prototype ends").trim());
        }
        let (head, arguments) = text.trim_end_matches(");").split_once('(').unwrap();
        let at = head.rfind("subrosa_").unwrap();
        let arguments = arguments.replace(",", ", ").split(',').map(|argument| argument.trim().to_owned()).filter(|a| a != "void").collect();
        functions.push(Function { name: head[at..].to_owned(), result: head[..at].trim().to_owned(), arguments });
    }
    functions
}
