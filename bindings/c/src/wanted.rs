//! Outputs that want something from a server: requests, and files to upload.
#![allow(unsafe_code)] // exports
use crate::cipher::Cipher;
use crate::content::Content;
use crate::error::get;
use crate::handle::{give, live, lock};
use crate::outputs::{COutputs, Cursor, look, words};
use std::ffi::{c_char, c_int};
use subrosa_engine::*;

/// Ties the answer to the request: for `subrosa_machine_answer`. A request comes again, under the same id, until it is answered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_request_id(outputs: *const COutputs) -> u64 {
    look(outputs, 0, |output, _| if let Output::Request(id, _) = output { Some(id.0) } else { None })
}
fn node_of(output: &Output) -> Option<&Node> {
    match output {
        Output::Request(_, Request::Fetch(node) | Request::Delete(node) | Request::Publish { node, .. }) => Some(node),
        _ => None,
    }
}
/// Under whose address the node is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_node_owner(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| node_of(output).map(|node| node.owner.as_str()))
}
/// The name of the node.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_node(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| node_of(output).map(|node| node.name.as_str()))
}
/// The item within it; NULL: all that it has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_item(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| node_of(output)?.item.as_deref())
}
/// How many items the node of a publication keeps: 0 for the latest only, not 0 for as many as the server allows.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_keeps_many(outputs: *const COutputs) -> c_int {
    look(
        outputs,
        0,
        |output, _| if let Output::Request(_, Request::Publish { keep, .. }) = output { Some((*keep == Keep::Many).into()) } else { None },
    )
}
/// The service of an exchange.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_service(outputs: *const COutputs) -> *const c_char {
    words(outputs, |output| if let Output::Request(_, Request::Exchange { service, .. }) = output { Some(service.as_str()) } else { None })
}

/// The file that is to be uploaded, with its key. A new reference: give it back with `subrosa_content_unref`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_get_file(outputs: *const COutputs) -> *mut Content {
    look(outputs, std::ptr::null_mut(), |output, _| {
        let Output::Upload { file, encryption, .. } = output else { return None };
        Some(give(Content::new(file, encryption.as_ref().map(|(key, _)| key))))
    })
}
/// What runs over the file, to be taken once. It is yours, on any thread, with the engine it began with: give it back with
/// `subrosa_cipher_free`. NULL: the file goes in clear, as a person allowed, or the cipher was taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subrosa_output_take_cipher(outputs: *mut COutputs) -> *mut Cipher {
    get(std::ptr::null_mut(), || {
        let mut cursor = lock(&unsafe { live(outputs) }?.0);
        let Cursor { current: Some(current), cipher_taken: taken @ false, .. } = &mut *cursor else { return Ok(std::ptr::null_mut()) };
        let Output::Upload { file, encryption: Some((_, cipher)), .. } = &mut current.output else { return Ok(std::ptr::null_mut()) };
        *taken = true;
        Ok(Cipher::give(std::mem::replace(cipher, Box::new(Taken)), file.clone()))
    })
}
/// In the place of a cipher that C took.
struct Taken;
impl FileCipher for Taken {
    fn chunk(&mut self, _: u64, _: &[u8], _: &mut Vec<u8>) -> Result<usize, Status> {
        Err(Status::INTERNAL)
    }
    fn finish(self: Box<Self>, _: &mut FileInfo, _: &mut Vec<u8>) -> Result<(), Status> {
        Err(Status::INTERNAL)
    }
}
