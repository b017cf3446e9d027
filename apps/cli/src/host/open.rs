//! The machine's thread: opens the store, says whether that went well, then drives.
use super::drive::{Drive, Job};
use super::ledger::Login;
use super::link::Link;
use super::safekeeping::Beside;
use crate::config::TrustPolicy;
use crate::engine::Choice;
use crate::failure::Failure;
use crate::home::AccountDir;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use subrosa_engine::{Machine, Settings};
use subrosa_history::History;
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

/// What a machine's thread is made of.
pub struct Open {
    /// Where the store is.
    pub dir: AccountDir,
    /// What opens it.
    pub key: StoreKey,
    /// What becomes of a contact's new key.
    pub policy: TrustPolicy,
    /// Of an archive that was never read, so many days.
    pub first_days: u64,
    /// What all chats go through.
    pub engine: Choice,
    /// The way to the connection.
    pub link: Link,
    /// Is rung when the engine has finished something, and by threads beside this one. Weak: the thread ends when nobody else can ask it anything.
    pub bell: mpsc::WeakUnboundedSender<Job>,
}

/// Starts the thread; the answer comes when the store is open: how to log in, if that is stored. The thread has to be joined before
/// the process ends.
pub fn spawn(what: Open, inbox: mpsc::UnboundedReceiver<Job>) -> (oneshot::Receiver<Result<Option<Login>, Failure>>, JoinHandle<()>) {
    let (opened, answer) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let ready = open(what);
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

fn open(what: Open) -> Result<(Drive, Option<Login>), Failure> {
    let Open { dir, key, policy, first_days, engine, link, bell } = what;
    let store = SqliteStore::open(dir.store(), &key).map_err(|e| Failure::coded(&e))?;
    let me = subrosa_engine::Address::from(dir.jid.as_str());
    let history = History::open(dir.history(), key.as_bytes(), &me).map_err(|e| Failure::coded(&e))?;
    drop(key);
    let mut machine = Machine::new(me);
    let trust = match policy {
        TrustPolicy::Btbv => subrosa_engine::TrustPolicy::Btbv,
        TrustPolicy::Manual => subrosa_engine::TrustPolicy::Manual,
    };
    machine.configure(Settings::default().trust(trust));
    let omemo = machine.install(Omemo::default());
    // without it too the device stays published: who writes to it is told the truth
    let (chosen, completions) = engine.install(&mut machine)?.unwrap_or((omemo.id(), None));
    machine.route(move |_| Some(chosen));
    let beside = Beside::new(bell.clone());
    if let Some(completions) = &completions {
        completions.on_ready(move || {
            if let Some(jobs) = bell.upgrade() {
                let _ = jobs.send(Job::Completed);
            }
        });
    }
    let mut drive = Drive::new(&dir.jid, (machine, omemo), (store, history), (policy, first_days), (engine, completions), link, beside)?;
    let login = drive.login()?;
    Ok((drive, login))
}
