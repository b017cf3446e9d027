//! The way in for the fuzz targets. Nothing else uses it.
use super::frame::{Arrived, Framed, Patience};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, join, sink};

/// What a stream holds that arrives in two pieces, until it ends or is none.
pub async fn frames(one: &[u8], two: &[u8]) -> Vec<String> {
    let (quiet, dead) = (Duration::from_secs(60), Duration::from_secs(60));
    let mut framed = Framed::new(join(one.chain(two), sink()), Patience { quiet, dead });
    let mut told = Vec::new();
    loop {
        match framed.next().await {
            Ok(Arrived::Silence) => return told,
            Ok(Arrived::End) => {
                told.push("end".into());
                return told;
            }
            Ok(arrived) => told.push(format!("{arrived:?}")),
            // why, depends on how much of it is there
            Err(_) => return told,
        }
    }
}
