//! Logins in all shapes through the real handler: our own, over HTTP and by a direct Invoke, Amazon
//! Cognito's and Microsoft Entra's.
//!
//! What each client's target says is known beforehand ([`desk`]). What it does not allow is allowed
//! to nobody, claims are given to the letter or not at all, and only to a question that can be read
//! in only one way; whatever is refused names no value of the question.

mod desk;

use adapters::http_api::{HttpRequest, HttpResponse};
use domain::limits::ENTRA_CLAIMS_BYTES_MAX;
use enrich::Reply;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use testkit::answers::fuzz::Broken;
use testkit::answers::oracle::single;
use tokio::runtime::Runtime;

use crate::{Corpus, Target, Verdict, broken, must};
use desk::{Desk, Office, claims_of, is_allowed};

/// See the module's head.
pub(super) struct Login {
    corpus: Corpus,
    office: Office,
    runtime: Runtime,
}

/// What stands in questions in place of personal data, and that nothing refused may name.
const SECRET: &str = "kept-to-ourselves";

/// The documented questions, as they lie in `events`.
const SAMPLES: [&str; 12] = [
    include_str!("../../../../events/enrich/direct-login.json"),
    include_str!("../../../../events/enrich/direct-login-without-subscription.json"),
    include_str!("../../../../events/enrich/bad-direct-login.json"),
    include_str!("../../../../events/enrich/http-login.json"),
    include_str!("../../../../events/enrich/http-login-block.json"),
    include_str!("../../../../events/enrich/bad-http-not-json.json"),
    include_str!("../../../../events/enrich/cognito-pre-token-v2.json"),
    include_str!("../../../../events/enrich/cognito-pre-token-v2.json"),
    include_str!("../../../../events/enrich/bad-cognito-pre-token-v1.json"),
    include_str!("../../../../events/enrich/entra-token-issuance-start.json"),
    include_str!("../../../../events/enrich/entra-token-issuance-start-block.json"),
    include_str!("../../../../events/enrich/bad-entra-another-application.json"),
];

const WORDS: [&str; 52] = [
    "null",
    "true",
    "0",
    "1e400",
    "{}",
    "[]",
    r#""""#,
    r#""kept-to-ourselves""#,
    r#"["kept-to-ourselves"]"#,
    r#""demo-client""#,
    r#""block-client""#,
    r#""challenge-client""#,
    r#""kept-client""#,
    r#""large-client""#,
    r#""down-client""#,
    r#""clientId""#,
    r#""client\u0049d""#,
    r#""sub""#,
    r#""propertyId""#,
    r#""requestId""#,
    r#""deadline""#,
    r#""1970-01-01T00:00:00Z""#,
    "1795428000500",
    r#""data""#,
    r#""user""#,
    r#""email""#,
    r#""type""#,
    r#""version""#,
    r#""1""#,
    r#""2""#,
    r#""triggerSource""#,
    r#""TokenGeneration_RefreshTokens""#,
    r#""TokenGeneration_ClientCredentials""#,
    r#""callerContext""#,
    r#""request""#,
    r#""userAttributes""#,
    r#""groupConfiguration""#,
    r#""response""#,
    r#""claimsAndScopeOverrideDetails""#,
    r#""claimsToAddOrOverride""#,
    r#""requestContext""#,
    r#""http""#,
    r#""method""#,
    r#""/v1/enrich/login""#,
    r#""/v1/enrich/entra""#,
    r#""isBase64Encoded""#,
    r#""azp""#,
    r#""appid""#,
    r#""appId""#,
    r#""99045fe1-7639-4a75-9d4a-577b6ca3810f""#,
    r#""\ud800""#,
    ",",
];

impl Login {
    pub(super) fn new() -> Self {
        let samples: Vec<String> = SAMPLES.into_iter().map(with_secrets).collect();
        // The questions of platforms as they stand in their envelopes, to be changed as well.
        let bodies = samples.iter().filter_map(|sample| {
            let payload: Value = serde_json::from_str(sample).ok()?;
            Some(payload["body"].as_str()?.to_owned())
        });
        let of_others = ["block-client", "challenge-client", "kept-client", "large-client"];
        let of_others = of_others.iter().flat_map(|client| {
            samples.iter().map(|sample| sample.replace("demo-client", client)).collect::<Vec<_>>()
        });
        let seeds: Vec<String> = samples.iter().cloned().chain(bodies).chain(of_others).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        Self {
            corpus: Corpus::new(seeds, WORDS),
            office: Office::new(),
            runtime: runtime.expect("a runtime that tells the time"),
        }
    }
}

fn with_secrets(sample: &str) -> String {
    ["ada@example.com", "Ada", "Lovelace", "en-GB", "198.51.100.7", "Firefox"]
        .into_iter()
        .fold(sample.to_owned(), |sample, datum| sample.replace(datum, SECRET))
}

impl Target for Login {
    fn name(&self) -> &'static str {
        "login"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        let payload = payload_of(octets);
        let desk = Desk::open(&self.office);
        let asked = payload.get().to_owned();
        let event = LambdaEvent::new(payload, Context::default());
        let (settings, memory) = (self.office.settings(), domain::enrich::Memory::default());
        let answered = self.runtime.block_on(enrich::handle(event, settings, &memory, &desk));
        match answered {
            Ok(Reply::Direct(answer)) => check_direct(&asked, &answer),
            Ok(Reply::Http(response)) => check_http(&asked, &response),
            Ok(Reply::Cognito(answer)) => check_cognito(&asked, answer.get()),
            Err(no_tokens) => {
                check_silent(&asked, &no_tokens.to_string())?;
                let is_decided = matches!(no_tokens, enrich::NoTokens::NotAdmitted { .. });
                Ok(if is_decided { "cognito: not let in" } else { "cognito: refused" }.into())
            }
        }
    }
}

/// An attack as a payload of the function. What is no JSON is posted, and so is Entra's question
/// outside of its envelope.
fn payload_of(octets: &[u8]) -> Box<RawValue> {
    let text = String::from_utf8_lossy(octets).into_owned();
    let is_of_entra = text.contains("authenticationContext") && !text.contains("requestContext");
    let posted = |path: &str| {
        let claims = json!({"azp": "99045fe1-7639-4a75-9d4a-577b6ca3810f"});
        json!({
            "version": "2.0", "rawPath": path, "headers": {"content-type": "application/json"},
            "requestContext": {
                "http": {"method": "POST"}, "stage": "$default",
                "authorizer": {"jwt": {"claims": claims, "scopes": null}},
            },
            "body": text, "isBase64Encoded": false,
        })
        .to_string()
    };
    let raw = match RawValue::from_string(text.clone()) {
        Ok(raw) if !is_of_entra => return raw,
        _ if is_of_entra => posted("/v1/enrich/entra"),
        _ => posted("/v1/enrich/login"),
    };
    RawValue::from_string(raw).expect("JSON")
}

/// What our own shape is answered: a decision, or a problem.
fn check_decision(question: &[u8], decision: &Value) -> Verdict {
    let Some(question) = single(question) else {
        return broken("decided, though a member is twice");
    };
    let client = question["clientId"].as_str().unwrap_or_default();
    must(question["sub"].is_string(), "a decision about nobody")?;
    let action = decision["action"].as_str().unwrap_or_default().to_owned();
    match action.as_str() {
        "allow" => {
            must(is_allowed(client), "allowed, though nobody has allowed it")?;
            must(decision["custom_claims"] == claims_of(client), "other claims than were given")?;
        }
        "block" | "challenge" => {
            must(decision["custom_claims"] == json!({}), "claims for a login that is not let in")?;
        }
        _ => return broken("an action that nobody knows"),
    }
    Ok(format!("taken: {action}").into())
}

fn check_direct(asked: &str, answer: &Value) -> Verdict {
    if answer.get("action").is_some() {
        return check_decision(asked.as_bytes(), answer);
    }
    must(answer["status"].as_u64().is_some_and(|status| status >= 400), "neither yes nor no")?;
    check_silent(asked, &answer.to_string())?;
    Ok("direct: refused".into())
}

fn check_http(asked: &str, response: &HttpResponse) -> Verdict {
    let text = &response.body;
    let Some(answer) = single(text.as_bytes()) else { return broken("an answer that is no JSON") };
    if response.status_code != 200 {
        must((400..500).contains(&response.status_code), "an answer that is neither yes nor no")?;
        let gives = ["custom_claims", "claims", "data", "actions", "action"];
        must(gives.iter().all(|name| answer.get(*name).is_none()), "a refusal that gives")?;
        check_silent(asked, text)?;
        return Ok(format!("http: refused {}", response.status_code).into());
    }
    let Ok(request) = HttpRequest::parse(asked) else {
        return broken("an answer to no request");
    };
    let body = request.body.clone().unwrap_or_default();
    match request.path.as_str() {
        "/v1/enrich/login" => check_decision(&body, &answer),
        "/v1/enrich/entra" => check_entra(&request, &body, &answer),
        _ => broken("an answer on a path that is not there"),
    }
}

/// Entra's claims are texts, and there is none but for its own question about a login that is let
/// in.
fn check_entra(request: &HttpRequest, body: &[u8], answer: &Value) -> Verdict {
    let is_entra = |name: &str| {
        let client = request.token_claims.get(name);
        client.is_some_and(|client| client == "99045fe1-7639-4a75-9d4a-577b6ca3810f")
    };
    must(is_entra("azp") || is_entra("appid"), "claims for somebody who is not Entra")?;
    let Some(question) = single(body) else { return broken("claims, though a member is twice") };
    let context = &question["data"]["authenticationContext"];
    let client = context["clientServicePrincipal"]["appId"].as_str().unwrap_or_default();
    must(context["user"]["id"].is_string(), "claims about nobody")?;
    must(is_allowed(client), "claims, though nobody has allowed the login")?;
    let given = answer["data"]["actions"][0]["claims"].as_object().cloned().unwrap_or_default();
    let as_texts = |value: &Value| match value {
        Value::String(text) => json!(text),
        Value::Array(elements) => json!(elements),
        other => json!(other.to_string()),
    };
    let claims = claims_of(client);
    let claims = claims.as_object().into_iter().flatten();
    let claims = claims.map(|(name, value)| (name.clone(), as_texts(value))).collect();
    must(given == claims, "other claims than were given")?;
    let bytes: usize = given.values().filter_map(Value::as_str).map(str::len).sum();
    must(bytes <= ENTRA_CLAIMS_BYTES_MAX, "more claims than Entra takes")?;
    Ok("taken: entra".into())
}

/// Cognito's event as it came, and the claims of a login that is let in; none that it keeps.
fn check_cognito(asked: &str, answer: &str) -> Verdict {
    let (Some(mut event), Some(mut answer)) = (single(asked.as_bytes()), single(answer.as_bytes()))
    else {
        return broken("tokens, though a member is twice");
    };
    let client = event["callerContext"]["clientId"].as_str().unwrap_or_default().to_owned();
    must(event["request"]["userAttributes"]["sub"].is_string(), "tokens for nobody")?;
    must(is_allowed(&client), "tokens, though nobody has allowed the login")?;
    let claims = claims_of(&client);
    let is_kept = |name: &String| name.starts_with("cognito:");
    must(!claims.as_object().into_iter().flatten().any(|(name, _)| is_kept(name)), "groups")?;
    let details = answer["response"]["claimsAndScopeOverrideDetails"].take();
    for token in ["idTokenGeneration", "accessTokenGeneration"] {
        must(details[token] == json!({"claimsToAddOrOverride": claims}), "other claims")?;
    }
    let groups = &event["request"]["groupConfiguration"];
    must(details["groupOverrideDetails"] == *groups, "other groups than the pool's")?;
    (event["response"], answer["response"]) = (Value::Null, Value::Null);
    must(event == answer, "another event than came")?;
    Ok("taken: cognito".into())
}

/// A refusal may name members of the question, and never a value.
fn check_silent(asked: &str, said: &str) -> Result<(), Broken> {
    let is_name = |(at, _): (usize, &str)| {
        let rest = asked[at..].split_once('"').map_or("", |(_, rest)| rest);
        rest.trim_start().starts_with(':')
    };
    let is_silent = !said.contains(SECRET) || asked.match_indices(SECRET).any(is_name);
    must(is_silent, "a refusal that shows a value")
}
