use std::{fmt, str::FromStr};

/// The place of an event in a distributed trace: the context of the PRODUCER span that appended it
/// (W3C Trace Context, level 1).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// The trace; never all zeros.
    pub trace_id: [u8; 16],
    /// The span; never all zeros.
    pub span_id: [u8; 8],
    /// Trace flags; bit 0 is `sampled`.
    pub flags: u8,
    /// The vendors' `tracestate`; empty when there is none.
    pub state: String,
}

/// A `traceparent` header that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("traceparent {0:?} is not of the form 00-<32 hex digits>-<16 hex digits>-<2 hex digits>")]
pub struct InvalidTraceParent(String);

impl TraceContext {
    /// Whether the trace is recorded.
    pub const fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }
    /// The context as a `traceparent` header's value.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", Hex(&self.trace_id), Hex(&self.span_id), self.flags)
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceParent;

    /// Reads a `traceparent` header's value. As the specification demands, a later version's extra fields are
    /// passed over.
    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        parse(text).ok_or_else(|| InvalidTraceParent(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<TraceContext> {
    let mut parts = text.split('-');
    let [version] = hex(parts.next()?)?;
    let trace_id = hex(parts.next()?)?;
    let span_id = hex(parts.next()?)?;
    let [flags] = hex(parts.next()?)?;
    let known = version == 0 && parts.next().is_none() || version > 0 && version < 0xff;
    let set = trace_id != [0; 16] && span_id != [0; 8];
    (known && set).then(|| TraceContext { trace_id, span_id, flags, state: String::new() })
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 || digits.iter().any(|c| !matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({})", self.traceparent())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparent_goes_there_and_back() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context: TraceContext = text.parse().unwrap();
        assert!(context.is_sampled());
        assert_eq!(context.traceparent(), text);
    }

    #[test]
    fn what_the_specification_calls_invalid_is_refused() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
        ] {
            assert!(bad.parse::<TraceContext>().is_err(), "{bad}");
        }
        assert!(
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra".parse::<TraceContext>().is_ok()
        );
    }
}
