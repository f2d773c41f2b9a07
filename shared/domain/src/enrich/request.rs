//! The question that a login journey asks us, over HTTP or by a direct Invoke.

use crate::event::{Arrival, Event};
use crate::event_type::{EventTypeNames, Source};
use crate::id::EventId;
use crate::ingest::{GivenBy, Refusal};
use crate::json::{Object, Pointer, Problems, Text};
use crate::limits::{EVENT_BYTES_MAX, JSON_DEPTH_MAX};
use crate::time::{Deadline, Timestamp};

/// A login to decide: `{"clientId","propertyId","sub","requestId","deadline","data"}`, of which
/// `clientId` and `sub` must be there.
#[derive(Clone, Copy)]
pub struct LoginRequest<'a> {
    /// The JSON text.
    pub body: &'a [u8],
}

/// A login, parsed.
pub struct Login {
    /// The login event that targets are sent. Its ID is the request's.
    pub event: Event,
    /// The name under which it may be asked about again: the caller's `requestId`, or what a
    /// platform's question is known by. Without one, nobody can ask again.
    pub name: Option<EventId>,
    /// The caller's own deadline.
    pub deadline: Option<Deadline>,
}

impl LoginRequest<'_> {
    /// Parses the login, or says everything that is wrong with it.
    pub fn parse(
        self,
        names: &EventTypeNames,
        now: Timestamp,
        dice: [u8; 10],
    ) -> Result<Login, Refusal> {
        if self.body.len() > EVENT_BYTES_MAX {
            return Err(Refusal::TooLarge {
                pointer: Pointer::root(),
                limit_bytes: EVENT_BYTES_MAX,
            });
        }
        let text = Text::check(self.body, JSON_DEPTH_MAX).map_err(Refusal::Text)?;
        let mut problems = Problems::default();
        let arrival = Arrival { source: Source::NextIdentity, accepted_at: now, names, dice };
        let login = Object::read(text, Pointer::root(), &mut problems).and_then(|mut object| {
            let deadline = take_deadline(&mut object, &mut problems);
            let given_by = GivenBy::of(&object, "requestId");
            let event = Event::parse_login(object, arrival, &mut problems)?;
            let name = match given_by {
                GivenBy::Producer => Some(event.id.clone()),
                GivenBy::Us => None,
            };
            Some(Login { event, name, deadline })
        });
        match login {
            Some(login) if problems.is_empty() => Ok(login),
            _ => Err(Refusal::Invalid(problems.into_vec())),
        }
    }
}

/// Epoch milliseconds, or RFC 3339.
fn take_deadline(object: &mut Object<'_>, problems: &mut Problems) -> Option<Deadline> {
    let raw = object.take_raw("deadline")?;
    let moment = match serde_json::from_str::<serde_json::Value>(raw.get()) {
        Ok(serde_json::Value::Number(number)) => number.as_u64().map(Timestamp::from_ms),
        Ok(serde_json::Value::String(text)) => Timestamp::parse_rfc3339(&text),
        _ => None,
    };
    if moment.is_none() {
        let pointer = object.at("deadline");
        problems.add(pointer, "expected epoch milliseconds or an RFC 3339 moment");
    }
    moment.map(Deadline::at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Login, Refusal> {
        let now = Timestamp::from_ms(1_795_428_000_000);
        LoginRequest { body: body.as_bytes() }.parse(&EventTypeNames::default(), now, [1; 10])
    }

    #[test]
    fn a_login_becomes_a_login_event_of_this_moment() {
        let login = parse(
            r#"{"clientId":"c1","sub":"u1","requestId":"r1","deadline":1795428001000,"data":{"ip":"1.2.3.4"}}"#,
        ).expect("valid");
        assert_eq!(login.event.id.as_str(), "r1");
        assert_eq!(login.event.scope.key(), "CLIENT#c1");
        assert_eq!(login.deadline, Some(Deadline::at(Timestamp::from_ms(1_795_428_001_000))));
        assert_eq!(login.name, Some(login.event.id));
        for nameless in ["", r#","requestId":null"#] {
            let login = parse(&format!(r#"{{"clientId":"c1","sub":"u1"{nameless}}}"#));
            assert_eq!(login.expect("valid").name, None, "{nameless}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_login_is_said_by_pointer() {
        let said = |body: &str| match parse(body) {
            Err(Refusal::Invalid(problems)) => {
                problems.into_iter().map(|p| format!("{} {}", p.pointer, p.detail)).collect()
            }
            Err(other) => vec![format!("{other:?}")],
            Ok(_) => Vec::new(),
        };
        assert_eq!(said("{}"), ["/sub is required", "/clientId is required"]);
        assert_eq!(
            said(r#"{"clientId":"c","sub":"u","deadline":"soon","type":"login"}"#),
            [
                "/deadline expected epoch milliseconds or an RFC 3339 moment",
                "/type is not known here; known are clientId, propertyId, sub, requestId, deadline and data",
            ]
        );
        assert_eq!(
            said(r#"{"clientId":"c","sub":"u","data":{"ip":4}}"#),
            ["/data/ip expected a string"]
        );
        assert_eq!(said("[]"), [" expected an object"]);
    }
}
