//! A child process that cannot outlive us.
//!
//! Owns the guard around a server's process; knows nothing of what runs in it. The program is started below a
//! one-line shell that ends it when its standard input closes: so it goes when the guard is dropped, and also
//! when the whole test process is killed, which `Drop` would never see.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends the program with TERM, and with KILL if it is still there after two seconds.
const GUARD: &str = r#"
log=$1; shift
"$@" </dev/null >>"$log" 2>&1 & child=$!
{ cat >/dev/null; kill -TERM $child 2>/dev/null
  for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $child 2>/dev/null || exit 0; sleep 0.2; done
  kill -KILL $child 2>/dev/null; } <&3 & watcher=$!
exec 3<&-
wait $child; code=$?
kill $watcher 2>/dev/null
exit $code
"#;

/// A guarded process.
#[derive(Debug)]
pub(crate) struct Guarded {
    child: Child,
}

impl Guarded {
    /// Starts `program` with its output in `log`.
    pub(crate) fn start(program: &mut Command, log: &Path) -> io::Result<Self> {
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(format!("exec 3<&0\n{GUARD}")).arg("guard").arg(log);
        shell.arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(dir) = program.get_current_dir() {
            shell.current_dir(dir);
        }
        let child = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { child })
    }

    /// Whether the program has ended by itself.
    pub(crate) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Waits until `ready` says so, the process ends, or the time is over.
pub(crate) fn wait_until(process: &mut Guarded, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<(), &'static str> {
    let start = Instant::now();
    loop {
        if ready() {
            return Ok(());
        }
        if process.ended() {
            return Err("ended at once");
        }
        if start.elapsed() > limit {
            return Err("was not ready in time");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Looks a program up in `PATH` and the places Debian keeps servers in.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|candidate| candidate.is_file())
}
