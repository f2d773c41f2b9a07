//! Trace context: which work belongs to one request, from its source to a target.
//!
//! Read from the source's `traceparent` (W3C Trace Context, level 1, §3.2), or from what X-Ray calls
//! the request, carried with the event, and passed on to targets. It is no part of what is signed,
//! decided or compared: a trace that cannot be read is no trace, and nothing else comes of it.
//! `tracestate` is not passed on: it is the source's own, and targets are somebody else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A trace, and the span in it that whatever comes next is a child of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    id: u128,
    span: u64,
    is_sampled: bool,
}

/// The text is no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a traceparent such as 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
pub struct NoTrace;

impl Trace {
    /// Reads an X-Ray tracing header, `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`
    /// (<https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader>).
    /// Its root is 32 hexadecimal digits in two parts. `None` without a parent: nothing would be
    /// the parent of what comes next.
    #[must_use]
    pub fn from_xray(header: &str) -> Option<Self> {
        let field = |name: &str| {
            header.split(';').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let (epoch, rest) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
        let digits = format!("{epoch}{rest}");
        let id = hex(&digits, 32).filter(|_| epoch.len() == 8)?;
        let span = u64::try_from(hex(field("Parent")?, 16)?).ok()?;
        Self::new(id, span, field("Sampled") == Some("1"))
    }

    /// As an X-Ray tracing header.
    #[must_use]
    pub fn to_xray(&self) -> String {
        let id = format!("{:032x}", self.id);
        let (epoch, rest) = id.split_at(8);
        let is_sampled = u8::from(self.is_sampled);
        format!("Root=1-{epoch}-{rest};Parent={:016x};Sampled={is_sampled}", self.span)
    }

    /// The 32 hexadecimal digits by which logs are found.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:032x}", self.id)
    }

    /// A span of its own in the same trace, always the same for the same work.
    #[must_use]
    pub fn child(&self, work: &str, number: u32) -> Self {
        let mut digest = Sha256::new();
        digest.update(self.id.to_be_bytes());
        digest.update(self.span.to_be_bytes());
        digest.update(number.to_be_bytes());
        digest.update(work);
        let digest = digest.finalize();
        let span = digest.iter().take(8).fold(0, |span, octet| span << 8 | u64::from(*octet));
        // Zero is no span; there is one chance in 2^64.
        Self { span: span.max(1), ..*self }
    }

    fn new(id: u128, span: u64, is_sampled: bool) -> Option<Self> {
        (id != 0 && span != 0).then_some(Self { id, span, is_sampled })
    }
}

/// So many hexadecimal digits, in lower case, as both specifications have it.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let fits = text.len() == digits && text.bytes().all(is_hex);
    fits.then(|| u128::from_str_radix(text, 16).ok())?
}

/// Reads a `traceparent`. What a later version of it appends is not looked at (§3.2.4).
impl FromStr for Trace {
    type Err = NoTrace;

    fn from_str(text: &str) -> Result<Self, NoTrace> {
        let read = || {
            let mut fields = text.splitn(5, '-');
            let version = hex(fields.next()?, 2).filter(|version| *version != 0xff)?;
            let id = hex(fields.next()?, 32)?;
            let span = u64::try_from(hex(fields.next()?, 16)?).ok()?;
            let flags = hex(fields.next()?, 2)?;
            let has_more = fields.next().is_some();
            if has_more && version == 0 { None } else { Self::new(id, span, flags & 1 == 1) }
        };
        read().ok_or(NoTrace)
    }
}

/// As a `traceparent`.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.id, self.span, u8::from(self.is_sampled))
    }
}

impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A stored trace, where there is one that can be read: an event is never lost for want of it.
pub(crate) fn lenient<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Trace>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(text: &str) -> Option<String> {
        text.parse::<Trace>().ok().map(|trace| trace.to_string())
    }

    /// The specification's own example, and its rules for what is not to be believed.
    #[test]
    fn a_traceparent_is_read_as_the_specification_says() {
        assert_eq!(read(PARENT).as_deref(), Some(PARENT));
        let unsampled = PARENT.replace("-01", "-00");
        assert_eq!(read(&unsampled), Some(unsampled));
        // Other flags are not ours to pass on; a later version may append.
        assert_eq!(read(&PARENT.replace("-01", "-ff")).as_deref(), Some(PARENT));
        assert_eq!(read(&PARENT.replace("00-4b", "cc-4b")).as_deref(), Some(PARENT));
        let later = format!("{}-what-comes", PARENT.replace("00-4b", "cc-4b"));
        assert_eq!(read(&later).as_deref(), Some(PARENT));
        for bad in [
            "",
            "00",
            &PARENT.to_uppercase(),
            &PARENT.replace("00-4b", "ff-4b"),
            &PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &PARENT.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &PARENT.replace("4bf9", "4bf"),
            &PARENT.replace("4bf9", "+bf9"),
            &format!("{PARENT}-more"),
            &format!(" {PARENT}"),
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn x_ray_s_header_is_the_same_trace() {
        let trace: Trace = PARENT.parse().expect("valid");
        let header = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";
        assert_eq!(trace.to_xray(), header);
        assert_eq!(Trace::from_xray(header), Some(trace));
        let lineage = format!("{header};Lineage=1:a:0");
        assert_eq!(Trace::from_xray(&lineage), Some(trace));
        for bad in [
            "",
            "arn::myarn",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "Root=1-4bf92f3577b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7",
            "Root=1-4bf92f357-7b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7",
            "Root=2-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7",
        ] {
            assert_eq!(Trace::from_xray(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_attempt_has_a_span_of_its_own_and_always_the_same() {
        let trace: Trace = PARENT.parse().expect("valid");
        let first = trace.child("dlv_a", 1);
        assert_eq!(first, trace.child("dlv_a", 1));
        assert_eq!(first.id(), trace.id());
        let others = [trace.child("dlv_a", 2), trace.child("dlv_b", 1), trace];
        assert!(others.iter().all(|other| other.span != first.span));
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(id in 1u128.., span in 1u64.., is_sampled: bool) {
            let trace = Trace { id, span, is_sampled };
            prop_assert_eq!(trace.to_string().parse(), Ok(trace));
            prop_assert_eq!(Trace::from_xray(&trace.to_xray()), Some(trace));
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<Trace>();
            let _ = Trace::from_xray(&text);
        }
    }
}
