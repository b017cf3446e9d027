//! The machine's thread: opens the store, says whether that went well, then drives.
use super::drive::{Drive, Job};
use super::ledger::Login;
use super::link::Link;
use crate::config::TrustPolicy;
use crate::failure::Failure;
use crate::home::AccountDir;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use subrosa_engine::{Machine, Settings};
use subrosa_omemo::Omemo;
use subrosa_store::{SqliteStore, StoreKey};
use tokio::sync::{mpsc, oneshot};

/// The threads of this process that have used a store.
static THREADS: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());
/// How long the end of the process waits for them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until the machines' threads have ended. To be called before the process does: SQLCipher and OpenSSL take their memory
/// down at exit, and a thread that is still closing its store, or only leaving, would use what is gone.
pub fn joined() {
    let threads = std::mem::take(&mut *THREADS.lock().unwrap_or_else(PoisonError::into_inner));
    let until = Instant::now() + PATIENCE;
    for thread in threads {
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            let _ = thread.join(); // ended by a panic: told on standard error already
        }
    }
}

/// Leaves a thread to [`joined`].
pub fn keep(thread: JoinHandle<()>) {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
}

/// Starts the thread; the answer comes when the store is open: how to log in, if that is stored. The thread has to be joined before
/// the process ends.
pub fn spawn(
    dir: AccountDir,
    key: StoreKey,
    policy: TrustPolicy,
    link: Link,
    inbox: mpsc::UnboundedReceiver<Job>,
) -> (oneshot::Receiver<Result<Option<Login>, Failure>>, JoinHandle<()>) {
    let (opened, answer) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let ready = open(&dir, &key, policy, link);
        drop(key);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        match (ready, runtime) {
            (Ok((drive, login)), Ok(runtime)) => {
                if opened.send(Ok(login)).is_ok() {
                    runtime.block_on(drive.run(inbox));
                }
            }
            (Err(failure), _) => drop(opened.send(Err(failure))),
            (_, Err(e)) => drop(opened.send(Err(Failure::bug(format!("no thread for the machine: {e}"))))),
        }
    });
    (answer, thread)
}

fn open(dir: &AccountDir, key: &StoreKey, policy: TrustPolicy, link: Link) -> Result<(Drive, Option<Login>), Failure> {
    let store = SqliteStore::open(dir.store(), key).map_err(|e| Failure::coded(&e))?;
    let mut machine = Machine::new(dir.jid.as_str().into());
    let trust = match policy {
        TrustPolicy::Btbv => subrosa_engine::TrustPolicy::Btbv,
        TrustPolicy::Manual => subrosa_engine::TrustPolicy::Manual,
    };
    machine.configure(Settings::default().trust(trust));
    let omemo = machine.install(Omemo::default());
    machine.route(move |_| Some(omemo.id()));
    let mut drive = Drive::new(&dir.jid, machine, store, omemo, policy, link)?;
    let login = drive.login()?;
    Ok((drive, login))
}
