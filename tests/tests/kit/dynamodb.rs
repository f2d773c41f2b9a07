//! The ledger's promises, kept by `adapters` on the local AWS endpoint.

use std::collections::BTreeMap;

use adapters::aws::{self, CallLimits};
use adapters::ports::{DeliveryPorts, RedrivePorts, SweepPorts};
use adapters::targets::Targets;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::breaker::{Breaker, BreakerWrite, Ports as _};
use domain::delivery::{Invocation, Ports, Recorded};
use domain::egress::EgressPolicy;
use domain::event_type::EventTypeNames;
use domain::id::DeliveryId;
use domain::ledger::{LedgerItem, State, due_bucket};
use domain::time::Timestamp;
use domain::{redrive, sweep};
use local::{Local, Options};
use testkit::contract::Subject;
use testkit::samples::{breaker_key, pending_item};

struct RealLedger {
    local: Local,
    ports: DeliveryPorts,
    sweep_ports: SweepPorts,
    redrive_ports: RedrivePorts,
    table: String,
}

impl RealLedger {
    async fn start() -> Self {
        let local = Local::start(&Options::ephemeral()).await.expect("a local stack");
        let environment = environment(&local);
        let ports = DeliveryPorts::new(
            &environment,
            EventTypeNames::default(),
            Targets::new(EgressPolicy::production()).expect("a client"),
            0,
        );
        let ports = ports.expect("complete settings");
        let sweep_ports = SweepPorts::new(&environment).expect("complete settings");
        let table = environment["DELIVERIES_TABLE"].clone();
        let config = aws::config(&environment, CallLimits::OPERATOR).expect("complete settings");
        let subscriptions = environment["SUBSCRIPTIONS_TABLE"].clone();
        let redrive_ports = RedrivePorts::new(&config, table.clone(), subscriptions);
        Self { local, ports, sweep_ports, redrive_ports, table }
    }
}

/// What Lambda would set for the delivery function.
fn environment(local: &Local) -> BTreeMap<String, String> {
    let function = local.stack().function("DeliveryFunction").expect("a delivery function");
    let mut environment = function.environment.clone();
    for (name, value) in [
        ("AWS_REGION", local.aws().account().region.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", local.aws().url()),
    ] {
        environment.insert(name.to_owned(), value.to_owned());
    }
    environment
}

impl Subject for RealLedger {
    fn ports(&self) -> &impl Ports {
        &self.ports
    }

    fn sweep_ports(&self) -> &impl sweep::Ports {
        &self.sweep_ports
    }

    fn redrive_ports(&self) -> &impl redrive::Ports {
        &self.redrive_ports
    }

    async fn due_at(&self, delivery: &DeliveryId) -> Option<Timestamp> {
        let bucket = AttributeValue::N(due_bucket(delivery).to_string());
        let query = self.local.clients().dynamodb.query();
        let page = query
            .table_name(&self.table)
            .index_name("due")
            .key_condition_expression("dueBucket = :bucket")
            .expression_attribute_values(":bucket", bucket)
            .send()
            .await
            .expect("the index can be read");
        let id = AttributeValue::S(delivery.to_string());
        let item = page.items().iter().find(|item| item.get("pk") == Some(&id))?;
        let next_at = item["nextAt"].as_n().expect("a number");
        Some(Timestamp::from_ms(next_at.parse().expect("milliseconds")))
    }
}

testkit::ledger_contract!(RealLedger::start());

#[tokio::test]
async fn entries_of_the_index_that_cannot_be_read_become_dead_letters_with_that_reason() {
    let real = RealLedger::start().await;
    let since = Timestamp::from_ms(1_000);
    let pending = pending_item("pending", since, 0);
    let by = breaker_key("s1");
    let held = LedgerItem {
        state: State::Held { by: by.clone(), since },
        ..pending_item("held", since, 0)
    };
    for item in [&pending, &held] {
        assert_eq!(real.ports.record(item).await, Ok(Recorded::New));
        let update = real.local.clients().dynamodb.update_item().table_name(&real.table);
        let spoil = update
            .key("pk", AttributeValue::S(item.delivery_id.to_string()))
            .update_expression("REMOVE subscriptionId, wokenUntil");
        spoil.send().await.expect("an item is spoiled");
    }
    // A breaker that holds, and is due.
    let open = Breaker::unreadable(0);
    let next = open.released(false, since).expect("it is looked at again");
    let written = real.ports.breakers().write(&by, &Breaker::default(), &next).await;
    assert_eq!(written, Ok(BreakerWrite::Written));

    let swept = sweep::run(Invocation { deadline: None }, 100, &real.sweep_ports).await;
    assert_eq!((swept.unreadable, swept.fault), (2, None), "{swept:?}");
    let scan = real.local.clients().dynamodb.scan().table_name(&real.table).send().await;
    let items = scan.expect("the table is read").items.unwrap_or_default();
    for item in items.iter().filter(|item| item.contains_key("event")) {
        let text = |name: &str| item[name].as_s().map(String::as_str);
        assert_eq!((text("state"), text("reason")), (Ok("dead"), Ok("item_unreadable")));
        assert!(!item.contains_key("dueBucket"));
    }
    let again = sweep::run(Invocation { deadline: None }, 100, &real.sweep_ports).await;
    assert_eq!(again.unreadable, 0);
}
