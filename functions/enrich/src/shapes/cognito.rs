//! Amazon Cognito: the pre token generation trigger of a user pool, event version `V2_0`.
//!
//! Cognito invokes the function itself, waits five seconds, and issues tokens once it gets the
//! event back with `response` filled in. An error of the function fails the login, and its message
//! reaches the application, and through hosted pages the end user.
//! <https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-token-generation.html>
//!
//! The event names no login, and each of Cognito's tries is another invocation to Lambda. So a login is
//! known by all that the event says: a try that is repeated while the login is decided, or within ten
//! seconds after, is the same, and its target is asked once (`domain::enrich::once`). Two logins of a
//! user that say the same so shortly after one another are one as well; an application that wants them
//! apart says something of its own in `clientMetadata`. To the target each question has a `jti` of its
//! own, as ever: an answer to an earlier login is none to a later one.

use std::borrow::Cow;

use domain::enrich::ClaimValue;
use domain::id::{ClientId, EventId, Sub};
use domain::ingest::Refusal;
use domain::json::{Members, Object, Problems, canonical};
use domain::limits::COGNITO_ANSWER_MS;
use domain::time::Timestamp;
use lambda_runtime::Diagnostic;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Admitted, Login, LoginData, NotAdmitted, User, first_problem, read, require_object,
    require_text,
};

/// `LambdaVersion` `V2_0`, as the event spells it.
const VERSION: &str = "2";

/// What issues tokens to a user. `TokenGeneration_ClientCredentials`, which only `V3_0` has, issues
/// them to a machine.
const SOURCES: [&str; 5] = [
    "TokenGeneration_HostedAuth",
    "TokenGeneration_Authentication",
    "TokenGeneration_NewPasswordChallenge",
    "TokenGeneration_AuthenticateDevice",
    "TokenGeneration_RefreshTokens",
];

/// Claims that a trigger cannot set: Cognito issues the token with its own value, or with none, and
/// says nothing. Those of the list that no target may set anywhere are not repeated here.
const KEPT: [&str; 6] =
    ["identities", "origin_jti", "username", "device_key", "event_id", "version"];

/// What Cognito's own claims begin with. `cognito:groups` and its kin choose the IAM role that a
/// token is worth; the pool's administrators give them, and no target.
const KEPT_PREFIXES: [&str; 3] = ["cognito:", "aws:", "dev:"];

/// Claims that hold one value and no array.
const SINGLE: [&str; 4] = ["phone_number_verified", "email_verified", "updated_at", "address"];

/// A trigger's event, understood. No `Debug`: it holds personal data.
pub(crate) struct Trigger<'a> {
    login: String,
    name: EventId,
    members: Vec<(Cow<'a, str>, &'a RawValue)>,
    groups: Option<&'a RawValue>,
}

impl<'a> Trigger<'a> {
    /// Understands an event that arrives now.
    pub(crate) fn parse(event: &'a RawValue, now: Timestamp) -> Result<Self, Refusal> {
        read(event.get().as_bytes(), |object, problems| {
            let (login, name, groups) = take_login(object, now, problems)?;
            Some(Self { login, name, members: Members::of(event), groups })
        })
    }

    /// The login in our words.
    pub(crate) fn login(&self) -> &str {
        &self.login
    }

    /// What the login is known by, should it be asked about again.
    pub(crate) fn name(&self) -> &EventId {
        &self.name
    }

    /// The event as it came, with the claims of a login that is let in for both tokens.
    pub(crate) fn answer(&self, admitted: Admitted<'_>) -> Result<Box<RawValue>, NotAdmitted> {
        let kept = admitted.claims.iter().find(|(name, value)| is_kept(name, value));
        if let Some((name, _)) = kept {
            return Err(NotAdmitted::ClaimNotCarried(name.clone()));
        }
        let tokens = Tokens { claims_to_add_or_override: admitted.claims };
        let overrides = Overrides {
            id_token_generation: &tokens,
            access_token_generation: &tokens,
            group_override_details: self.groups,
        };
        let response = Response { claims_and_scope_override_details: overrides };
        let echo = Echo { members: &self.members, response };
        Ok(to_raw_value(&echo).expect("strings, numbers and raw JSON always serialise"))
    }
}

fn take_login<'a>(
    mut event: Object<'a>,
    now: Timestamp,
    problems: &mut Problems,
) -> Option<(String, EventId, Option<&'a RawValue>)> {
    let otherwise = "expected \"2\": set the trigger's LambdaVersion to V2_0";
    require_text(&mut event, "version", VERSION, otherwise, problems);
    let source = event.take_parsed("triggerSource", problems, |text| {
        let known = SOURCES.iter().find(|source| **source == text);
        known.copied().ok_or_else(|| format!("expected one of {}", SOURCES.join(", ")))
    });
    let source = event.require("triggerSource", source, problems);
    let pool = event.take_str("userPoolId", problems);
    let pool = event.require("userPoolId", pool, problems);
    let client_id = require_object(&mut event, "callerContext", problems).and_then(|mut caller| {
        let client_id = caller.take_parsed("clientId", problems, ClientId::parse);
        caller.require("clientId", client_id, problems)
    });
    let said = event.take_raw("request");
    let said = event.require("request", said, problems)?;
    let mut request = Object::read_raw(said, event.at("request"), problems)?;
    let groups = request.take_raw("groupConfiguration");
    let mut user = require_object(&mut request, "userAttributes", problems)?;
    let sub = user.take_parsed("sub", problems, Sub::parse);
    let sub = user.require("sub", sub, problems);
    let data = LoginData {
        ip: None,
        // A refresh is no login; a target may want to know.
        auth_method: source.map(Cow::Borrowed),
        user: User {
            email: user.take_str("email", problems),
            phone_number: user.take_str("phone_number", problems),
            given_name: user.take_str("given_name", problems),
            family_name: user.take_str("family_name", problems),
            locale: user.take_str("locale", problems),
        },
    };
    let (pool, source, client_id, sub) = (pool?, source?, client_id?, sub?);
    let mut text = String::with_capacity(said.get().len());
    canonical::write(said, &mut text);
    let name = EventId::of_content(&["cognito", &pool, client_id.as_str(), source, &text]);
    let login = Login {
        client_id: client_id.as_str(),
        sub: sub.as_str(),
        request_id: None,
        deadline: now.plus_ms(COGNITO_ANSWER_MS).as_ms(),
        data,
    };
    Some((serde_json::to_string(&login).ok()?, name, groups))
}

/// Whether a claim would not reach the tokens as the target meant it.
fn is_kept(name: &str, value: &ClaimValue) -> bool {
    let folded = name.to_ascii_lowercase();
    let is_list = match value {
        ClaimValue::List(_) => true,
        ClaimValue::Text(_) | ClaimValue::Flag(_) | ClaimValue::Integer(_) => false,
    };
    KEPT.contains(&folded.as_str())
        || KEPT_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
        || (is_list && SINGLE.contains(&folded.as_str()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    claims_and_scope_override_details: Overrides<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Overrides<'a> {
    id_token_generation: &'a Tokens<'a>,
    access_token_generation: &'a Tokens<'a>,
    /// The request's own: without them the user would be in no group.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_override_details: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tokens<'a> {
    claims_to_add_or_override: &'a domain::enrich::Claims,
}

/// The event, member by member as it came, with a response of ours.
struct Echo<'a> {
    members: &'a [(Cow<'a, str>, &'a RawValue)],
    response: Response<'a>,
}

impl Serialize for Echo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.members.iter().filter(|(name, _)| name != "response") {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("response", &self.response)?;
        map.end()
    }
}

/// Why the function fails an invocation of Cognito's: no tokens are to be issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTokens {
    /// The login is not let in. The sentence may be read by the end user.
    #[error("{sentence}. Reference: {decision_id}")]
    NotAdmitted {
        /// What it comes to.
        code: &'static str,
        /// In words.
        sentence: &'static str,
        /// By which a support engineer finds the log line.
        decision_id: String,
    },
    /// The trigger's event cannot be used; the trigger is set up in another way, most likely.
    #[error("the event of the trigger cannot be used: {0}")]
    Event(String),
}

impl NoTokens {
    pub(crate) fn because(why: &NotAdmitted, decision_id: &str) -> Self {
        let (code, sentence) = (why.code(), why.sentence());
        Self::NotAdmitted { code, sentence, decision_id: decision_id.to_owned() }
    }
}

impl From<Refusal> for NoTokens {
    fn from(refusal: Refusal) -> Self {
        Self::Event(first_problem(&refusal))
    }
}

impl From<NoTokens> for Diagnostic {
    fn from(why: NoTokens) -> Self {
        let error_type = match &why {
            NoTokens::NotAdmitted { code, .. } => *code,
            NoTokens::Event(_) => "event-not-usable",
        };
        Self { error_type: error_type.to_owned(), error_message: why.to_string() }
    }
}

#[cfg(test)]
mod tests;
