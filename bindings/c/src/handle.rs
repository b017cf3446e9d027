//! Which handles C holds. A handle is a pointer; it is used only while it is in the register below, under the name of its type: one
//! that was given back, one of another type and NULL are refused without being read. What can't be seen: a freed handle whose address
//! was given to a newer one of the same type, and one that another thread frees while it is in use.
//!
//! Addresses stand in the register turned over, so that a leak checker does not take the register for an owner.
#![allow(unsafe_code)] // the one place where a handle becomes a reference
use crate::error::AbiError;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What C sees as an opaque type.
pub(crate) trait Handle {
    /// Its name in the header.
    const NAME: &'static str;
}

struct Entry {
    name: &'static str,
    /// How many references C has. Each is one of the `Arc`'s, where there is one.
    references: usize,
}
type Shard = Mutex<BTreeMap<usize, Entry>>;
/// By address, so that threads seldom meet.
static LIVE: [Shard; 16] = [const { Mutex::new(BTreeMap::new()) }; 16];

fn shard(address: usize) -> MutexGuard<'static, BTreeMap<usize, Entry>> {
    let [first, ..] = &LIVE;
    lock(LIVE.get((address >> 6) & 15).unwrap_or(first))
}
/// A lock, whatever became of a thread that held it.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enter<T: Handle>(pointer: *const T) {
    let mut shard = shard(pointer.addr());
    let entry = shard.entry(!pointer.addr()).or_insert(Entry { name: T::NAME, references: 0 });
    entry.references = entry.references.saturating_add(1);
}
fn check<T: Handle>(pointer: *const T, shard: &mut BTreeMap<usize, Entry>) -> Result<&mut Entry, AbiError> {
    if pointer.is_null() {
        return Err(AbiError::Null(T::NAME));
    }
    shard.get_mut(&!pointer.addr()).filter(|entry| entry.name == T::NAME).ok_or(AbiError::Handle(T::NAME))
}

/// Gives C a reference.
pub(crate) fn give<T: Handle + Send + Sync>(value: Arc<T>) -> *mut T {
    let pointer = Arc::into_raw(value);
    enter(pointer);
    pointer.cast_mut()
}
/// Looks at what C holds.
///
/// # Safety
/// Nobody frees it meanwhile, and what it stands for outlives `'a`: a call of C's.
pub(crate) unsafe fn live<'a, T: Handle>(pointer: *const T) -> Result<&'a T, AbiError> {
    check(pointer, &mut shard(pointer.addr()))?;
    Ok(unsafe { &*pointer })
}
/// A reference of our own to what C holds; only for types that [`give`] gives.
pub(crate) unsafe fn share<T: Handle>(pointer: *const T) -> Result<Arc<T>, AbiError> {
    let mut shard = shard(pointer.addr());
    check(pointer, &mut shard)?;
    unsafe {
        Arc::increment_strong_count(pointer);
        Ok(Arc::from_raw(pointer))
    }
}
/// Another reference for C.
pub(crate) unsafe fn again<T: Handle + Send + Sync>(pointer: *mut T) -> Result<*mut T, AbiError> {
    unsafe { share(pointer) }.map(give)
}
/// Takes a reference back.
pub(crate) unsafe fn release<T: Handle>(pointer: *mut T) -> Result<(), AbiError> {
    leave(pointer)?;
    drop(unsafe { Arc::from_raw(pointer) }); // outside the lock: it may call C
    Ok(())
}
fn leave<T: Handle>(pointer: *const T) -> Result<(), AbiError> {
    let mut shard = shard(pointer.addr());
    let entry = check(pointer, &mut shard)?;
    entry.references = entry.references.saturating_sub(1);
    if entry.references == 0 {
        shard.remove(&!pointer.addr());
    }
    Ok(())
}

/// What C may use for the length of one callback.
pub(crate) struct Lent<'a, T: Handle>(&'a T);
impl<'a, T: Handle> Lent<'a, T> {
    pub fn new(value: &'a T) -> Self {
        enter(std::ptr::from_ref(value));
        Lent(value)
    }
    pub fn pointer(&self) -> *mut T {
        std::ptr::from_ref(self.0).cast_mut()
    }
    pub fn value(&self) -> &T {
        self.0
    }
}
impl<T: Handle> Drop for Lent<'_, T> {
    fn drop(&mut self) {
        let _ = leave(self.0); // in the register since `new`
    }
}
/// The same for what C may keep by taking a reference.
pub(crate) struct LentShared<T: Handle>(*mut T);
impl<T: Handle + Send + Sync> LentShared<T> {
    pub fn new(value: &Arc<T>) -> Self {
        LentShared(give(value.clone()))
    }
    pub fn pointer(&self) -> *mut T {
        self.0
    }
}
impl<T: Handle> Drop for LentShared<T> {
    fn drop(&mut self) {
        let _ = unsafe { release(self.0) }; // ours since `new`; C may have given back one too many, then it is refused
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct One(u8);
    impl Handle for One {
        const NAME: &'static str = "one";
    }
    struct Other(#[allow(dead_code)] u8);
    impl Handle for Other {
        const NAME: &'static str = "other";
    }

    #[test]
    fn freed_foreign_and_null_handles_are_refused_without_being_read() {
        let pointer = give(Arc::new(One(7)));
        assert_eq!(unsafe { live(pointer) }.unwrap().0, 7);
        assert!(unsafe { live(pointer.cast::<Other>()) }.is_err());
        assert_eq!(unsafe { again(pointer) }.unwrap(), pointer);
        assert!(unsafe { release(pointer) }.is_ok());
        assert_eq!(unsafe { live(pointer) }.unwrap().0, 7);
        assert!(unsafe { release(pointer) }.is_ok());
        assert!(unsafe { live(pointer) }.is_err());
        assert!(unsafe { release(pointer) }.is_err());
        assert!(unsafe { again(pointer) }.is_err());
        assert!(unsafe { live::<One>(std::ptr::null()) }.is_err());
    }
    #[test]
    fn what_is_lent_is_refused_afterwards_and_what_was_kept_is_not() {
        let value = One(1);
        let lent = Lent::new(&value);
        let pointer = lent.pointer();
        assert!(unsafe { live(pointer) }.is_ok());
        drop(lent);
        assert!(unsafe { live(pointer) }.is_err());

        let value = Arc::new(One(2));
        let lent = LentShared::new(&value);
        let kept = unsafe { again(lent.pointer()) }.unwrap();
        drop((lent, value));
        assert_eq!(unsafe { live(kept) }.unwrap().0, 2);
        assert!(unsafe { release(kept) }.is_ok());
    }
}
