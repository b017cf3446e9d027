//! Whether a password is right, beside a session of the same account that goes on.
//!
//! Invariants: no presence, so that the server gives this stream no message; a resource of its own, so that it takes nobody's place.
use super::{Config, ConnectError, Pin, task};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long the farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) async fn check(mut config: Config) -> Result<Pin, ConnectError> {
    config.resource = None;
    let pin = config.pin;
    let (session, _) = task::attempt(Arc::new(config), pin, None, None).await?;
    let mut stream = session.stream;
    let _ = timeout(FAREWELL, async {
        stream.close().await?;
        stream.shutdown().await;
        Ok::<(), ConnectError>(())
    })
    .await;
    Ok(session.pin)
}
