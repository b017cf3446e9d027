//! SQL: SQLite or PostgreSQL, by the same statements. Rows in, rows out; what they mean is the account's.
//!
//! Invariant: at most one transaction that writes is open on SQLite, so that none fails for another; on PostgreSQL as many as there are
//! connections. Two processes on one database find each other by [`account::advance`].
pub mod account;
pub mod archive;
pub mod browser;
pub mod lists;
pub mod since;
mod sync;
#[cfg(test)]
mod tests;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::MigrateError;
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions as _, Row as _, Transaction};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Why the database can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It can't be reached.
    #[error("the database can't be opened: {0}")]
    Connect(sqlx::Error),
    /// It was written by a newer version of this program.
    #[error("the database was made by a newer version of this program (its schema has step {0}); start that version, or restore a backup")]
    Newer(i64),
    /// Its tables can't be brought to this version's form.
    #[error("the database's tables can't be brought up to date: {0}")]
    Migrate(MigrateError),
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pool: AnyPool,
    writers: Arc<Semaphore>,
    /// Of SQLite.
    log: Option<Arc<sync::Log>>,
}
/// A transaction that writes; undone when dropped.
pub struct Write {
    // before the permit: undone before the next one begins
    tx: Transaction<'static, Any>,
    permit: OwnedSemaphorePermit,
    log: Option<Arc<sync::Log>>,
}
impl Deref for Write {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.tx
    }
}
impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.tx
    }
}
impl Write {
    /// Returns when it is on disk: what was acknowledged to a server or a browser outlives a power cut.
    pub async fn commit(self) -> sqlx::Result<()> {
        let Write { tx, permit, log } = self;
        tx.commit().await?;
        drop(permit);
        match log {
            Some(log) => log.sync().await.map_err(sqlx::Error::Io),
            None => Ok(()),
        }
    }
}

impl Db {
    /// Connects and brings the tables to this version's form.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        let sqlite = url.starts_with("sqlite:");
        let most = if sqlite { 4 } else { 16 };
        let options: AnyConnectOptions = url.parse().map_err(OpenError::Connect)?;
        let options = options.disable_statement_logging();
        let pool = AnyPoolOptions::new()
            .max_connections(most)
            .acquire_timeout(Duration::from_secs(10))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if sqlite {
                        // NORMAL: the disk is waited for by `sync::Log`
                        for pragma in ["PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", "PRAGMA busy_timeout = 10000"] {
                            sqlx::query(pragma).execute(&mut *connection).await?;
                        }
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await
            .map_err(OpenError::Connect)?;
        sqlx::migrate!("./migrations").run(&pool).await.map_err(|e| match e {
            MigrateError::VersionMissing(version) => OpenError::Newer(version),
            e => OpenError::Migrate(e),
        })?;
        let log = if sqlite { Some(Arc::new(sync::Log::new(log_of(&pool).await.map_err(OpenError::Connect)?))) } else { None };
        let writers = if sqlite { 1 } else { 12 };
        Ok(Db { pool, writers: Arc::new(Semaphore::new(writers)), log })
    }
    /// Begins a transaction that may read first and write then.
    pub async fn begin(&self) -> sqlx::Result<Write> {
        let permit = self.writers.clone().acquire_owned().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let tx = if self.log.is_some() { self.pool.begin_with("BEGIN IMMEDIATE").await? } else { self.pool.begin().await? };
        Ok(Write { tx, permit, log: self.log.clone() })
    }
    /// A connection to read by.
    pub async fn read(&self) -> sqlx::Result<sqlx::pool::PoolConnection<Any>> {
        self.pool.acquire().await
    }
    /// Whether it answers.
    pub async fn is_up(&self) -> bool {
        matches!(tokio::time::timeout(Duration::from_secs(3), sqlx::query("SELECT 1").execute(&self.pool)).await, Ok(Ok(_)))
    }
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The write-ahead log of a database of SQLite.
async fn log_of(pool: &AnyPool) -> sqlx::Result<PathBuf> {
    let row = sqlx::query("PRAGMA database_list").fetch_one(pool).await?;
    Ok(PathBuf::from(format!("{}-wal", row.try_get::<String, _>(2)?)))
}

/// Numbers are `u64` here and `BIGINT` there; what does not fit is beyond anything that occurs.
pub fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
/// See [`to_sql`].
pub fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
