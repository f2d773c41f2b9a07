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
