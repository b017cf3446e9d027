//! A private ejabberd in a plain Erlang node: no epmd, no system user, nothing global.
//!
//! It differs from Prosody where clients of OMEMO feel it: a new node keeps one item until it is configured, two
//! publish options are known, the hash of the entity capabilities is checked.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{Guarded, find_program, wait_until};
use crate::server::{Friends, Server, StartError};

const CONFIG: &str = include_str!("../peers/ejabberd.yml.in");
const BOOT: &str = include_str!("../peers/boot.erl");

/// A running ejabberd 23.01. Its fields: [`Server`]; it records no stanzas.
#[derive(Debug)]
pub struct Ejabberd(Server);

impl Ejabberd {
    /// Starts an ejabberd with these `(user, password)` accounts in a temporary directory.
    ///
    /// # Errors
    /// [`StartError`] when ejabberd is not installed or does not come up; the log's end is in it.
    pub fn start(accounts: &[(&str, &str)], friends: Friends) -> Result<Self, StartError> {
        let (Some(libraries), Some(erl), Some(erlc)) = (libraries(), find_program("erl"), find_program("erlc")) else {
            return Err(StartError::Missing { program: "ejabberd", package: "ejabberd" });
        };
        let mut ejabberd = Self(Server::prepare(None)?);
        let server = &mut ejabberd.0;
        let dir = server.dir.clone();
        let text = |path: &str| dir.join(path).display().to_string();
        let config = CONFIG
            .replace("@DIR@", &dir.display().to_string())
            .replace("@PORT@", &server.port.to_string())
            .replace("@TLS_PORT@", &server.tls_port.to_string());
        fs::write(dir.join("ejabberd.yml"), config)?;
        fs::write(dir.join("boot.erl"), BOOT)?;
        fs::write(dir.join("accounts"), accounts.iter().map(|(user, password)| format!("{user} {password}\n")).collect::<String>())?;
        if friends == Friends::All {
            fs::write(dir.join("all-friends"), "")?;
        }
        let compiled = Command::new(erlc).arg("-o").arg(&dir).arg(dir.join("boot.erl")).output()?;
        if !compiled.status.success() {
            return Err(server.failure("ejabberd", &String::from_utf8_lossy(&compiled.stdout)));
        }
        let mut command = Command::new(erl);
        command.args(["-noinput", "+K", "true", "-pa"]).arg(&dir);
        command.args(["-mnesia", "dir", &format!("{:?}", text("data"))]);
        command.args(["-eval", &format!("boot:go({:?}).", dir.display().to_string())]);
        command.env("EJABBERD_CONFIG_PATH", text("ejabberd.yml")).env("EJABBERD_LOG_PATH", text("log/ejabberd.log"));
        command.env("ERL_CRASH_DUMP", text("log/crash.dump")).env("ERL_CRASH_DUMP_BYTES", "0");
        command.env("ERL_LIBS", libraries).env("HOME", &dir);
        let started = Guarded::start(&mut command, &dir.join("log/stdout")).map_err(|_| "could not be started: is bash there?");
        let up = started.and_then(|mut process| wait_until(&mut process, Duration::from_secs(30), || dir.join("ready").is_file()).map(|()| process));
        match up {
            Ok(process) => server.process = Some(process),
            Err(what) => return Err(server.failure("ejabberd", what)),
        }
        Ok(ejabberd)
    }

    /// Whether ejabberd is installed.
    pub fn installed() -> bool {
        libraries().is_some() && find_program("erl").is_some() && find_program("erlc").is_some()
    }

    /// What is missing to run it here, if anything is.
    pub fn missing() -> Option<String> {
        (!Self::installed()).then(|| "ejabberd is not installed".to_owned())
    }
}

/// Where Debian keeps the libraries of Erlang programs: the directory that has ejabberd's.
fn libraries() -> Option<PathBuf> {
    let of_machine = fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    of_machine.chain([PathBuf::from("/usr/lib/erlang/lib")]).find(|dir| {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().starts_with("ejabberd-"))
    })
}

impl Deref for Ejabberd {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl DerefMut for Ejabberd {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.0
    }
}
