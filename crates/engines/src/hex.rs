//! Bytes as hexadecimal digits.

pub(crate) fn encode(bytes: &[u8]) -> Vec<u8> {
    let digit = |n: u8| char::from_digit(n.into(), 16).map_or(b'0', |c| c as u8);
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}
/// Of either case. `None`: something else, or half a byte.
pub(crate) fn decode(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_hexadecimal_is_refused() {
        assert_eq!(encode(&[0, 0x1f, 0xff]), b"001fff");
        assert_eq!(decode(b"001FfF"), Some(vec![0, 0x1f, 0xff]));
        for bad in [&b"0"[..], b"0g", b" 00", b"00\0\0", b"0x00", "é".as_bytes()] {
            assert_eq!(decode(bad), None);
        }
    }
    proptest! {
        #[test]
        fn there_and_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
