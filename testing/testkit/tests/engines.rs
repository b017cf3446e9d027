//! The suite for engines, run over the two toys; and proof that it can fail: engines with one flaw each.
use std::sync::atomic::{AtomicU64, Ordering};
use subrosa_engine::*;
use subrosa_testkit::conformance::engine as suite;
use subrosa_testkit::conformance::engine::{Promises, Subject};
use subrosa_testkit::{engine_conformance, toy};

const NONE: Promises = Promises { authentic: false, no_replay: false, needs_keys: false, any_content: false, empty: true, files: false };
engine_conformance!(xor, || toy::Xor(42), NONE);
engine_conformance!(numbered, || toy::Numbered, Promises { no_replay: true, needs_keys: true, ..NONE });

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    Sound,
    /// Its counter is in memory.
    Forgets,
    /// What it can't read it takes for clear text.
    Lenient,
    /// It trips over a body that is too short.
    Panics,
    /// It writes the text beside the ciphertext.
    Leaks,
    /// What it sent itself counts as received.
    Reflects,
    /// Everything becomes a text.
    LosesTypes,
    /// All files have one key.
    OneFileKey,
    /// Every chunk begins with the key's first byte.
    NoOffset,
    /// It makes a tag and looks at none.
    NoTag,
}
use Flaw::*;
/// Numbers what it sends and refuses what does not rise. XOR, so that it is nobody's idea of an engine to copy.
struct Flawed(Flaw, AtomicU64);
fn flawed(flaw: Flaw) -> Subject {
    Flawed(flaw, AtomicU64::new(0)).into()
}
#[derive(Clone)]
struct Count(u64);
impl Record for Count {
    fn encode(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Count(u64::from_be_bytes(bytes)))
    }
}
fn xor(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|b| b ^ 0x55).collect()
}
/// Of all that was written: good enough to find a changed bit.
fn sum(bytes: &[u8]) -> [u8; 8] {
    bytes.iter().fold(14_695_981_039_346_656_037_u64, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(1_099_511_628_211)).to_be_bytes()
}
impl Engine for Flawed {
    fn name(&self) -> &'static str {
        "flawed"
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        let number = match self.0 {
            Forgets => self.1.fetch_add(1, Ordering::SeqCst) + 1,
            _ => cx.records.get(RowOf::<Count>::single("sent"))?.map_or(0, |count| count.0) + 1,
        };
        cx.records.put(RowOf::single("sent"), Count(number));
        let mut body = number.to_be_bytes().to_vec();
        body.push(message.plain.content_type.0.len() as u8);
        body.extend(message.plain.content_type.0.bytes());
        body.extend(xor(message.plain.bytes()));
        if self.0 == Leaks {
            body.extend(message.plain.bytes());
        }
        body.extend(sum(&body));
        Ok(Outcome::Done(Encrypted::new(ContentType("cipher/flawed".into()), body)?))
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        let shown = |content_type: String, bytes: Vec<u8>| {
            let content_type = if self.0 == LosesTypes { ContentType::TEXT } else { ContentType(content_type.into()) };
            Ok(Outcome::Done(Decrypted::new(Plaintext::new(content_type, bytes))))
        };
        if message.content_type.0 != "cipher/flawed" {
            return if self.0 == Lenient { shown("text/plain".into(), message.body.to_vec()) } else { Ok(Outcome::Skipped) };
        }
        if self.0 == Panics && message.body.len() < 8 {
            std::panic::resume_unwind(Box::new("a body so short"));
        }
        let read = || {
            let (body, check) = message.body.split_last_chunk::<8>()?;
            let (number, rest) = body.split_first_chunk::<8>()?;
            let (length, rest) = rest.split_first()?;
            let (content_type, text) = rest.split_at_checked((*length).into())?;
            let text = &text[..if self.0 == Leaks { text.len() / 2 } else { text.len() }];
            (*check == sum(body)).then(|| (u64::from_be_bytes(*number), String::from_utf8_lossy(content_type).into_owned(), xor(text)))
        };
        let Some((number, content_type, text)) = read() else { return Ok(Outcome::Rejected(Reason::Damaged.into())) };
        if message.from == cx.me && self.0 != Reflects {
            return Ok(Outcome::Silent);
        }
        if cx.records.get(RowOf::<Count>::single("received"))?.is_some_and(|last| last.0 >= number) {
            return Ok(Outcome::Rejected(Reason::Duplicate.into()));
        }
        cx.records.put(RowOf::single("received"), Count(number));
        shown(content_type, text)
    }
    fn file_key(&self, cx: &mut Context<'_>, _: &Outgoing<'_>, _: &FileInfo) -> Hook<FileKey> {
        let mut key = vec![1; 16];
        if self.0 != OneFileKey {
            cx.rng.fill_bytes(&mut key);
        }
        Ok(Outcome::Done(FileKey(key.into())))
    }
    fn upload(&self, _: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        FlawedFile::boxed(self.0, key, true)
    }
    fn download(&self, _: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        FlawedFile::boxed(self.0, key, false)
    }
}
struct FlawedFile(Flaw, [u8; 16], bool, Vec<u8>);
impl FlawedFile {
    fn boxed(flaw: Flaw, key: &FileKey, up: bool) -> Result<Box<dyn FileCipher>, Status> {
        let key: [u8; 16] = key.0.as_slice().try_into().map_err(|_| Status::BAD_REQUEST)?;
        Ok(Box::new(FlawedFile(flaw, key, up, key.to_vec())))
    }
}
impl FileCipher for FlawedFile {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        let first = if self.0 == NoOffset { 0 } else { (offset % 16) as usize };
        let changed: Vec<u8> = input.iter().zip(self.1.iter().cycle().skip(first)).map(|(b, k)| b ^ k).collect();
        self.3.extend(if self.2 { &changed } else { input });
        output.extend(changed);
        Ok(input.len())
    }
    fn finish(self: Box<Self>, file: &mut FileInfo, _: &mut Vec<u8>) -> Result<(), Status> {
        let tag = Some(u128::from(u64::from_be_bytes(sum(&self.3))).to_be_bytes());
        match self.2 {
            true => file.tag = tag,
            false if self.0 != NoTag && file.tag != tag => return Err(Status::NOT_ACCEPTABLE),
            false => {}
        }
        Ok(())
    }
}

const ALL: Promises = Promises { authentic: true, no_replay: true, needs_keys: false, any_content: true, empty: true, files: true };
engine_conformance!(without_a_flaw, || flawed(Sound), ALL);

/// A flaw, the check that finds it, and what it says.
macro_rules! finds {
    ($($name:ident: $check:ident($flaw:expr) says $words:literal;)*) => { $(
        #[test]
        #[should_panic(expected = $words)]
        fn $name() {
            suite::$check(|| $flaw.into(), ALL);
        }
    )* };
}
finds! {
    a_counter_that_is_not_stored: survives_restarts(flawed(Forgets)) says "alice anew";
    a_counter_that_is_not_stored_when_it_dies: survives_a_crash_at_every_commit(flawed(Forgets)) says "lost";
    clear_text_that_is_taken_for_its_own: shows_nothing_foreign(flawed(Lenient)) says "was shown";
    a_panic: survives_hostile_bodies(flawed(Panics)) says "the engine failed";
    a_text_that_the_server_reads: carries_messages(flawed(Leaks)) says "the server read";
    ones_own_message_that_is_taken_for_another_s: shows_a_message_once(flawed(Reflects)) says "after";
    a_type_that_is_lost: carries_what_it_promises(flawed(LosesTypes)) says "the content type was not restored";
    two_files_with_one_key: keeps_files_apart(flawed(OneFileKey)) says "two files have one key";
    chunks_that_must_be_as_long_as_they_were: encrypts_files(flawed(NoOffset)) says "chunks of";
    a_file_that_is_not_checked: refuses_changed_files(flawed(NoTag)) says "longer";
    files_that_were_promised: encrypts_files(toy::Xor(42)) says "it encrypts files";
    a_message_that_is_shown_twice: shows_a_message_once(toy::Xor(42)) says "message 0";
    a_message_that_was_changed: survives_hostile_bodies(toy::Xor(42)) says "a changed message was shown";
    any_message_that_was_changed: refuses_what_was_changed(toy::Xor(42)) says "vhe true one";
    a_message_that_is_not_sent: carries_what_it_promises(toy::Xor(42)) says "Unsupported";
}
