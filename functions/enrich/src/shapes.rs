//! Shapes: how callers ask about a login, and how they want to be answered.
//!
//! Our own shape comes over HTTP or by a direct Invoke. Two platforms ask in theirs: Amazon Cognito
//! ([`cognito`]) and Microsoft Entra ([`entra`]). Each is two pure functions. One puts the
//! platform's question into our words, the JSON of `POST /v1/enrich/login`, so that one parser
//! reads every login; the other puts a decision into the platform's words.
//!
//! Both platforms ask for claims and know neither block nor challenge. What they do know is a
//! failure, after which no token is issued; so whatever is not an allow is one, and the only way to
//! an answer with claims is an [`Admitted`].

pub(crate) mod cognito;
pub(crate) mod entra;

use std::borrow::Cow;

use domain::enrich::{Claims, Decision};
use domain::ingest::Refusal;
use domain::json::{Object, Pointer, Problems, Text};
use domain::limits::{EVENT_BYTES_MAX, JSON_DEPTH_MAX};
use domain::subscription::Action;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// What a payload of the function is, judged by the members that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// HTTP API's envelope.
    Http,
    /// A trigger of an Amazon Cognito user pool.
    Cognito,
    /// The login itself.
    Direct,
}

impl Shape {
    /// The text stays as it came: parsed once into a tree, a member given twice would no longer be
    /// seen.
    pub(crate) fn of(payload: &str) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Members {
            request_context: Option<Context>,
            trigger_source: Option<IgnoredAny>,
        }
        #[derive(Deserialize)]
        struct Context {
            http: Option<IgnoredAny>,
        }
        match serde_json::from_str(payload) {
            Ok(Members { request_context: Some(Context { http: Some(_) }), .. }) => Self::Http,
            Ok(Members { trigger_source: Some(_), .. }) => Self::Cognito,
            Ok(Members { .. }) | Err(_) => Self::Direct,
        }
    }
}

/// A platform's login in our words. No `Debug`: it holds personal data.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Login<'a> {
    client_id: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// Epoch milliseconds: when the platform stops waiting.
    deadline: u64,
    data: LoginData<'a>,
}

/// The limited user information of a login, and nothing else of what the platform knows.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct LoginData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_method: Option<Cow<'a, str>>,
    user: User<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family_name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<Cow<'a, str>>,
}

/// Reads a platform's question: text that can be read in only one way, and no larger than ours may
/// be. Members that are not asked for are let be, since they are the platform's to add.
fn read<'a, T>(
    question: &'a [u8],
    take: impl FnOnce(Object<'a>, &mut Problems) -> Option<T>,
) -> Result<T, Refusal> {
    if question.len() > EVENT_BYTES_MAX {
        let pointer = Pointer::root();
        return Err(Refusal::TooLarge { pointer, limit_bytes: EVENT_BYTES_MAX });
    }
    let text = Text::check(question, JSON_DEPTH_MAX).map_err(Refusal::Text)?;
    let mut problems = Problems::default();
    let taken = Object::read(text, Pointer::root(), &mut problems)
        .and_then(|object| take(object, &mut problems));
    match taken {
        Some(taken) if problems.is_empty() => Ok(taken),
        _ => Err(Refusal::Invalid(problems.into_vec())),
    }
}

/// Takes a member that must be an object.
fn require_object<'a>(
    parent: &mut Object<'a>,
    name: &str,
    problems: &mut Problems,
) -> Option<Object<'a>> {
    let member = parent.take_object(name, problems);
    parent.require(name, member, problems)
}

/// Takes a member that must be this text, or says what to do about it.
fn require_text(
    parent: &mut Object<'_>,
    name: &str,
    expected: &str,
    otherwise: &str,
    problems: &mut Problems,
) {
    let is_it = |text: &str| if text == expected { Ok(()) } else { Err(otherwise) };
    let found = parent.take_parsed(name, problems, is_it);
    parent.require(name, found, problems);
}

/// What is wrong with a question, in one sentence: where, and never what stands there.
pub(crate) fn first_problem(refusal: &Refusal) -> String {
    match refusal {
        Refusal::MediaType => "it is not application/json without Content-Encoding".to_owned(),
        Refusal::Encoding => "it is marked as Base64 and is not".to_owned(),
        Refusal::Text(error) => error.to_string(),
        Refusal::AnotherLogin => "its request ID was used just now for another login".to_owned(),
        Refusal::TooLarge { limit_bytes, .. } => format!("it is larger than {limit_bytes} bytes"),
        Refusal::Invalid(problems) | Refusal::Conflict(problems) => {
            let first = problems.first();
            first.map(|it| format!("{} {}", it.pointer, it.detail)).unwrap_or_default()
        }
    }
}

/// A login that is let in, with its claims.
#[derive(Clone, Copy)]
pub(crate) struct Admitted<'a> {
    claims: &'a Claims,
}

impl<'a> Admitted<'a> {
    /// Whether a decision lets the login in. A challenge does not: nobody would put it.
    pub(crate) fn of(decision: &'a Decision) -> Result<Self, NotAdmitted> {
        match decision.action {
            Action::Allow => Ok(Self { claims: &decision.custom_claims }),
            Action::Challenge => Err(NotAdmitted::Challenged),
            Action::Block => Err(NotAdmitted::Blocked),
        }
    }
}

/// Why a platform gets no claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// The decision is to block.
    Blocked,
    /// The decision is to challenge, and the platform has no challenge to put at this point.
    Challenged,
    /// The decision allows, with a claim that the platform would drop or refuse. A claim may take
    /// rights away as well as give them, so a login without it is another than was decided.
    ClaimNotCarried(String),
    /// The decision allows, with more claims than the platform takes.
    ClaimsTooLarge,
}

impl NotAdmitted {
    /// As a code, for logs and problem documents.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Blocked => "login-blocked",
            Self::Challenged => "login-challenged",
            Self::ClaimNotCarried(_) => "claim-not-carried",
            Self::ClaimsTooLarge => "claims-too-large",
        }
    }

    /// As a sentence, which the end user may come to read.
    pub(crate) const fn sentence(&self) -> &'static str {
        match self {
            Self::Blocked => "This login is blocked",
            Self::Challenged => "This login needs a further check that cannot be made here",
            Self::ClaimNotCarried(_) | Self::ClaimsTooLarge => "This login cannot be completed",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A decision with these claims, as if a target had made it.
    pub(crate) fn decision(action: Action, claims: Claims) -> Decision {
        Decision {
            action,
            custom_claims: claims,
            decision_id: "0199e2f4-7c00-7000-8000-000000000000".to_owned(),
            degraded: false,
            explanation: String::new(),
            budget_ms: None,
            repeated: false,
            reasons: Vec::new(),
            targets: Vec::new(),
            elapsed_ms: 1,
        }
    }

    #[test]
    fn a_payload_is_known_by_its_members() {
        let of = Shape::of;
        assert_eq!(of(r#"{"requestContext":{"http":{"method":"POST"}}}"#), Shape::Http);
        assert_eq!(
            of(r#"{"version":"2","triggerSource":"TokenGeneration_HostedAuth"}"#),
            Shape::Cognito
        );
        assert_eq!(of(r#"{"triggerSource":7}"#), Shape::Cognito);
        for direct in [
            r#"{"clientId":"c","sub":"u"}"#,
            r#"{"requestContext":{}}"#,
            r#"{"triggerSource":"a","triggerSource":"b"}"#,
            "[]",
            "null",
        ] {
            assert_eq!(of(direct), Shape::Direct, "{direct}");
        }
    }

    #[test]
    fn only_an_allow_admits() {
        let admitted = |action| {
            let decision = decision(action, Claims::new());
            Admitted::of(&decision).map(|_| ())
        };
        assert_eq!(admitted(Action::Allow), Ok(()));
        assert_eq!(admitted(Action::Challenge), Err(NotAdmitted::Challenged));
        assert_eq!(admitted(Action::Block), Err(NotAdmitted::Blocked));
    }
}
