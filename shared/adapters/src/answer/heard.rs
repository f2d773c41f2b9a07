//! What ingest answers, read by who has asked: the other way round than
//! [`of_ingest`](super::of_ingest).

use serde_json::Value;

/// An answer of `POST /v1/events`.
#[derive(Clone, PartialEq, Eq)]
pub enum Heard {
    /// Every event is stored: their IDs, in the order of the request.
    Accepted(Vec<String>),
    /// Our trouble: the same request is to be made again.
    Unavailable {
        /// IDs of events that are stored all the same.
        stored: Vec<String>,
        /// IDs of events that are to be repeated.
        not_stored: Vec<String>,
    },
    /// The request is wrong, and nothing of it is stored.
    Refused {
        /// Why, in general.
        title: String,
        /// What to do about it.
        detail: String,
        /// What is wrong, by JSON Pointers.
        errors: Vec<(String, String)>,
    },
    /// Not an answer of ours: somebody before us says no, or has crashed.
    Strange {
        /// The status code.
        status: u16,
        /// What API Gateway or Lambda says, where it says something.
        message: Option<String>,
    },
}

/// Why somebody before us turns a request away, where their status code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// Whoever asks has not shown who they are.
    Unauthorized,
    /// Whoever asks may not.
    Forbidden,
    /// There is no such route.
    NotFound,
}

impl TurnedAway {
    /// Reads a status code that was heard with [`Heard::Strange`].
    #[must_use]
    pub const fn of(status: u16) -> Option<Self> {
        match status {
            401 => Some(Self::Unauthorized),
            403 => Some(Self::Forbidden),
            404 => Some(Self::NotFound),
            _ => None,
        }
    }
}

impl Heard {
    /// Reads an answer by what it says of itself.
    #[must_use]
    pub fn read(status: u16, body: &[u8]) -> Self {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        if let Some(accepted) = ids(&said["accepted"]) {
            return Self::Accepted(accepted);
        }
        if let (Some(stored), Some(not_stored)) = (ids(&said["stored"]), ids(&said["notStored"])) {
            return Self::Unavailable { stored, not_stored };
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if said["type"].is_string() && said["title"].is_string() {
            let errors = said["errors"].as_array();
            let error = |error: &Value| (text(&error["pointer"]), text(&error["detail"]));
            return Self::Refused {
                title: text(&said["title"]),
                detail: text(&said["detail"]),
                errors: errors.into_iter().flatten().map(error).collect(),
            };
        }
        // API Gateway and Lambda spell it differently.
        let message = said["message"].as_str().or(said["Message"].as_str());
        Self::Strange { status, message: message.map(str::to_owned) }
    }
}

/// `[{"id":…}]`
fn ids(list: &Value) -> Option<Vec<String>> {
    let id = |entry: &Value| entry["id"].as_str().map(str::to_owned);
    list.as_array()?.iter().map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{HttpAnswer, of_ingest};
    use super::*;
    use domain::id::EventId;
    use domain::ingest::{Answer, Refusal};
    use domain::json::{Pointer, Problem};

    fn heard(answer: &Answer) -> Heard {
        let HttpAnswer { status, body, .. } = of_ingest(answer);
        Heard::read(status, body.as_bytes())
    }

    #[test]
    fn what_ingest_answers_is_heard_as_it_is_meant() {
        let id = |text: &str| EventId::parse(text).expect("an ID");
        let accepted = heard(&Answer::Accepted(vec![id("e1"), id("e2")]));
        assert!(accepted == Heard::Accepted(vec!["e1".to_owned(), "e2".to_owned()]));
        let unavailable = heard(&Answer::Unavailable {
            stored: vec![id("e1")],
            not_stored: vec![id("e2")],
            retry_after_s: 2,
        });
        let (stored, not_stored) = (vec!["e1".to_owned()], vec!["e2".to_owned()]);
        assert!(unavailable == Heard::Unavailable { stored, not_stored });
        let problem =
            Problem { pointer: Pointer::root().child("sub"), detail: "is required".to_owned() };
        for refusal in [Refusal::MediaType, Refusal::Invalid(vec![problem])] {
            let told = heard(&Answer::Refused(refusal.clone()));
            let Heard::Refused { errors, .. } = told else { unreachable!("not a refusal") };
            let is_told = errors == [("/sub".to_owned(), "is required".to_owned())];
            assert!(is_told || refusal == Refusal::MediaType);
        }
    }

    #[test]
    fn what_others_answer_is_strange() {
        for (body, message) in [
            (r#"{"message":"Forbidden"}"#, Some("Forbidden")),
            (r#"{"Message":"Forbidden"}"#, Some("Forbidden")),
            ("<html>", None),
            ("", None),
        ] {
            let message = message.map(str::to_owned);
            assert!(Heard::read(403, body.as_bytes()) == Heard::Strange { status: 403, message });
        }
    }
}
