//! An engine by a table of functions, and those that come with the library. What its codes mean is here; what it sees is in `message`,
//! its transfers are in `transfer`.
#![allow(unsafe_code)] // exports, and calls into C
use crate::content::{Content, DestroyCb};
use crate::error::{AbiError, CError, get, make};
use crate::handle::{Handle, Lent, LentShared, again, give, live, lock, release};
use crate::message::{Chat, Message, Source};
use crate::text::{c_string, name, sized};
use crate::transfer::{Direction, TableCipher};
use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex};
use subrosa_engine::*;
use subrosa_engines::by_name;
use zeroize::Zeroizing;

/// What a hook returns: one of these, or a SIP status from 300 to 699, with which the message is refused. Anything else counts as
/// 500, and the log says why.
#[repr(C)]
#[allow(dead_code)] // for the header
pub enum HookCode {
    /// Not mine. What follows is the policy of the chat, which is: not sent, not shown.
    Skipped = -1,
    /// The body was set.
    Done = 0,
    /// Later: `subrosa_message_defer` gave a token, and somebody will call `subrosa_machine_complete`.
    Pending = 1,
}
/// What a message is for.
#[repr(C)]
#[allow(dead_code)] // for the header
pub enum KindCode {
    /// Words to be read.
    Text = 0,
    /// Somebody is writing. Never kept: it leaves at once or not at all.
    Typing = 1,
    /// Delivered, read.
    Receipt = 2,
    /// A file was uploaded: where it is and its key.
    FileOffer = 3,
    /// Signalling of a call.
    Call = 4,
    /// Key transport, heartbeats, whatever is not shown.
    Other = 5,
}
pub(crate) const KINDS: [Kind; 6] = [Kind::Text, Kind::Typing, Kind::Receipt, Kind::FileOffer, Kind::Call, Kind::Other];
pub(crate) fn kind_of(code: c_int) -> Result<Kind, AbiError> {
    usize::try_from(code).ok().and_then(|at| KINDS.get(at)).copied().ok_or(AbiError::Value("kind"))
}
pub(crate) fn kind_code(kind: Kind) -> c_int {
    KINDS.iter().position(|k| *k == kind).and_then(|at| c_int::try_from(at).ok()).unwrap_or(KindCode::Other as c_int)
}

/// A message came in: set its body and its content type to what they were before the sender's engine. One of `subrosa_hook`, or 300 to 699.
pub type IncomingCb = Option<unsafe extern "C" fn(engine: *mut CEngine, chat: *mut Chat, message: *mut Message) -> c_int>;
/// A message wants to leave: set its body and its content type. One of `subrosa_hook`, or 300 to 699.
pub type OutgoingCb = Option<unsafe extern "C" fn(engine: *mut CEngine, chat: *mut Chat, message: *mut Message) -> c_int>;
/// Whether files of this chat are encrypted: 0 is no.
pub type FilesEnabledCb = Option<unsafe extern "C" fn(engine: *mut CEngine, chat: *mut Chat) -> c_int>;
/// Makes the key of one file: `subrosa_content_set_key(subrosa_message_get_file_transfer_information(message), ...)`. Without one the file
/// is not sent.
pub type GenerateKeyCb = Option<unsafe extern "C" fn(engine: *mut CEngine, chat: *mut Chat, message: *mut Message)>;
/// Encrypts a piece of a file, or makes its tag; see `subrosa_engine_cbs`.
pub type UploadingCb = Option<
    unsafe extern "C" fn(
        engine: *mut CEngine,
        message: *mut Message,
        offset: usize,
        buffer: *const u8,
        size: *mut usize,
        encrypted_buffer: *mut u8,
    ) -> c_int,
>;
/// Decrypts a piece of a file, or checks its tag; see `subrosa_engine_cbs`.
pub type DownloadingCb = Option<
    unsafe extern "C" fn(
        engine: *mut CEngine,
        message: *mut Message,
        offset: usize,
        buffer: *const u8,
        size: usize,
        decrypted_buffer: *mut u8,
    ) -> c_int,
>;
/// Whether messages of this kind, one of `subrosa_kind`, come through the hooks: 0 is no.
pub type WantsCb = Option<unsafe extern "C" fn(engine: *mut CEngine, kind: c_int) -> c_int>;

/// An engine: Liblinphone's six callbacks under their names, with their arguments and their codes.
///
/// All are called by `subrosa_machine_commit` on its thread, one at a time, but for the two that work on files: those run on whichever
/// thread drives the `subrosa_cipher`, one at a time for each file. None may unwind or jump out. They may call every function of this
/// library but those that the header says not to.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct EngineCbs {
    /// `sizeof (subrosa_engine_cbs)`.
    pub size: usize,
    /// Needed.
    pub process_incoming_message: IncomingCb,
    /// Needed.
    pub process_outgoing_message: OutgoingCb,
    /// NULL: files are not encrypted, which means not sent.
    pub is_encryption_enabled_for_file_transfer: FilesEnabledCb,
    /// Needed where files are encrypted.
    pub generate_file_transfer_key: GenerateKeyCb,
    /// Decrypts `size` bytes from `buffer` into as many at `decrypted_buffer`: pieces of multiples of 16 bytes, but for the last. The final
    /// call has 0, NULL, 0, NULL: check the tag. 0, or the status from 300 to 699 that ends the transfer; anything else is 500.
    pub process_downloading_file: DownloadingCb,
    /// Encrypts `*size` bytes from `buffer` into as many at `encrypted_buffer`, or fewer: then it sets `*size` to how many it took, and the
    /// rest is offered again at that offset. More than offered is 500. The file ends at `subrosa_content_get_file_size`. The final call has
    /// 0, NULL, NULL, NULL: set the tag. 0, or the status from 300 to 699 that ends the transfer; anything else is 500.
    pub process_uploading_file: UploadingCb,
    /// NULL: texts and file offers. Typing notices and receipts that an engine does not want pass it by in clear.
    pub wants: WantsCb,
    /// Called with the user data when the engine is no longer needed by anybody, on whichever thread lets go of it last, or NULL.
    pub destroy: DestroyCb,
}

/// An engine, to be installed in any number of machines.
pub struct CEngine {
    recipe: Recipe,
    /// The user data of the machine it is installed in.
    core: Arc<AtomicPtr<c_void>>,
}
#[derive(Clone)]
pub(crate) enum Recipe {
    Table(Arc<Table>),
    /// The words may have a key in them.
    Named {
        words: Arc<Zeroizing<String>>,
        name: &'static str,
    },
    Omemo,
}
pub(crate) const OMEMO: &str = "omemo";
pub(crate) struct Table {
    pub cbs: EngineCbs,
    pub name: &'static str,
    user_data: AtomicPtr<c_void>,
}
impl Drop for Table {
    fn drop(&mut self) {
        if let Some(destroy) = self.cbs.destroy {
            unsafe { destroy(self.user_data.load(Ordering::Acquire)) }
        }
    }
}
impl Handle for CEngine {
    const NAME: &'static str = "subrosa_engine";
}
impl CEngine {
    pub(crate) fn recipe(&self) -> &Recipe {
        &self.recipe
    }
}

/// One that C wrote, in one machine.
pub(crate) struct TableEngine {
    table: Arc<Table>,
    handle: Arc<CEngine>,
}
impl TableEngine {
    pub fn new(table: &Arc<Table>, core: &Arc<AtomicPtr<c_void>>) -> Self {
        let handle = Arc::new(CEngine { recipe: Recipe::Table(table.clone()), core: core.clone() });
        TableEngine { table: table.clone(), handle }
    }
    fn core(&self) -> *mut c_void {
        self.handle.core.load(Ordering::Acquire)
    }
    /// Calls a message hook and says what its code means.
    fn hook<T>(&self, hook: IncomingCb, chat: &ChatId, message: Message<'_, '_>, done: impl FnOnce(ContentType, Vec<u8>) -> Hook<T>) -> Hook<T> {
        let Some(hook) = hook else { return Ok(Outcome::Skipped) };
        let chat = Chat::new(chat, self.core());
        let code = {
            let (engine, chat, message) = (LentShared::new(&self.handle), Lent::new(&chat), Lent::new(&message));
            message.with_chat(chat.pointer());
            unsafe { hook(engine.pointer(), chat.pointer(), message.pointer()) }
        };
        let left = message.into_left();
        if let Some(cold) = left.halt {
            return Err(cold); // run again when the record is there, whatever it said
        }
        match (code, left.set, left.pending) {
            (-1, ..) => Ok(Outcome::Skipped),
            (0, Some((content_type, body)), _) => done(content_type, body),
            (0, None, _) => self.nonsense("it returned 0 (done) and set no body"),
            (1, _, Some(pending)) => Ok(Outcome::Pending(pending)),
            (1, _, None) => self.nonsense("it returned 1 (pending) without subrosa_message_defer: nobody could complete the message"),
            (code, ..) => match status(code) {
                Some(status) => Ok(Outcome::Rejected(status.into())),
                None => self.nonsense(&format!("it returned {code}, which is none of -1, 0, 1 and 300 to 699")),
            },
        }
    }
    fn nonsense<T>(&self, what: &str) -> Hook<T> {
        tracing::warn!(engine = self.table.name, "an engine failed closed, with 500: {what}");
        Ok(Outcome::Rejected(Status::INTERNAL.into()))
    }
    fn cipher(&self, file: &FileInfo, key: &FileKey, direction: Direction) -> Result<Box<dyn FileCipher>, Status> {
        Ok(Box::new(TableCipher::new(&self.table, &self.handle, Content::new(file, Some(key)), direction)?))
    }
}
/// A code that is a SIP status.
pub(crate) fn status(code: c_int) -> Option<Status> {
    u16::try_from(code).ok().filter(|code| (300..=699).contains(code)).map(Status::new)
}

impl Engine for TableEngine {
    fn name(&self) -> &'static str {
        self.table.name
    }
    fn wants(&self, kind: Kind) -> bool {
        let Some(wants) = self.table.cbs.wants else { return matches!(kind, Kind::Text | Kind::FileOffer) };
        let engine = LentShared::new(&self.handle);
        unsafe { wants(engine.pointer(), kind_code(kind)) != 0 }
    }
    fn outgoing(&self, cx: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        let seen = Message::new(Source::Out(message), self.core(), Some(cx));
        self.hook(self.table.cbs.process_outgoing_message, message.chat, seen, |content_type, body| {
            if body.is_empty() {
                return self.nonsense("it returned 0 (done) and set an empty body");
            }
            Ok(Outcome::Done(Encrypted::new(content_type, body)?))
        })
    }
    fn incoming(&self, cx: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        let seen = Message::new(Source::In(message), self.core(), Some(cx));
        self.hook(self.table.cbs.process_incoming_message, message.chat, seen, |content_type, body| {
            Ok(Outcome::Done(Decrypted::new(Plaintext::new(content_type, body))))
        })
    }
    fn file_key(&self, cx: &mut Context<'_>, message: &Outgoing<'_>, file: &FileInfo) -> Hook<FileKey> {
        let cbs = &self.table.cbs;
        let Some(enabled) = cbs.is_encryption_enabled_for_file_transfer else { return Ok(Outcome::Skipped) };
        let chat = Chat::new(message.chat, self.core());
        let (engine, chat) = (LentShared::new(&self.handle), Lent::new(&chat));
        if unsafe { enabled(engine.pointer(), chat.pointer()) } == 0 {
            return Ok(Outcome::Skipped);
        }
        let Some(generate) = cbs.generate_file_transfer_key else { return self.nonsense("it encrypts files and has no generate_file_transfer_key") };
        let content = Content::new(file, None);
        let seen = Message::new(Source::Out(message), self.core(), Some(cx)).of_file(content.clone());
        {
            let (_content, seen) = (LentShared::new(&content), Lent::new(&seen));
            seen.with_chat(chat.pointer());
            unsafe { generate(engine.pointer(), chat.pointer(), seen.pointer()) };
        }
        match (seen.into_left().halt, content.key()) {
            (Some(cold), _) => Err(cold),
            (None, Some(key)) => Ok(Outcome::Done(key)),
            (None, None) => self.nonsense("generate_file_transfer_key set no key"),
        }
    }
    fn upload(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        self.cipher(file, key, Direction::Up)
    }
    fn download(&self, file: &FileInfo, key: &FileKey) -> Result<Box<dyn FileCipher>, Status> {
        self.cipher(file, key, Direction::Down)
    }
}

/// Engines' names live as long as the program: each once.
fn for_ever(name: &str) -> &'static CStr {
    static NAMES: Mutex<BTreeSet<&'static CStr>> = Mutex::new(BTreeSet::new());
    let (mut names, name) = (lock(&NAMES), c_string(name));
    if let Some(known) = names.get(name.as_c_str()) {
        return known;
    }
    let new: &'static CStr = Box::leak(name.into_boxed_c_str());
    names.insert(new);
    new
}
fn is_name(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(fine) && !matches!(name, "house" | "nobody")
}

/// An engine of your own. The table is copied. `name`: names its records, and on XMPP what messages are encrypted with; copied.
/// `user_data`: what its hooks find with `subrosa_engine_get_user_data`. Give it back with `subrosa_engine_unref`; machines that it is
/// installed in keep it for themselves.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_engine_new(
    cbs: *const EngineCbs,
    engine_name: *const c_char,
    user_data: *mut c_void,
    error: *mut *mut CError,
) -> *mut CEngine {
    make(error, || {
        let (cbs, name) = unsafe { (*sized(cbs, "cbs")?, name(engine_name, "engine_name")?) };
        if cbs.process_incoming_message.is_none() || cbs.process_outgoing_message.is_none() {
            return Err(AbiError::EngineTable.into());
        }
        if !is_name(name) {
            return Err(AbiError::EngineName.into());
        }
        let name = for_ever(name).to_str().map_err(|_| AbiError::EngineName)?;
        let table = Table { cbs, name, user_data: AtomicPtr::new(user_data) };
        Ok(give(Arc::new(CEngine { recipe: Recipe::Table(Arc::new(table)), core: Arc::default() })))
    })
}
/// An engine that comes with the library: "omemo", "xor", "xor-hex", "base64", "base64-async", "preshared:KEY" or "preshared-base64:KEY",
/// where KEY is 64 hexadecimal digits, or @ and the path of a file with them. Of these only OMEMO and those with a preshared key protect.
/// The words are copied. Give it back with `subrosa_engine_unref`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_engine_by_name(words: *const c_char, error: *mut *mut CError) -> *mut CEngine {
    make(error, || {
        let words = unsafe { name(words, "words") }?;
        let recipe = match words {
            OMEMO => Recipe::Omemo,
            // made once to see whether it can be made: each machine gets its own
            _ => Recipe::Named { name: by_name(words)?.engine.name(), words: Arc::new(Zeroizing::new(words.to_owned())) },
        };
        Ok(give(Arc::new(CEngine { recipe, core: Arc::default() })))
    })
}
/// The name by which a machine knows it: for `subrosa_machine_route_all`. Lives as long as the program.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_engine_get_name(engine: *const CEngine) -> *const c_char {
    get(std::ptr::null(), || {
        let name = match &unsafe { live(engine) }?.recipe {
            Recipe::Table(table) => table.name,
            Recipe::Named { name, .. } => name,
            Recipe::Omemo => OMEMO,
        };
        Ok(for_ever(name).as_ptr())
    })
}
/// Another reference to it; also to one that a hook was lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_engine_ref(engine: *mut CEngine) -> *mut CEngine {
    get(std::ptr::null_mut(), || unsafe { again(engine) })
}
/// Gives a reference back. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_engine_unref(engine: *mut CEngine) {
    if !engine.is_null() {
        get((), || unsafe { release(engine) });
    }
}
/// What the engine was made with. NULL for engines of the library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_engine_get_user_data(engine: *const CEngine) -> *mut c_void {
    get(std::ptr::null_mut(), || match &unsafe { live(engine) }?.recipe {
        Recipe::Table(table) => Ok(table.user_data.load(Ordering::Acquire)),
        _ => Ok(std::ptr::null_mut()),
    })
}
/// Replaces what the engine was made with, in all machines. What was there before is yours again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_engine_set_user_data(engine: *mut CEngine, user_data: *mut c_void) {
    get((), || {
        if let Recipe::Table(table) = &unsafe { live(engine) }?.recipe {
            table.user_data.store(user_data, Ordering::Release);
        }
        Ok(())
    });
}
/// In a hook: what the application left with `subrosa_machine_set_user_data`, the way back to its core. Outside of one, and in the hooks
/// that work on files when the machine is gone: NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_engine_get_core(engine: *const CEngine) -> *mut c_void {
    get(std::ptr::null_mut(), || Ok(unsafe { live(engine) }?.core.load(Ordering::Acquire)))
}
