//! Commands with their progress: a spinner with the last line of output on a terminal, plain lines elsewhere.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Why a command of ours failed: a sentence for the person who typed it.
pub type Failure = Box<dyn std::error::Error>;

/// How often a line appears where there is no terminal to animate.
const STILL: Duration = Duration::from_secs(30);

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// `target/`, wherever it was put.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs us, in the workspace.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What incremental builds keep is as large as all the rest, and of no use to a run of everything.
    command.current_dir(root()).args(args).env("CARGO_INCREMENTAL", "0");
    command
}

/// Something that takes a while: says that it began, that it goes on, and how it ended.
pub struct Progress {
    name: String,
    start: Instant,
    bar: Option<ProgressBar>,
    spoke: Instant,
}

impl Progress {
    pub fn start(name: &str) -> Self {
        let start = Instant::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("  {spinner} {prefix} ({elapsed}) {wide_msg:.dim}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            eprintln!("  … {name}");
        }
        Self { name: name.to_owned(), start, bar, spoke: start }
    }

    /// What is being done just now.
    pub fn note(&mut self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(what.trim().to_owned()),
            None if self.spoke.elapsed() > STILL => {
                eprintln!("    {} ({} s): {}", self.name, self.start.elapsed().as_secs(), what.trim());
                self.spoke = Instant::now();
            }
            None => {}
        }
    }

    pub fn done(self) {
        self.end("✓");
    }

    pub fn failed(self) {
        self.end("✗");
    }

    fn end(self, mark: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let seconds = self.start.elapsed().as_secs_f64();
        eprintln!("  {mark} {} ({seconds:.1} s)", self.name);
    }
}

/// Runs `command` with its output hidden behind a progress line; shown when it fails.
pub fn quiet(name: &str, command: &mut Command) -> Result<String, Failure> {
    let mut progress = Progress::start(name);
    let outcome = capture(command, |line| progress.note(line));
    match outcome {
        Ok((true, text)) => {
            progress.done();
            Ok(text)
        }
        Ok((false, text)) => {
            progress.failed();
            show_end(name, &text);
            Err(format!("{name} failed: `{}`", shown(command)).into())
        }
        Err(error) => {
            progress.failed();
            Err(format!("could not run `{}`: {error}", shown(command)).into())
        }
    }
}

/// The last lines of what a failed command said, and where all of it is.
fn show_end(name: &str, text: &str) {
    const SHOWN: usize = 40;
    let lines: Vec<&str> = text.lines().collect();
    let rest = lines.len().saturating_sub(SHOWN);
    if rest > 0 {
        let log = target().join(format!("{}.log", name.replace(' ', "-")));
        if std::fs::write(&log, text).is_ok() {
            eprintln!("    ({rest} lines before these: {})", log.display());
        }
    }
    lines.iter().skip(rest).for_each(|line| eprintln!("    {line}"));
}

/// Runs `command` with its own output, which is worth reading.
pub fn loud(name: &str, command: &mut Command) -> Result<(), Failure> {
    eprintln!("  … {name}");
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).status().map_err(|error| format!("could not run `{}`: {error}", shown(command)))?;
    let seconds = start.elapsed().as_secs_f64();
    if status.success() {
        eprintln!("  ✓ {name} ({seconds:.1} s)");
        Ok(())
    } else {
        eprintln!("  ✗ {name} ({seconds:.1} s)");
        Err(format!("{name} failed: `{}`", shown(command)).into())
    }
}

/// Whether the command runs and succeeds, quickly and silently.
pub fn succeeds(program: &str, args: &[&str]) -> bool {
    let quiet = Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    quiet.is_ok_and(|status| status.success())
}

/// Runs it and hands each line to `see` as it comes; all lines in the end.
fn capture(command: &mut Command, mut see: impl FnMut(&str)) -> std::io::Result<(bool, String)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (sender, lines) = channel();
    let pipes: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|pipe| Box::new(pipe) as _), child.stderr.take().map(|pipe| Box::new(pipe) as _)];
    for pipe in pipes.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
    }
    drop(sender);
    let (mut text, mut last) = (String::new(), String::new());
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                text.push_str(&line);
                text.push('\n');
                see(&line);
                last = line;
            }
            Err(RecvTimeoutError::Timeout) => see(&last),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok((child.wait()?.success(), text))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program).chain(command.get_args()).map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
