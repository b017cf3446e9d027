//! The form of all that is stored.
use subrosa_engine::codec::{Reader, Writer};

/// `number of parts, which parts, bytes`: what is read in these parts is written again and read the same.
pub fn codec(bytes: &[u8]) {
    let Some((number, rest)) = bytes.split_first() else { return };
    let (parts, bytes) = rest.split_at(usize::from(number % 16).min(rest.len()));
    let (mut input, mut out) = (Reader::new(bytes), Writer::new());
    let whole = parts.iter().all(|part| read(*part, &mut input, &mut out).is_some());
    let written = out.into_bytes();
    if whole {
        let (mut again, mut out) = (Reader::new(&written), Writer::new());
        assert!(parts.iter().all(|part| read(*part, &mut again, &mut out).is_some()));
        assert!(again.is_empty() && again.end().is_some());
        assert_eq!(out.into_bytes(), written);
    }
}
fn read(part: u8, input: &mut Reader<'_>, out: &mut Writer) -> Option<()> {
    match part % 10 {
        0 => drop(out.u8(input.u8()?)),
        1 => drop(out.bool(input.bool()?)),
        2 => drop(out.u32(input.u32()?)),
        3 => drop(out.u64(input.u64()?)),
        4 => drop(out.varint(input.varint()?)),
        5 => drop(out.varint(input.varint32()?.into())),
        6 => drop(out.bytes(input.bytes()?)),
        7 => drop(out.str(input.str()?)),
        8 => drop(out.raw(&input.array::<4>()?)),
        _ => drop(out.option(input.option(Reader::varint)?, |out, n| {
            out.varint(n);
        })),
    }
    Some(())
}
