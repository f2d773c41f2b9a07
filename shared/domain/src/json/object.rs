//! One JSON object taken apart member by member, with complaints that say where.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::text::Name;
use super::{Pointer, Text};
use crate::limits::PROBLEMS_MAX;
use crate::time::Timestamp;

/// Something wrong with a value from outside. Its sentence may be shown to whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub pointer: Pointer,
    /// What was expected.
    pub detail: String,
}

/// The complaints gathered on the way, so that a caller hears of all of them at once.
///
/// At most 50 are kept, whatever the document: an answer must stay smaller than what it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    kept: Vec<Problem>,
    left_out: usize,
}

impl Problems {
    /// Adds a complaint.
    pub fn add(&mut self, pointer: Pointer, detail: impl Into<String>) {
        if self.kept.len() < PROBLEMS_MAX {
            self.kept.push(Problem { pointer, detail: detail.into() });
        } else {
            self.left_out += 1;
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Adds the complaints of another list.
    pub fn append(&mut self, other: Self) {
        self.left_out += other.left_out;
        for Problem { pointer, detail } in other.kept {
            self.add(pointer, detail);
        }
    }

    /// The complaints, in the order of the document, and one more that counts those left out.
    #[must_use]
    pub fn into_vec(self) -> Vec<Problem> {
        let mut all = self.kept;
        if self.left_out > 0 {
            let detail = format!("and {} more problems", self.left_out);
            all.push(Problem { pointer: Pointer::root(), detail });
        }
        all
    }
}

/// An object's members in their order, values unread. Members are *taken*; [`Object::finish`]
/// complains of those that nobody asked for. No `Debug`: it may be a whole body.
pub struct Object<'a> {
    pointer: Pointer,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    /// Takes a checked text apart. `None`, with a complaint, when it is not an object.
    pub fn read(text: Text<'a>, pointer: Pointer, problems: &mut Problems) -> Option<Self> {
        Self::read_str(text.as_str(), pointer, problems)
    }

    /// Takes apart a member of a checked text.
    pub fn read_raw(raw: &'a RawValue, pointer: Pointer, problems: &mut Problems) -> Option<Self> {
        Self::read_str(raw.get(), pointer, problems)
    }

    fn read_str(text: &'a str, pointer: Pointer, problems: &mut Problems) -> Option<Self> {
        if let Ok(Members(members)) = serde_json::from_str(text) {
            Some(Self { pointer, members })
        } else {
            problems.add(pointer, "expected an object");
            None
        }
    }

    /// Where this object stands.
    #[must_use]
    pub fn pointer(&self) -> &Pointer {
        &self.pointer
    }

    /// Where a member of it stands.
    #[must_use]
    pub fn at(&self, name: &str) -> Pointer {
        self.pointer.child(name)
    }

    /// Whether a member is there and has not been taken. A `null` counts as absent.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(member, value)| member == name && value.get() != "null")
    }

    /// Takes a member as it is written, a `null` too.
    pub fn take_member(&mut self, name: &str) -> Option<&'a RawValue> {
        let index = self.members.iter().position(|(member, _)| member == name)?;
        Some(self.members.remove(index).1)
    }

    /// Takes a member as it is written. A `null` counts as absent.
    pub fn take_raw(&mut self, name: &str) -> Option<&'a RawValue> {
        self.take_member(name).filter(|value| value.get() != "null")
    }

    /// Takes a string member.
    pub fn take_str(&mut self, name: &str, problems: &mut Problems) -> Option<Cow<'a, str>> {
        let value = self.take_raw(name)?;
        let read = serde_json::from_str(value.get()).ok().map(|Name(text)| text);
        if read.is_none() {
            problems.add(self.at(name), "expected a string");
        }
        read
    }

    /// Takes a string member and parses it into something better.
    pub fn take_parsed<T, E: fmt::Display>(
        &mut self,
        name: &str,
        problems: &mut Problems,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.take_str(name, problems)?;
        parse(&text).map_err(|error| problems.add(self.at(name), error.to_string())).ok()
    }

    /// Takes a moment in RFC 3339.
    pub fn take_moment(&mut self, name: &str, problems: &mut Problems) -> Option<Timestamp> {
        self.take_parsed(name, problems, |text| {
            Timestamp::parse_rfc3339(text)
                .ok_or("expected an RFC 3339 moment such as 2026-11-23T10:00:00Z")
        })
    }

    /// Takes an array of strings.
    pub fn take_strings(&mut self, name: &str, problems: &mut Problems) -> Option<Vec<String>> {
        let value = self.take_raw(name)?;
        let read = serde_json::from_str(value.get()).ok();
        if read.is_none() {
            problems.add(self.at(name), "expected an array of strings");
        }
        read
    }

    /// Takes a member that is itself an object.
    pub fn take_object(&mut self, name: &str, problems: &mut Problems) -> Option<Object<'a>> {
        let value = self.take_raw(name)?;
        Self::read_str(value.get(), self.at(name), problems)
    }

    /// Says that a member must be there.
    pub fn require<T>(&self, name: &str, value: Option<T>, problems: &mut Problems) -> Option<T> {
        // A member that is there but wrong has been complained of already.
        // Beyond the cap nobody remembers who complained of what.
        let told = problems.left_out > 0
            || problems.kept.iter().any(|problem| problem.pointer == self.at(name));
        if value.is_none() && !told {
            problems.add(self.at(name), "is required");
        }
        value
    }

    /// Complains of every member that was not taken.
    pub fn finish(self, known: &str, problems: &mut Problems) {
        for (name, _) in &self.members {
            problems.add(self.pointer.child(name), format!("is not known here; known are {known}"));
        }
    }

    /// The members that were not taken, in their order.
    #[must_use]
    pub fn into_rest(self) -> Vec<(Cow<'a, str>, &'a RawValue)> {
        self.members
    }
}

/// The members of an object in their order, values unread.
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of a value; none of one that is no object.
    #[must_use]
    pub fn of(value: &'a RawValue) -> Vec<(Cow<'a, str>, &'a RawValue)> {
        serde_json::from_str(value.get()).map(|Self(members)| members).unwrap_or_default()
    }
}

/// Writes one more member into an object that is still open.
pub(crate) fn push_member(json: &mut String, name: &str, value: &RawValue) {
    if !json.ends_with('{') {
        json.push(',');
    }
    json.push_str(&Value::from(name).to_string());
    json.push(':');
    json.push_str(value.get());
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(text: &'a str, problems: &mut Problems) -> Object<'a> {
        let text = Text::check(text.as_bytes(), 32).expect("well-formed");
        Object::read(text, Pointer::root(), problems).expect("an object")
    }

    #[test]
    fn every_complaint_says_where_and_each_thing_is_said_once() {
        let mut problems = Problems::default();
        let mut object =
            read(r#"{"id":7,"at":"noon","tags":["a",1],"who":[],"x":0}"#, &mut problems);
        let id = object.take_str("id", &mut problems);
        object.require("id", id, &mut problems);
        object.require::<()>("type", None, &mut problems);
        object.take_moment("at", &mut problems);
        object.take_strings("tags", &mut problems);
        assert!(object.take_object("who", &mut problems).is_none());
        object.finish("id and type", &mut problems);
        let said: Vec<_> = problems
            .into_vec()
            .into_iter()
            .map(|p| format!("{} {}", p.pointer, p.detail))
            .collect();
        assert_eq!(
            said,
            [
                "/id expected a string",
                "/type is required",
                "/at expected an RFC 3339 moment such as 2026-11-23T10:00:00Z",
                "/tags expected an array of strings",
                "/who expected an object",
                "/x is not known here; known are id and type",
            ]
        );
    }

    #[test]
    fn a_document_full_of_problems_is_answered_briefly() {
        let mut problems = Problems::default();
        let members: Vec<_> = (0..1_000).map(|n| format!(r#""m{n}":0"#)).collect();
        let text = format!("{{{}}}", members.join(","));
        read(&text, &mut problems).finish("none", &mut problems);
        let all = problems.into_vec();
        assert_eq!(all.len(), PROBLEMS_MAX + 1);
        assert_eq!(all[PROBLEMS_MAX].detail, "and 950 more problems");
    }

    #[test]
    fn escaped_names_are_the_names_they_mean_and_null_is_absent() {
        let mut problems = Problems::default();
        let mut object = read(r#"{"s\u0075b":"u1","data":null}"#, &mut problems);
        assert_eq!(object.take_str("sub", &mut problems).as_deref(), Some("u1"));
        assert!(object.take_object("data", &mut problems).is_none());
        object.finish("", &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
    }
}
