//! What the table of last known good claims has promised, kept by the world and by `adapters` on the
//! local AWS endpoint.

use std::future::ready;
use std::time::Duration;

use adapters::aws::{self, CallLimits};
use adapters::clock;
use adapters::known_good::KnownGoodTable;
use domain::delivery::OurFault;
use domain::enrich::last_known_good::{Giver, Good, Place, Ports, Remembered, User};
use domain::id::{ClientId, Sub};
use domain::time::{Deadline, Timestamp};
use local::aws::{Fault, Service};
use local::{Local, Options};
use testkit::contract::known_good::Subject;
use testkit::samples::subscription_id;
use testkit::world::World;

mod world {
    use super::{World, ready};

    testkit::known_good_contract!(ready(World::new(1)));
}

struct RealTable {
    local: Local,
    table: KnownGoodTable,
}

impl RealTable {
    async fn start() -> Self {
        let local = Local::start(&Options::ephemeral()).await.expect("a local stack");
        let config = aws::config(&local::environment(local.aws()), CallLimits::ENRICH);
        let client = aws_sdk_dynamodb::Client::new(&config.expect("complete settings"));
        let declared = local.stack().table("KnownGoodTable").expect("declared");
        let table = KnownGoodTable::new(client, declared.name.clone());
        Self { local, table }
    }
}

impl Subject for RealTable {
    fn ports(&self) -> &impl Ports {
        &self.table
    }

    async fn save(&self, memory: Remembered) {
        self.table.save_one(memory).await;
    }
}

testkit::known_good_contract!(RealTable::start());

fn here() -> Place {
    let sub = Sub::parse("u1").expect("a user");
    let user = User { sub, client_id: ClientId::parse("c1").expect("a client ID") };
    Place { user, subscription_id: subscription_id("s1") }
}

fn memory(at: Timestamp) -> Remembered {
    let good = Good::read(r#"{"tier":"gold"}"#, at, Giver::stored("g")).expect("claims");
    Remembered { place: here(), good, until: at.plus_ms(60_000) }
}

/// Far more time than a call takes.
fn in_peace() -> Deadline {
    Deadline::at(clock::now().plus_ms(20_000))
}

#[tokio::test]
async fn a_memory_is_saved_while_nobody_waits() {
    let real = RealTable::start().await;
    let now = clock::now();
    real.table.save(vec![memory(now)]);
    let saved = async {
        loop {
            let known = real.table.known(&here(), now, in_peace()).await.expect("readable");
            if known.good.is_some_and(|good| good.at == now) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), saved).await.expect("it is saved");
}

#[tokio::test]
async fn nothing_is_read_before_its_time_or_waited_for_beyond_the_deadline() {
    let real = RealTable::start().await;
    let from = clock::now().plus_ms(50);
    assert!(real.table.known(&here(), from, in_peace()).await.is_some());
    assert!(clock::now() >= from);
    let passed = Deadline::at(clock::now().minus_ms(1));
    assert!(real.table.known(&here(), from, passed).await.is_none());
    assert!(!real.table.refuse(&here().user, from, passed).await);
}

#[tokio::test]
async fn f03_a_table_that_is_down_knows_nothing_and_says_so() {
    let real = RealTable::start().await;
    let now = clock::now();
    real.local.aws().faults().set(Fault::Down(Service::DynamoDb));
    real.table.save_one(memory(now)).await;
    assert!(real.table.known(&here(), now, in_peace()).await.is_none());
    assert!(!real.table.refuse(&here().user, now, in_peace()).await);
    let sub = here().user.sub;
    assert_eq!(real.table.revoke(&sub, now).await, Err(OurFault::KnownGood));
    real.local.aws().faults().clear_all();
    let known = real.table.known(&here(), now, in_peace()).await.expect("readable");
    assert!(known.good.is_none() && known.refused_at.is_none() && known.revoked_at.is_none());
}
