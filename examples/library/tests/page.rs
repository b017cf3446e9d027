//! What `docs/use-as-library.md` says is what is here: its first block is the crate's source, the second the loop of the other test, which
//! talks over a real server through a connection that is not ours.

fn blocks() -> Vec<&'static str> {
    let page = include_str!("../../../docs/use-as-library.md");
    page.split("```").filter_map(|block| block.strip_prefix("rust\n")).collect()
}

#[test]
fn the_page_shows_what_is_tested() {
    let source = include_str!("../src/lib.rs").split_once('\n').expect("two lines").1;
    assert_eq!(blocks()[0].trim(), source.trim(), "the first block of the page is not src/lib.rs");
    assert!(include_str!("talk.rs").contains(blocks()[1].trim()), "the second block of the page is not in tests/talk.rs");
}
