//! A private Prosody: fresh directory, loopback, accounts and contact lists written as files.

use std::fs;
use std::io;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{Guarded, find_program, wait_until};
use crate::server::{Friends, Server, StartError, free_ports};

const CONFIG: &str = include_str!("../peers/prosody.cfg.lua");
const RECORDER: &str = include_str!("../peers/mod_stanza_record.lua");

/// A running Prosody 0.12. Its fields and what it saw: [`Server`].
#[derive(Debug)]
pub struct Prosody(Server);

impl Prosody {
    /// Starts a Prosody with these `(user, password)` accounts in a temporary directory.
    ///
    /// # Errors
    /// [`StartError`] when Prosody is not installed or does not come up; the log's end is in it.
    pub fn start(accounts: &[(&str, &str)], friends: Friends) -> Result<Self, StartError> {
        Self::launch(None, accounts, friends)
    }

    /// The same in a directory of the caller's, which stays. An existing one keeps its data.
    ///
    /// # Errors
    /// As [`Prosody::start`].
    pub fn start_in(dir: &Path, accounts: &[(&str, &str)], friends: Friends) -> Result<Self, StartError> {
        Self::launch(Some(dir), accounts, friends)
    }

    /// Whether Prosody is installed.
    pub fn installed() -> bool {
        find_program("prosody").is_some()
    }

    /// What is missing to run it here, if anything is.
    pub fn missing() -> Option<String> {
        (!Self::installed()).then(|| "prosody is not installed".to_owned())
    }

    /// Stops it if it runs and starts it again with the same data on the same ports.
    ///
    /// # Errors
    /// As [`Prosody::start`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.0.stop();
        self.run().map_err(|what| self.0.failure("prosody", what))
    }

    /// Writes the contact list of an account that is not logged in: presence goes both ways.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn set_contacts(&self, user: &str, contacts: impl IntoIterator<Item = String>) -> io::Result<()> {
        write_roster(&self.0.dir, user, contacts.into_iter())
    }

    /// What its administrator types, in the words of `prosodyctl shell`: for what no client can bring about. What it says.
    ///
    /// # Errors
    /// When there is no `prosodyctl`, or the command fails; what it said is in it.
    pub fn shell(&self, command: &str) -> io::Result<String> {
        let server = &self.0;
        let mut ctl = Command::new(find_program("prosodyctl").ok_or_else(|| io::Error::other("prosodyctl is not installed"))?);
        ctl.arg("--config").arg(server.dir.join("prosody.cfg.lua")).args(["shell", command]).env("SUBROSA_DIR", &server.dir);
        ctl.env("SUBROSA_PORT", server.port.to_string()).env("SUBROSA_TLS_PORT", server.tls_port.to_string());
        let out = ctl.output()?;
        let said = [out.stdout, out.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        if out.status.success() { Ok(said) } else { Err(io::Error::other(said)) }
    }

    fn launch(home: Option<&Path>, accounts: &[(&str, &str)], friends: Friends) -> Result<Self, StartError> {
        if !Self::installed() {
            return Err(StartError::Missing { program: "prosody", package: "prosody" });
        }
        let mut prosody = Self(Server::prepare(home)?);
        let dir = &prosody.0.dir;
        fs::write(dir.join("prosody.cfg.lua"), CONFIG)?;
        fs::write(dir.join("modules/mod_stanza_record.lua"), RECORDER)?;
        for (user, password) in accounts {
            write_account(dir, user, password)?;
            let contacts = accounts.iter().filter(|(other, _)| other != user).map(|(other, _)| format!("{other}@localhost"));
            write_roster(dir, user, contacts.filter(|_| friends == Friends::All))?;
        }
        // A free port may be taken between our look and Prosody's bind: then another is tried.
        let mut outcome = prosody.run();
        for _ in 0..3 {
            if outcome != Err(PORT_TAKEN) {
                break;
            }
            [prosody.0.port, prosody.0.tls_port] = free_ports()?;
            outcome = prosody.run();
        }
        match outcome {
            Ok(()) => Ok(prosody),
            Err(what) => Err(prosody.0.failure("prosody", what)),
        }
    }

    fn run(&mut self) -> Result<(), &'static str> {
        let server = &mut self.0;
        let log = server.dir.join("log/prosody.log");
        let _ = fs::remove_file(&log);
        let mut command = Command::new(find_program("prosody").ok_or("is not installed")?);
        command.arg("-F").arg("--config").arg(server.dir.join("prosody.cfg.lua"));
        command.env("SUBROSA_DIR", &server.dir).env("SUBROSA_PORT", server.port.to_string());
        command.env("SUBROSA_TLS_PORT", server.tls_port.to_string());
        let output = server.dir.join("log/stdout");
        let mut process = Guarded::start(&mut command, &output).map_err(|_| "could not be started: is bash there?")?;
        let mut taken = false;
        let up = wait_until(&mut process, Duration::from_secs(20), || {
            let text = fs::read(&log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            taken = text.contains("Failed to open server port");
            taken || text.contains("Activated service 'c2s_direct_tls'") && text.contains("Activated service 'c2s' on")
        });
        if taken {
            return Err(PORT_TAKEN);
        }
        up?;
        server.process = Some(process);
        Ok(())
    }
}

const PORT_TAKEN: &str = "found its port taken";

impl Deref for Prosody {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl DerefMut for Prosody {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.0
    }
}

fn write_account(dir: &Path, user: &str, password: &str) -> io::Result<()> {
    let accounts = dir.join("data/localhost/accounts");
    fs::create_dir_all(&accounts)?;
    let file = accounts.join(format!("{user}.dat"));
    fs::write(file, format!("return {{\n\t[\"password\"] = {password:?};\n}};\n"))
}

fn write_roster(dir: &Path, user: &str, contacts: impl Iterator<Item = String>) -> io::Result<()> {
    let rosters = dir.join("data/localhost/roster");
    fs::create_dir_all(&rosters)?;
    let mut text = String::from("return {\n\t[false] = { [\"version\"] = 1; };\n");
    for contact in contacts {
        let entry = "{ [\"subscription\"] = \"both\"; [\"groups\"] = {}; }";
        text.push_str(&format!("\t[{contact:?}] = {entry};\n"));
    }
    text.push_str("};\n");
    fs::write(rosters.join(format!("{user}.dat")), text)
}
