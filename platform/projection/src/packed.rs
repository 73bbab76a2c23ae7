//! Values as few bytes, for cursors and snapshots. A tag, then:
//!
//! | tag | value | bytes |
//! |---|---|---|
//! | 0 | `NULL` | none |
//! | 1 | an integer | its zigzag as a varint |
//! | 2 | a real | its 64 bits, little-endian |
//! | 3, 4 | text, a blob | its length as a varint, then its bytes |
//!
//! A varint has seven bits in a byte, the lowest first; the eighth says that more follow. Clients keep cursors, and snapshots are files, so a form that
//! was given out is never changed: a new one gets a new format number.

use crate::Value;

pub(crate) fn pack(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => bytes.push(0),
        Value::Integer(number) => {
            bytes.push(1);
            put(bytes, zigzag(*number));
        }
        Value::Real(number) => {
            bytes.push(2);
            bytes.extend(number.to_bits().to_le_bytes());
        }
        Value::Text(text) => put_long(bytes, 3, text.as_bytes()),
        Value::Blob(blob) => put_long(bytes, 4, blob),
    }
}

/// The value that `bytes` begin with, which is taken from them.
pub(crate) fn unpack(bytes: &mut &[u8]) -> Option<Value> {
    Some(match byte(bytes)? {
        0 => Value::Null,
        1 => Value::Integer(unzigzag(take(bytes)?)),
        2 => {
            let (bits, rest) = bytes.split_first_chunk()?;
            *bytes = rest;
            Value::Real(f64::from_bits(u64::from_le_bytes(*bits)))
        }
        3 => Value::Text(String::from_utf8(take_long(bytes)?).ok()?),
        4 => Value::Blob(take_long(bytes)?),
        _ => return None,
    })
}

fn zigzag(number: i64) -> u64 {
    (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned()
}

fn unzigzag(packed: u64) -> i64 {
    (packed >> 1).cast_signed() ^ -(packed & 1).cast_signed()
}

pub(crate) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = byte(bytes)?;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has one bit left to say something with.
        number |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

fn put_long(bytes: &mut Vec<u8>, tag: u8, long: &[u8]) {
    bytes.push(tag);
    put(bytes, long.len().try_into().unwrap_or(u64::MAX));
    bytes.extend(long);
}

fn take_long(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let length = take(bytes)?.try_into().ok()?;
    let (long, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(long.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let integers = [0, 1, -1, 63, 64, -65, 1 << 40, i64::MIN, i64::MAX].map(Value::Integer);
        let reals = [0.0, -0.0, f64::MIN_POSITIVE, f64::INFINITY].map(Value::Real);
        let long = [Value::Text(String::new()), Value::Text("é".repeat(200)), Value::Blob(vec![0, 255])];
        for value in integers.into_iter().chain(reals).chain(long).chain([Value::Null]) {
            let mut bytes = Vec::new();
            pack(&mut bytes, &value);
            let mut left = bytes.as_slice();
            assert_eq!(unpack(&mut left), Some(value));
            assert!(left.is_empty());
            let mut cut = bytes.get(..bytes.len() - 1).unwrap();
            assert_eq!(unpack(&mut cut), None, "{bytes:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_value_are_none() {
        let never_ends = [[1].as_slice(), &[0xff; 10]].concat();
        let too_large = [[1].as_slice(), &[0xff; 9], &[2]].concat();
        for bad in [&[5][..], &[3, 2, b'a'], &[3, 1, 0xff], &[2, 0], &never_ends, &too_large] {
            assert_eq!(unpack(&mut &*bad), None, "{bad:?}");
        }
    }
}
