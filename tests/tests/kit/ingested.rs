//! What the table of ingested events has promised, kept by the world and by `adapters` on the local
//! AWS endpoint.

use std::collections::BTreeMap;
use std::future::ready;

use adapters::clock;
use adapters::ports::IngestPorts;
use adapters::targets::Targets;
use domain::egress::EgressPolicy;
use domain::ingest::{Begun, GivenBy, Idempotency, Ports, Posting};
use domain::time::Deadline;
use local::aws::{Fault, Service};
use local::{Local, Options};
use testkit::contract::ingested::Subject;
use testkit::samples::{START, event};
use testkit::world::World;
use tokio::net::TcpListener;

mod world {
    use super::{World, ready};

    testkit::ingested_contract!(ready(World::new(1)));
}

struct RealTable {
    local: Local,
    ports: IngestPorts,
}

impl RealTable {
    async fn start() -> Self {
        let local = Local::start(&Options::ephemeral()).await.expect("a local stack");
        let ports = ports_in(&environment(&local, local.aws().url()));
        Self { local, ports }
    }
}

/// What Lambda would set for the ingest function, with AWS at this URL.
fn environment(local: &Local, aws_url: &str) -> BTreeMap<String, String> {
    let function = local.stack().function("IngestFunction").expect("an ingest function");
    let mut environment = function.environment.clone();
    for (name, value) in [
        ("AWS_REGION", local.aws().account().region.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", aws_url),
    ] {
        environment.insert(name.to_owned(), value.to_owned());
    }
    environment
}

fn ports_in(environment: &BTreeMap<String, String>) -> IngestPorts {
    let targets = Targets::new(EgressPolicy::production()).expect("a client");
    IngestPorts::new(environment, targets, 0).expect("complete settings")
}

impl Subject for RealTable {
    fn ports(&self) -> &impl Ports {
        &self.ports
    }
}

testkit::ingested_contract!(RealTable::start());

fn three() -> Vec<Posting> {
    ["e1", "e2", "e3"].map(|id| Posting::of(&event(id), GivenBy::Producer)).into()
}

#[tokio::test]
async fn without_a_table_nothing_is_recognised_and_nobody_is_asked() {
    let table = RealTable::start().await;
    for setting in [None, Some(String::new())] {
        let mut environment = environment(&table.local, "http://127.0.0.1:9");
        environment.remove("INGESTED_TABLE");
        environment.extend(setting.map(|value| ("INGESTED_TABLE".to_owned(), value)));
        let ports = ports_in(&environment);
        assert_eq!(ports.idempotency(), Idempotency::Off);
    }
    assert_eq!(table.ports.idempotency(), Idempotency::On);
}

#[tokio::test]
async fn f03_a_table_that_is_down_says_nothing_and_breaks_nothing() {
    let table = RealTable::start().await;
    table.local.aws().faults().set(Fault::Down(Service::DynamoDb));
    let by = Deadline::at(clock::now().plus_ms(20_000));
    assert_eq!(table.ports.begin(&three(), START, by).await, [Begun::Unknown; 3]);
    table.ports.mark_sent(&three(), START, by).await;
    table.local.aws().faults().clear_all();
    assert_eq!(table.ports.begin(&three(), START, by).await, [Begun::New; 3]);
}

#[tokio::test]
async fn f03_a_table_that_never_answers_is_not_waited_for() {
    let table = RealTable::start().await;
    // Connections are taken and never served.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let ports = ports_in(&environment(&table.local, &url));
    let by = Deadline::at(clock::now().plus_ms(50));
    assert_eq!(ports.begin(&three(), START, by).await, [Begun::Unknown; 3]);
    ports.mark_sent(&three(), START, by).await;
}
