//! The stream beside RustCrypto's one call, the transfer beside its bare cipher, and the memory of a large file:
//! `cargo bench -p subrosa-files --bench files [-- --json]`.
//!
//! Measured by hand, not by criterion, as the ratchet is: what counts are ratios. Both sides take turns within a round (who begins
//! changes), a round gives one ratio, and the median is shown.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, aead::inout::InOutBuf};
use getrandom::{SysRng, rand_core::UnwrapErr};
use std::hint::black_box;
use std::io::{Read, sink};
use std::time::Instant;
use subrosa_engine::{FileCipher, FileInfo, FileKey};
use subrosa_files::gcm::{Decryptor, Encryptor};
use subrosa_files::{AesGcm, Encrypting, Layout, Receiving, Sending};

const CHUNK: usize = 64 * 1024;
const LARGE: usize = 16 << 20;
const GIGABYTE: u64 = 1_000_000_000;

struct Line {
    name: &'static str,
    value: f64,
    floor: f64,
    ratio: f64,
    limit: f64,
}
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
/// `batch` operations a round each, in microseconds. Short rounds and many: what else the machine does falls into few of them.
fn compare(name: &'static str, limit: f64, (rounds, batch): (usize, u32), mut floor: impl FnMut(), mut ours: impl FnMut()) -> Line {
    let (mut times, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let clock = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..batch).for_each(|_| work());
        start.elapsed().as_secs_f64() * 1e6 / f64::from(batch)
    };
    for round in 0..rounds + 2 {
        let (floor, ours) = if round % 2 == 0 {
            let floor = clock(&mut floor);
            (floor, clock(&mut ours))
        } else {
            let ours = clock(&mut ours);
            (clock(&mut floor), ours)
        };
        // the first two warm up
        if round >= 2 {
            times.push(ours);
            floors.push(floor);
            ratios.push(ours / floor);
        }
    }
    Line { name, value: median(&mut times), floor: median(&mut floors), ratio: median(&mut ratios), limit }
}

fn one_shot(key: &[u8; 32], data: &mut [u8]) -> [u8; 16] {
    Aes256Gcm::new(key.into()).encrypt_inout_detached(&[9; 12].into(), &[], InOutBuf::from(data)).unwrap().into()
}
fn stream(key: &[u8; 32], data: &mut [u8]) -> [u8; 16] {
    let mut encryptor = Encryptor::new(key, &[9; 12], &[]).unwrap();
    data.chunks_mut(CHUNK).for_each(|chunk| encryptor.update(chunk).unwrap());
    encryptor.finish()
}
/// Its floor is the encryption: the same stream and the same hash, where a decryption in one call that refuses does half of the work.
fn stream_back(key: &[u8; 32], data: &mut [u8]) {
    let mut decryptor = Decryptor::new(key, &[9; 12], &[]).unwrap();
    data.chunks_mut(CHUNK).for_each(|chunk| decryptor.update(chunk).unwrap());
    let _ = black_box(decryptor.finish(&[0; 16]));
}

fn file(size: u64) -> FileInfo {
    FileInfo { name: "f".into(), content_type: "application/octet-stream".into(), size, tag: None }
}
fn key() -> FileKey {
    Layout::AES256.generate(&mut UnwrapErr(SysRng))
}

/// The most memory that this process ever had, in megabytes; none where that can't be told.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes * 1024.0 / 1e6)
}
/// From a reader through [`Encrypting`] and [`Receiving`] to nowhere. Seconds.
fn transfer(size: u64) -> f64 {
    let start = Instant::now();
    let key = key();
    let mut body = Encrypting::new(std::io::repeat(7).take(size), file(size), Some(Box::new(AesGcm::upload(&key, Layout::AES256).unwrap())));
    // the tag is known when the last byte has left, so it is told afterwards, as the message tells it
    let sent = body.sent();
    let mut receiving = Receiving::new(file(size), Some(Box::new(Late(AesGcm::download(&key, Layout::AES256).unwrap(), sent))), sink());
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = body.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        receiving = receiving.chunk(&buffer[..read]).unwrap();
    }
    receiving.finish().unwrap().save().unwrap();
    start.elapsed().as_secs_f64()
}
struct Late(AesGcm, subrosa_files::Sent);
impl FileCipher for Late {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, subrosa_engine::Status> {
        self.0.chunk(offset, input, output)
    }
    fn finish(self: Box<Self>, file: &mut FileInfo, output: &mut Vec<u8>) -> Result<(), subrosa_engine::Status> {
        file.tag = self.1.take().unwrap().unwrap().tag;
        Box::new(self.0).finish(file, output)
    }
}

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    // first, before anything else makes the peak
    let before = peak();
    let seconds = transfer(GIGABYTE);
    let added = before.zip(peak()).map(|(before, after)| after - before);

    let secret = [5; 32];
    let mut data: Vec<u8> = (0..LARGE).map(|at| (at * 31) as u8).collect();
    let mut other = data.clone();
    assert_eq!(one_shot(&secret, &mut data), stream(&secret, &mut other));
    assert_eq!(data, other);
    let mut lines = vec![
        compare(
            "encrypt_16mib",
            1.0 / 0.95,
            (61, 1),
            || {
                black_box(one_shot(&secret, &mut data));
            },
            || {
                black_box(stream(&secret, &mut other));
            },
        ),
        compare(
            "decrypt_16mib",
            1.0 / 0.95,
            (61, 1),
            || {
                black_box(one_shot(&secret, &mut data));
            },
            || stream_back(&secret, &mut other),
        ),
        compare(
            "encrypt_64kib",
            1.0 / 0.95,
            (601, 8),
            || {
                black_box(one_shot(&secret, &mut data[..CHUNK]));
            },
            || {
                black_box(stream(&secret, &mut other[..CHUNK]));
            },
        ),
        compare(
            "decrypt_64kib",
            1.0 / 0.95,
            (601, 8),
            || {
                black_box(one_shot(&secret, &mut data[..CHUNK]));
            },
            || stream_back(&secret, &mut other[..CHUNK]),
        ),
    ];

    let chunk = &data[..CHUNK];
    let key = key();
    let mut bare: Box<dyn FileCipher> = Box::new(AesGcm::upload(&key, Layout::AES256).unwrap());
    let (mut offset, mut wire, mut wire_bare) = (0, Vec::new(), Vec::new());
    let mut sending = Some(Sending::new(file(u64::MAX), Some(Box::new(AesGcm::upload(&key, Layout::AES256).unwrap()))));
    lines.push(compare(
        "hook_send_64kib",
        1.02,
        (601, 8),
        || {
            wire_bare.clear();
            offset += bare.chunk(offset, black_box(chunk), &mut wire_bare).unwrap() as u64;
            black_box(&wire_bare);
        },
        || {
            wire.clear();
            sending = Some(sending.take().unwrap().chunk(black_box(chunk), &mut wire).unwrap());
            black_box(&wire);
        },
    ));
    let mut bare: Box<dyn FileCipher> = Box::new(AesGcm::download(&key, Layout::AES256).unwrap());
    let mut offset = 0;
    let mut receiving = Some(Receiving::new(file(u64::MAX), Some(Box::new(AesGcm::download(&key, Layout::AES256).unwrap())), sink()));
    lines.push(compare(
        "hook_receive_64kib",
        1.02,
        (601, 8),
        || {
            wire_bare.clear();
            offset += bare.chunk(offset, black_box(chunk), &mut wire_bare).unwrap() as u64;
            black_box(&wire_bare);
        },
        || receiving = Some(receiving.take().unwrap().chunk(black_box(chunk)).unwrap()),
    ));

    let rate = GIGABYTE as f64 / 1e6 / seconds;
    if json {
        for Line { name, value, floor, ratio, limit } in &lines {
            println!(r#"{{"name":"files/{name}","value":{value:.2},"unit":"µs","floor":{floor:.2},"ratio":{ratio:.3},"limit":{limit:.3}}}"#);
        }
        if let Some(added) = added {
            println!(r#"{{"name":"files/memory_1gb","value":{added:.1},"unit":"MB","floor":null,"ratio":null,"limit":16}}"#);
        }
        println!(r#"{{"name":"files/transfer_1gb","value":{rate:.0},"unit":"MB/s","floor":null,"ratio":null}}"#);
        return;
    }
    println!("{:<22}{:>12}{:>12}{:>8}{:>8}", "", "ours", "floor", "ratio", "at most");
    for Line { name, value, floor, ratio, limit } in &lines {
        let verdict = if ratio > limit { "  missed" } else { "" };
        println!("{name:<22}{value:>9.1} µs{floor:>9.1} µs{ratio:>8.3}{limit:>8.3}{verdict}");
    }
    println!(
        "1 GB from reader to receiver at {rate:.0} MB/s, {} MB of added memory",
        added.map_or("unknown".to_owned(), |added| format!("{added:.1}"))
    );
}
