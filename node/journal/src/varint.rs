//! LEB128 integers in their only canonical form, with an upper bound at every reading place.
//!
//! Owns the two functions; never allocates beyond the ten bytes it appends.
//!
//! Invariant: a value has exactly one encoding that `take` accepts (shortest form, at most 64 bits).

/// Appends `value`, 1–10 bytes.
pub fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a value of at most `max` from the front of `input`; `None` if it is cut, not canonical or too large.
pub fn take(input: &mut &[u8], max: u64) -> Option<u64> {
    let mut value = 0u64;
    for (index, &byte) in input.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7f);
        if index == 9 && byte > 1 {
            return None;
        }
        value |= bits << (7 * index);
        if byte & 0x80 == 0 {
            if index > 0 && byte == 0 {
                return None;
            }
            *input = &input[index + 1..];
            return (value <= max).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_and_only_from_its_shortest_form() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
            let mut out = Vec::new();
            put(&mut out, value);
            let mut input = &out[..];
            assert_eq!(take(&mut input, u64::MAX), Some(value));
            assert!(input.is_empty());
            for cut in 0..out.len() {
                assert_eq!(take(&mut &out[..cut], u64::MAX), None, "cut at {cut}");
            }
            if value > 0 {
                assert_eq!(take(&mut &out[..], value - 1), None, "above its bound");
            }
            let longer = out.len();
            out[longer - 1] |= 0x80;
            out.push(0);
            assert_eq!(take(&mut &out[..], u64::MAX), None, "{value} in a longer form");
        }
        let too_long = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(take(&mut &too_long[..], u64::MAX), None, "more than 64 bits");
        assert_eq!(take(&mut &[0x80u8; 30][..], u64::MAX), None, "no end");
    }
}
