//! Durations, sizes and rates as people write them: a whole number and a unit. A bare number is refused, because whoever
//! reads it has to guess.

use std::time::Duration;

const TIMES: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// A duration such as `30s`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let say = "write 500ms, 30s, 5m, 2h or 365d";
    quantity(text, &TIMES, say).map(Duration::from_millis)
}

/// A number of bytes such as `200 GiB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    quantity(text, &SIZES, "write 512 B, 16 KiB, 1 MiB, 200 GiB or 1 TB")
}

/// Bytes a second such as `4 MiB/s`.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let say = "write 512 KiB/s or 4 MiB/s; 0 B/s is never";
    let Some(size) = text.trim().strip_suffix("/s") else {
        return Err(match text.trim().parse::<f64>() {
            Ok(_) => format!("{text} has no unit; {say}"),
            Err(_) => format!("{text:?} is no number of bytes a second; {say}"),
        });
    };
    quantity(size, &SIZES, say)
}

fn quantity(text: &str, units: &[(&str, u64)], say: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start();
    if number.is_empty() || unit.starts_with(['.', '_', ',']) {
        return Err(format!("{text:?} is no whole number with a unit; {say}"));
    }
    if unit.is_empty() {
        return Err(format!("{text} has no unit; {say}"));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("{unit:?} in {text:?} is no unit; {say}"));
    };
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    number.ok_or_else(|| format!("{text} is too much"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_unit_is_taken_with_and_without_a_space() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2 h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(size("200 GiB"), Ok(200 << 30));
        assert_eq!(size("1MB"), Ok(1_000_000));
        assert_eq!(rate("4 MiB/s"), Ok(4 << 20));
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_what_to_write() {
        let told = |refused: Result<u64, String>| refused.unwrap_err();
        let time = |text| duration(text).unwrap_err();
        assert_eq!(time("30"), "30 has no unit; write 500ms, 30s, 5m, 2h or 365d");
        assert_eq!(time("1.5h"), "\"1.5h\" is no whole number with a unit; write 500ms, 30s, 5m, 2h or 365d");
        assert_eq!(time("3 weeks"), "\"weeks\" in \"3 weeks\" is no unit; write 500ms, 30s, 5m, 2h or 365d");
        assert_eq!(time("s"), "\"s\" is no whole number with a unit; write 500ms, 30s, 5m, 2h or 365d");
        assert_eq!(time("99999999999999999d"), "99999999999999999d is too much");
        assert_eq!(
            told(size("1mb")),
            "\"mb\" in \"1mb\" is no unit; write 512 B, 16 KiB, 1 MiB, 200 GiB or 1 TB"
        );
        assert_eq!(told(rate("4")), "4 has no unit; write 512 KiB/s or 4 MiB/s; 0 B/s is never");
        assert_eq!(
            told(rate("4 MiB")),
            "\"4 MiB\" is no number of bytes a second; write 512 KiB/s or 4 MiB/s; 0 B/s is never"
        );
    }
}
