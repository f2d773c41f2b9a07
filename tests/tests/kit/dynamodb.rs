//! The ledger's promises, kept by `adapters` on the local AWS endpoint.

use std::collections::BTreeMap;

use adapters::aws::{self, CallLimits};
use adapters::ports::{DeliveryPorts, RedrivePorts, SweepPorts};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::delivery::Ports;
use domain::egress::EgressPolicy;
use domain::event_type::EventTypeNames;
use domain::id::DeliveryId;
use domain::ledger::due_bucket;
use domain::time::Timestamp;
use domain::{redrive, sweep};
use local::{Local, Options};
use testkit::contract::Subject;

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
            EgressPolicy::production(),
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
