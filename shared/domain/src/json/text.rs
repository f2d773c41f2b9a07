//! A JSON text that was walked once and found well-formed, shallow and without twins.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::Pointer;

/// A checked JSON text. Only [`Text::check`] makes one. No `Debug`: it may be a whole body.
#[derive(Clone, Copy)]
pub struct Text<'a>(&'a str);

/// Why a text is refused before anything in it is looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Not UTF-8 (RFC 8259 §8.1).
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// Not JSON.
    #[error("not JSON: line {line}, column {column}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// A member name stands twice in one object (RFC 8259 §4 leaves open which one counts).
    #[error("the member is given twice")]
    Duplicate {
        /// The member.
        pointer: Pointer,
    },
    /// Nested deeper than allowed.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The value that is one level too deep.
        pointer: Pointer,
        /// The limit.
        limit: usize,
    },
}

impl TextError {
    /// Where in the document, as far as that can be said.
    #[must_use]
    pub fn pointer(&self) -> Pointer {
        match self {
            Self::NotUtf8 | Self::Malformed { .. } => Pointer::root(),
            Self::Duplicate { pointer } | Self::TooDeep { pointer, .. } => pointer.clone(),
        }
    }
}

impl<'a> Text<'a> {
    /// Walks the text once. `depth_max` counts the outermost object or array as level 1.
    pub fn check(bytes: &'a [u8], depth_max: usize) -> Result<Self, TextError> {
        let text = std::str::from_utf8(bytes).map_err(|_| TextError::NotUtf8)?;
        let mut path = Vec::new();
        let mut finding = None;
        let walk = Walk { path: &mut path, finding: &mut finding, depth_max };
        let mut json = serde_json::Deserializer::from_str(text);
        let walked = walk.deserialize(&mut json).and_then(|()| json.end());
        match (finding, walked) {
            (Some(finding), _) => Err(finding),
            (None, Ok(())) => Ok(Self(text)),
            (None, Err(error)) => {
                Err(TextError::Malformed { line: error.line(), column: error.column() })
            }
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

enum Segment<'de> {
    Member(Cow<'de, str>),
    Element(usize),
}

struct Walk<'w, 'de> {
    path: &'w mut Vec<Segment<'de>>,
    finding: &'w mut Option<TextError>,
    depth_max: usize,
}

impl<'de> Walk<'_, 'de> {
    fn again(&mut self) -> Walk<'_, 'de> {
        Walk { path: self.path, finding: self.finding, depth_max: self.depth_max }
    }

    fn pointer(&self) -> Pointer {
        self.path.iter().fold(Pointer::root(), |pointer, segment| match segment {
            Segment::Member(name) => pointer.child(name),
            Segment::Element(index) => pointer.element(*index),
        })
    }

    /// Stops the walk; serde's error is only the vehicle, the finding is what is reported.
    fn stop<E: serde::de::Error>(&mut self, finding: TextError) -> E {
        *self.finding = Some(finding);
        E::custom("")
    }

    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.path.len() < self.depth_max {
            return Ok(());
        }
        let (pointer, limit) = (self.pointer(), self.depth_max);
        Err(self.stop(TextError::TooDeep { pointer, limit }))
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        self.enter()?;
        for index in 0.. {
            self.path.push(Segment::Element(index));
            if seq.next_element_seed(self.again())?.is_none() {
                self.path.pop();
                break;
            }
            self.path.pop();
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.enter()?;
        let mut names: Vec<Cow<'de, str>> = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            names.push(name.clone());
            self.path.push(Segment::Member(name));
            map.next_value_seed(self.again())?;
            self.path.pop();
        }
        names.sort_unstable();
        if let Some([twin, ..]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let pointer = self.pointer().child(twin);
            return Err(self.stop(TextError::Duplicate { pointer }));
        }
        Ok(())
    }
}

/// A member's name: borrowed, except where it holds escapes (`"\u0073ub"` is `sub`).
pub(super) struct Name<'de>(pub(super) Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), TextError> {
        Text::check(text.as_bytes(), 4).map(|_| ())
    }

    #[test]
    fn a35_text_that_is_not_json_is_refused() {
        for bad in [
            "",
            "{",
            "{}x",
            "\u{feff}{}",
            "[1,]",
            "1e400",
            "\"\\ud800\"",
            "\"\0\"",
            "nul",
            "{'a':1}",
            "{\"a\":NaN}",
            "01",
        ] {
            assert!(matches!(check(bad), Err(TextError::Malformed { .. })), "{bad:?}");
        }
        assert_eq!(Text::check(b"\"\xff\"", 4).err(), Some(TextError::NotUtf8));
        assert_eq!(Text::check(b"\xff\xfe{\0}\0", 4).err(), Some(TextError::NotUtf8));
    }

    #[test]
    fn a35_a_member_given_twice_is_refused_at_any_level() {
        let found = |text: &str| match check(text) {
            Err(TextError::Duplicate { pointer }) => pointer.to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(found(r#"{"a":1,"a":1}"#), "/a");
        assert_eq!(found(r#"[{"b":[{"sub":1,"c":2,"s\u0075b":1}]}]"#), "/0/b/0/sub");
        assert_eq!(found(r#"{"a/b~":{"x":1,"x":2}}"#), "/a~1b~0/x");
        assert_eq!(check(r#"{"a":{"x":1},"b":{"x":1}}"#), Ok(()));
    }

    proptest::proptest! {
        #[test]
        fn noise_never_panics_and_what_passes_is_what_serde_reads(noise in ".{0,200}") {
            let read: Result<serde_json::Value, _> = serde_json::from_str(&noise);
            if check(&noise).is_ok() {
                proptest::prop_assert!(read.is_ok());
            }
        }

        #[test]
        fn bytes_never_panic(noise: Vec<u8>) {
            let _ = Text::check(&noise, 4);
        }
    }

    #[test]
    fn a35_nesting_is_refused_one_level_beyond_the_limit() {
        assert_eq!(check(r#"{"a":[{"b":{}}]}"#), Ok(()));
        let too_deep = check(r#"{"a":[{"b":{"c":[]}}]}"#);
        assert_eq!(too_deep.map_err(|e| e.pointer().to_string()), Err("/a/0/b/c".to_owned()));
        let bottomless = "[".repeat(10_000);
        assert!(matches!(check(&bottomless), Err(TextError::TooDeep { .. })));
    }
}
