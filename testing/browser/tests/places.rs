//! Where the page and the gateway may lie: under a path, and on two origins of one site.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::TcpListener;

use subrosa_browser_tests::{MARK, Messenger, Options, Stage};
use subrosa_interop::scenario::deliver;
use subrosa_interop::{Gateway, GatewayOptions, Party};

#[test]
fn everything_lies_under_a_path() {
    let options = GatewayOptions { extra: "base_path = \"/chat/\"".into(), ..GatewayOptions::default() };
    let Some(stage) = Stage::set_with(options) else { return };
    assert!(stage.wire.url.ends_with("/chat/"));
    let (mut alice, mut bob) = (stage.browser_of("alice"), stage.browser_of("bob"));
    deliver(&mut alice, &mut bob, &format!("{MARK}: hello")).unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: hi")).unwrap();
    alice.tab.reload().unwrap();
    alice.online().unwrap();
    assert_eq!((alice.complaints(), bob.complaints()), (vec![], vec![]));
    stage.nobody_knows();
}

#[test]
fn the_page_comes_from_another_origin_of_the_site() {
    let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port();
    let (of_page, of_api) = (free(), free());
    let api = GatewayOptions {
        port: Some(of_api),
        extra: format!("public_origin = \"http://127.0.0.1:{of_api}\"\npage_origins = [\"http://127.0.0.1:{of_page}\"]"),
        ..GatewayOptions::default()
    };
    let Some(stage) = Stage::set_with(api) else { return };
    // another gateway serves the page only: any web server would do
    let page = GatewayOptions { port: Some(of_page), extra: format!("api_url = \"http://127.0.0.1:{of_api}/\""), ..GatewayOptions::default() };
    let page = Gateway::start_with(&stage.server, page).unwrap();
    let browser = |user: &str| Messenger::sign_in(&page.url, &stage.server.address(user), &format!("pw-{user}"), &Options::default()).unwrap();
    let (mut alice, mut bob) = (browser("alice"), browser("bob"));
    deliver(&mut alice, &mut bob, &format!("{MARK}: hello")).unwrap();
    deliver(&mut bob, &mut alice, &format!("{MARK}: hi")).unwrap();
    alice.tab.reload().unwrap();
    alice.online().unwrap();
    assert_eq!((alice.complaints(), bob.complaints()), (vec![], vec![]));
    stage.nobody_knows();
    // a page of an origin that is not named gets nowhere
    let stranger = Gateway::start_with(
        &stage.server,
        GatewayOptions { extra: format!("api_url = \"http://127.0.0.1:{of_api}/\""), ..GatewayOptions::default() },
    );
    let mut alice = Messenger::start(&stranger.unwrap().url, &Options::default()).unwrap();
    assert!(alice.enter("alice@localhost", "pw-alice", None).is_err());
}
