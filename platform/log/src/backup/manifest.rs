//! The manifest: a few lines for people and programs, the last one with the checksum of those before it.

use super::Backup;
use crate::num::crc32c;
use annals_event::{Sequence, Timestamp};

const TITLE: &str = "annals backup, format 1";

pub(super) fn encode(backup: &Backup) -> String {
    let Backup { log_id, first, head, chain, taken_at } = backup;
    let taken_at = taken_at.as_micros();
    let body = format!(
        "{TITLE}\nlog {log_id}\nfirst {first}\nhead {head}\nchain {chain:032x}\ntaken_at_us {taken_at}\n"
    );
    let crc = crc32c(body.as_bytes());
    format!("{body}crc32c {crc:08x}\n")
}

/// What the manifest says; `None` when it is damaged, or none.
pub(super) fn parse(text: &str) -> Option<Backup> {
    let mut lines = text.lines();
    let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
    if field("annals backup, format")? != "1" {
        return None;
    }
    let backup = Backup {
        log_id: field("log")?.parse().ok()?,
        first: Sequence::new(field("first")?.parse().ok()?),
        head: Sequence::new(field("head")?.parse().ok()?),
        chain: u128::from_str_radix(field("chain")?, 16).ok()?,
        taken_at: Timestamp::from_micros(field("taken_at_us")?.parse().ok()?),
    };
    (encode(&backup) == text).then_some(backup)
}

#[cfg(test)]
mod tests {
    use super::*;
    use annals_event::LogId;

    fn backup() -> Backup {
        Backup {
            log_id: LogId::from_bytes([7; 16]),
            first: Sequence::FIRST,
            head: Sequence::new(99),
            chain: 0xABC,
            taken_at: Timestamp::from_micros(1_700_000_000_000_000),
        }
    }

    #[test]
    fn a_manifest_has_these_lines() {
        let text = encode(&backup());
        let lines = [
            "annals backup, format 1",
            "log 07070707-0707-0707-0707-070707070707",
            "first 1",
            "head 99",
            "chain 00000000000000000000000000000abc",
            "taken_at_us 1700000000000000",
        ];
        assert_eq!(text.lines().take(6).collect::<Vec<_>>(), lines);
        assert_eq!(parse(&text), Some(backup()));
    }

    #[test]
    fn a_flipped_bit_makes_a_manifest_unusable() {
        let text = encode(&backup());
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(std::str::from_utf8(&bytes).ok().and_then(parse).is_none(), "bit {bit}");
        }
    }
}
