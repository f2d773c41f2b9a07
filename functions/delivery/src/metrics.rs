//! What a batch counts for in the stack's metrics.

use adapters::metrics::{Metric, Tally};
use domain::breaker::Change;
use domain::delivery::{Disposition, Fate, Report};
use domain::ledger::Reason;
use domain::time::Timestamp;

/// Adds what became of a record; `None` for one whose work panicked.
pub(crate) fn add(tally: &mut Tally, fate: Option<&Fate>, now: Timestamp) {
    let reports = match fate {
        Some(Fate::Settled { reports, unmatched, unreadable }) => {
            tally.count(Metric::EventsUnmatched, *unmatched);
            for _ in 0..*unreadable {
                tally.count_by(Metric::DeadLetters, Reason::Unreadable.class());
            }
            reports.as_slice()
        }
        Some(Fate::Split { .. }) => &[],
        Some(Fate::Returned(_, reports)) => {
            tally.count(Metric::RecordsReturned, 1);
            reports.as_slice()
        }
        Some(Fate::SetAside(_)) => {
            tally.count(Metric::RecordsSetAside, 1);
            &[]
        }
        None => {
            tally.count(Metric::RecordsReturned, 1);
            &[]
        }
    };
    for report in reports {
        add_report(tally, report, now);
    }
}

fn add_report(tally: &mut Tally, report: &Report, now: Timestamp) {
    tally.count_by(Metric::Deliveries, report.disposition.as_str());
    if let Disposition::Dead(reason) = &report.disposition {
        tally.count_by(Metric::DeadLetters, reason.class());
    }
    if report.outcome.is_some() {
        let age_ms = now.since_ms(report.accepted_at);
        let age = if report.attempt == 1 { Metric::FirstAttemptAgeMs } else { Metric::RetryAgeMs };
        tally.add(Metric::AttemptMs, report.elapsed_ms);
        tally.add(age, age_ms);
    }
    let has_opened = matches!(report.breaker, Some(Change::Opened { .. }));
    tally.count(Metric::BreakersOpened, usize::from(has_opened));
    tally.count(Metric::SubscriptionsDisabled, usize::from(report.ended.is_some()));
}

#[cfg(test)]
mod tests {
    use domain::delivery::{Ended, OurFault};
    use domain::event_type::EventType;
    use domain::id::{DeliveryId, EventId, PropertyId, SubscriptionId};
    use domain::outcome::Outcome;
    use domain::scope::Scope;
    use serde_json::{Value, json};

    use super::*;

    const ACCEPTED_AT: Timestamp = Timestamp::from_ms(1_795_428_000_000);

    fn report(attempt: u32, status: u16, disposition: Disposition) -> Report {
        let scope = Scope::Property(PropertyId::parse("p").expect("valid"));
        let event_id = EventId::parse("e").expect("valid");
        let subscription_id = SubscriptionId::parse("s").expect("valid");
        Report {
            delivery_id: DeliveryId::of(&scope, &event_id, &subscription_id),
            event_id,
            kind: EventType::UserUpdated,
            scope,
            accepted_at: ACCEPTED_AT,
            trace: None,
            subscription_id,
            attempt,
            outcome: Some(Outcome::Replied { status, retry_after: None }),
            handshake: None,
            refused: None,
            elapsed_ms: 20,
            disposition,
            breaker: None,
            ended: None,
        }
    }

    /// What is counted of these records, 100 ms after the event was accepted: the lines, without
    /// what is the same in each.
    fn counted(fates: &[Option<Fate>]) -> Vec<Value> {
        let mut tally = Tally::default();
        for fate in fates {
            add(&mut tally, fate.as_ref(), ACCEPTED_AT.plus_ms(100));
        }
        let read = |line: String| -> Value {
            let mut line: Value = serde_json::from_str(&line).expect("JSON");
            for name in ["_aws", "Stack"] {
                line.as_object_mut().expect("an object").remove(name);
            }
            line
        };
        tally.lines("s", 0).into_iter().map(read).collect()
    }

    fn settled(reports: Vec<Report>) -> Fate {
        Fate::Settled { reports, unmatched: 0, unreadable: 0 }
    }

    #[test]
    fn a_first_attempt_and_a_later_one_are_told_apart_by_their_ages() {
        let first = report(1, 200, Disposition::Delivered);
        let later = report(2, 500, Disposition::Retrying { next_at: ACCEPTED_AT });
        assert_eq!(
            counted(&[Some(settled(vec![first])), Some(settled(vec![later]))]),
            [
                json!({
                    "Deliveries": [1, 1], "AttemptMs": [20, 20], "FirstAttemptAgeMs": 100,
                    "RetryAgeMs": 100,
                }),
                json!({"Outcome": "delivered", "Deliveries": 1}),
                json!({"Outcome": "retrying", "Deliveries": 1}),
            ]
        );
    }

    #[test]
    fn what_ends_a_delivery_or_a_subscription_is_counted_by_a_class_that_no_target_chooses() {
        let reason = Reason::Final("http_410".to_owned());
        let mut gone = report(1, 410, Disposition::Dead(reason));
        gone.ended = Some(Ended::Gone);
        let lines = counted(&[Some(settled(vec![gone]))]);
        assert_eq!(lines[0]["SubscriptionsDisabled"], 1);
        assert_eq!(lines[0]["DeadLetters"], 1);
        let by_reason = json!({"Reason": "gone", "DeadLetters": 1});
        assert!(lines.contains(&by_reason), "{lines:?}");

        let unreadable = Fate::Settled { reports: Vec::new(), unmatched: 2, unreadable: 1 };
        let lines = counted(&[Some(unreadable)]);
        assert_eq!(lines[0], json!({"EventsUnmatched": 2, "DeadLetters": 1}));
        assert_eq!(lines[1], json!({"Reason": "item_unreadable", "DeadLetters": 1}));
    }

    #[test]
    fn what_comes_back_is_counted_with_what_happened_all_the_same() {
        let held = Disposition::Held { since: ACCEPTED_AT };
        let mut held = report(0, 0, held);
        held.outcome = None;
        let returned = Fate::Returned(OurFault::Queue, vec![held]);
        let lines = counted(&[Some(returned), None]);
        assert_eq!(lines[0], json!({"RecordsReturned": [1, 1], "Deliveries": 1}));
        assert_eq!(lines[1], json!({"Outcome": "held", "Deliveries": 1}), "no attempt was made");
    }
}
