//! A child process that cannot outlive us.
//!
//! Owns the guard around a server's process; knows nothing of what runs in it. The program is started below a
//! one-line shell that ends it when its standard input closes: so it goes when the guard is dropped, and also
//! when the whole test process is killed, which `Drop` would never see.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends the program with TERM, and with KILL if it is still there after two seconds.
const GUARD: &str = r#"
log=$1; shift
"$@" </dev/null >>"$log" 2>&1 & child=$!
echo $child >&4; exec 4>&-
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
pub struct Guarded {
    child: Child,
    /// The program's, below the shell.
    pid: Option<u32>,
}

impl Guarded {
    /// Starts `program` with its output in `log`.
    ///
    /// # Errors
    /// When there is no shell to guard it.
    pub fn start(program: &mut Command, log: &Path) -> io::Result<Self> {
        let mut shell = Command::new("bash");
        shell.arg("-c").arg(format!("exec 3<&0 4>&1 >/dev/null\n{GUARD}")).arg("guard").arg(log);
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
        let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        Ok(Self { child, pid: line.trim().parse().ok() })
    }

    /// The program's process.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Sends the program a signal and waits for its end. Whether it came in time; else it is killed.
    pub fn end(&mut self, name: &str, limit: Duration) -> bool {
        let Some(pid) = self.pid else { return false };
        signal(pid, name);
        let start = Instant::now();
        while !self.ended() {
            if start.elapsed() > limit {
                signal(pid, "KILL");
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Whether these bytes stand anywhere in the program's memory.
    pub(crate) fn has_in_memory(&self, text: &[u8]) -> io::Result<bool> {
        let pid = self.pid.ok_or(io::ErrorKind::NotFound)?;
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let hex = |text: &str| u64::from_str_radix(text, 16).ok();
        for line in maps.lines() {
            let mut fields = line.split_whitespace();
            let (Some((from, to)), Some(rights)) = (fields.next().and_then(|range| range.split_once('-')), fields.next()) else { continue };
            let (Some(from), Some(to)) = (hex(from), hex(to)) else { continue };
            if !rights.starts_with("rw") {
                continue; // the program itself, and what it maps to read
            }
            // A mapping that goes meanwhile, or can't be read, has nothing.
            let mut bytes = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or_default()];
            if memory.read_exact_at(&mut bytes, from).is_ok() && bytes.windows(text.len()).any(|part| part == text) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The time that the program has computed, in all its threads.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid?)).ok()?;
        // what stands in brackets may have any name; hundredths of a second after it (proc_pid_stat(5))
        let (_, rest) = stat.rsplit_once(')')?;
        let ticks = rest.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
        Some(Duration::from_millis(ticks.saturating_mul(10)))
    }

    /// Whether the program has ended by itself.
    pub fn ended(&mut self) -> bool {
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
///
/// # Errors
/// What it did instead.
pub fn wait_until(process: &mut Guarded, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<(), &'static str> {
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

/// Sends a signal by its name; a process that is gone gets none.
pub(crate) fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status();
}

/// The processes that this one started.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Looks a program up in `PATH` and the places Debian keeps servers in.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|candidate| candidate.is_file())
}
