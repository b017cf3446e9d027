//! The connection of an account: started with what is owed, its states told to browsers, ended in good order.
use super::{DB_PAUSE, End, LINK_PAUSE, Task};
use crate::account::handful::{Effects, Waiting, Work};
use crate::account::{Credentials, Status, failure};
use crate::http::login;
use crate::{db, lock};
use std::time::Duration;
use subrosa_web_api::socket::Session;
use subrosa_xmpp::{Config, ConnectError, Connection, Handle, Happening, State};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// How long the farewell to the server may take.
const FAREWELL: Duration = Duration::from_secs(4);

/// A connection.
pub(super) struct Link {
    pub handle: Handle,
    pub happenings: mpsc::Receiver<Happening>,
    /// What it logged in with.
    pub since: u64,
}

impl Task {
    /// The connection changed.
    pub(super) async fn state(&mut self, state: State) -> Option<End> {
        self.loose = 0; // what was on its way is dropped with its stream
        let session = match state {
            State::Connecting => Session::Connecting,
            State::Online { resumed } => {
                if !resumed {
                    self.requests.clear();
                }
                let new = u64::from(!resumed || std::mem::take(&mut self.dropped));
                self.account.status.send_modify(|status| {
                    *status = Status { session: Session::Online { resumed }, stream: status.stream.saturating_add(new) };
                });
                return None;
            }
            State::Offline { why, .. } => Session::Offline(failure(&why)),
            State::Failed(why @ (ConnectError::Password { .. } | ConnectError::Account { .. })) => return self.refused(&why).await,
            State::Failed(why) => {
                self.start_at = Instant::now().checked_add(LINK_PAUSE);
                Session::Offline(failure(&why))
            }
            _ => return None,
        };
        self.account.status.send_modify(|status| status.session = session);
        None
    }
    /// The server refuses the password: who has it from then or before has to log in again.
    async fn refused(&mut self, why: &ConnectError) -> Option<End> {
        let used = self.link.as_ref().map_or(0, |link| link.since);
        let newer = lock(&self.account.credentials).since > used;
        // a cookie that could not be made void now is when it is used next
        let left = login::void_until(&self.app, self.account.id, used).await.unwrap_or_default();
        if newer {
            self.start_at = Some(Instant::now());
            self.account.revoke_others(left.into_iter());
            self.account.browsers_changed();
            return None;
        }
        self.account.status.send_modify(|status| status.session = Session::Refused(failure(why)));
        self.account.revoke_all();
        Some(End::Refused)
    }

    /// Starts the connection and gives it what is owed. `false`: the program ends.
    pub(super) async fn start(&mut self) -> bool {
        let Credentials { password, since } = lock(&self.account.credentials).clone();
        let row = loop {
            let read = async {
                let mut c = self.app.db.read().await?;
                db::account::by_id(&mut c, self.account.id).await
            };
            match read.await {
                Ok(Some(row)) => break row,
                _ if *self.app.stop.borrow() => return false,
                _ => sleep(DB_PAUSE).await,
            }
        };
        let config: Config = match self.app.xmpp_config(&row.jid, &password, row.pin.as_deref(), Some(row.resource)) {
            Ok(config) => config,
            Err(failure) => {
                self.account.status.send_modify(|status| status.session = Session::Offline(failure));
                self.start_at = Instant::now().checked_add(LINK_PAUSE);
                return true;
            }
        };
        let (handle, happenings) = Connection::start(config);
        self.link = Some(Link { handle, happenings, since });
        self.put_owed().await;
        true
    }
    /// Everything that the server did not acknowledge. What the connection has already it ignores.
    pub(super) async fn put_owed(&mut self) {
        let Some(link) = &self.link else { return };
        let mut waiting = Waiting::default();
        loop {
            let owed = async {
                let mut c = self.app.db.read().await?;
                let mut after = 0;
                waiting = Waiting::default();
                loop {
                    let page = db::archive::waiting(&mut c, self.account.id, after, 32).await?;
                    let Some(last) = page.last() else { break };
                    after = last.seq;
                    for stanza in page {
                        waiting.stanzas = waiting.stanzas.saturating_add(1);
                        waiting.bytes = waiting.bytes.saturating_add(u64::try_from(stanza.body.len()).unwrap_or(u64::MAX));
                        let (id, output) = crate::account::outbox::output(stanza);
                        link.handle.put(id, output);
                    }
                }
                for (seq, from, wire) in db::archive::owed_receipts(&mut c, self.account.id).await? {
                    if let Some((id, output)) = crate::account::outbox::receipt(seq, &from, &wire) {
                        link.handle.put(id, output);
                    }
                }
                Ok::<_, sqlx::Error>(())
            };
            match owed.await {
                Ok(()) => break,
                Err(_) if *self.app.stop.borrow() => break,
                Err(_) => sleep(DB_PAUSE).await,
            }
        }
        self.waiting = waiting;
    }
    /// Takes leave of the server; what it still acknowledges is stored. What comes when there is nobody to read it is left to the server.
    pub(super) async fn farewell(&mut self, end: End) {
        let Some(link) = &self.link else { return };
        link.handle.close();
        let forsaken = end == End::Left && *self.account.leave.borrow();
        let rest = async {
            while let Some(link) = &mut self.link {
                let Some(happening) = link.happenings.recv().await else { return };
                if forsaken {
                    continue;
                }
                if let Ok((Effects { mark, .. }, head)) = self.attempt(&[Work::Happened(happening)]).await {
                    self.head = head;
                    if let (Some(mark), Some(link)) = (mark, &self.link) {
                        link.handle.handled(mark);
                    }
                } else {
                    return; // what is not stored now is when it comes again
                }
            }
        };
        let _ = tokio::time::timeout(FAREWELL, rest).await;
    }
}
