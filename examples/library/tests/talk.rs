//! Two clients on tokio-xmpp, a connection of other people's, talk OMEMO over a real Prosody.
use futures_util::StreamExt as _;
use library::{Encryption, Turn, new_id};
use minidom::Element;
use std::error::Error;
use std::time::Duration;
use subrosa_engine::{Address, Event};
use subrosa_interop::{Friends, Prosody, goes_on};
use tokio_xmpp::connect::DnsConfig;
use tokio_xmpp::{Client, Stanza};

/// One person's client.
struct Party {
    connection: Client,
    encryption: Encryption,
    shown: Vec<Event>,
}
impl Party {
    async fn take(&mut self, turn: Turn) -> Result<(), Box<dyn Error>> {
        for stanza in turn.send {
            let id = stanza.attr("id").unwrap_or_default().to_owned();
            let message = stanza.name() == "message";
            self.connection.send_stanza(Stanza::try_from(stanza)?).await?;
            if message {
                // with stream management: when the server has acknowledged it
                self.encryption.acknowledged(&id)?;
            }
        }
        self.shown.extend(turn.show);
        Ok(())
    }
    async fn happens(&mut self, event: tokio_xmpp::Event) -> Result<(), Box<dyn Error>> {
        let turn = match event {
            tokio_xmpp::Event::Online { bound_jid, .. } => {
                let mut turn = self.encryption.online(bound_jid.as_str())?;
                turn.send.insert(0, "<presence xmlns='jabber:client'/>".parse()?);
                turn
            }
            tokio_xmpp::Event::Stanza(stanza) => self.encryption.received(&Element::from(stanza))?,
            tokio_xmpp::Event::Disconnected(why) => return Err(why.into()),
        };
        self.take(turn).await
    }
}

fn party(server: &Prosody, name: &str, directory: &std::path::Path) -> Result<Party, Box<dyn Error>> {
    let jid = server.address(name);
    let address = DnsConfig::Addr { addr: format!("127.0.0.1:{}", server.port) };
    let connection = Client::new_plaintext(jid.parse::<tokio_xmpp::jid::BareJid>()?, format!("pw-{name}"), address, Default::default());
    Ok(Party { connection, encryption: Encryption::open(&Address::from(jid.as_str()), directory)?, shown: Vec::new() })
}

/// Whether somebody has put their device on their list, which comes after its keys.
fn published(server: &Prosody, name: &str) -> bool {
    let lists = |xml: &str| xml.contains("<publish ") && xml.contains("urn:xmpp:omemo:2:devices");
    server.stanzas().iter().any(|seen| seen.received && seen.client.starts_with(&server.address(name)) && lists(&seen.xml))
}
/// The text that somebody was shown, once there is one.
fn text(party: &Party) -> Option<String> {
    party.shown.iter().find_map(|event| match event {
        Event::Message { message, .. } => Some(String::from_utf8_lossy(message.plaintext().bytes()).into_owned()),
        _ => None,
    })
}

#[tokio::test]
async fn two_clients_talk_over_a_connection_of_their_own() -> Result<(), Box<dyn Error>> {
    if !goes_on("prosody", false, Prosody::missing()) {
        return Ok(());
    }
    let server = Prosody::start(&[("alice", "pw-alice"), ("bob", "pw-bob")], Friends::All)?;
    let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut alice = party(&server, "alice", first.path())?;
    let mut bob = party(&server, "bob", second.path())?;
    let talk = async {
        let mut written = false;
        while text(&bob).is_none() {
            // events are waited for together, and dealt with one after the other: what is dropped halfway is lost
            tokio::select! {
                event = alice.connection.next() => alice.happens(event.ok_or("the connection ended")?).await?,
                event = bob.connection.next() => bob.happens(event.ok_or("the connection ended")?).await?,
            }
            // before bob's device is published there is nobody to write to
            if !written && published(&server, "bob") && published(&server, "alice") {
                let bob = Address::from(server.address("bob").as_str());
                let turn = alice.encryption.write(new_id()?.as_str(), &bob, "under the rose")?;
                alice.take(turn).await?;
                written = true;
            }
        }
        Ok::<(), Box<dyn Error>>(())
    };
    tokio::time::timeout(Duration::from_secs(60), talk).await.map_err(|_| "nothing came within a minute")??;
    assert_eq!(text(&bob).as_deref(), Some("under the rose"));
    assert!(!server.has_seen("under the rose"), "the server has seen the words");
    Ok(())
}
