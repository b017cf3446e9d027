//! The engines of Liblinphone's own tests: Base64 at once and Base64 later. **No protection.**
use crate::completions::{Completer, Completions, completions};
use crate::cover::{Covered, cover, uncover};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::sync::mpsc;
use subrosa_engine::*;

const B64: &str = "cipher/b64";

/// Base64: **no protection**. Bodies under `cipher/b64`, as Liblinphone's tests have them. A message with nothing in it can't be sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Base64;

/// The same, done on a thread of its own: every message is pending until the host feeds what [`Completions`] hold.
pub struct Base64Later {
    jobs: mpsc::Sender<Job>,
}
enum Job {
    Out(Token, ContentType, Plaintext),
    In(Token, Covered, Vec<u8>),
}

fn encrypted(content_type: ContentType, plain: &Plaintext) -> Result<Encrypted, EmptyBody> {
    Encrypted::new(content_type, BASE64_STANDARD.encode(plain.bytes()).into_bytes())
}
fn decrypted(covered: Covered, body: &[u8]) -> Result<Decrypted, Refusal> {
    match BASE64_STANDARD.decode(body.trim_ascii()) {
        Ok(bytes) if !bytes.is_empty() => Ok(Decrypted::new(covered.plain(bytes))),
        _ => Err(Reason::Malformed.into()),
    }
}

impl Engine for Base64 {
    fn name(&self) -> &'static str {
        "base64"
    }
    fn outgoing(&self, _: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        Ok(match cover(B64, message.plain) {
            Ok(content_type) => Outcome::Done(encrypted(content_type, message.plain)?),
            Err(why) => Outcome::Rejected(why),
        })
    }
    fn incoming(&self, _: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        let Some(covered) = uncover(B64, message.content_type) else { return Ok(Outcome::Skipped) };
        Ok(decrypted(covered, message.body).map_or_else(Outcome::Rejected, Outcome::Done))
    }
}

impl Base64Later {
    /// The engine, and what its thread has finished.
    ///
    /// # Errors
    /// The system makes no thread.
    pub fn new() -> std::io::Result<(Self, Completions)> {
        let ((completer, completions), (jobs, waiting)) = (completions(), mpsc::channel());
        std::thread::Builder::new().name("base64".into()).spawn(move || work(&waiting, &completer))?;
        Ok((Base64Later { jobs }, completions))
    }
}
/// Until the engine is dropped, and what it left is done.
fn work(jobs: &mpsc::Receiver<Job>, completer: &Completer) {
    for job in jobs {
        match job {
            Job::Out(token, content_type, plain) => {
                let done = encrypted(content_type, &plain).map_or_else(|_| Completion::Rejected(Reason::Engine.into()), Completion::Encrypted);
                completer.complete(token, done);
            }
            Job::In(token, covered, body) => {
                completer.complete(token, decrypted(covered, &body).map_or_else(Completion::Rejected, Completion::Decrypted));
            }
        }
    }
}
impl Engine for Base64Later {
    fn name(&self) -> &'static str {
        "base64"
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        let content_type = match cover(B64, message.plain) {
            Ok(content_type) => content_type,
            Err(why) => return Ok(Outcome::Rejected(why)),
        };
        let (pending, token) = cx.network.until_completed();
        self.jobs.send(Job::Out(token, content_type, message.plain.clone())).map_err(|_| ThreadEnded)?;
        Ok(Outcome::Pending(pending))
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        let Some(covered) = uncover(B64, message.content_type) else { return Ok(Outcome::Skipped) };
        let (pending, token) = cx.network.until_completed();
        self.jobs.send(Job::In(token, covered, message.body.to_vec())).map_err(|_| ThreadEnded)?;
        Ok(Outcome::Pending(pending))
    }
}
#[derive(Debug, thiserror::Error)]
#[error("the thread that encodes has ended")]
struct ThreadEnded;
