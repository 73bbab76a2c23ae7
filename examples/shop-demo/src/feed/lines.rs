//! The lines of a file, one at a time, in bounded memory whatever the file holds.

use std::io::{self, BufRead, Read};

/// How long a line may be. A purchase takes about 25 bytes.
pub const LINE_BYTES_MAX: usize = 1024;

/// One line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// Where it ends in the file: how many bytes were read so far.
    pub end_bytes: u64,
    /// Its text without the end of line, or why it has none.
    pub text: Result<String, &'static str>,
}

/// Reads lines.
pub struct Lines<R> {
    reader: R,
    number: u64,
    read_bytes: u64,
}

impl<R: BufRead> Lines<R> {
    /// The lines of what `reader` reads.
    pub fn new(reader: R) -> Self {
        Self { reader, number: 0, read_bytes: 0 }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        let bytes_max = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
        let read = self.reader.by_ref().take(bytes_max).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.count(read);
        self.number += 1;
        let complete = bytes.last() == Some(&b'\n') || self.at_end()?;
        let text = if complete { text_of(bytes) } else { self.skip_rest() }?;
        Ok(Some(Line { number: self.number, end_bytes: self.read_bytes, text }))
    }

    fn at_end(&mut self) -> io::Result<bool> {
        self.reader.fill_buf().map(<[u8]>::is_empty)
    }

    fn skip_rest(&mut self) -> io::Result<Result<String, &'static str>> {
        let skipped = self.reader.skip_until(b'\n')?;
        self.count(skipped);
        Ok(Err("it is too long for a purchase"))
    }

    fn count(&mut self, bytes: usize) {
        self.read_bytes = self.read_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;
    fn next(&mut self) -> Option<io::Result<Line>> {
        self.read().transpose()
    }
}

fn text_of(bytes: Vec<u8>) -> io::Result<Result<String, &'static str>> {
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8");
    Ok(text.map(|text| text.trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<(u64, Result<String, &'static str>)> {
        Lines::new(bytes).map(|line| line.unwrap()).map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn lines_are_numbered_from_one_and_lose_their_ends() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(read(b"a\r\nb\n\nc"), [(1, ok("a")), (2, ok("b")), (3, ok("")), (4, ok("c"))]);
        assert_eq!(read(b""), []);
        assert_eq!(Lines::new(&b"ab\ncd"[..]).last().unwrap().unwrap().end_bytes, 5);
    }

    #[test]
    fn a_line_that_is_too_long_or_not_text_hurts_no_other() {
        let mut file = b"first\n".to_vec();
        file.extend(vec![b'x'; 10 * LINE_BYTES_MAX]);
        file.extend(b"\n\xff\xfe\nlast\n");
        let lines = read(&file);
        assert_eq!(lines[1], (2, Err("it is too long for a purchase")));
        assert_eq!(lines[2], (3, Err("it is not UTF-8")));
        assert_eq!(lines[3], (4, Ok("last".to_owned())));
        let exact = "y".repeat(LINE_BYTES_MAX);
        assert_eq!(read(exact.as_bytes()), [(1, Ok(exact))]);
    }
}
