//! The form of a snapshot in a file:
//!
//! ```text
//!   line 1   annals-aggregate-snapshot 2 <XXH3-128 of all that follows the line, 32 hex digits>
//!   line 2   JSON object: log_id, stream, version, sequence, event_id, schema
//!   rest     the state
//! ```

use super::{Snapshot, SnapshotSchema};
use annals_event::{Sequence, StreamName, Version};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use xxhash_rust::xxh3::xxh3_128;

const MAGIC: &str = "annals-aggregate-snapshot 2 ";
const HASH_DIGITS: usize = 32;

#[derive(Serialize, Deserialize)]
struct Head {
    log_id: String,
    stream: String,
    version: u64,
    sequence: u64,
    event_id: String,
    schema: String,
}

pub(super) fn to_bytes(snapshot: &Snapshot) -> Result<Vec<u8>, serde_json::Error> {
    let mut body = serde_json::to_vec(&Head {
        log_id: snapshot.log_id.to_string(),
        stream: snapshot.stream.as_str().to_owned(),
        version: snapshot.version.get(),
        sequence: snapshot.sequence.get(),
        event_id: snapshot.event_id.to_string(),
        schema: snapshot.schema.as_str().to_owned(),
    })?;
    body.push(b'\n');
    body.extend_from_slice(&snapshot.state);
    let mut bytes = format!("{MAGIC}{:032x}\n", xxh3_128(&body)).into_bytes();
    bytes.append(&mut body);
    Ok(bytes)
}

/// The snapshot in `bytes`, or what is wrong with them.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<Snapshot, String> {
    let rest =
        bytes.strip_prefix(MAGIC.as_bytes()).ok_or("it does not begin like a snapshot of this format")?;
    let (hash, rest) = rest.split_at_checked(HASH_DIGITS).ok_or("it ends within its checksum")?;
    let body = rest.strip_prefix(b"\n").ok_or("its first line does not end")?;
    if hash != format!("{:032x}", xxh3_128(body)).as_bytes() {
        return Err("its checksum does not match".into());
    }
    let end = body.iter().position(|&byte| byte == b'\n').ok_or("its second line does not end")?;
    let (head, state) = body.split_at(end);
    let head: Head = serde_json::from_slice(head).map_err(|error| error.to_string())?;
    Ok(Snapshot {
        log_id: parse(&head.log_id)?,
        stream: StreamName::new(&head.stream).map_err(|error| error.to_string())?,
        version: Version::new(head.version),
        sequence: Sequence::new(head.sequence),
        event_id: parse(&head.event_id)?,
        schema: SnapshotSchema::new(head.schema),
        state: Bytes::copy_from_slice(state.get(1..).unwrap_or_default()),
    })
}

fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_event::{EventId, LogId};

    fn snapshot() -> Snapshot {
        Snapshot {
            log_id: LogId::from_bytes([1; 16]),
            stream: StreamName::new("order-../1").unwrap(),
            version: Version::new(7),
            sequence: Sequence::new(70),
            event_id: EventId::from_bytes([2; 16]),
            schema: SnapshotSchema::new("shop::Order 3 0a"),
            state: Bytes::from_static(b"{\"total\":1}\n"),
        }
    }

    #[test]
    fn a_snapshot_goes_there_and_back() {
        assert_eq!(from_bytes(&to_bytes(&snapshot()).unwrap()), Ok(snapshot()));
    }

    #[test]
    fn the_bytes_of_format_2_never_change() {
        let expected = "annals-aggregate-snapshot 2 eabf4b456050a6fc9790f1405e263ef1\n\
            {\"log_id\":\"01010101-0101-0101-0101-010101010101\",\"stream\":\"order-../1\",\"version\":7,\
            \"sequence\":70,\"event_id\":\"02020202-0202-0202-0202-020202020202\",\"schema\":\"shop::Order 3 0a\"}\n\
            {\"total\":1}\n";
        assert_eq!(String::from_utf8(to_bytes(&snapshot()).unwrap()).unwrap(), expected);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let good = to_bytes(&snapshot()).unwrap();
        for at in 0..good.len() {
            assert!(from_bytes(&good[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(from_bytes(&bad).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}
