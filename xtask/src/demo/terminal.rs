//! `cargo xtask demo --terminal`: a conversation between Subrosa and other people's clients over a real server, with what each
//! of them sees of it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use subrosa_interop::{Friends, Kind, Party, Peer, Prosody, Sent, Server, Subrosa, subrosa_program};

use super::{ACCOUNTS, during, fresh_directory, short, until_enter};
use crate::install::{Need, ensure};
use crate::run::{Failure, cargo, quiet};

pub fn demo(keep: bool) -> Result<(), Failure> {
    let start = Instant::now();
    println!("Subrosa: an end-to-end encrypted conversation over a real server\n");
    ensure(&[Need::OpenSsl, Need::Prosody, Need::Python])?;
    quiet("building subrosa", &mut cargo(&["build", "--locked", "-p", "subrosa-cli"]))?;
    let dir = fresh_directory("demo")?;
    let mut stage = Stage::set(&dir)?;
    stage.play()?;
    println!("\nThat took {} s.", start.elapsed().as_secs());
    if keep {
        stage.stay()
    } else {
        stage.leave()
    }
    Ok(())
}

/// People and their server, which goes last.
struct Stage {
    dir: PathBuf,
    laptop: Subrosa,
    bob: Subrosa,
    carol: Peer,
    dave: Peer,
    server: Prosody,
}

impl Stage {
    fn set(dir: &Path) -> Result<Self, Failure> {
        let server = during("a Prosody of its own", || Prosody::start_in(&dir.join("server"), &ACCOUNTS, Friends::All))?;
        let laptop = during("alice: Subrosa on her laptop", || Subrosa::start(&server, "alice", "pw-alice", &dir.join("alice-laptop")))?;
        let bob = during("bob: Subrosa", || Subrosa::start(&server, "bob", "pw-bob", &dir.join("bob")))?;
        let carol = during("carol: python-omemo, OMEMO 2", || Peer::start(Kind::PythonOmemo2, &server, "carol", "pw-carol"))?;
        let dave = during("dave: python-omemo, the legacy version", || Peer::start(Kind::PythonOmemoLegacy, &server, "dave", "pw-dave"))?;
        println!("\nThe server listens on {}:{} and keeps its files in {}.", server.host, server.port, short(&server.dir));
        for (who, device, fingerprint) in [("alice's laptop", laptop.device, &laptop.fingerprint), ("bob", bob.device, &bob.fingerprint)] {
            println!("  {who:<15} device {device:<11} key {}", grouped(fingerprint));
        }
        for (who, peer) in [("carol", &carol), ("dave", &dave)] {
            println!("  {who:<15} device {:<11} key {}", peer.device, grouped(peer.fingerprint.as_deref().unwrap_or("?")));
        }
        Ok(Self { dir: dir.to_owned(), server, laptop, bob, carol, dave })
    }

    fn play(&mut self) -> Result<(), Failure> {
        let mut said = Vec::new();
        let mut say = |text: &'static str| {
            said.push(text);
            text
        };

        title("1. Alice writes to bob, both with Subrosa");
        let text = say("Meet me under the rose at nine.");
        exchange(&self.server, &mut self.laptop, "alice", &mut self.bob, "bob", text)?;
        let text = say("I'll bring the red ones. 🌹");
        exchange(&self.server, &mut self.bob, "bob", &mut self.laptop, "alice", text)?;

        title("2. Carol's client is python-omemo; it speaks OMEMO 2");
        let text = say("Carol, can you read this?");
        exchange(&self.server, &mut self.laptop, "alice", &mut self.carol, "carol", text)?;
        let text = say("Every word, and the server none.");
        received(&mut self.carol, "carol", &mut self.laptop, "alice", text)?;

        title("3. Dave's client knows only the legacy version");
        let text = say("Dave, here is the same in the old tongue.");
        exchange(&self.server, &mut self.laptop, "alice", &mut self.dave, "dave", text)?;
        let text = say("Loud and clear, to me alone.");
        received(&mut self.dave, "dave", &mut self.laptop, "alice", text)?;

        title("4. Alice logs in on her phone; nothing goes to it until her laptop approves it");
        let (server, phone_data) = (&self.server, self.dir.join("alice-phone"));
        let mut phone = during("alice: Subrosa on her phone", || Subrosa::start(server, "alice", "pw-alice", &phone_data))?;
        self.laptop.hear_of("alice@localhost", phone.device)?;
        let text = say("A word that the phone must not get yet.");
        println!("\n  alice's laptop → bob: {text:?}");
        report(&self.laptop.send_reporting("bob@localhost", text)?);
        self.bob.read(text)?;
        println!("  bob read it; alice's phone was told of a message and could not read it: {}\n", phone.could_not_read()?);
        println!(
            "  $ subrosa trust alice@localhost {} trusted --fingerprint {}…",
            phone.device,
            &phone.fingerprint[..16.min(phone.fingerprint.len())]
        );
        self.laptop.trust("alice@localhost", phone.device, &phone.fingerprint, "trusted")?;
        let text = say("Now the phone may read along.");
        println!("  alice's laptop → bob: {text:?}");
        report(&self.laptop.send_reporting("bob@localhost", text)?);
        self.bob.read(text)?;
        phone.read(text)?;
        println!("  bob read it; alice's phone shows what her laptop sent");
        let text = say("Then this reaches both of you.");
        println!("\n  bob → alice: {text:?}");
        report(&self.bob.send_reporting("alice@localhost", text)?);
        for (device, name) in [(&mut self.laptop, "laptop"), (&mut phone, "phone")] {
            device.read(text)?;
            println!("  alice's {name} read {text:?}");
        }

        title("5. What the server knows");
        let server = &self.server;
        let leaked = during("searching everything the server stored, logged and saw", || {
            Ok::<_, Failure>(said.iter().filter(|text| server.has_seen(text)).collect::<Vec<_>>())
        })?;
        if !leaked.is_empty() {
            return Err(format!("the server has these words in clear: {leaked:?}").into());
        }
        let encrypted = server.stanzas().iter().filter(|seen| seen.received && seen.xml.contains("<encrypted")).count();
        println!("  {encrypted} encrypted stanzas went through it; none of the {} texts is anywhere in its files.", said.len());
        let complaints =
            [self.laptop.complaints(), self.bob.complaints(), phone.complaints(), self.carol.complaints(), self.dave.complaints()].concat();
        if complaints.is_empty() { Ok(()) } else { Err(format!("not everything could be read: {}", complaints.join(" ")).into()) }
    }

    fn leave(self) {
        println!("To chat yourself, in two terminals:  cargo xtask demo --terminal --keep");
    }

    fn stay(self) {
        let Self { dir, server, laptop, bob, carol, dave } = self;
        for peer in [carol, dave] {
            std::thread::spawn(move || peer.echo());
        }
        // Their data directories are for the terminals now.
        drop((laptop, bob));
        let program = subrosa_program().unwrap_or_else(|| "subrosa".into());
        let program = short(&program);
        println!("\nThe server runs on. In two terminals, here:\n");
        println!("  {program} --data {} chat bob@localhost", short(&dir.join("alice-laptop")));
        println!("  {program} --data {} chat alice@localhost", short(&dir.join("bob")));
        println!("\ncarol@localhost (OMEMO 2) and dave@localhost (legacy) are there too and answer with your words.");
        println!("What the server sees, as it comes:  tail -f {}", short(&server.dir.join("stanzas.log")));
        until_enter(true);
    }
}

/// Someone with Subrosa or another client; Subrosa tells who got a message.
trait Writer: Party {
    fn write(&mut self, to: &str, text: &str) -> Result<Option<Sent>, Failure>;
}

impl Writer for Subrosa {
    fn write(&mut self, to: &str, text: &str) -> Result<Option<Sent>, Failure> {
        Ok(Some(self.send_reporting(to, text)?))
    }
}

impl Writer for Peer {
    fn write(&mut self, to: &str, text: &str) -> Result<Option<Sent>, Failure> {
        self.send(to, text)?;
        Ok(None)
    }
}

/// A message with what the server saw of it.
fn exchange(server: &Server, from: &mut dyn Writer, writer: &str, to: &mut dyn Party, reader: &str, text: &str) -> Result<(), Failure> {
    received(from, writer, to, reader, text)?;
    let seen =
        server.stanzas().into_iter().rev().find(|seen| {
            seen.received && seen.client.starts_with(from.address()) && seen.xml.contains("<encrypted") && seen.xml.contains("<payload")
        });
    if let Some(seen) = seen {
        println!("  the server saw ({} bytes, shortened):", seen.xml.len());
        wrapped(&shortened(&seen.xml), 100).iter().for_each(|line| println!("    {line}"));
    }
    Ok(())
}

fn received(from: &mut dyn Writer, writer: &str, to: &mut dyn Party, reader: &str, text: &str) -> Result<(), Failure> {
    println!("\n  {writer} → {reader}: {text:?}");
    if let Some(sent) = from.write(to.address(), text)? {
        report(&sent);
    }
    let read = to.read(text)?;
    let device = read.device.map(|device| format!(" from device {device}")).unwrap_or_default();
    let protocol = read.protocol.map(|protocol| format!(", {protocol}")).unwrap_or_default();
    println!("  {reader} read {text:?}{device}{protocol}");
    Ok(())
}

fn report(sent: &Sent) {
    for device in &sent.devices {
        let what = match (&device.protocol, &device.reason) {
            (_, Some(reason)) => format!("left out: {reason}"),
            (Some(protocol), None) => format!("encrypted for it, {protocol}"),
            (None, None) => device.result.clone(),
        };
        println!("    {:<16} device {:<11} {what}", device.jid, device.device);
    }
}

fn title(text: &str) {
    println!("\n{text}");
}

/// A fingerprint as clients show it: eight groups of eight.
fn grouped(fingerprint: &str) -> String {
    fingerprint.as_bytes().chunks(8).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

/// The stanza with its long texts cut: what they are is base64.
fn shortened(xml: &str) -> String {
    const SHOWN: usize = 16;
    let mut short = String::with_capacity(xml.len());
    for (number, part) in xml.split('>').enumerate() {
        if number > 0 {
            short.push('>');
        }
        let (text, tag) = part.split_once('<').map_or((part, None), |(text, tag)| (text, Some(tag)));
        if text.chars().count() > SHOWN + 10 {
            short.extend(text.chars().take(SHOWN));
            short.push('…');
        } else {
            short.push_str(text);
        }
        if let Some(tag) = tag {
            short.push('<');
            short.push_str(tag);
        }
    }
    short
}

/// Lines of at most `width` characters, broken before tags where that is possible.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in text.split_inclusive('>') {
        if let Some(line) = lines.last_mut() {
            if line.is_empty() || line.chars().count() + piece.chars().count() <= width {
                line.push_str(piece);
            } else {
                lines.push(piece.to_owned());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{shortened, wrapped};

    #[test]
    fn long_texts_are_cut_and_tags_stay() {
        let xml = "<message to='bob'><encrypted><key rid='5'>0123456789abcdef0123456789abcdef</key><iv>short</iv></encrypted></message>";
        let expected = "<message to='bob'><encrypted><key rid='5'>0123456789abcdef…</key><iv>short</iv></encrypted></message>";
        assert_eq!(shortened(xml), expected);
        assert_eq!(wrapped(expected, 30).concat(), expected);
        assert!(wrapped(expected, 60).iter().all(|line| line.chars().count() <= 60));
    }
}
