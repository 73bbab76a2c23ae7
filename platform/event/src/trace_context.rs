use crate::trace_state;
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
    /// The vendors' `tracestate`; empty when there is none. See [`with_state`](Self::with_state).
    pub state: String,
}

/// A malformed `traceparent` header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("traceparent {0:?} is not of the form 00-<32 hex digits>-<16 hex digits>-<2 hex digits>")]
pub struct InvalidTraceParent(String);

/// The flag of a trace that is recorded.
const SAMPLED: u8 = 1;

impl TraceContext {
    /// The context in a request's `traceparent` and `tracestate` headers. What is malformed counts as absent, and so
    /// do two parents: a bad header must not fail a request.
    pub fn from_headers<P: AsRef<[u8]>, S: AsRef<[u8]>>(
        parents: impl IntoIterator<Item = P>,
        states: impl IntoIterator<Item = S>,
    ) -> Option<Self> {
        let mut parents = parents.into_iter();
        let (parent, second) = (parents.next()?, parents.next());
        let parent = std::str::from_utf8(parent.as_ref()).ok()?;
        let context: Self = parent.trim_matches([' ', '\t']).parse().ok()?;
        second.is_none().then(|| context.with_state(states))
    }

    /// The same with the `tracestate` of these headers, in their order, at most 32 members and 512 bytes. One bad
    /// member discards all of it.
    pub fn with_state<S: AsRef<[u8]>>(self, states: impl IntoIterator<Item = S>) -> Self {
        Self { state: trace_state::join(states), ..self }
    }

    /// Whether the trace is recorded.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED == SAMPLED
    }
    /// The context as a `traceparent` header's value.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", Hex(&self.trace_id), Hex(&self.span_id), self.flags)
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceParent;

    /// Reads a `traceparent` header's value. As the specification demands, a later version's extra fields are
    /// ignored.
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
    // The other flags mean nothing yet, and are not passed on.
    let flags = flags & SAMPLED;
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
    fn headers_are_a_context_when_there_is_one_parent() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff";
        let context = TraceContext::from_headers([parent], ["a=1", "b=2"]).unwrap();
        assert_eq!((context.flags, context.state.as_str()), (1, "a=1,b=2"));
        assert_eq!(TraceContext::from_headers([parent], ["a=1,=,b=2"]).unwrap().state, "");
        assert_eq!(TraceContext::from_headers([parent, parent], ["a=1"]), None);
        assert_eq!(TraceContext::from_headers([format!("{parent},{parent}")], ["a=1"]), None);
        assert_eq!(TraceContext::from_headers::<&str, _>([], ["a=1"]), None);
        assert_eq!(TraceContext::from_headers([b"\xff"], ["a=1"]), None);
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
