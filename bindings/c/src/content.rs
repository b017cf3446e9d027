//! A file as one message offers it: what is said about it, its key and its tag. One object a file, so that two are never confused.
#![allow(unsafe_code)] // exports
use crate::error::{AbiError, CError, Failure, call, get, make};
use crate::handle::{Handle, again, give, live, lock, release, share};
use crate::text::{array, c_string, put, text};
use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex};
use subrosa_engine::{FileInfo, FileKey};
use zeroize::Zeroizing;

/// A file that is offered, with its key: Liblinphone's LinphoneContent. One thread at a time uses it. What its getters give lives until
/// it is set anew, or the content is freed.
pub struct Content {
    name: CString,
    content_type: CString,
    size: u64,
    secrets: Mutex<Secrets>,
    user_data: AtomicPtr<c_void>,
    destroy: Mutex<DestroyCb>,
}
#[derive(Default)]
struct Secrets {
    key: Option<Zeroizing<Vec<u8>>>,
    tag: Option<Box<[u8; 16]>>,
}
/// Called when nobody needs `user_data` any more.
pub type DestroyCb = Option<unsafe extern "C" fn(user_data: *mut c_void)>;
impl Handle for Content {
    const NAME: &'static str = "subrosa_content";
}
impl Drop for Content {
    fn drop(&mut self) {
        self.keep(std::ptr::null_mut(), None);
    }
}

impl Content {
    pub(crate) fn new(file: &FileInfo, key: Option<&FileKey>) -> Arc<Self> {
        let secrets = Secrets { key: key.map(|key| key.0.clone()), tag: file.tag.map(Box::new) };
        Arc::new(Content {
            name: c_string(&file.name),
            content_type: c_string(&file.content_type),
            size: file.size,
            secrets: Mutex::new(secrets),
            user_data: AtomicPtr::default(),
            destroy: Mutex::default(),
        })
    }
    pub(crate) fn info(&self) -> FileInfo {
        let text = |text: &CString| text.to_string_lossy().into_owned();
        FileInfo { name: text(&self.name), content_type: text(&self.content_type), size: self.size, tag: self.tag() }
    }
    pub(crate) fn key(&self) -> Option<FileKey> {
        lock(&self.secrets).key.clone().map(FileKey)
    }
    pub(crate) fn tag(&self) -> Option<[u8; 16]> {
        lock(&self.secrets).tag.as_deref().copied()
    }
    pub(crate) fn set_tag(&self, tag: Option<[u8; 16]>) {
        lock(&self.secrets).tag = tag.map(Box::new);
    }
    fn keep(&self, user_data: *mut c_void, destroy: DestroyCb) {
        let before = (self.user_data.swap(user_data, Ordering::AcqRel), std::mem::replace(&mut *lock(&self.destroy), destroy));
        if let (user_data, Some(destroy)) = before {
            unsafe { destroy(user_data) }
        }
    }
}

/// A file to offer, or one that is offered to us. All texts are copied. `size`: bytes of the plaintext. Give it back with
/// `subrosa_content_unref`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_new(name: *const c_char, content_type: *const c_char, size: u64, error: *mut *mut CError) -> *mut Content {
    make(error, || unsafe {
        let (name, content_type) = (text(name, "name")?.into(), text(content_type, "content_type")?.into());
        Ok(give(Content::new(&FileInfo { name, content_type, size, tag: None }, None)))
    })
}
/// Another reference to it; also to one that a hook was lent, which then outlives the hook.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_ref(content: *mut Content) -> *mut Content {
    get(std::ptr::null_mut(), || unsafe { again(content) })
}
/// Gives a reference back. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_unref(content: *mut Content) {
    if !content.is_null() {
        get((), || unsafe { release(content) });
    }
}
/// Keeps something of yours with it, as an engine's state of this one transfer. `destroy`, or NULL: called with it when it is replaced
/// and when the content is freed, however the transfer ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_set_user_data(content: *mut Content, user_data: *mut c_void, destroy: DestroyCb) {
    get((), || {
        unsafe { share(content) }?.keep(user_data, destroy); // what it destroys may give the content back
        Ok(())
    });
}
/// What was kept with it, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_get_user_data(content: *const Content) -> *mut c_void {
    get(std::ptr::null_mut(), || Ok(unsafe { live(content) }?.user_data.load(Ordering::Acquire)))
}
/// The name of the file, as its sender says: never a path to trust.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_get_name(content: *const Content) -> *const c_char {
    get(std::ptr::null(), || Ok(unsafe { live(content) }?.name.as_ptr()))
}
/// The MIME type of the file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_get_type(content: *const Content) -> *const c_char {
    get(std::ptr::null(), || Ok(unsafe { live(content) }?.content_type.as_ptr()))
}
/// Bytes of the plaintext.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_get_file_size(content: *const Content) -> u64 {
    get(0, || Ok(unsafe { live(content) }?.size))
}
/// Sets the key; it is copied, and wiped when the content is freed. `size`: bytes, at least one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_set_key(content: *mut Content, key: *const u8, size: usize) -> c_int {
    call(std::ptr::null_mut(), || {
        let (content, key) = unsafe { (live(content)?, array(key, size, "key")?) };
        if key.is_empty() {
            return Err(AbiError::Empty("key").into());
        }
        lock(&content.secrets).key = Some(Zeroizing::new(key.to_vec()));
        Ok(())
    })
}
/// The key, owned by the content; NULL where it has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_get_key(content: *const Content) -> *const u8 {
    get(std::ptr::null(), || Ok(lock(&unsafe { live(content) }?.secrets).key.as_ref().map_or(std::ptr::null(), |key| key.as_ptr())))
}
/// Bytes of the key; 0 where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_get_key_size(content: *const Content) -> usize {
    get(0, || Ok(lock(&unsafe { live(content) }?.secrets).key.as_ref().map_or(0, |key| key.len())))
}
/// Sets the authentication tag of the encrypted file, which is copied: 16 bytes, or 0 for none. Liblinphone has no public function for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_set_tag(content: *mut Content, tag: *const u8, size: usize) -> c_int {
    call(std::ptr::null_mut(), || {
        let (content, tag) = unsafe { (live(content)?, array(tag, size, "tag")?) };
        let tag = if tag.is_empty() { None } else { Some(tag.try_into().map_err(|_| AbiError::Size("tag"))?) };
        content.set_tag(tag);
        Ok::<(), Failure>(())
    })
}
/// The tag, owned by the content; NULL where there is none. `size`, or NULL: becomes its length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_content_get_tag(content: *const Content, size: *mut usize) -> *const u8 {
    unsafe { put(size, 0) };
    get(std::ptr::null(), || {
        let secrets = lock(&unsafe { live(content) }?.secrets);
        let Some(tag) = secrets.tag.as_ref() else { return Ok(std::ptr::null()) };
        unsafe { put(size, tag.len()) };
        Ok(tag.as_ptr())
    })
}
