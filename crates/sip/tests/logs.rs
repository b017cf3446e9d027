//! What is logged while messages travel: no words, no password, and at `info` nothing for each message.
#![cfg(feature = "connection")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::arithmetic_side_effects, clippy::indexing_slicing, missing_docs, dead_code)]
mod common;

use common::*;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use subrosa_sip::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps everything, of every level and everybody.
#[derive(Clone, Default)]
struct Log {
    all: Arc<Mutex<String>>,
    at_info: Arc<Mutex<Vec<String>>>,
}
struct Line(String);
impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}
impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(String::new());
        span.record(&mut line);
        self.all.lock().unwrap().push_str(&line.0);
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.all.lock().unwrap().push_str(&line.0);
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        let target = event.metadata().target();
        if *event.metadata().level() <= Level::INFO && (target.starts_with("subrosa") || target.starts_with("rsipstack")) {
            self.at_info.lock().unwrap().push(line.0.clone());
        }
        self.all.lock().unwrap().push_str(&(line.0 + "\n"));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn words_and_passwords_are_in_no_log() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    for way in [Way::Udp, Way::Tcp, Way::Tls] {
        let (alice, bob) = pair(way, |alice, _| alice.password = Some("hunter2-secret".to_owned().into())).await;
        for i in 0..20 {
            let (delivery, ()) = tokio::join!(alice.send(message(&format!("id{i}"), "words-nobody-may-see")), async {
                let arrived = arrived(&bob).await;
                assert!(!format!("{arrived:?}").contains("nobody"));
                arrived.answer.answer(Answer::Accept);
            });
            assert_eq!(delivery.code(), 200);
        }
        assert!(!format!("{alice:?}").contains("hunter2"));
    }
    let all = log.all.lock().unwrap();
    assert!(all.contains("rsipstack"), "nothing was logged at all: is this test deaf?");
    assert!(!all.contains("words-nobody-may-see") && !all.contains("hunter2"));
    assert_eq!(*log.at_info.lock().unwrap(), [""; 0]);
}
