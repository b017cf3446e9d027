//! Ciphers, good and bad. All of them flip bits; what differs is how they keep the contract.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use subrosa_engine::{FileCipher, FileInfo, Status};

pub const KEY: u8 = 0x5a;

/// By offset, so that a byte offered at a wrong one comes out wrong.
pub fn flip(offset: u64, input: &[u8], output: &mut Vec<u8>) {
    output.extend(input.iter().zip(offset..).map(|(byte, at)| byte ^ KEY ^ at as u8));
}

/// What it does with so many bytes at this offset.
pub struct With<F>(pub F);
impl<F: FnMut(u64, &[u8], &mut Vec<u8>) -> Result<usize, Status> + Send> FileCipher for With<F> {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        (self.0)(offset, input, output)
    }
    fn finish(self: Box<Self>, _: &mut FileInfo, _: &mut Vec<u8>) -> Result<(), Status> {
        Ok(())
    }
}
pub fn with(f: impl FnMut(u64, &[u8], &mut Vec<u8>) -> Result<usize, Status> + Send + 'static) -> Box<dyn FileCipher> {
    Box::new(With(f))
}

/// Takes all of it.
pub fn whole() -> Box<dyn FileCipher> {
    with(|offset, input, output| {
        flip(offset, input, output);
        Ok(input.len())
    })
}
/// Takes multiples of 16, but at the end of the file, which it knows by its size: what Liblinphone's own engines do.
pub fn multiples(size: usize) -> Box<dyn FileCipher> {
    with(move |offset, input, output| {
        let last = offset + input.len() as u64 >= size as u64;
        let taken = if last { input.len() } else { input.len() / 16 * 16 };
        flip(offset, &input[..taken], output);
        Ok(taken)
    })
}
/// Takes at most so much at once.
pub fn at_most(most: usize) -> Box<dyn FileCipher> {
    with(move |offset, input, output| {
        let taken = input.len().min(most);
        flip(offset, &input[..taken], output);
        Ok(taken)
    })
}
/// Takes nothing before it sees so many bytes together, or the end.
pub fn only_together(least: usize, size: usize) -> Box<dyn FileCipher> {
    with(move |offset, input, output| {
        let last = offset + input.len() as u64 >= size as u64;
        let taken = if last || input.len() >= least { input.len() } else { 0 };
        flip(offset, &input[..taken], output);
        Ok(taken)
    })
}
/// Keeps everything to itself until the final call.
#[derive(Default)]
pub struct Hoarder(Vec<u8>);
impl FileCipher for Hoarder {
    fn chunk(&mut self, offset: u64, input: &[u8], _: &mut Vec<u8>) -> Result<usize, Status> {
        flip(offset, input, &mut self.0);
        Ok(input.len())
    }
    fn finish(self: Box<Self>, file: &mut FileInfo, output: &mut Vec<u8>) -> Result<(), Status> {
        output.extend(&self.0);
        // as an engine that does not know better
        file.size = 1;
        Ok(())
    }
}
/// Twice as many bytes as it takes.
pub fn to_hex() -> Box<dyn FileCipher> {
    with(|_, input, output| {
        output.extend(input.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
        Ok(input.len())
    })
}
pub fn from_hex() -> Box<dyn FileCipher> {
    with(|_, input, output| {
        for pair in input.chunks_exact(2) {
            output.push(u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        }
        Ok(input.len() / 2 * 2)
    })
}

/// Refuses at this byte.
pub fn refuses_at(byte: u64, status: Status) -> Box<dyn FileCipher> {
    with(move |offset, input, output| {
        flip(offset, input, output);
        if offset + input.len() as u64 > byte { Err(status) } else { Ok(input.len()) }
    })
}
/// Says that it took more than there was.
pub fn greedy(by: usize) -> Box<dyn FileCipher> {
    with(move |offset, input, output| {
        flip(offset, input, output);
        Ok(input.len().saturating_add(by))
    })
}
/// Takes nothing, ever, and counts how often it was asked.
pub fn never(calls: Arc<AtomicU64>) -> Box<dyn FileCipher> {
    with(move |_, _, _| {
        calls.fetch_add(1, Ordering::Relaxed);
        Ok(0)
    })
}
/// Empties the output.
pub fn takes_back() -> Box<dyn FileCipher> {
    with(|_, input, output| {
        output.clear();
        Ok(input.len())
    })
}

/// Panics where it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panics {
    Chunk,
    Finish,
}
impl FileCipher for Panics {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        flip(offset, input, output);
        assert_ne!(*self, Panics::Chunk);
        Ok(input.len())
    }
    fn finish(self: Box<Self>, _: &mut FileInfo, _: &mut Vec<u8>) -> Result<(), Status> {
        assert_ne!(*self, Panics::Finish);
        Ok(())
    }
}
/// Panics while it is dropped, after it said so: what a cipher wipes then must be wiped in any case.
#[derive(Default)]
pub struct DropPanics(pub Arc<AtomicU64>);
impl FileCipher for DropPanics {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        flip(offset, input, output);
        Ok(input.len())
    }
    fn finish(self: Box<Self>, _: &mut FileInfo, _: &mut Vec<u8>) -> Result<(), Status> {
        Ok(())
    }
}
impl Drop for DropPanics {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("dropped");
    }
}
/// Refuses the final call.
pub struct Denies(pub Status);
impl FileCipher for Denies {
    fn chunk(&mut self, offset: u64, input: &[u8], output: &mut Vec<u8>) -> Result<usize, Status> {
        flip(offset, input, output);
        Ok(input.len())
    }
    fn finish(self: Box<Self>, _: &mut FileInfo, output: &mut Vec<u8>) -> Result<(), Status> {
        output.extend(b"the end");
        Err(self.0)
    }
}
