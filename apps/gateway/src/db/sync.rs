//! Commits to SQLite that outlive a power cut, many by one write to the disk.
//!
//! With `synchronous = FULL` each commit would wait for the disk while it holds the only transaction that writes: accounts would wait
//! in a row. With `NORMAL` a commit is in the write-ahead log, as the system has it in memory; then whoever committed waits here until the log is
//! on disk, others commit meanwhile, and one `fdatasync` counts for all that committed before it began. A log that was begun anew, or is
//! gone, was written into the database before, and that is on disk.
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

/// The write-ahead log of one database.
pub struct Log {
    path: Arc<PathBuf>,
    /// Writes to the disk that began.
    begun: AtomicU64,
    /// The last one that is over.
    over: Mutex<u64>,
}
impl Log {
    pub fn new(path: PathBuf) -> Self {
        Log { path: Arc::new(path), begun: AtomicU64::new(0), over: Mutex::new(0) }
    }
    /// Waits until all that was committed before is on disk.
    pub async fn sync(&self) -> io::Result<()> {
        let before = self.begun.load(Ordering::SeqCst);
        let mut over = self.over.lock().await;
        if *over > before {
            return Ok(()); // one that began after the commit
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || match File::open(&*path) {
            Ok(log) => log.sync_data(),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(why) => Err(why),
        });
        written.await.map_err(io::Error::other)??;
        *over = number;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn one_write_counts_for_all_that_waited() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, b"x").unwrap();
        let log = Arc::new(Log::new(path.clone()));
        let held = log.over.lock().await;
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let log = log.clone();
                tokio::spawn(async move { log.sync().await })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(held);
        for task in waiting {
            task.await.unwrap().unwrap();
        }
        assert_eq!(log.begun.load(Ordering::SeqCst), 1);
        // what is committed later waits for another
        log.sync().await.unwrap();
        assert_eq!(log.begun.load(Ordering::SeqCst), 2);
        std::fs::remove_file(&path).unwrap();
        log.sync().await.unwrap();
    }
}
