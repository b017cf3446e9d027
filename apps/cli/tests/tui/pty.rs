//! A terminal of 80 × 24 with `subrosa tui` in it: what is typed, and what is on its screen. Waits are for what the screen says.
use crate::support::{PATIENCE, Place};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

pub struct Tty {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    input: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    /// All that was written to the terminal.
    pub raw: Vec<u8>,
}

/// Keys by their names: `<Enter>`, `<C-f>`, `<A-n>`, `<Up>`; all else as it stands.
fn sequence(keys: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let Some((name, after)) = rest.split_once('>').filter(|_| c == '<') else {
            out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        };
        rest = after;
        let (alt, name) = name.strip_prefix("A-").map_or((false, name), |name| (true, name));
        if alt && name.len() == 1 {
            out.push(0x1b);
        }
        match name {
            "Enter" if alt => out.extend(b"\x1b\r"),
            "Enter" => out.push(b'\r'),
            "Esc" => out.push(0x1b),
            "Tab" => out.push(b'\t'),
            "BS" => out.push(0x7f),
            "Up" if alt => out.extend(b"\x1b[1;3A"),
            "Down" if alt => out.extend(b"\x1b[1;3B"),
            "Up" => out.extend(b"\x1b[A"),
            "Down" => out.extend(b"\x1b[B"),
            "PgUp" => out.extend(b"\x1b[5~"),
            "PgDn" => out.extend(b"\x1b[6~"),
            "Home" => out.extend(b"\x1b[H"),
            "End" => out.extend(b"\x1b[F"),
            "F1" => out.extend(b"\x1bOP"),
            name => match name.strip_prefix("C-").and_then(|name| name.bytes().next()) {
                Some(letter) => out.push(letter & 0x1f),
                None => out.extend(name.as_bytes()),
            },
        }
    }
    out
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

impl Tty {
    /// `subrosa tui` of this place.
    pub fn start(place: &Place) -> Self {
        Self::run(place, &["tui"])
    }
    pub fn run(place: &Place, args: &[&str]) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_subrosa"));
        command.arg("--data");
        command.arg(place.path());
        command.args(args);
        for name in ["SUBROSA_PASSWORD", "SUBROSA_STORE_KEY", "SUBROSA_LOG", "SUBROSA_DATA", "NO_COLOR", "COLORTERM"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color");
        command.env("TZ", "UTC");
        let child = pair.slave.spawn_command(command).unwrap();
        let mut output = pair.master.try_clone_reader().unwrap();
        let (some, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                if some.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let input = pair.master.take_writer().unwrap();
        Tty { master: pair.master, child, input, bytes, parser: vt100::Parser::new(cells(24), cells(80), 0), raw: Vec::new() }
    }
    /// Types, as fast as it goes.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        self.input.write_all(&sequence(keys)).and_then(|()| self.input.flush()).unwrap();
        self
    }
    /// Pastes, as a terminal does.
    pub fn paste(&mut self, text: &str) -> &mut Self {
        write!(self.input, "\x1b[200~{text}\x1b[201~").and_then(|()| self.input.flush()).unwrap();
        self
    }
    pub fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
        self
    }
    /// What is on the screen now.
    pub fn text(&self) -> String {
        self.parser.screen().contents()
    }
    /// What was written to it, its control sequences too.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }
    /// It shows what is typed.
    pub fn echoes(&self) -> bool {
        format!("{:?}", self.master.get_termios().unwrap().local_flags).split([' ', '|', '(', ')']).any(|flag| flag == "ECHO")
    }
    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }
    /// Waits until the screen is as is said; fails with the screen.
    #[track_caller]
    pub fn wait(&mut self, what: &str, fits: impl Fn(&str) -> bool) -> &mut Self {
        let until = Instant::now() + PATIENCE;
        loop {
            while let Ok(bytes) = self.bytes.try_recv() {
                self.took(&bytes);
            }
            if self.is_whole() && fits(&self.text()) {
                return self;
            }
            match self.bytes.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.took(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("the screen never said: {what}\n{}\n", self.framed()),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("it ended ({:?}) before the screen said: {what}\n{}\n", self.child.try_wait(), self.framed())
                }
            }
        }
    }
    fn took(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.parser.process(bytes);
    }
    /// No picture is being drawn: the last one is all there.
    fn is_whole(&self) -> bool {
        let last = |mark: &[u8]| self.raw.windows(mark.len()).rposition(|part| part == mark);
        last(b"\x1b[?2026l") >= last(b"\x1b[?2026h")
    }
    fn framed(&self) -> String {
        self.text().lines().map(|row| format!("|{row}\n")).collect()
    }
    #[track_caller]
    pub fn sees(&mut self, what: &str) -> &mut Self {
        self.wait(what, |text| text.contains(what))
    }
    #[track_caller]
    pub fn sees_not(&mut self, what: &str) -> &mut Self {
        self.wait(&format!("no more {what}"), |text| !text.contains(what))
    }
    /// A row that has both.
    #[track_caller]
    pub fn row(&mut self, what: &str, beside: &str) -> &mut Self {
        self.wait(&format!("{what} with {beside}"), |text| text.lines().any(|row| row.contains(what) && row.contains(beside)))
    }
    /// Waits for its end; its exit code.
    pub fn ended(&mut self) -> u32 {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.bytes.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.took(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.framed()),
            }
        }
        self.child.wait().unwrap().exit_code()
    }
    /// Ends it by its key: in good order, the terminal as it was.
    pub fn end(mut self) {
        self.keys("<C-q>");
        assert_eq!(self.ended(), 0, "{}", self.framed());
        self.is_given_back();
    }
    pub fn is_given_back(&self) {
        let raw = self.written();
        let (taken, back) = (raw.rfind("\x1b[?1049h"), raw.rfind("\x1b[?1049l"));
        assert!(taken.is_some() && back > taken, "the other screen is left");
        assert!(raw.rfind("\x1b[?25h") > back || raw.rfind("\x1b[?25h") > raw.rfind("\x1b[?25l"), "the cursor is seen");
        assert!(raw.rfind("\x1b[?2004l") > raw.rfind("\x1b[?2004h"), "pastes are as they were");
    }
}
impl Drop for Tty {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
