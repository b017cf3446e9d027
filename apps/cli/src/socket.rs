//! The account's Unix socket: where the process that has the lock answers others of the same user.
use crate::failure::Failure;
use crate::home::AccountDir;
use crate::rpc::server::{Backend, serve};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::BufReader;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

/// Clients served at once; a further one waits to be accepted.
const CLIENTS: usize = 64;

/// Listens until dropped; the socket's file goes with it.
pub struct Listening {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

/// Opens the socket. Only for the holder of the lock: what lies there is the rest of a process that was killed.
pub fn listen(account: &AccountDir, backend: Arc<dyn Backend>) -> Result<Listening, Failure> {
    let path = account.socket()?;
    let io = |e: std::io::Error| Failure::io("opening", &path, &e);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(io)?;
    // the directory is closed to others anyway; between bind and here nobody but the owner could come
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(io)?;
    let owner = account.owner()?;
    Ok(Listening { path, task: tokio::spawn(accept(listener, owner, backend)) })
}

async fn accept(listener: UnixListener, owner: u32, backend: Arc<dyn Backend>) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = clients.join_next() => {}
            accepted = listener.accept(), if clients.len() < CLIENTS => match accepted {
                Ok((stream, _)) => {
                    if stream.peer_cred().is_ok_and(|peer| peer.uid() == owner || peer.uid() == 0) {
                        let (read, write) = stream.into_split();
                        clients.spawn(serve(BufReader::new(read), write, backend.clone(), false));
                    } else {
                        tracing::warn!("another user's process was turned away from the socket");
                    }
                }
                Err(e) => {
                    tracing::warn!(error = %e, "the socket could not accept");
                    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                }
            },
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort(); // and with it every client: they open the account themselves, or find the next holder
        let _ = std::fs::remove_file(&self.path);
    }
}
