//! Takes the pictures of the README: a conversation in real browsers, into the directory that is given. Run by `cargo xtask screenshots`.

use std::path::PathBuf;

use subrosa_browser_tests::{Messenger, Options, Stage};
use subrosa_interop::Party as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::args().nth(1).ok_or("give the directory for the pictures")?);
    let stage = Stage::set().ok_or("a browser, Prosody, the gateway or the page is missing")?;
    let mut alice = stage.browser_with("alice", &Options { size: (1100, 720), ..Options::default() });
    let mut bob = stage.browser_with("bob", &Options { size: (390, 760), dark: true, ..Options::default() });
    let said = [
        (true, "Are we still on for tonight?"),
        (false, "Under the rose, at nine."),
        (true, "I'll bring the letters. Nobody but us has read them."),
        (false, "Not even the server?"),
        (true, "It knows that we talk, and how much. Not a word of what we say."),
    ];
    for (by_alice, text) in said {
        let (from, to): (&mut Messenger, &mut Messenger) = if by_alice { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
        let address = to.address().to_owned();
        from.send(&address, text)?;
        to.read(text)?;
    }
    alice.page().open_chat("bob@localhost")?;
    bob.page().open_chat("alice@localhost")?;
    for (by_alice, text) in said {
        if by_alice {
            alice.page().own(text, &["delivered"])?;
        } else {
            bob.page().own(text, &["delivered"])?;
        }
    }
    alice.page().tab.picture(&out.join("web.png"))?;
    bob.page().tab.picture(&out.join("web-dark.png"))?;
    Ok(())
}
