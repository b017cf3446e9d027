//! The machine of one account: what is installed in it, and which chat has what. Feeding it is in `feed`, what it wants in `outputs`.
//!
//! Inputs wait in a queue that any thread and any callback may add to; one thread at a time runs them. What runs is locked, and who
//! comes back from a callback of its own is refused, not left waiting for itself.
#![allow(unsafe_code)] // exports, and calls into C
use crate::content::{Content, DestroyCb};
use crate::engine::{CEngine, OMEMO, Recipe, TableEngine};
use crate::error::{AbiError, CError, Failure, call, get, make};
use crate::handle::{Handle, again, give, live, lock, release, share};
use crate::outputs::COutputs;
use crate::store::{Shelf, StoreCbs, TableStore};
use crate::text::{name, put, sized, texts};
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use subrosa_engine::*;
use subrosa_engines::{Completions, Named, by_name};
use subrosa_omemo::Omemo;

/// Who gets a key before a person decided, among contacts.
#[repr(C)]
#[allow(dead_code)] // for the header
pub enum TrustPolicyCode {
    /// Blind trust before verification: a new key is trusted unless its owner has a verified one.
    Btbv = 0,
    /// No key before a decision.
    Manual = 1,
}

/// The engines of one account, the rules that none of them may break, and a store. Used from any thread.
pub struct CMachine {
    queue: Mutex<VecDeque<Input>>,
    running: Mutex<Running>,
    /// Whose thread runs: its [`thread`]; 0: none.
    runner: AtomicUsize,
    core: Arc<AtomicPtr<c_void>>,
    engines: Arc<Mutex<BTreeMap<&'static str, EngineId>>>,
    nobody: EngineId,
    /// Of engines that finish messages on threads of their own.
    completions: Mutex<Vec<Completions>>,
    bell: Mutex<Bell>,
}
#[derive(Default)]
struct Bell {
    ring: BellCb,
    user_data: AtomicPtr<c_void>,
}
/// An input waits to be committed. Called on the thread that brought it, which may be in a callback of the same machine: it must return
/// soon, and neither feed nor commit.
pub type BellCb = Option<unsafe extern "C" fn(user_data: *mut c_void)>;
pub(crate) struct Running {
    pub machine: Machine,
    pub store: Shelf,
    pub omemo: Option<Installed<Omemo>>,
    /// Released, and not yet handed to C.
    pub released: Vec<Released>,
}
pub(crate) struct Released {
    pub id: OutputId,
    pub again: bool,
    pub output: Output,
}
impl Handle for CMachine {
    const NAME: &'static str = "subrosa_machine";
}
impl Drop for CMachine {
    /// Ciphers outlive it, and their hooks ask for the core: nobody says any more how long that lives.
    fn drop(&mut self) {
        self.core.store(std::ptr::null_mut(), Ordering::Release);
    }
}

/// The machine, held by this thread.
pub(crate) struct Entered<'m> {
    running: MutexGuard<'m, Running>,
    runner: &'m AtomicUsize,
}
impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.runner.store(0, Ordering::Release);
    }
}
impl std::ops::Deref for Entered<'_> {
    type Target = Running;
    fn deref(&self) -> &Running {
        &self.running
    }
}
impl std::ops::DerefMut for Entered<'_> {
    fn deref_mut(&mut self) -> &mut Running {
        &mut self.running
    }
}

impl CMachine {
    pub(crate) fn feed(&self, input: Input) {
        lock(&self.queue).push_back(input);
        self.ring();
    }
    fn ring(&self) {
        let (ring, user_data) = {
            let bell = lock(&self.bell);
            (bell.ring, bell.user_data.load(Ordering::Acquire))
        };
        if let Some(ring) = ring {
            unsafe { ring(user_data) }
        }
    }
    /// All that waits, what engines' threads have finished included.
    fn queue(&self) -> MutexGuard<'_, VecDeque<Input>> {
        let mut queue = lock(&self.queue);
        for completions in &*lock(&self.completions) {
            queue.extend(completions.drain());
        }
        queue
    }
    pub(crate) fn enter(&self, function: &'static str) -> Result<Entered<'_>, AbiError> {
        let me = thread();
        if self.runner.load(Ordering::Acquire) == me {
            return Err(AbiError::ReEntry(function));
        }
        let running = lock(&self.running);
        self.runner.store(me, Ordering::Release);
        Ok(Entered { running, runner: &self.runner })
    }
    fn commit(&self, now: Time) -> Result<Vec<Released>, Failure> {
        let mut entered = self.enter("subrosa_machine_commit")?;
        let Running { machine, store, released, .. } = &mut *entered;
        let mut rng = UnwrapErr(SysRng);
        let mut step = machine.begin(now, &mut rng);
        for input in std::mem::take(&mut *self.queue()) {
            step.feed(input);
        }
        match step.commit(store) {
            Ok(outputs) => {
                released.extend(list(outputs));
                Ok(std::mem::take(released))
            }
            Err(error) => {
                let failure = Failure::from_commit(&error);
                let mut queue = lock(&self.queue);
                for input in error.inputs.into_iter().rev() {
                    queue.push_front(input);
                }
                Err(failure)
            }
        }
    }
    fn install(self: &Arc<Self>, recipe: &Recipe) -> Result<(), Failure> {
        let mut entered = self.enter("subrosa_machine_install")?;
        let (name, id) = match recipe {
            Recipe::Table(table) => (table.name, entered.machine.install(TableEngine::new(table, &self.core)).id()),
            Recipe::Omemo => {
                let omemo = entered.machine.install(Omemo::default());
                entered.omemo = Some(omemo);
                (OMEMO, omemo.id())
            }
            Recipe::Named { words, .. } => {
                let Named { engine, completions } = by_name(words)?;
                if let Some(completions) = completions {
                    let machine = Arc::downgrade(self);
                    completions.on_ready(move || {
                        if let Some(machine) = machine.upgrade() {
                            machine.ring();
                        }
                    });
                    lock(&self.completions).push(completions);
                }
                (engine.name(), entered.machine.install(engine).id())
            }
        };
        if name == OMEMO && !matches!(recipe, Recipe::Omemo) {
            entered.omemo = None; // somebody else's takes its place
        }
        lock(&self.engines).insert(name, id);
        Ok(())
    }
}
/// Tells the threads that live apart. (The library's own ids allocate what a leak checker then finds.)
fn thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here).addr())
}
/// What a step released, as C gets it.
pub(crate) fn list(outputs: Outputs) -> Vec<Released> {
    let again: Vec<bool> = outputs.iter().map(|(id, _)| outputs.is_again(*id)).collect();
    outputs.into_iter().zip(again).map(|((id, output), again)| Released { id, again, output }).collect()
}

/// Has the chats that a rule gave to an engine that is not installed: nothing of them leaves, and clear text does not take its place.
struct Nobody;
impl Engine for Nobody {
    fn name(&self) -> &'static str {
        "nobody"
    }
    fn wants(&self, _: Kind) -> bool {
        true
    }
    fn outgoing(&self, _: &mut Context<'_>, message: &Outgoing<'_>) -> Hook<Encrypted> {
        tracing::warn!(chat = %message.chat.0, "the route of this chat names an engine that is not installed; nothing was sent");
        Ok(Outcome::Rejected(Status::INTERNAL.into()))
    }
    fn incoming(&self, _: &mut Context<'_>, message: &Incoming<'_>) -> Hook<Decrypted> {
        tracing::warn!(chat = %message.chat.0, "the route of this chat names an engine that is not installed; nothing was shown");
        Ok(Outcome::Rejected(Status::INTERNAL.into()))
    }
    fn file_key(&self, _: &mut Context<'_>, _: &Outgoing<'_>, _: &FileInfo) -> Hook<FileKey> {
        Ok(Outcome::Rejected(Status::INTERNAL.into()))
    }
}

/// A machine for the account of this address. `store`: the table is copied; NULL: a store in memory, which forgets everything with the
/// machine. Install an engine and set a route before the first commit. Give it back with `subrosa_machine_unref`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_new(address: *const c_char, store: *const StoreCbs, error: *mut *mut CError) -> *mut CMachine {
    make(error, || {
        let address = unsafe { name(address, "address") }?;
        let store =
            if store.is_null() { Shelf::Memory(MemoryStore::default()) } else { Shelf::Table(TableStore::new(unsafe { sized(store, "store") }?)?) };
        let mut machine = Machine::new(address.into());
        let nobody = machine.install(Nobody).id();
        let running = Running { machine, store, omemo: None, released: Vec::new() };
        Ok(give(Arc::new(CMachine {
            queue: Mutex::default(),
            running: Mutex::new(running),
            runner: AtomicUsize::new(0),
            core: Arc::default(),
            engines: Arc::default(),
            nobody,
            completions: Mutex::default(),
            bell: Mutex::default(),
        })))
    })
}
/// Another reference to it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_ref(machine: *mut CMachine) -> *mut CMachine {
    get(std::ptr::null_mut(), || unsafe { again(machine) })
}
/// Gives a reference back. NULL is fine. With the last one the machine goes, with inputs that were not committed; what is stored stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_unref(machine: *mut CMachine) {
    if !machine.is_null() {
        get((), || unsafe { release(machine) });
    }
}
/// Keeps a pointer of yours, which hooks find as their core.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_set_user_data(machine: *mut CMachine, user_data: *mut c_void) {
    get((), || {
        unsafe { live(machine) }?.core.store(user_data, Ordering::Release);
        Ok(())
    });
}
/// What was kept, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_get_user_data(machine: *const CMachine) -> *mut c_void {
    get(std::ptr::null_mut(), || Ok(unsafe { live(machine) }?.core.load(Ordering::Acquire)))
}

/// Installs an engine, at any time. It replaces one of the same name and has its records; what is in flight ends with the one it began with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_install(machine: *mut CMachine, engine: *mut CEngine, error: *mut *mut CError) -> c_int {
    call(error, || unsafe { share(machine)?.install(share(engine)?.recipe()) })
}
/// Installs OMEMO (XEP-0384), in both namespaces. The account then publishes, by requests among the outputs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_install_omemo(machine: *mut CMachine, error: *mut *mut CError) -> c_int {
    call(error, || unsafe { share(machine) }?.install(&Recipe::Omemo))
}
/// Removes the engine of this name. What is in flight ends with it. Its chats send and show nothing from here on: clear text does not
/// take its place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_remove(machine: *mut CMachine, engine_name: *const c_char, error: *mut *mut CError) -> c_int {
    call(error, || {
        let (machine, name) = unsafe { (share(machine)?, name(engine_name, "engine_name")?) };
        let mut entered = machine.enter("subrosa_machine_remove")?;
        let id = *lock(&machine.engines).get(name).ok_or(AbiError::NotInstalled)?;
        entered.machine.remove(id);
        if name == OMEMO {
            entered.omemo = None;
        }
        Ok(())
    })
}

/// Says which engine a chat has: its name, or NULL for none. What it returns is read before it is called again.
pub type RouteCb = Option<unsafe extern "C" fn(user_data: *mut c_void, chat: *const c_char) -> *const c_char>;

struct Route {
    route: RouteCb,
    user_data: AtomicPtr<c_void>,
    destroy: DestroyCb,
}
impl Drop for Route {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            unsafe { destroy(self.user_data.load(Ordering::Acquire)) }
        }
    }
}
impl Route {
    /// None: no engine. A name that nobody has is not none.
    fn name_for(&self, chat: &ChatId) -> Option<String> {
        let chat = crate::text::c_string(chat.0.as_str());
        let name = unsafe { self.route?(self.user_data.load(Ordering::Acquire), chat.as_ptr()) };
        (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
    }
}

/// Gives all chats to the engine of this name. NULL: no chat has an engine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_route_all(machine: *mut CMachine, engine_name: *const c_char, error: *mut *mut CError) -> c_int {
    call(error, || {
        let machine = unsafe { share(machine) }?;
        let name = if engine_name.is_null() { None } else { Some(unsafe { name(engine_name, "engine_name") }?) };
        let mut entered = machine.enter("subrosa_machine_route_all")?;
        let id = name.map(|name| lock(&machine.engines).get(name).copied().ok_or(AbiError::NotInstalled)).transpose()?;
        entered.machine.route(move |_| id);
        Ok(())
    })
}
/// Gives each chat to the engine that `route` names, called while a machine commits. A name that is not installed sends and shows
/// nothing, and the log says so. `destroy`, or NULL: called with `user_data` when another route takes its place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_route(
    machine: *mut CMachine,
    route: RouteCb,
    user_data: *mut c_void,
    destroy: DestroyCb,
    error: *mut *mut CError,
) -> c_int {
    call(error, || {
        let machine = unsafe { share(machine) }?;
        let mut entered = machine.enter("subrosa_machine_route")?;
        if route.is_none() {
            return Err(AbiError::Null("route").into());
        }
        let route = Route { route, user_data: AtomicPtr::new(user_data), destroy };
        let (engines, nobody) = (machine.engines.clone(), machine.nobody);
        entered.machine.route(move |chat| {
            let name = route.name_for(chat)?;
            Some(lock(&engines).get(name.as_str()).copied().unwrap_or(nobody))
        });
        Ok(())
    })
}

fn configure(
    machine: *mut CMachine,
    function: &'static str,
    error: *mut *mut CError,
    f: impl FnOnce(Settings) -> Result<Settings, AbiError>,
) -> c_int {
    call(error, || {
        let machine = unsafe { share(machine) }?;
        let mut entered = machine.enter(function)?;
        let settings = f(entered.machine.settings().clone())?;
        entered.machine.configure(settings);
        Ok(())
    })
}
/// How long a message waits for keys or its completion, being offline included. Milliseconds; at first 24 hours.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_set_patience(machine: *mut CMachine, milliseconds: u64, error: *mut *mut CError) -> c_int {
    configure(machine, "subrosa_machine_set_patience", error, |settings| Ok(settings.patience(Duration::from_millis(milliseconds))))
}
/// What becomes of a contact's new key: one of `subrosa_trust_policy`. At first `SUBROSA_TRUST_POLICY_BTBV`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_set_trust_policy(machine: *mut CMachine, policy: c_int, error: *mut *mut CError) -> c_int {
    configure(machine, "subrosa_machine_set_trust_policy", error, |settings| match policy {
        0 => Ok(settings.trust(TrustPolicy::Btbv)),
        1 => Ok(settings.trust(TrustPolicy::Manual)),
        _ => Err(AbiError::Value("policy")),
    })
}
/// Which content types the application can show; what an engine restored to another is refused with 415. One that ends in '/' stands for
/// all that begin so. At first "text/" and the content type of XMPP stanzas.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_set_shown(
    machine: *mut CMachine,
    content_types: *const *const c_char,
    count: usize,
    error: *mut *mut CError,
) -> c_int {
    call(error, || {
        let (machine, types) = unsafe { (share(machine)?, texts(content_types, count, "content_types")?) };
        let types: Vec<String> = types.into_iter().map(str::to_owned).collect();
        let mut entered = machine.enter("subrosa_machine_set_shown")?;
        entered.machine.shows(move |shown| types.iter().any(|t| *t == shown.0 || t.ends_with('/') && shown.0.starts_with(t.as_str())));
        Ok(())
    })
}

/// Runs all inputs that wait as one transaction, stores what they changed, and only then gives what is to be done. The first commit
/// gives also what an earlier process left undone. `now`: milliseconds since 1970. `outputs`: becomes what is to be done, also where that
/// is nothing; give it back with `subrosa_outputs_free`.
///
/// When the store fails nothing has happened and nothing leaves: the inputs wait as before, to be committed again.
///
/// One thread at a time commits, others wait; a callback of the same machine may not commit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_commit(machine: *mut CMachine, now: u64, outputs: *mut *mut COutputs, error: *mut *mut CError) -> c_int {
    unsafe { put(outputs, std::ptr::null_mut()) };
    call(error, || {
        let machine = unsafe { share(machine) }?;
        if outputs.is_null() {
            return Err(AbiError::Null("outputs").into());
        }
        let released = machine.commit(Time(now))?;
        unsafe { put(outputs, COutputs::give(released)) };
        Ok(())
    })
}
/// Says what wakes your loop: it is rung after every input, whoever fed it, and when an engine has finished a message on a thread of its
/// own. NULL: nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_set_bell(machine: *mut CMachine, ring: BellCb, user_data: *mut c_void) {
    get((), || {
        *lock(&unsafe { live(machine) }?.bell) = Bell { ring, user_data: AtomicPtr::new(user_data) };
        Ok(())
    });
}
/// How many inputs wait to be committed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_get_waiting(machine: *const CMachine) -> usize {
    get(0, || Ok(unsafe { live(machine) }?.queue().len()))
}
/// When to call `subrosa_machine_tick` and commit, at the latest: milliseconds since 1970, 0 for never. Known after the first commit, and
/// anew after each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_wake_at(machine: *mut CMachine) -> u64 {
    get(0, || Ok(unsafe { share(machine) }?.enter("subrosa_machine_wake_at")?.machine.wake_at().map_or(0, |time| time.0)))
}
/// What runs over a file that came in this chat, as its offer describes it, with key and tag. It outlives machine and engine. NULL and an
/// error where the engine refuses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_machine_download(
    machine: *mut CMachine,
    chat: *const c_char,
    file: *const Content,
    error: *mut *mut CError,
) -> *mut crate::cipher::Cipher {
    make(error, || {
        let (machine, chat, file) = unsafe { (share(machine)?, name(chat, "chat")?, live(file)?) };
        let key = file.key().ok_or(AbiError::Null("the key of the file"))?;
        let entered = machine.enter("subrosa_machine_download")?;
        let cipher = entered.machine.download(&ChatId(chat.into()), &file.info(), &key);
        Ok(crate::cipher::Cipher::give(cipher.map_err(crate::cipher::refused)?, file.info()))
    })
}
