//! What the table of logins has promised, kept by the world and by `adapters` on the local AWS
//! endpoint.

use std::future::ready;

use adapters::aws::{self, CallLimits};
use adapters::clock;
use adapters::logins::LoginsTable;
use domain::enrich::once::{Asking, Ports, Taken, Turn};
use domain::time::Deadline;
use local::aws::{Fault, Service};
use local::{Local, Options};
use testkit::contract::logins::Subject;
use testkit::samples::{decision, login_event};
use testkit::world::World;

mod world {
    use super::{World, ready};

    testkit::logins_contract!(ready(World::new(1)));
}

struct RealTable {
    local: Local,
    table: LoginsTable,
}

impl RealTable {
    async fn start() -> Self {
        let local = Local::start(&Options::ephemeral()).await.expect("a local stack");
        let config = aws::config(&local::environment(local.aws()), CallLimits::ENRICH);
        let client = aws_sdk_dynamodb::Client::new(&config.expect("complete settings"));
        let declared = local.stack().table("LoginsTable").expect("declared");
        let table = LoginsTable::new(client, declared.name.clone());
        Self { local, table }
    }
}

impl Subject for RealTable {
    fn ports(&self) -> &impl Ports {
        &self.table
    }

    fn soon(&self) -> Deadline {
        Deadline::at(clock::now().plus_ms(100))
    }
}

testkit::logins_contract!(RealTable::start());

#[tokio::test]
async fn f03_a_table_that_is_down_says_nothing_and_breaks_nothing() {
    let real = RealTable::start().await;
    let asking = Asking::of(&login_event("c1", "r1", "192.0.2.1"));
    let now = clock::now();
    let by = Deadline::at(now.plus_ms(20_000));
    let turn = Turn { owner: "d1".to_owned(), until: now.plus_ms(60_000) };
    real.local.aws().faults().set(Fault::Down(Service::DynamoDb));
    assert!(matches!(real.table.take(&asking, &turn, now, by).await, Taken::Unknown));
    real.table.keep(&asking, &decision("d1"), turn.until, by).await;
    assert!(real.table.decided(&asking, real.soon()).await.is_none());
    real.local.aws().faults().clear_all();
    assert!(matches!(real.table.take(&asking, &turn, now, by).await, Taken::Mine));
}

#[tokio::test]
async fn nobody_waits_for_a_table_beyond_the_deadline() {
    let real = RealTable::start().await;
    let asking = Asking::of(&login_event("c1", "r1", "192.0.2.1"));
    let (now, passed) = (clock::now(), Deadline::at(clock::now().minus_ms(1)));
    let turn = Turn { owner: "d1".to_owned(), until: now.plus_ms(60_000) };
    assert!(matches!(real.table.take(&asking, &turn, now, passed).await, Taken::Unknown));
    assert!(real.table.decided(&asking, passed).await.is_none());
}
