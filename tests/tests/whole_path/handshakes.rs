//! Endpoints that are to show that they want notifications, over real HTTP, with the deployed
//! functions: what they get before they have shown it, and what stands in their rows.

use aws_sdk_dynamodb::types::AttributeValue;
use local::samples;
use serde_json::{Value, json};
use testkit::receiver::{Gate, Receiver, Reply, Request};

use crate::login_target::{CLIENT, LoginTarget, SUBSCRIPTION};
use crate::support::{Log, Stack, user_updated};

/// What nobody is to see of a reply.
const SAID: &str = "<script>AKIAIOSFODNN7EXAMPLE";

const CHALLENGE: &str = "endpoint/v1/verification";

/// What a request brings: `challenge`, or an event's ID.
fn brings(request: &Request) -> String {
    use base64::Engine as _;
    let token = std::str::from_utf8(&request.body).expect("a token");
    let payload = token.split('.').nth(1).expect("a payload");
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    let payload: Value = serde_json::from_slice(&payload.expect("base64url")).expect("JSON");
    match payload["events"].get(CHALLENGE) {
        Some(_) => "challenge".to_owned(),
        None => payload["jti"].as_str().expect("an ID").to_owned(),
    }
}

fn all(requests: &[Request]) -> Vec<String> {
    requests.iter().map(brings).collect()
}

/// What a row says of its endpoint.
async fn verified_endpoint(stack: &Stack, scope: &str, id: &str) -> Option<String> {
    let get = stack.local.clients().dynamodb.get_item().table_name("subscriptions");
    let key = |text: String| AttributeValue::S(text);
    let get = get
        .key("pk", key(scope.to_owned()))
        .key("sk", key(format!("SUBSCRIPTION#{id}")))
        .consistent_read(true);
    let row = get.send().await.expect("a row is read").item.expect("a row");
    let verified = row.get("verifiedEndpoint")?.as_s().expect("text").clone();
    assert!(row["verifiedAt"].as_n().is_ok_and(|at| at.parse::<u64>().is_ok()));
    Some(verified)
}

async fn subscribe(stack: &Stack, endpoint: &str) {
    let mut row = samples::row(samples::PROPERTY, "new", "user_data_change", endpoint);
    row.insert("verification".to_owned(), AttributeValue::S("required".to_owned()));
    stack.put_row(row).await;
}

async fn post(stack: &Stack, id: &str) {
    assert_eq!(stack.post_json("/v1/events", &user_updated(id)).await.status, 202);
}

/// The stack's key set, as a receiver fetches it.
async fn keys(stack: &Stack) -> String {
    stack.get("/.well-known/jwks.json").await.body.to_string()
}

#[tokio::test]
async fn a24_an_endpoint_is_verified_once_for_each_url_before_its_first_event() {
    let stack = Stack::start().await;
    let receiver = Receiver::start().await;
    receiver.script("/hook", [Reply::status(202).echoing(&keys(&stack).await)]);
    subscribe(&stack, &receiver.url("/hook")).await;
    post(&stack, "e1").await;
    assert_eq!(all(&receiver.wait_for(2).await), ["challenge", "e1"]);
    let challenge = &receiver.requests()[0];
    assert_eq!(challenge.header("content-type"), Some("application/secevent+jwt"));
    assert_eq!(challenge.header("accept"), Some("application/json"));
    post(&stack, "e2").await;
    assert_eq!(all(&receiver.wait_for(3).await), ["challenge", "e1", "e2"]);
    let verified = verified_endpoint(&stack, samples::PROPERTY, "new").await;
    assert_eq!(verified, Some(receiver.url("/hook")));

    // Moved, to somebody who answers everything with success.
    subscribe(&stack, &receiver.url("/other?token=t")).await;
    post(&stack, "e3").await;
    let item = stack.pending_after_attempt(1).await;
    assert_eq!(item["lastOutcome"], AttributeValue::S("endpoint_unverified".to_owned()));
    assert_eq!(all(&receiver.requests()), ["challenge", "e1", "e2", "challenge"]);
    assert_eq!(verified_endpoint(&stack, samples::PROPERTY, "new").await, None);
    stack.stop().await;
}

#[tokio::test]
async fn a24_a_row_that_moves_during_the_handshake_is_not_verified_by_it() {
    let stack = Stack::start().await;
    let receiver = Receiver::start().await;
    let gate = Gate::closed();
    let echoes = Reply::status(202).echoing(&keys(&stack).await);
    receiver.script("/hook", [echoes.clone().behind(&gate), echoes]);
    subscribe(&stack, &receiver.url("/hook")).await;
    post(&stack, "e1").await;
    receiver.wait_for(1).await;
    subscribe(&stack, &receiver.url("/moved")).await;
    gate.open();
    assert_eq!(all(&receiver.wait_for(2).await), ["challenge", "e1"]);
    // Whose endpoint that is has not echoed, and is asked itself.
    post(&stack, "e2").await;
    let item = stack.pending_after_attempt(1).await;
    assert_eq!(item["lastOutcome"], AttributeValue::S("endpoint_unverified".to_owned()));
    // The mark names the endpoint that it is of.
    let verified = verified_endpoint(&stack, samples::PROPERTY, "new").await;
    assert_ne!(verified, Some(receiver.url("/moved")));
    stack.stop().await;
}

#[tokio::test]
async fn a50_a_wrong_echo_shows_nothing_and_nothing_of_it_is_kept() {
    let log = Log::record();
    let stack = Stack::start().await;
    let receiver = Receiver::start().await;
    let strangers = adapters::signing::SigningKeys::generate();
    let strangers = adapters::signing::SigningKeys::parse(&strangers).expect("keys");
    receiver.script(
        "/hook",
        [
            Reply::status(200).body(json!({"challenge": "A".repeat(43), "n": SAID}).to_string()),
            // It believes somebody else, and so does not echo.
            Reply::status(200).echoing(strangers.published()),
            Reply::status(200).body(SAID.repeat(64 * 1024)),
        ],
    );
    subscribe(&stack, &receiver.url("/hook")).await;
    post(&stack, "e1").await;
    for attempt in 1..=3 {
        let item = stack.pending_after_attempt(attempt).await;
        assert_eq!(item["lastOutcome"], AttributeValue::S("endpoint_unverified".to_owned()));
        assert!(!format!("{item:?}").contains(SAID));
        let delivery_id = item["pk"].as_s().expect("text").clone();
        if attempt < 3 {
            stack.turn_the_clock(&delivery_id).await;
            stack.wake(&delivery_id, attempt).await;
        }
    }
    assert_eq!(all(&receiver.requests()), ["challenge", "challenge", "challenge"]);
    assert!(!log.text().contains(SAID), "a reply is in the log");
    assert_eq!(verified_endpoint(&stack, samples::PROPERTY, "new").await, None);
    stack.stop().await;
}

#[tokio::test]
async fn a24_a_login_is_decided_by_an_endpoint_that_echoes_and_challenged_until_it_does() {
    let stack = Stack::start().await;
    let target = LoginTarget::start(&stack).await;
    let required = ("verification", AttributeValue::S("required".to_owned()));
    stack.put_row(target.row(&[required])).await;
    let login = json!({"clientId": CLIENT, "sub": "u1"});
    let decide = async || stack.post_json("/v1/enrich/login", &login).await.body;
    let reply = target.says("allow", &json!({"tier": "gold"}));
    // It answers questions, and knows no challenges; its policy would let everybody pass.
    target.decides([reply.clone()]);
    let decision = decide().await;
    assert_eq!(decision["action"], "challenge", "{decision}");
    assert_eq!(decision["reasons"], json!(["endpoint_unverified"]));
    assert_eq!(all(&challenges_and_questions(&target)), ["challenge"]);

    target.decides([reply.echoing(&keys(&stack).await)]);
    let decision = decide().await;
    assert_eq!(decision["action"], "allow", "{decision}");
    assert_eq!(decision["custom_claims"], json!({"tier": "gold"}));
    assert_eq!(decide().await["action"], "allow");
    let brought = all(&challenges_and_questions(&target));
    assert_eq!((brought.len(), &*brought[1]), (4, "challenge"), "{brought:?}");
    assert!(brought[2..].iter().all(|it| it != "challenge"));
    let scope = format!("CLIENT#{CLIENT}");
    let verified = verified_endpoint(&stack, &scope, SUBSCRIPTION).await;
    assert_eq!(verified, Some(target.receiver.url("/decide")));
    stack.stop().await;
}

fn challenges_and_questions(target: &LoginTarget) -> Vec<Request> {
    target.receiver.requests().into_iter().filter(|request| request.path == "/decide").collect()
}
