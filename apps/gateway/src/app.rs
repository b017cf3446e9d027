//! What all parts share, and the gateway's life from start to stop.
use crate::account::{Account, Credentials, Place};
use crate::config::{Config, ConfigError};
use crate::db::{self, Db};
use crate::http::limits::Logins;
use crate::http::{self, assets::Assets};
use crate::metrics::Metrics;
use crate::{account, lock};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use subrosa_omemo::wire::Version;
use subrosa_web_api::Failure;
use subrosa_web_api::http::BrowserId;
use subrosa_xmpp::{Entity, Roots};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Where this program comes from, for XEP-0115.
const HOME: &str = "https://subrosa.example";
/// How long all may take that ends in good order.
const GOODBYE: Duration = Duration::from_secs(8);
/// How often what is old is deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// A browser that was not there for so long has to log in again.
pub(crate) const BROWSER_DAYS: u64 = 30;

/// Why the gateway can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The database.
    #[error("{0}")]
    Database(String),
    /// The address is taken, or may not be used.
    #[error("can't listen on {address}: {why}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        why: std::io::Error,
    },
    /// The page's files can't be read.
    #[error("the page's files in {path} can't be read: {why}")]
    Web {
        /// Where they should be.
        path: String,
        /// What the system said.
        why: std::io::Error,
    },
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Tasks that end in good order.
#[derive(Default)]
pub struct Tasks(watch::Sender<usize>);
/// Counts as running until it is dropped.
pub struct Running(watch::Sender<usize>);
impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
impl Tasks {
    /// Of a task that somebody else spawns.
    pub fn begin(&self) -> Running {
        self.0.send_modify(|count| *count = count.saturating_add(1));
        Running(self.0.clone())
    }
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let running = self.begin();
        tokio::spawn(async move {
            task.await;
            drop(running);
        });
    }
    async fn all_over(&self) {
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// What all parts share.
pub struct App {
    pub config: Config,
    pub db: Db,
    pub metrics: Metrics,
    pub logins: Logins,
    pub assets: Assets,
    /// The program ends.
    pub stop: watch::Sender<bool>,
    pub tasks: Tasks,
    roots: Roots,
    accounts: Mutex<HashMap<i64, Arc<Account>>>,
}
impl App {
    /// The account's session, if there is one.
    pub fn account(&self, id: i64) -> Option<Arc<Account>> {
        lock(&self.accounts).get(&id).cloned()
    }
    /// The account's session, with these credentials if they are newer; started if there is none.
    pub fn session(self: &Arc<Self>, id: i64, jid: &str, credentials: Credentials) -> Arc<Account> {
        let mut accounts = lock(&self.accounts);
        if let Some(account) = accounts.get(&id) {
            let mut known = lock(&account.credentials);
            if known.since < credentials.since {
                *known = credentials;
            }
            drop(known);
            return account.clone();
        }
        let account = Account::start(self, id, jid.to_owned(), credentials);
        accounts.insert(id, account.clone());
        account
    }
    /// A socket's place in a session: never in one that is about to end. `None`: too many.
    pub fn enter(self: &Arc<Self>, id: i64, jid: &str, credentials: Credentials, browser: BrowserId) -> Option<Place> {
        loop {
            let account = self.session(id, jid, credentials.clone());
            let accounts = lock(&self.accounts);
            if accounts.get(&id).is_some_and(|known| Arc::ptr_eq(known, &account)) {
                return account.enter(browser, self.config.limits.sockets);
            }
        }
    }
    /// Nobody finds this session any more. `false`: somebody is there, and `anyway` was not said.
    pub fn retire(&self, account: &Arc<Account>, anyway: bool) -> bool {
        let mut accounts = lock(&self.accounts);
        if !anyway && account.sockets() > 0 {
            return false;
        }
        if accounts.get(&account.id).is_some_and(|known| Arc::ptr_eq(known, account)) {
            accounts.remove(&account.id);
        }
        true
    }
    /// How an account is reached.
    pub fn xmpp_config(&self, jid: &str, password: &str, pin: Option<&str>, resource: Option<String>) -> Result<subrosa_xmpp::Config, Failure> {
        use subrosa_engine::Coded as _;
        let mut me = Entity::client("web", "Subrosa", env!("CARGO_PKG_VERSION"), HOME).with_feature(subrosa_xmpp::receipts::RECEIPTS);
        for version in Version::ALL {
            me = me.with_notify(version.device_list_node());
        }
        let mut config = subrosa_xmpp::Config::new(jid, password, me).map_err(|e| Failure::new(e.code(), format!("{e}.")))?;
        config.pin = pin.and_then(|pin| pin.parse().ok());
        config.host = self.config.xmpp_host();
        config.security = self.config.security();
        config.roots = self.roots.clone();
        config.resource = resource;
        Ok(config)
    }
    /// How an address stands in the log.
    pub fn log_name(&self, jid: &str, id: i64) -> String {
        if self.config.log_addresses { jid.to_owned() } else { account::log_name(id) }
    }
    /// Deletes what is old.
    async fn prune(&self) -> sqlx::Result<()> {
        let days = |n: u64| now().saturating_sub(n.saturating_mul(86_400_000));
        let before = days(u64::from(self.config.archive_days));
        loop {
            let mut tx = self.db.begin().await?;
            let gone = db::archive::prune_age(&mut tx, before).await?;
            tx.commit().await?;
            if gone == 0 {
                break;
            }
        }
        let mut tx = self.db.begin().await?;
        db::browser::delete_unseen(&mut tx, days(BROWSER_DAYS)).await?;
        tx.commit().await
    }
}

/// A running gateway.
pub struct Gateway {
    app: Arc<App>,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
}
impl Gateway {
    /// Opens the database, listens, serves; in tasks of the present runtime.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let config = config.checked()?;
        let roots = config.roots()?;
        let db = Db::open(&config.database_url()?).await.map_err(|e| StartError::Database(e.to_string()))?;
        let assets = Assets::new(config.web.clone())
            .map_err(|why| StartError::Web { path: config.web.as_ref().map_or_else(String::new, |path| path.display().to_string()), why })?;
        let listen = async |address: SocketAddr| TcpListener::bind(address).await.map_err(|why| StartError::Listen { address, why });
        let listener = listen(config.listen).await?;
        let metrics_listener = match config.metrics_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let address = listener.local_addr().unwrap_or(config.listen);
        let metrics_address = metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let logins = Logins::new(config.limits.logins_per_minute);
        let app = Arc::new(App {
            config,
            db,
            metrics: Metrics::default(),
            logins,
            assets,
            stop: watch::Sender::new(false),
            tasks: Tasks::default(),
            roots,
            accounts: Mutex::default(),
        });
        http::serve(&app, listener, metrics_listener);
        let pruner = app.clone();
        app.tasks.spawn(async move {
            let mut stop = pruner.stop.subscribe();
            loop {
                if let Err(why) = pruner.prune().await {
                    tracing::warn!(%why, "what is old could not be deleted; tried again later");
                }
                tokio::select! {
                    () = tokio::time::sleep(PRUNE_EVERY) => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                }
            }
        });
        Ok(Gateway { app, address, metrics_address })
    }
    /// Where it is served, ending in `/`.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.app.config.base_path)
    }
    /// Where metrics are served, if that is another place.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }
    /// Ends in good order: browsers are told to come back, servers that we leave, the database is closed.
    pub async fn stop(self) {
        self.app.stop.send_replace(true);
        if tokio::time::timeout(GOODBYE, self.app.tasks.all_over()).await.is_err() {
            tracing::warn!("not everything ended in time");
        }
        let _ = tokio::time::timeout(Duration::from_secs(2), self.app.db.close()).await;
    }
}
