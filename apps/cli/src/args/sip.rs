//! `subrosa sip`: an account on SIP stands on the command line, with the ways to it.
use clap::{Subcommand, ValueEnum};
use std::path::PathBuf;

/// `subrosa sip`
#[derive(Debug, clap::Args)]
pub struct Sip {
    /// The account and the ways to it
    #[command(flatten)]
    pub line: Line,
    /// What to do
    #[command(subcommand)]
    pub command: SipCommand,
}

/// An account on SIP, and the ways to and from it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Account and network")]
pub struct Line {
    /// The account, e.g. sip:alice@example.org
    #[arg(long, global = true, value_name = "URI", env = "SUBROSA_SIP_FROM")]
    pub from: Option<String>,
    /// What all messages go through: xor, xor-hex, base64, base64-async (these four protect from nobody), preshared:@FILE or
    /// preshared-base64:@FILE (AES-256-GCM with the 64 hexadecimal digits in FILE); a Linphone on the other side needs xor-hex, base64
    /// or preshared-base64
    #[arg(long, global = true, value_name = "ENGINE")]
    pub engine: Option<String>,
    /// Register, at the account's domain, so that messages come
    #[arg(long, global = true)]
    pub register: bool,
    /// Register there
    #[arg(long, global = true, value_name = "URI")]
    pub registrar: Option<String>,
    /// Read the password from the first line of this file (else SUBROSA_PASSWORD; else a prompt, to register)
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Send everything there first, e.g. "sip:127.0.0.1:5070;transport=tcp"
    #[arg(long, global = true, value_name = "URI")]
    pub proxy: Option<String>,
    /// Listen there; port 0 is any that is free
    #[arg(long, global = true, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:0")]
    pub listen: std::net::SocketAddr,
    /// How to listen, and to reach proxy and registrar where their URI does not say [default: listen by udp and tcp]
    #[arg(long, global = true, value_name = "WAY")]
    pub transport: Option<Way>,
    /// The certificate (PEM) to listen with by TLS
    #[arg(long, global = true, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key (PEM) of that certificate
    #[arg(long, global = true, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Trust the certificates in this PEM file, and no others
    #[arg(long, global = true, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Upload files there
    #[arg(long, global = true, value_name = "URL")]
    pub file_server: Option<String>,
    /// Fetch files that are sent, into this directory
    #[arg(long, global = true, value_name = "DIR")]
    pub download_dir: Option<PathBuf>,
    /// Keep nothing on the disk
    #[arg(long, global = true)]
    pub memory: bool,
}

/// How SIP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Datagrams
    Udp,
    /// A stream in clear
    Tcp,
    /// A stream over TLS
    Tls,
}

/// The subcommands of `sip`.
#[derive(Debug, Subcommand)]
pub enum SipCommand {
    /// Send one message and say what was answered
    Send {
        /// To whom
        to: String,
        /// The message; `-` reads it from standard input
        text: String,
        /// Seconds to wait for the answer
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// Send one file and say what was answered
    SendFile {
        /// To whom
        to: String,
        /// Which
        file: PathBuf,
        /// What it is, e.g. image/png
        #[arg(long, value_name = "TYPE")]
        content_type: Option<String>,
        /// Seconds to wait for upload and answer
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// Show what comes, until interrupted
    Listen,
    /// Talk to one person, line by line, until end of input
    Chat {
        /// With whom
        with: String,
    },
    /// Speak JSON-RPC 2.0 on standard input and output, one object a line (docs/rpc.md)
    Rpc,
}
