//! One month by hand, and what holds of all of them.

use proptest::prelude::any as anything;
use proptest::prelude::{ProptestConfig, Strategy, prop_assert, proptest};

use super::{Outcome, month};
use crate::cost::bill::Bill;
use crate::cost::inputs::Inputs;
use crate::cost::prices::{FreeTier, Item, Prices};
use crate::cost::scenario::{Architecture, Failure, Front, Keys, Scenario};

fn inputs() -> Inputs {
    Inputs::built_in().expect("inputs")
}

fn usd(scenario: &Scenario) -> f64 {
    let prices = Prices::built_in().expect("prices");
    of(&month(scenario, &inputs()).bill(), &prices)
}

fn of(bill: &Bill, prices: &Prices) -> f64 {
    bill.price(prices, FreeTier::NotTaken).expect("a bill").usd
}

fn assert_close(is: f64, expected: f64, what: &str) {
    let off = (is - expected).abs() / expected.abs().max(1e-12);
    assert!(off < 1e-9, "{what}: {is}, not {expected}");
}

/// 1,000,000 events of 1 KiB, one a POST, for three subscriptions each, one delivery of a hundred
/// answered by 503 at its first attempt and taken at its second.
#[test]
fn a_month_by_hand() {
    let scenario = Scenario {
        events: 1e6,
        fan_out: 3,
        failing: 1.0,
        failure: Failure::Retried,
        failing_ms: 100,
        ..Scenario::default()
    };
    let Outcome { used, .. } = month(&scenario, &inputs());

    // One POST an event, of less than 512 KiB.
    assert_close(used.quantity(Item::HttpApiRequest), 1e6, "requests");
    // ingest 1,000,000; delivery 1,000,000 batches of one (0.38 events a second, and five pollers) and
    // 30,000 retries.
    assert_close(used.quantity(Item::LambdaRequest), 2_030_000.0, "invocations");
    // For each event: sent, received, deleted. For each of 30,000 retries: the same.
    assert_close(used.quantity(Item::SqsRequest), 3.0 * 1_030_000.0, "SQS requests");
    // An item is 1,024 bytes and what is around the event: two units. Of 30,000 deliveries each: put
    // (2 + 2), claimed (2), removed (2 + 2), and its breaker is told of a failure and of a success (2).
    assert_close(used.quantity(Item::DynamoDbWrite), 30_000.0 * 12.0, "write units");
    // 3,000,000 first attempts and 30,000 second ones, each 1,024 × 4/3 bytes and what is around them.
    let figures = inputs();
    let around = figures.measured.notification_fixed_bytes.value
        + figures.measured.notification_header_bytes.value;
    let answers = figures.assumed.http_head_bytes.value + figures.assumed.answer_event_bytes.value;
    let sent = 3_030_000.0 * (1_024.0 * 4.0 / 3.0 + around) + 1e6 * answers;
    assert_close(used.quantity(Item::TransferOut), sent / 1_073_741_824.0, "transfer");
    // 0.38 a second: every invocation is the first of its second.
    assert_close(used.quantity(Item::Trace), 2_030_000.0, "traces");

    // In dollars, of the above: 1.00 + 2.03 × 0.20 + 3.09 × (0.40 + 0.10) + 0.36 × 0.625 + 2.03 × 5.
    let counted = [
        Item::HttpApiRequest,
        Item::LambdaRequest,
        Item::SqsRequest,
        Item::SqsFairRequest,
        Item::DynamoDbWrite,
        Item::Trace,
    ];
    let mut bill = Bill::default();
    for item in counted {
        bill.add("counted", item, used.quantity(item));
    }
    let prices = Prices::built_in().expect("prices");
    assert_close(of(&bill, &prices), 1.0 + 0.406 + 1.545 + 0.225 + 10.15, "dollars");
}

#[test]
fn a_month_without_events_costs_what_an_idle_stack_does() {
    let outcome = month(&Scenario { events: 0.0, ..Scenario::default() }, &inputs());
    let prices = Prices::built_in().expect("prices");
    assert!(of(&outcome.used, &prices).abs() < 1e-12);
    assert!(of(&outcome.idle, &prices) > 1.0);
}

#[test]
fn an_idle_stack_polls_two_queues_and_sweeps_every_minute() {
    let idle = month(&Scenario { events: 0.0, ..Scenario::default() }, &inputs()).idle;
    // 2 queues × 5 pollers × 3 a minute × 43,800 minutes.
    assert_close(idle.quantity(Item::SqsRequest), 1_314_000.0, "polls");
    assert_close(idle.quantity(Item::LambdaRequest), 43_800.0, "ticks");
    // 17 queries a tick, half a unit each.
    assert_close(idle.quantity(Item::DynamoDbRead), 43_800.0 * 8.5, "reads");
    assert_close(idle.quantity(Item::Secret), 1.0, "secrets");
}

#[test]
fn what_a_stack_does_without_is_not_billed() {
    let bare = Scenario {
        front: Front::FunctionUrl,
        keys: Keys::AwsOwned,
        tracing: false,
        metrics: Some(0),
        alarms: Some(0),
        dashboards: Some(0),
        logins: 1e6,
        ..Scenario::default()
    };
    let bill = month(&bare, &inputs()).bill();
    for item in [
        Item::HttpApiRequest,
        Item::KmsKey,
        Item::KmsRequest,
        Item::KmsSignature,
        Item::Trace,
        Item::Metric,
        Item::Alarm,
        Item::Dashboard,
        Item::LambdaGbSecondX86,
    ] {
        assert!(bill.quantity(item).abs() < 1e-12, "{item:?}");
    }
    let other = month(&Scenario { architecture: Architecture::X86, ..bare }, &inputs()).bill();
    assert!(other.quantity(Item::LambdaGbSecondArm64).abs() < 1e-12);
}

#[test]
fn a_wide_fan_out_is_split_into_portions_of_32() {
    let requests = |fan_out| {
        let scenario = Scenario { fan_out, ..Scenario::default() };
        month(&scenario, &inputs()).used.quantity(Item::SqsRequest) / 1e6
    };
    assert_close(requests(32), 3.0, "one message: sent, received, deleted");
    // Sent, received, deleted; two portions in one batch, each received and deleted.
    assert_close(requests(33), 3.0 + 1.0 + 4.0, "split in two");
}

fn any() -> impl Strategy<Value = Scenario> {
    let load = (0.0..2e9_f64, 0_u32..100, 0.0..=100.0_f64, 200_u32..=262_144, 1_u32..=100);
    let how = (0_usize..3, 5_u32..=15_000, 1_u32..5_000, 0_u32..50, anything::<[bool; 6]>());
    (load, how, 0.0..2e9_f64).prop_map(|(load, how, logins)| {
        let (events, fan_out, failing, payload_bytes, events_per_request) = load;
        let (failure, failing_ms, target_ms, scopes, [url, x86, owned, kms, idempotent, tracing]) =
            how;
        Scenario {
            events,
            fan_out,
            failing,
            payload_bytes,
            events_per_request,
            failure: [Failure::Retried, Failure::Held, Failure::Exhausted][failure],
            failing_ms,
            target_ms,
            scopes,
            logins,
            front: if url { Front::FunctionUrl } else { Front::HttpApi },
            architecture: if x86 { Architecture::X86 } else { Architecture::Arm64 },
            keys: if owned { Keys::AwsOwned } else { Keys::CustomerManaged },
            kms_signing: kms,
            idempotent,
            tracing,
            ..Scenario::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_whole_is_the_sum_of_its_parts(scenario in any()) {
        let prices = Prices::built_in().expect("prices");
        let outcome = month(&scenario, &inputs());
        let whole = outcome.bill().price(&prices, FreeTier::NotTaken).expect("a bill");
        let lines: f64 = whole.lines.iter().map(|line| line.usd).sum();
        let services: f64 = whole.by_service().iter().map(|(_, usd)| usd).sum();
        prop_assert!((lines - whole.usd).abs() <= whole.usd * 1e-9);
        prop_assert!((services - whole.usd).abs() <= whole.usd * 1e-9);
        prop_assert!(whole.lines.iter().all(|line| line.usd.is_finite() && line.usd >= 0.0));
        let given = outcome.bill().price(&prices, FreeTier::Taken).expect("a bill");
        prop_assert!(given.usd <= whole.usd);
    }

    #[test]
    fn a_wider_fan_out_never_costs_less(scenario in any(), more in 1_u32..100) {
        let wider = Scenario { fan_out: scenario.fan_out + more, ..scenario.clone() };
        prop_assert!(usd(&wider) >= usd(&scenario) * (1.0 - 1e-9));
    }

    #[test]
    fn more_failures_never_cost_less(scenario in any(), failing in 0.0..=100.0_f64) {
        let (less, more) = if failing < scenario.failing {
            (failing, scenario.failing)
        } else {
            (scenario.failing, failing)
        };
        let of = |failing| usd(&Scenario { failing, ..scenario.clone() });
        prop_assert!(of(more) >= of(less) * (1.0 - 1e-9));
    }

    #[test]
    fn larger_events_never_cost_less(scenario in any(), payload_bytes in 200_u32..=262_144) {
        let of = |payload_bytes| {
            usd(&Scenario { payload_bytes, events_per_request: 1, ..scenario.clone() })
        };
        let (small, large) = (scenario.payload_bytes.min(payload_bytes), scenario.payload_bytes.max(payload_bytes));
        prop_assert!(of(large) >= of(small) * (1.0 - 1e-9));
    }

    /// A message that is split is sent on whole with each of its portions: there, ten events a POST can
    /// cost more. Up to three subscriptions ten events are one portion.
    #[test]
    fn ten_a_post_never_cost_more_than_one(scenario in any(), fan_out in 0_u32..=3) {
        let of = |events_per_request| {
            usd(&Scenario { fan_out, events_per_request, ..scenario.clone() })
        };
        prop_assert!(of(10) <= of(1) * (1.0 + 1e-9));
    }

    #[test]
    fn nothing_is_cheaper_than_a_stack_that_is_idle(scenario in any()) {
        let idle = Scenario { events: 0.0, logins: 0.0, ..scenario.clone() };
        prop_assert!(usd(&scenario) >= usd(&idle));
    }
}
