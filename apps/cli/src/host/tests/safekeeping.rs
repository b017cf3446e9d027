//! Sealed files are made and read beside the account: messages go on meanwhile.
use super::*;
use crate::rpc::types::{Kept, Sealed};
use subrosa_engine::{Content, Time};
use subrosa_history::{Entry, HistoryError};

const ROWS: u64 = 3000;

fn fill(client: &Client) {
    let (me, now) = (Address::from("carol@x"), super::super::drive::now());
    let entry = move |n: u64| Entry::new(&me, &me, &format!("old{n}"), Content::Text(format!("words {n}")), Time(now.0 - (ROWS - n) * 1000));
    let work = move |drive: &mut super::super::drive::Drive| {
        let added = drive.chats.history.transaction::<_, HistoryError>(|history| (0..ROWS).try_for_each(|n| history.add(&entry(n)).map(drop)));
        added.expect("stored");
    };
    let _ = client.jobs.send(Job::Beside(Box::new(work)));
}
fn begin(client: &Client, call: Call) -> oneshot::Receiver<Result<Value, Failure>> {
    let (waiter, answer) = oneshot::channel();
    let _ = client.jobs.send(Job::Call(call, waiter));
    answer
}
/// What a message found: the file was still being made or read.
async fn talks_meanwhile(alice: &Client, bob: &mut Client, mut answer: oneshot::Receiver<Result<Value, Failure>>, outgoing: bool) -> Kept {
    alice.send("bob@x", "meanwhile", &super::super::new_id()).await.expect("sends");
    let mut progress = Vec::new();
    let mut heard = false;
    while !heard || progress.last().is_none_or(|(done, of)| done < of) {
        match bob.next().await {
            Notification::Message(message) => {
                assert_eq!(message.text, "meanwhile");
                assert!(answer.try_recv().is_err(), "it came only behind the file");
                heard = true;
            }
            Notification::HistoryProgress(p) => {
                assert_eq!((p.device, p.outgoing), (None, outgoing));
                progress.push((p.done, p.of.expect("a number")));
            }
            _ => {}
        }
    }
    assert!(progress.len() > 3 && progress.is_sorted(), "{progress:?}");
    let answer = tokio::time::timeout(PATIENCE, answer).await.expect("in time").expect("an answer");
    serde_json::from_value(answer.expect("it went well")).expect("a number")
}

#[tokio::test]
async fn messages_go_on_while_a_file_is_made_and_read() {
    let ((_dir, home), (_other, elsewhere)) = (place(), place());
    let server = Arc::new(Server::default());
    let alice = Client::begin(&server, &home.prepare("alice@x").expect("room")).await;
    let mut bob = Client::begin(&server, &home.prepare("bob@x").expect("room")).await;
    fill(&bob);
    let file = home.prepare("bob@x").expect("room").store().with_file_name("sealed");
    let sealed = Sealed { path: file.clone(), passphrase: "correct horse battery".into(), replace: false, account: None };
    let answer = begin(&bob, Call::Backup(sealed.clone()));
    let second = bob.call(Call::Backup(Sealed { replace: true, ..sealed.clone() })).await.expect_err("one at a time");
    assert_eq!(second.code, "backup.running");
    let kept = talks_meanwhile(&alice, &mut bob, answer, true).await;
    assert!(kept.messages >= ROWS && file.exists(), "{kept:?}");
    assert!(bob.call(Call::Backup(sealed.clone())).await.expect_err("it is there").sentence.contains("--replace"));
    bob.stopped().await;

    let mut bob = Client::begin(&server, &elsewhere.prepare("bob@x").expect("room")).await;
    let wrong = Sealed { passphrase: "incorrect horse battery".into(), ..sealed.clone() };
    assert_eq!(bob.call(Call::Restore(wrong)).await.expect_err("wrong").code, "backup.wrong-passphrase");
    let answer = begin(&bob, Call::Restore(sealed.clone()));
    let restored = talks_meanwhile(&alice, &mut bob, answer, false).await;
    assert!(restored.messages >= ROWS, "{restored:?}");
    let again: Kept = serde_json::from_value(bob.call(Call::Restore(sealed)).await.expect("reads")).expect("a number");
    assert_eq!(again.messages, 0);
}
