//! Whole transfers: honest ciphers in any chunking, and every way in which a cipher, a server or a disk can fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
mod ciphers;
mod codes;
mod disk;
mod encrypting;
mod names;
mod receiving;
mod sending;

use subrosa_engine::{FileCipher, FileInfo};
use subrosa_files::{Receiving, SendError, Sending, Spool};

fn info(size: usize) -> FileInfo {
    FileInfo { name: "picture.png".into(), content_type: "image/png".into(), size: size as u64, tag: None }
}
fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 + (at >> 8)) as u8).collect()
}
/// The pieces that `lens` cut, and what is left.
fn cut<'a>(mut bytes: &'a [u8], lens: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for len in lens {
        let (piece, rest) = bytes.split_at((*len).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}
fn send(cipher: Option<Box<dyn FileCipher>>, plain: &[u8], lens: &[usize]) -> Result<(FileInfo, Vec<u8>), SendError> {
    let mut wire = Vec::new();
    let mut sending = Sending::new(info(plain.len()), cipher);
    for piece in cut(plain, lens) {
        sending = sending.chunk(piece, &mut wire)?;
    }
    let file = sending.finish(&mut wire)?;
    Ok((file, wire))
}
fn receive<S: Spool>(
    file: FileInfo,
    cipher: Option<Box<dyn FileCipher>>,
    spool: S,
    wire: &[u8],
    lens: &[usize],
) -> Result<S::Published, subrosa_files::ReceiveError> {
    let mut receiving = Receiving::new(file, cipher, spool);
    for piece in cut(wire, lens) {
        receiving = receiving.chunk(piece)?;
    }
    Ok(receiving.finish()?.save().unwrap())
}
