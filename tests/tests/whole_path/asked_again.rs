//! Logins that are asked about again, over real HTTP and the real table.
//!
//! A slow machine may find the table too slow, and then a login is decided without it, which is as
//! it should be. So these stories are told with one request ID after the other, until the table has
//! played its part.

use adapters::aws::{self, CallLimits};
use adapters::clock;
use adapters::logins::LoginsTable;
use domain::enrich::LoginRequest;
use domain::enrich::once::{Asking, Ports as _, Taken, Turn};
use domain::event_type::EventTypeNames;
use domain::time::Deadline;
use futures_util::future::join;
use local::aws::{Fault, Service};
use local::functions::Name;
use serde_json::{Value, json};
use testkit::receiver::Gate;

use crate::login_target::{CLIENT, LoginTarget};
use crate::support::{Answer, PATIENCE, Stack};

fn login(request_id: &str) -> Value {
    json!({"clientId": CLIENT, "sub": "u1", "requestId": request_id, "data": {"ip": "192.0.2.1"}})
}

/// The same, from another address.
fn other_login(request_id: &str) -> Value {
    let mut login = login(request_id);
    login["data"]["ip"] = json!("192.0.2.2");
    login
}

impl Stack {
    async fn decide(&self, login: &Value) -> Answer {
        self.post_json("/v1/enrich/login", login).await
    }

    /// Who has a login in the table, decided or not, or had it.
    async fn owner_of(&self, request_id: &str) -> Option<String> {
        let key = format!("REQUEST#CLIENT#{CLIENT}#{request_id}");
        let items = self.logins().await;
        let item = items.iter().find(|item| item["pk"].as_s() == Ok(&key))?;
        item["owner"].as_s().ok().cloned()
    }

    /// Decides a login that is known afterwards: its request ID and the answer.
    async fn decided(&self) -> (String, Answer) {
        let decided = async {
            for round in 0_u32.. {
                let id = format!("r{round}");
                let answer = self.decide(&login(&id)).await;
                if self.decide(&login(&id)).await.body["repeated"] == true {
                    return (id, answer);
                }
            }
            unreachable!("there are enough IDs")
        };
        tokio::time::timeout(PATIENCE, decided).await.expect("it is known")
    }
}

/// An answer without the mark of a repetition.
fn content(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body.as_object_mut().expect("an object").remove("repeated");
    body
}

#[tokio::test]
async fn the_same_request_twice_at_once_is_one_question_and_one_decision() {
    let stack = Stack::start().await;
    let target = LoginTarget::start(&stack).await;
    let claims = json!({"tier": "gold"});
    let told = async {
        for round in 0_usize.. {
            let id = format!("r{round}");
            let (gate, asked) = (Gate::closed(), target.asked());
            target.decides([target.says("allow", &claims).behind(&gate)]);
            let login = login(&id);
            let twin = async {
                // Once the target is asked, the request is taken or never will be.
                while target.asked() == asked {
                    tokio::task::yield_now().await;
                }
                let is_known = stack.owner_of(&id).await.is_some();
                let (second, ()) = join(stack.decide(&login), async { gate.open() }).await;
                (is_known, second)
            };
            let (first, (is_known, second)) = join(stack.decide(&login), twin).await;
            if is_known && second.body["repeated"] == true {
                assert_eq!(target.asked(), asked + 1);
                assert_eq!(first.body["custom_claims"], claims);
                assert_eq!(content(&second), first.body, "with the same ID, and all else");
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("the table plays its part");
    stack.stop().await;
}

#[tokio::test]
async fn a_decision_is_answered_again_and_another_login_under_its_id_is_a_409() {
    let stack = Stack::start().await;
    let target = LoginTarget::start(&stack).await;
    target.decides([target.says("challenge", &json!({}))]);
    let (id, first) = stack.decided().await;
    let asked = target.asked();
    let again = stack.decide(&login(&id)).await;
    assert_eq!((again.status, content(&again)), (200, first.body));
    assert_eq!(target.asked(), asked);

    let refused = stack.decide(&other_login(&id)).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.headers["content-type"], "application/problem+json");
    let problem = json!({
        "type": "urn:identity-workflows:problem:conflict",
        "title": "A request ID belongs to another login",
        "status": 409,
        "detail": "Nobody was asked. Repeat a request with what it said, or give another login \
                   another requestId.",
        "errors": [{"pointer": "/requestId", "detail": "was used just now for another login"}],
    });
    assert_eq!(refused.body, problem);
    let direct = stack.invoke(Name::Enrich, other_login(&id)).await.expect("an answer");
    assert_eq!(direct, problem);
    assert_eq!(target.asked(), asked);
    stack.stop().await;
}

#[tokio::test]
async fn when_the_owner_of_a_request_has_crashed_another_takes_its_place() {
    let stack = Stack::start().await;
    let target = LoginTarget::start(&stack).await;
    target.decides([target.says("allow", &json!({}))]);
    let config = aws::config(&local::environment(stack.local.aws()), CallLimits::ENRICH);
    let client = aws_sdk_dynamodb::Client::new(&config.expect("complete settings"));
    let table = LoginsTable::new(client, "logins".to_owned());
    let told = async {
        for round in 0_usize.. {
            let id = format!("r{round}");
            let body = login(&id).to_string();
            let request = LoginRequest { body: body.as_bytes() };
            let now = clock::now();
            let parsed = request.parse(&EventTypeNames::default(), now, [1; 10]).expect("a login");
            let until = now.plus_ms(300);
            let turn = Turn { owner: "crashed".to_owned(), until };
            let by = Deadline::at(now.plus_ms(20_000));
            let taken = table.take(&Asking::of(&parsed.event), &turn, now, by).await;
            assert!(matches!(taken, Taken::Mine));
            let asked = target.asked();
            let answer = stack.decide(&login(&id)).await;
            assert_eq!((&answer.body["action"], target.asked()), (&json!("allow"), asked + 1));
            if stack.owner_of(&id).await.as_deref() == answer.body["decisionId"].as_str() {
                assert!(clock::now() >= until, "it has waited");
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("somebody has to wait");
    stack.stop().await;
}

#[tokio::test]
async fn f03_with_the_table_down_logins_are_decided() {
    let stack = Stack::start().await;
    let target = LoginTarget::start(&stack).await;
    target.decides([target.says("allow", &json!({"tier": "gold"}))]);
    for operation in ["PutItem", "UpdateItem", "GetItem"] {
        let operation = operation.to_owned();
        let fault = Fault::OperationDown { service: Service::DynamoDb, operation };
        stack.local.aws().faults().set(fault);
    }
    for asked in 1..=2 {
        let answer = stack.decide(&login("r1")).await;
        assert_eq!(answer.body["custom_claims"], json!({"tier": "gold"}));
        assert_eq!((answer.body.get("repeated"), target.asked()), (None, asked));
    }
    stack.stop().await;
}
