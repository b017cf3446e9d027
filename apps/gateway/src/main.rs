//! `subrosa-gateway`: flags, log, signals around [`subrosa_gateway::Gateway`].
use clap::Parser;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use subrosa_gateway::Gateway;
use subrosa_gateway::config::{Config, Level, Origins, Way};
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// The server of the Subrosa web messenger. Flags stand above the file.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// A TOML file; see docs/operate.md.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where HTTP is served, as 127.0.0.1:8090; port 0: any that is free.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Where metrics are served.
    #[arg(long)]
    metrics_listen: Option<SocketAddr>,
    /// Under which path all of it lies, as /chat/.
    #[arg(long)]
    base_path: Option<String>,
    /// As browsers see the gateway, as https://chat.example.org.
    #[arg(long)]
    public_origin: Vec<String>,
    /// Another origin of the same site that serves the page.
    #[arg(long)]
    page_origin: Vec<String>,
    /// The gateway's URL for a page that lies elsewhere.
    #[arg(long)]
    api_url: Option<String>,
    /// Where the database lies, if it is SQLite.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// sqlite:FILE or postgres://USER@HOST/NAME.
    #[arg(long, env = "SUBROSA_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// An XMPP domain whose accounts may enter; without any, all may.
    #[arg(long)]
    domain: Vec<String>,
    /// HOST:PORT of the XMPP server instead of what the domain names in DNS.
    #[arg(long)]
    xmpp_host: Option<String>,
    /// tls, direct-tls or clear-loopback.
    #[arg(long, value_parser = way)]
    xmpp_security: Option<Way>,
    /// Certificates in PEM that count instead of the system's.
    #[arg(long)]
    xmpp_ca: Option<PathBuf>,
    /// Serve the page from this directory instead of the files inside the program.
    #[arg(long)]
    web: Option<PathBuf>,
    /// Plain HTTP on this machine: cookies without Secure.
    #[arg(long)]
    insecure_loopback: bool,
    /// error, warn, info, debug or trace.
    #[arg(long, value_parser = level)]
    log: Option<Level>,
}
fn way(text: &str) -> Result<Way, String> {
    Ok(match text {
        "tls" => Way::Tls,
        "direct-tls" => Way::DirectTls,
        "clear-loopback" => Way::ClearLoopback,
        _ => return Err("tls, direct-tls or clear-loopback".into()),
    })
}
fn level(text: &str) -> Result<Level, String> {
    Ok(match text {
        "error" => Level::Error,
        "warn" => Level::Warn,
        "info" => Level::Info,
        "debug" => Level::Debug,
        "trace" => Level::Trace,
        _ => return Err("error, warn, info, debug or trace".into()),
    })
}
impl Flags {
    fn over(self, mut config: Config) -> Config {
        config.listen = self.listen.unwrap_or(config.listen);
        config.metrics_listen = self.metrics_listen.or(config.metrics_listen);
        config.base_path = self.base_path.unwrap_or(config.base_path);
        if !self.public_origin.is_empty() {
            config.public_origin = Origins(self.public_origin);
        }
        if !self.page_origin.is_empty() {
            config.page_origins = self.page_origin;
        }
        config.api_url = self.api_url.or(config.api_url);
        config.data_dir = self.data_dir.unwrap_or(config.data_dir);
        config.database = self.database.or(config.database);
        if !self.domain.is_empty() {
            config.domains = self.domain;
        }
        config.xmpp.host = self.xmpp_host.or(config.xmpp.host);
        config.xmpp.security = self.xmpp_security.unwrap_or(config.xmpp.security);
        config.xmpp.ca = self.xmpp_ca.or(config.xmpp.ca);
        config.web = self.web.or(config.web);
        config.insecure_loopback |= self.insecure_loopback;
        config.log = self.log.unwrap_or(config.log);
        config
    }
}

/// The connection's own log has addresses in it.
fn log(config: &Config) {
    let level = match config.log {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
        _ => LevelFilter::INFO,
    };
    let filter = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("subrosa_gateway", level);
    let filter = filter.with_target("subrosa_xmpp", if config.log_addresses { level } else { LevelFilter::OFF });
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let config = match flags.config.as_deref().map(Config::read).transpose() {
        Ok(config) => flags.over(config.unwrap_or_default()),
        Err(why) => return failed(&why),
    };
    log(&config);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => return failed(&why),
    };
    let code = runtime.block_on(run(config));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    code
}
async fn run(config: Config) -> ExitCode {
    let (mut term, mut int) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(term), Ok(int)) => (term, int),
        (Err(why), _) | (_, Err(why)) => return failed(&why),
    };
    let gateway = match Gateway::start(config).await {
        Ok(gateway) => gateway,
        Err(why) => return failed(&why),
    };
    let mut out = std::io::stdout();
    let mut said = writeln!(out, "listening on {}", gateway.url());
    if let Some(address) = gateway.metrics_address() {
        said = said.and_then(|()| writeln!(out, "metrics on http://{address}/metrics"));
    }
    let _ = said.and_then(|()| out.flush()); // nobody has to hear it
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("ends in good order");
    gateway.stop().await;
    ExitCode::SUCCESS
}
fn failed(why: &dyn std::error::Error) -> ExitCode {
    eprintln!("subrosa-gateway: {why}");
    ExitCode::FAILURE
}
