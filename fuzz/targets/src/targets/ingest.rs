//! Ingest: bodies, and whole HTTP API payloads around them, through the real handler. A33 to A37.
//!
//! A text that is such a payload is one; any other is the body of one. What is accepted lies on
//! the queue, event by event, as it was posted, and was JSON that can be read in only one way. What
//! is refused left nothing there, and its complaints point into the document.

use adapters::http_api::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::delivery::Queue;
use domain::egress::EgressPolicy;
use domain::event::Event;
use domain::event_type::EventTypeNames;
use domain::ingest::Settings;
use domain::limits::{MESSAGE_BYTES_MAX, PROBLEMS_MAX, REQUEST_EVENTS_MAX};
use domain::message::QueueMessage;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use testkit::answers::fuzz::Broken;
use testkit::answers::oracle::single;
use testkit::world::World;
use tokio::runtime::Runtime;

use crate::{Corpus, Target, Verdict, broken, must};

/// See the module's head.
pub(super) struct Ingest {
    corpus: Corpus,
    settings: Settings,
    runtime: Runtime,
}

/// The documented requests and payloads, as they lie in `events`.
const SAMPLES: [&str; 12] = [
    include_str!("../../../../events/requests/userUpdated.json"),
    include_str!("../../../../events/requests/registration.json"),
    include_str!("../../../../events/requests/login.json"),
    include_str!("../../../../events/requests/newDevice.json"),
    include_str!("../../../../events/requests/userRevokedPropertyAccess.json"),
    include_str!("../../../../events/ingest/all-types.json"),
    include_str!("../../../../events/ingest/base64-body.json"),
    include_str!("../../../../events/ingest/bad-base64.json"),
    include_str!("../../../../events/ingest/bad-media-type.json"),
    include_str!("../../../../events/ingest/bad-members.json"),
    include_str!("../../../../events/ingest/key-set.json"),
    include_str!("../../../../events/ingest/userCreated.json"),
];

const BODIES: [&str; 16] = [
    "",
    "null",
    "[]",
    "\u{feff}{}",
    "{}x",
    "{'a':1}",
    "1e400",
    r#"{"type":"userCreated","propertyId":"p1","sub":"u1"}"#,
    r#"{"id":"e1","type":"userCreated","propertyId":"p1","sub":"u1","sub":"u2"}"#,
    r#"{"id":"e1","type":"userCreated","propertyId":"p1","sub":"u1","s\u0075b":"u2"}"#,
    r#"[{"id":"e1","type":"userUpdated","propertyId":"p1","clientId":"c1","sub":"u1","data":{"dataSourceInfo":{"attributes":["a","b"],"entityType":"user"},"more":[1,2.5,null,{"deep":[]}]}},
        {"id":"e2","type":"userDeleted","propertyId":"p2","sub":"u2","occurredAt":"2026-11-23T11:00:00.250+01:00"}]"#,
    r#"{"id":"a.b","type":"login","clientId":"c1","sub":"u1"}"#,
    r#"{"id":"e1","type":"login","clientId":"c1","sub":"u1","data":{"sub":"u2","user":{"email":"a@b.c"}}}"#,
    r#"{"id":"../","type":"forgotPassword","clientId":"c1","data":{"verification":{"url":"https://x/","expiresAt":"soon"}}}"#,
    "{\"id\":\"e1\",\"type\":\"passwordUpdated\",\"clientId\":\"c1\",\"data\":{\"a~b/c\":\"\u{ffff}\u{fffe}\"}}",
    "{\"id\":\"\u{1f980}\",\"type\":\"\\ud800\",\"a\\\"b\":{}}",
];

const WORDS: [&str; 58] = [
    "null",
    "true",
    "0",
    "-1",
    "1e400",
    "1.5",
    "18446744073709551616",
    "9007199254740993",
    "{}",
    "[]",
    "[[]]",
    r#""""#,
    r#""id""#,
    r#""\u0069d""#,
    r#""type""#,
    r#""source""#,
    r#""occurredAt""#,
    r#""acceptedAt""#,
    r#""scope""#,
    r#""propertyId""#,
    r#""clientId""#,
    r#""sub""#,
    r#""data""#,
    r#""user""#,
    r#""email""#,
    r#""verification""#,
    r#""expiresAt""#,
    r#""dataSourceInfo""#,
    r#""attributes""#,
    r#""e1""#,
    r#""p1""#,
    r#""c1""#,
    r#""u1""#,
    r#""PROPERTY#p1""#,
    r#""2026-11-23T10:00:00Z""#,
    r#""9999-12-31T23:59:60Z""#,
    r#""userCreated""#,
    r#""userDeleted""#,
    r#""login""#,
    r#""registration""#,
    r#""\ud800""#,
    r#""\u0000""#,
    r#""\uffff""#,
    "\"\u{fffe}\"",
    "\u{feff}",
    "\0",
    "/",
    "~",
    ",",
    ":",
    "[",
    "{",
    r#""isBase64Encoded""#,
    r#""application/json; charset=utf-16""#,
    r#""content-encoding""#,
    r#""gzip""#,
    r#""/v1/events""#,
    r#""e30=""#,
];

impl Ingest {
    pub(super) fn new() -> Self {
        let nested = |levels: usize| {
            let (open, close) = ("[".repeat(levels), "]".repeat(levels));
            format!(
                r#"{{"id":"e1","type":"userCreated","propertyId":"p1","sub":"u1","data":{{"a":{open}{close}}}}}"#
            )
        };
        let made = [nested(29), nested(30), nested(10_000)];
        let seeds = SAMPLES.into_iter().chain(BODIES).map(str::to_owned).chain(made);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        Self {
            corpus: Corpus::new(seeds, WORDS),
            settings: Settings {
                names: EventTypeNames::default(),
                egress: EgressPolicy::production(),
            },
            runtime: runtime.expect("a runtime without anything"),
        }
    }
}

impl Target for Ingest {
    fn name(&self) -> &'static str {
        "ingest"
    }

    fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    fn meet(&self, octets: &[u8]) -> Verdict {
        let payload = serde_json::from_slice::<Box<RawValue>>(octets).ok();
        let is_http = |payload: &RawValue| {
            HttpRequest::parse(payload.get()).is_ok_and(|request| !request.path.is_empty())
        };
        let payload =
            payload.filter(|payload| is_http(payload)).unwrap_or_else(|| payload_of(octets));
        let Ok(request) = HttpRequest::parse(payload.get()) else {
            return broken("a payload that cannot be read");
        };
        let world = World::new(1);
        let event = LambdaEvent::new(payload, Context::default());
        let handled = self.runtime.block_on(::ingest::handle(event, &self.settings, &world));
        let Ok(response) = handled else { return broken("an error for a request") };
        let answer = body_of(&response)?;
        match response.status_code {
            202 => {
                self.check_accepted(&request.body.unwrap_or_default(), &answer, &world)?;
                Ok("taken".into())
            }
            // What the world has to say to a GET.
            200 => Ok("looked at".into()),
            status @ 400..500 => {
                let body = request.body.unwrap_or_default();
                check_refused(status, &body, &answer, &world)?;
                let title = answer["title"].as_str().unwrap_or_default();
                Ok(format!("refused: {status} {title}").into())
            }
            status => broken(format!("answered {status} by a world in which nothing fails")),
        }
    }
}

/// The payload of a POST with this body.
fn payload_of(body: &[u8]) -> Box<RawValue> {
    let text = String::from_utf8(body.to_vec());
    let (body, is_base64) = match text {
        Ok(text) => (text, false),
        Err(octets) => (STANDARD.encode(octets.as_bytes()), true),
    };
    let payload = json!({
        "version": "2.0", "rawPath": "/v1/events", "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
        "body": body, "isBase64Encoded": is_base64,
    });
    to_raw_value(&payload).expect("a payload")
}

fn body_of(response: &HttpResponse) -> Result<Value, Broken> {
    let text = &response.body;
    // Problems are at most so many, and each has a pointer of a bounded length.
    must(text.len() < 512 * 1024, "an answer without bounds")?;
    single(text.as_bytes()).ok_or_else(|| Broken("an answer that is no JSON".to_owned()))
}

impl Ingest {
    fn check_accepted(&self, body: &[u8], answer: &Value, world: &World) -> Result<(), Broken> {
        let Some(document) = single(body) else {
            return broken("accepted though a member is twice");
        };
        let text = std::str::from_utf8(body).unwrap_or_default();
        let posted = match &document {
            Value::Array(events) => events.as_slice(),
            event => std::slice::from_ref(event),
        };
        let ids: Vec<&str> = answer["accepted"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|accepted| accepted["id"].as_str())
            .collect();
        must(ids.len() == posted.len(), "not as many accepted as were posted")?;
        must((1..=REQUEST_EVENTS_MAX).contains(&ids.len()), "no event, or too many")?;
        let stored = stored(world)?;
        must(stored.len() == ids.len(), "not as many stored as were accepted")?;
        for (id, posted) in ids.into_iter().zip(posted) {
            let mut of_id = stored.iter().filter(|event| event.id.as_str() == id);
            let (Some(event), None) = (of_id.next(), of_id.next()) else {
                return broken("an accepted event is not stored, or is stored twice");
            };
            self.check_event(posted, event, text)?;
        }
        Ok(())
    }

    /// What is stored is what was posted.
    fn check_event(&self, posted: &Value, event: &Event, text: &str) -> Result<(), Broken> {
        const KNOWN: [&str; 7] =
            ["id", "type", "occurredAt", "propertyId", "clientId", "sub", "data"];
        let Some(members) = posted.as_object() else { return broken("an event that is no object") };
        must(members.keys().all(|name| KNOWN.contains(&name.as_str())), "an unknown member")?;
        let given = |name: &str| members.get(name).filter(|value| !value.is_null());
        let kept = [
            ("propertyId", event.property_id.as_ref().map(domain::id::PropertyId::as_str)),
            ("clientId", event.client_id.as_ref().map(domain::id::ClientId::as_str)),
            ("sub", event.sub.as_ref().map(domain::id::Sub::as_str)),
        ];
        for (name, kept) in kept {
            must(given(name).map(Value::as_str) == kept.map(Some), "an identifier was changed")?;
        }
        must(given("id").is_none_or(|id| *id == event.id.as_str()), "an ID was changed")?;
        let kind =
            given("type").and_then(Value::as_str).and_then(|name| self.settings.names.parse(name));
        must(kind == Some(event.kind), "a type was changed")?;
        let scope = event.scope.key();
        let owner = given(if scope.starts_with("PROPERTY#") { "propertyId" } else { "clientId" });
        let owner = owner.and_then(Value::as_str).unwrap_or_default();
        must(scope.split_once('#').is_some_and(|(_, id)| id == owner), "another's scope")?;
        let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
        must(given("data").unwrap_or(&json!({})) == &data, "data was changed")?;
        let is_escaped = event.data.get().contains("\\ufff");
        let is_to_the_byte = given("data").is_none() || text.contains(event.data.get());
        must(is_to_the_byte || is_escaped, "data was written anew")
    }
}

/// The events on the queue, from messages that are whole, small, and read back as themselves.
fn stored(world: &World) -> Result<Vec<Event>, Broken> {
    let mut events = Vec::new();
    for message in world.messages(Queue::Events) {
        must(message.body.len() <= MESSAGE_BYTES_MAX, "a message that SQS does not take")?;
        let refused = ['\u{fffe}', '\u{ffff}'];
        must(!message.body.contains(refused), "a character that SQS does not take")?;
        let Ok(read) = QueueMessage::parse(&message.body) else {
            return broken("a message that delivery cannot read");
        };
        must(read.to_body() == message.body, "a message that reads as another")?;
        let QueueMessage::EventsV1(read) = read else { return broken("a wake-up") };
        must(message.group == Some(read.scope().key()), "a message in another's group")?;
        events.extend_from_slice(read.as_slice());
    }
    Ok(events)
}

fn check_refused(status: u16, body: &[u8], answer: &Value, world: &World) -> Result<(), Broken> {
    must(world.count(Queue::Events) == 0, "refused, and stored in part")?;
    must(answer["title"].is_string() && answer["detail"].is_string(), "a refusal without words")?;
    let complaints: Vec<&Value> = answer["errors"].as_array().into_iter().flatten().collect();
    must(complaints.len() <= PROBLEMS_MAX + 1, "more complaints than there is room for")?;
    if status != 422 {
        return Ok(());
    }
    must(!complaints.is_empty(), "invalid, and nothing said to be wrong")?;
    let Some(document) = single(body) else { return broken("invalid, though it is no JSON") };
    for complaint in complaints {
        let pointer = complaint["pointer"].as_str().unwrap_or("nowhere");
        // Where it is cut, or speaks of what is not there, it points at what it would stand in.
        let is_cut = pointer.ends_with('…');
        let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        let is_missing = complaint["detail"] == "is required"
            && document.pointer(parent).is_some_and(Value::is_object);
        let points = document.pointer(pointer).is_some() || is_missing || is_cut;
        must(points, "a complaint that points nowhere")?;
    }
    Ok(())
}
