//! The web messenger: a gateway on a Prosody of its own, with people to sign in as and somebody who answers.

use std::time::Instant;

use subrosa_interop::{Friends, Gateway, GatewayOptions, Kind, Peer, Prosody};

use super::{ACCOUNTS, during, fresh_directory, short, until_enter};
use crate::install::{Need, ensure};
use crate::run::{Failure, cargo, quiet, target};
use crate::web::{Flavour, web};

/// Who answers with the same words: everybody but those that a person signs in as.
const ECHOES: [(&str, &str, Kind); 2] = [("carol", "pw-carol", Kind::PythonOmemo2), ("dave", "pw-dave", Kind::PythonOmemoLegacy)];

pub fn demo(keep: bool) -> Result<(), Failure> {
    let start = Instant::now();
    println!("Subrosa: the web messenger on a server of its own\n");
    ensure(&[Need::OpenSsl, Need::Prosody, Need::Python])?;
    let page = web(Flavour::Release)?;
    quiet("building subrosa-gateway", &mut cargo(&["build", "--locked", "-p", "subrosa-gateway"]))?;
    let dir = fresh_directory("demo-web")?;
    let server = during("a Prosody of its own", || Prosody::start_in(&dir.join("server"), &ACCOUNTS, Friends::All))?;
    let options = GatewayOptions { web: Some(page), program: Some(target().join("debug/subrosa-gateway")), ..GatewayOptions::default() };
    let gateway = during("the gateway", || Gateway::start_with(&server, options))?;
    for (user, password, kind) in ECHOES {
        let peer = during(&format!("{user}: {}", kind.name()), || Peer::start(kind, &server, user, password))?;
        std::thread::spawn(move || peer.echo());
    }
    println!("\nReady after {} s:\n\n    {}\n", start.elapsed().as_secs(), gateway.url);
    println!("Sign in there as alice@localhost with the password pw-alice. In another browser, or a private window, as bob@localhost with");
    println!("pw-bob, or once more as alice: every browser is a device of its own, and a new one is approved in an old one.");
    println!("carol@localhost (OMEMO 2) and dave@localhost (the legacy version) are python-omemo; they answer with your words.");
    println!("\nWhat the XMPP server sees, as it comes:  tail -f {}", short(&server.dir.join("stanzas.log")));
    println!("What the gateway keeps:                  sqlite3 {} .dump", short(&gateway.database()));
    until_enter(keep);
    Ok(())
}
