//! Bodies that travel compressed: `Content-Encoding: deflate`, which is the zlib form (RFC 1950), as in HTTP. Liblinphone sends
//! every notice and receipt of 256 bytes and more so, without asking.
use crate::BodyError;
use std::io::Read as _;

/// The body as it was, of at most `limit` bytes.
///
/// # Errors
/// [`BodyError::TooLarge`], before more than `limit` bytes of memory are used; [`BodyError::Malformed`].
pub fn inflated(body: &[u8], limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut out = Vec::new();
    let room = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::ZlibDecoder::new(body).take(room).read_to_end(&mut out).map_err(|_| BodyError::Malformed("deflate encoding"))?;
    if out.len() > limit { Err(BodyError::TooLarge(out.len())) } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn deflated(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = deflated(&vec![0; 8 << 20]);
        assert!(bomb.len() < 10_000);
        assert_eq!(inflated(&bomb, 65_536), Err(BodyError::TooLarge(65_537)));
        assert_eq!(inflated(&deflated(&[7; 65_536]), 65_536).unwrap().len(), 65_536);
    }

    #[test]
    fn what_is_not_zlib_is_refused() {
        let whole = deflated(b"hello hello hello");
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        for bad in [&b""[..], b"hello", whole.get(..whole.len() - 1).unwrap(), &changed] {
            assert_eq!(inflated(bad, 100), Err(BodyError::Malformed("deflate encoding")), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_deflated_comes_back(body: Vec<u8>) {
            prop_assert_eq!(inflated(&deflated(&body), 1 << 20), Ok(body));
        }
        #[test]
        fn anything(bytes: Vec<u8>) {
            let _ = inflated(&bytes, 100);
        }
    }
}
