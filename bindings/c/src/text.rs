//! Strings and buffers over the border. What comes in is read during the call and copied where it is kept; what goes out is owned by
//! the object that it was asked of.
#![allow(unsafe_code)] // reads the memory that C names
use crate::error::AbiError;
use std::ffi::{CStr, CString, c_char};
use subrosa_engine::codec::wipe;

/// A string of C's, which must be there.
///
/// # Safety
/// NULL, or NUL-terminated, for the length of the call.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, what: &'static str) -> Result<&'a str, AbiError> {
    unsafe { optional(pointer, what) }?.ok_or(AbiError::Null(what))
}
/// A string of C's, which need not be there.
pub(crate) unsafe fn optional<'a>(pointer: *const c_char, what: &'static str) -> Result<Option<&'a str>, AbiError> {
    if pointer.is_null() {
        return Ok(None);
    }
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map(Some).map_err(|_| AbiError::Text(what))
}
/// As [`text`], and not empty.
pub(crate) unsafe fn name<'a>(pointer: *const c_char, what: &'static str) -> Result<&'a str, AbiError> {
    let text = unsafe { text(pointer, what) }?;
    if text.is_empty() { Err(AbiError::Empty(what)) } else { Ok(text) }
}
/// An array of C's; NULL only where it has no elements.
///
/// # Safety
/// NULL, or `count` elements, for the length of the call.
pub(crate) unsafe fn array<'a, T>(pointer: *const T, count: usize, what: &'static str) -> Result<&'a [T], AbiError> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(AbiError::Null(what));
    }
    if !pointer.is_aligned() || isize::try_from(count.saturating_mul(size_of::<T>())).is_err() {
        return Err(AbiError::Size(what));
    }
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}
/// Strings of C's.
pub(crate) unsafe fn texts<'a>(pointer: *const *const c_char, count: usize, what: &'static str) -> Result<Vec<&'a str>, AbiError> {
    unsafe { array(pointer, count, what) }?.iter().map(|pointer| unsafe { name(*pointer, what) }).collect()
}
/// Something of C's to write to, if it is there.
pub(crate) unsafe fn put<T>(pointer: *mut T, value: T) {
    if !pointer.is_null() && pointer.is_aligned() {
        unsafe { pointer.write(value) }
    }
}
/// A structure of C's that begins with its size. Later versions of the header may make it longer.
///
/// # Safety
/// NULL, or as long as it says.
pub(crate) unsafe fn sized<'a, T: Sized + Copy>(pointer: *const T, what: &'static str) -> Result<&'a T, AbiError> {
    if pointer.is_null() {
        return Err(AbiError::Null(what));
    }
    if !pointer.is_aligned() || unsafe { pointer.cast::<usize>().read() } < size_of::<T>() {
        return Err(AbiError::Size(what));
    }
    Ok(unsafe { &*pointer })
}

/// Strings that C was given and that live as long as this. Some may be plaintext: wiped.
#[derive(Default)]
pub(crate) struct Texts(Vec<CString>);
impl Texts {
    pub fn give(&mut self, text: &str) -> *const c_char {
        let text = c_string(text);
        let pointer = text.as_ptr();
        self.0.push(text);
        pointer
    }
    pub fn clear(&mut self) {
        self.0.drain(..).for_each(|text| wipe(&mut text.into_bytes()));
    }
}
impl Drop for Texts {
    fn drop(&mut self) {
        self.clear();
    }
}
/// With U+FFFD for a NUL, which C could not see.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text).or_else(|_| CString::new(text.replace('\0', "\u{fffd}"))).unwrap_or_default()
}
