//! The connection's task.
use super::*;

pub(super) async fn run(config: Config, mut inbox: mpsc::UnboundedReceiver<Command>, happenings: mpsc::Sender<Happening>) {
    let why = ConnectError::Unreachable { domain: config.account.to_string(), cause: "not built yet".into() };
    let _ = happenings.send(Happening::State(State::Failed(why))).await;
    while inbox.recv().await.is_some() {}
}
