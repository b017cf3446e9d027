//! A private PostgreSQL: fresh directory, a Unix socket in it and no port, no password, nothing synced to disk.
//!
//! PostgreSQL refuses to run as root, so there it runs as the user `postgres` of Debian's package, by `setpriv`.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Guarded, find_program, signal, wait_until};
use crate::server::StartError;

/// Whose server it is, where we are root.
const USER: &str = "postgres";

/// A running PostgreSQL. Stops when dropped; its directory goes with it.
#[derive(Debug)]
pub struct Postgres {
    // Declared before `dir`: a process is ended before its directory is removed.
    process: Option<Guarded>,
    dir: tempfile::TempDir,
    programs: PathBuf,
    /// Who it runs as, where that is not us.
    user: Option<(u32, u32)>,
}

impl Postgres {
    /// Starts an empty one with the superuser `test`.
    ///
    /// # Errors
    /// [`StartError`] when it is not installed or does not come up; the log's end is in it.
    pub fn start() -> Result<Self, StartError> {
        let missing = || StartError::Missing { program: "postgres", package: "postgresql" };
        let programs = programs().ok_or_else(missing)?;
        // A socket's path has 107 bytes: the name is short, and not below a directory of ours.
        let dir = tempfile::Builder::new().prefix("subrosa-pg-").tempdir_in("/tmp")?;
        let user = if is_root()? { Some(user().ok_or_else(missing)?) } else { None };
        if let Some((user, group)) = user {
            chown(dir.path(), Some(user), Some(group))?;
        }
        let mut postgres = Self { process: None, dir, programs, user };
        let data = postgres.dir.path().join("data");
        let mut initdb = postgres.command("initdb");
        initdb.arg("-D").arg(&data).args(["-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]);
        let made = initdb.output()?;
        if !made.status.success() {
            let log = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(StartError::Start { program: "initdb", what: "failed".into(), log });
        }
        postgres.resume()?;
        Ok(postgres)
    }

    /// What is missing to run it here, if anything is.
    pub fn missing() -> Option<String> {
        let found = programs().is_some() && (find_program("setpriv").is_some() && user().is_some() || !is_root().unwrap_or_default());
        (!found).then(|| "postgresql is not installed".to_owned())
    }

    /// The URL of its database, as sqlx takes it.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Makes another database and gives its URL.
    ///
    /// # Errors
    /// When it is there already, or the server is stopped.
    pub fn create(&self, name: &str) -> io::Result<String> {
        let out = self.command("createdb").args(["-U", "test", "-h"]).arg(self.dir.path()).arg(name).output()?;
        if out.status.success() { Ok(self.url_of(name)) } else { Err(io::Error::other(String::from_utf8_lossy(&out.stderr).into_owned())) }
    }

    /// All of a database as SQL text, as `pg_dump` gives it.
    ///
    /// # Errors
    /// When there is no such database, or the server is stopped.
    pub fn dump(&self, name: &str) -> io::Result<String> {
        let out = self.command("pg_dump").args(["-U", "test", "-h"]).arg(self.dir.path()).arg(name).output()?;
        if out.status.success() {
            Ok(String::from_utf8_lossy(&out.stdout).into_owned())
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&out.stderr).into_owned()))
        }
    }

    /// Stops it at once: clients lose their connections and find nobody at the socket.
    pub fn stop(&mut self) {
        if let Some(process) = &mut self.process {
            // Not TERM, as the guard does it: PostgreSQL would wait for its clients.
            process.end("INT", Duration::from_secs(10));
        }
        self.process = None;
    }

    /// Starts it again with the same data at the same place.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn resume(&mut self) -> Result<(), StartError> {
        let (data, log) = (self.dir.path().join("data"), self.dir.path().join("log"));
        let mut command = self.command("postgres");
        command.arg("-D").arg(&data).arg("-k").arg(self.dir.path());
        for setting in
            ["listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=50"]
        {
            command.args(["-c", setting]);
        }
        let started = Guarded::start(&mut command, &log).map_err(|_| "could not be started: is bash there?");
        let state = data.join("postmaster.pid");
        let ready = || fs::read_to_string(&state).is_ok_and(|text| text.lines().nth(7).is_some_and(|line| line.trim() == "ready"));
        let up = started.and_then(|mut process| wait_until(&mut process, Duration::from_secs(30), ready).map(|()| process));
        match up {
            Ok(process) => {
                self.process = Some(process);
                Ok(())
            }
            Err(what) => {
                let log = fs::read_to_string(&log).unwrap_or_default();
                Err(StartError::Start { program: "postgres", what: what.into(), log })
            }
        }
    }

    /// Lets it hang: connections stay and nobody answers. `false`: it goes on.
    pub fn hang(&self, hangs: bool) {
        let pid = fs::read_to_string(self.dir.path().join("data/postmaster.pid")).unwrap_or_default();
        let Some(Ok(postmaster)) = pid.lines().next().map(str::parse::<u32>) else { return };
        let name = if hangs { "STOP" } else { "CONT" };
        for process in crate::process::children(postmaster).into_iter().chain([postmaster]) {
            signal(process, name);
        }
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=test", self.dir.path().display())
    }

    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match self.user {
            None => Command::new(program),
            Some((user, group)) => {
                let mut setpriv = Command::new("setpriv");
                setpriv.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"]).arg(program);
                setpriv
            }
        };
        command.current_dir(self.dir.path()).env("HOME", self.dir.path());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Debian keeps them out of `PATH`: those of the newest version.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let numbered = versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))));
    let newest = numbered.filter(|(_, bin)| bin.join("initdb").is_file()).max().map(|(_, bin)| bin);
    newest.or_else(|| find_program("initdb").and_then(|program| program.parent().map(Path::to_owned)))
}

fn is_root() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// User and group of [`USER`].
fn user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.first() == Some(&USER))?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}
