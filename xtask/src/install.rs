//! What the commands need from the machine, looked for and installed where it is missing.
//!
//! Debian packages by apt as root or through sudo, and never a system service started; components of the Rust
//! toolchain by rustup; Python packages in an environment of our own and npm packages, both below `target/`.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use subrosa_interop::{DINO_PACKAGES, Ejabberd, GAJIM_PACKAGES, LINPHONE_PACKAGES, Prosody, find_program, peers_dir, venv};

use crate::run::{Failure, quiet, root, succeeds, target};

/// Something that a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The C library that SQLCipher is built with.
    OpenSsl,
    /// The server of the tests.
    Prosody,
    /// The other server.
    Ejabberd,
    /// Gajim and a screen for it.
    Gajim,
    /// Profanity and a terminal for it.
    Profanity,
    /// Dino, with what its screen and its network need.
    Dino,
    /// rustfmt and clippy.
    Components,
    /// The browsers' target.
    Wasm,
    /// The Python peers.
    Python,
    /// Chromium and what drives it.
    Browser,
    /// The programs of a PostgreSQL server.
    Postgres,
    /// What wasm-opt and axe are installed with.
    Npm,
    /// Linphone's library, with what a C program needs to use it.
    Linphone,
    /// What sends heavy and malformed SIP.
    Sipp,
    /// What looks for lost and wrong memory in C programs.
    Valgrind,
}

impl Need {
    /// The Debian packages that bring it.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::OpenSsl => &["libssl-dev", "pkg-config", "gcc", "libc6-dev"],
            Self::Prosody => &["prosody", "openssl", "ca-certificates"],
            Self::Ejabberd => &["ejabberd"],
            Self::Profanity => &["profanity", "tmux"],
            Self::Browser => &["chromium", "chromium-driver"],
            Self::Postgres => &["postgresql"],
            Self::Npm => &["nodejs", "npm"],
            Self::Sipp => &["sip-tester"],
            Self::Valgrind => &["valgrind", "libc6-dbg"],
            Self::Gajim | Self::Dino | Self::Linphone | Self::Components | Self::Wasm | Self::Python => &[],
        }
    }

    /// Whether it is not there.
    fn missing(self) -> bool {
        let program = |name| find_program(name).is_none();
        match self {
            Self::OpenSsl => !succeeds("pkg-config", &["--exists", "libcrypto"]) || program("cc"),
            Self::Prosody => !Prosody::installed() || program("openssl"),
            Self::Ejabberd => !Ejabberd::installed(),
            Self::Profanity => program("profanity") || program("tmux"),
            Self::Gajim => subrosa_interop::Kind::Gajim.missing().is_some(),
            Self::Dino => ["dino-im", "Xvfb", "xdotool"].into_iter().any(program),
            Self::Browser => program("chromium") || program("chromedriver"),
            Self::Postgres => !has_postgres(),
            Self::Npm => program("npm") || program("node"),
            // linphone-common has the grammars, without which a chat room ends the process
            Self::Linphone => !Path::new("/usr/include/linphone/core.h").is_file() || !Path::new("/usr/share/belr/grammars/cpim_grammar").is_file(),
            Self::Sipp => program("sipp"),
            Self::Valgrind => program("valgrind"),
            Self::Components | Self::Wasm | Self::Python => false,
        }
    }
}

/// Debian keeps each version's programs in a directory of its own, outside of `PATH`.
fn has_postgres() -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin/initdb")).any(|initdb| initdb.is_file()) || find_program("initdb").is_some()
}

/// Makes sure that all of it is there.
pub fn ensure(needs: &[Need]) -> Result<(), Failure> {
    let missing = needs.iter().filter(|need| need.missing());
    let packages: Vec<&str> = missing
        .flat_map(|need| match need {
            Need::Gajim => GAJIM_PACKAGES.split_whitespace().collect(),
            Need::Dino => DINO_PACKAGES.split_whitespace().collect(),
            Need::Linphone => LINPHONE_PACKAGES.split_whitespace().collect(),
            other => other.packages().to_vec(),
        })
        .collect();
    if !packages.is_empty() {
        apt(&packages)?;
    }
    for need in needs {
        match need {
            Need::Components => components()?,
            Need::Wasm => wasm()?,
            Need::Python => python()?,
            _ => {}
        }
    }
    Ok(())
}

/// Run by a shell as root with the packages as arguments. Services of what is installed are neither started now
/// (policy-rc.d forbids it meanwhile) nor at the next boot.
const APT: &str = r#"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
fi
get="apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 install"
$get "$@" || { echo "Trying again with fresh package lists"; apt-get -q update && $get "$@"; } || exit 1
for service in prosody ejabberd postgresql; do
  case " $* " in *" $service "*)
    update-rc.d $service disable >/dev/null 2>&1;;
  esac
done
exit 0
"#;

fn apt(packages: &[&str]) -> Result<(), Failure> {
    let list = packages.join(" ");
    if find_program("apt-get").is_none() {
        return Err(format!("these are missing and this is no Debian, so please install what brings them: {list}").into());
    }
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.starts_with(b"0\n"));
    let mut command = if is_root {
        Command::new("sh")
    } else if find_program("sudo").is_some() && (succeeds("sudo", &["-n", "true"]) || std::io::stdin().is_terminal()) {
        eprintln!("Missing on this machine: {list}. Installing with apt-get through sudo; no service is started.");
        // Asks for the password here, where it can be typed, and not behind the progress line.
        if !Command::new("sudo").arg("-v").stdin(Stdio::inherit()).status().is_ok_and(|status| status.success()) {
            return Err(format!("sudo was refused; as root: apt-get install --no-install-recommends {list}").into());
        }
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "sh"]);
        sudo
    } else {
        return Err(format!("these Debian packages are missing; as root: apt-get install --no-install-recommends {list}").into());
    };
    if is_root {
        eprintln!("Missing on this machine: {list}. Installing with apt-get; no service is started.");
    }
    quiet("installing Debian packages", command.args(["-c", APT, "sh"]).args(packages)).map(drop)
}

fn components() -> Result<(), Failure> {
    let missing: Vec<&str> = [("rustfmt", "fmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(_, command)| !succeeds("cargo", &[command, "--version"]))
        .map(|(component, _)| component)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("Missing in the Rust toolchain: {}. Adding with rustup.", missing.join(", "));
    rustup("adding to the Rust toolchain", &[&["component", "add"], missing.as_slice()].concat())
}

fn wasm() -> Result<(), Failure> {
    let sysroot = Command::new("rustc").current_dir(root()).args(["--print", "sysroot"]).output();
    let sysroot = sysroot.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim())).unwrap_or_default();
    if sysroot.join("lib/rustlib/wasm32-unknown-unknown").is_dir() {
        return Ok(());
    }
    eprintln!("Missing in the Rust toolchain: the target wasm32-unknown-unknown. Adding with rustup.");
    rustup("adding the WebAssembly target", &["target", "add", "wasm32-unknown-unknown"])
}

fn rustup(name: &str, args: &[&str]) -> Result<(), Failure> {
    if find_program("rustup").is_none() {
        return Err(format!("rustup is not there; please do with your toolchain what `rustup {}` would", args.join(" ")).into());
    }
    quiet(name, Command::new("rustup").current_dir(root()).args(args)).map(drop)
}

/// The optimiser, of the version that the sizes in our papers were measured with, and the rules that the tests hold the page to. Installed
/// together: npm takes away what it is not asked for.
const NPM_PACKAGES: [&str; 2] = ["binaryen@132.0.0", "axe-core@4.14.1"];

/// The optimiser of wasm modules, installed below `target/` where it is missing. `None`: it can't be had, which was said; what is
/// built is then larger and works the same.
pub fn wasm_opt() -> Option<PathBuf> {
    let home = target().join("npm");
    let (program, stamp) = (home.join("node_modules/binaryen/bin/wasm-opt"), home.join(".packages"));
    let wanted = NPM_PACKAGES.join(" ");
    if program.exists() && fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Some(program);
    }
    let install = || -> Result<(), Failure> {
        ensure(&[Need::Npm])?;
        eprintln!("Missing: wasm-opt. Installing {wanted} with npm below {}.", home.display());
        fs::create_dir_all(&home)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(&home).args(NPM_PACKAGES);
        quiet("installing wasm-opt", &mut npm)?;
        Ok(fs::write(&stamp, &wanted)?)
    };
    match install() {
        Ok(()) => Some(program),
        Err(error) => {
            eprintln!("  ! no wasm-opt: {error}");
            None
        }
    }
}

/// Makes the Python environment of the peers, or makes it anew when the list of packages has changed.
fn python() -> Result<(), Failure> {
    let (home, wanted) = (venv(), fs::read_to_string(peers_dir().join("requirements.txt"))?);
    let stamp = home.join("requirements.txt");
    let is_ours = std::env::var_os("SUBROSA_INTEROP_VENV").is_none();
    if !is_ours || fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    let python = match usable_python() {
        Ok(python) => python,
        Err(_) if find_program("apt-get").is_some() => {
            apt(&PYTHON_PACKAGES)?;
            usable_python()?
        }
        Err(error) => return Err(error),
    };
    eprintln!("Missing: the Python packages of the peers. Installing with pip below {}.", home.display());
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home)?;
    quiet("making a Python environment", Command::new(&python).args(["-m", "venv"]).arg(&home))?;
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--prefer-binary", "-r"]);
    quiet("installing Python packages", pip.arg(peers_dir().join("requirements.txt")))?;
    fs::write(stamp, wanted)?;
    Ok(())
}

/// For Python's environments and for the packages that are compiled when they are installed (omemo-dr).
const PYTHON_PACKAGES: [&str; 4] = ["python3", "python3-venv", "python3-dev", "gcc"];

/// A Python that is new enough, can make environments and compile for them. The first in `PATH` may be one that
/// can't: pyenv's shims without a version, a build without ensurepip, Debian's without python3-venv.
fn usable_python() -> Result<PathBuf, Failure> {
    let mut tried = Vec::new();
    let candidates = [find_program("python3"), Some("/usr/bin/python3".into())];
    for python in candidates.into_iter().flatten() {
        match probe(&python) {
            Ok(()) => return Ok(python),
            Err(what) => tried.push(format!("{}: {what}", python.display())),
        }
    }
    let tried = if tried.is_empty() { "none found".to_owned() } else { tried.join("; ") };
    let packages = PYTHON_PACKAGES.join(" ");
    Err(format!("no Python that can be used for the peers ({tried}). On Debian: apt-get install {packages}").into())
}

fn probe(python: &Path) -> Result<(), String> {
    let check = "\
import os, sys, sysconfig, venv, ensurepip
if sys.version_info < (3, 11): sys.exit('it is older than 3.11')
if not os.path.exists(sysconfig.get_path('include') + '/Python.h'): sys.exit('its C headers are missing')";
    let out = Command::new(python).args(["-c", check]).output().map_err(|error| error.to_string())?;
    if out.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&out.stderr);
    Err(text.lines().last().unwrap_or("does not run").to_owned())
}
