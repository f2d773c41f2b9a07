//! What the figures are held to.

use std::fmt::Write as _;

use super::figures::Figures;
use super::loads::{FULL, HALF, HANGING};
use crate::Failure;
use crate::bill::Billed;
use crate::number::{float, length};
use crate::subjects::FUNCTIONS;
use crate::{own, startup};

/// A goal and what was measured.
struct Goal {
    what: &'static str,
    measured: f64,
    must: f64,
    aim: f64,
    unit: &'static str,
}

impl Goal {
    const fn new(
        what: &'static str,
        measured: f64,
        must: f64,
        aim: f64,
        unit: &'static str,
    ) -> Self {
        Self { what, measured, must, aim, unit }
    }

    /// Whether less is better: an aim is always further than what must be.
    fn is_less(&self) -> bool {
        self.aim < self.must
    }

    fn reaches(&self, bound: f64) -> bool {
        if self.is_less() { self.measured <= bound } else { self.measured >= bound }
    }

    fn verdict(&self) -> &'static str {
        if self.reaches(self.aim) {
            "aim reached"
        } else if self.reaches(self.must) {
            "kept"
        } else {
            "**missed**"
        }
    }
}

/// The table.
pub(super) fn table(figures: &Figures) -> Result<String, Failure> {
    let mut text =
        String::from("| | measured | must | aim | |\n| --- | ---: | ---: | ---: | --- |\n");
    for goal in goals(figures)? {
        let sign = if goal.is_less() { "≤" } else { "≥" };
        let Goal { what, measured, must, aim, unit } = goal;
        writeln!(
            text,
            "| {what} | {}{unit} | {sign} {}{unit} | {sign} {}{unit} | {} |",
            shown(measured),
            shown(must),
            shown(aim),
            goal.verdict(),
        )?;
    }
    Ok(text)
}

fn goals(figures: &Figures) -> Result<Vec<Goal>, Failure> {
    let mut goals = of_starts(&figures.startup, &figures.own)?;
    goals.extend(of_invocations(&figures.own));
    goals.extend(of_bills(&figures.billed)?);
    goals.extend(of_loads(figures)?);
    Ok(goals)
}

fn of_starts(started: &startup::Report, own: &own::Figures) -> Result<Vec<Goal>, Failure> {
    let of = |label: &str| -> Result<&startup::Figures, Failure> {
        let of = started.subjects.iter().find(|it| it.label == label);
        of.ok_or_else(|| format!("{label} was not started").into())
    };
    let (bare, defaults, ingest) = (of("no runtime")?, of("SDK's defaults")?, of("ingest")?);
    let instructions = |of: Option<u64>| of.map(float).ok_or("instructions were not counted");
    let to_answer = instructions(ingest.to_answer.instructions)?;
    let at_128 = |of: &startup::Figures| {
        let found = of.by_memory_ms.iter().find(|(memory_mb, _)| *memory_mb == 128);
        found.map(|(_, ms)| *ms).ok_or("no quota could be set")
    };
    let is_ours = |label: &str| FUNCTIONS.iter().any(|name| name.package() == label);
    let ours = started.subjects.iter().filter(|it| is_ours(&it.label));
    let zipped = ours.map(|it| float(it.zipped_bytes) / 1e6).fold(0.0, f64::max);
    Ok(vec![
        Goal::new(
            "first event answered, instructions: the SDK's defaults over ours",
            instructions(defaults.to_answer.instructions)? / to_answer,
            60.0,
            100.0,
            " ×",
        ),
        Goal::new("the same, ours", to_answer / 1e6, 7.0, 4.5, " M"),
        Goal::new(
            "the same, time with the processor of 128 MB: the SDK's defaults over ours",
            at_128(defaults)? / at_128(ingest)?,
            8.0,
            15.0,
            " ×",
        ),
        Goal::new(
            "exec → next, instructions of ingest over a binary without runtime",
            instructions(ingest.to_next.instructions)? / instructions(bare.to_next.instructions)?,
            6.0,
            3.0,
            " ×",
        ),
        Goal::new("largest package, zipped", zipped, 3.0, 2.0, " MB"),
        Goal::new(
            "resident after 10,000 events and 5,000 logins, the largest",
            own.resident_mib.iter().copied().fold(0.0, f64::max),
            16.0,
            12.0,
            " MiB",
        ),
    ])
}

fn of_invocations(own: &own::Figures) -> Vec<Goal> {
    vec![
        Goal::new(
            "ingest, AWS stubbed, over the blocking floor",
            own.ingest_stubbed_us / own.ingest_floor_us,
            2.5,
            1.6,
            " ×",
        ),
        Goal::new(
            "ingest of an event: ten in a POST over one in a POST",
            own.ingest_of_ten_us / own.ingest_us,
            0.2,
            0.125,
            " ×",
        ),
        Goal::new(
            "delivery of a POST over an ES256 signature and a bare reqwest POST",
            own.delivery_us / (own.es256_us + own.post_us),
            1.5,
            1.1,
            " ×",
        ),
        Goal::new(
            "delivery of a POST by RS256 over the bare RSA signature",
            own.delivery_rs256_us / own.rs256_us,
            1.2,
            1.1,
            " ×",
        ),
        Goal::new(
            "enrich: a decision beyond its target's POST",
            own.enrich_us - own.lone_post_us,
            200.0,
            130.0,
            " µs",
        ),
    ]
}

fn of_bills(billed: &[Billed]) -> Result<Vec<Goal>, Failure> {
    let usd = |fan_out, events_a_post| {
        let found = billed.iter().find(|it| it.case.is_plain(fan_out, events_a_post));
        found.map(|it| it.usd.path()).ok_or("it was not metered")
    };
    Ok(vec![
        Goal::new(
            "a million events, gathered for a second, 1 target, one a POST",
            usd(1, 1)?,
            1.0,
            0.85,
            " $",
        ),
        Goal::new("the same, ten a POST", usd(1, 10)?, 0.25, 0.15, " $"),
        Goal::new(
            "a million events, gathered for a second, 3 targets, one a POST",
            usd(3, 1)?,
            1.25,
            1.0,
            " $",
        ),
    ])
}

fn of_loads(figures: &Figures) -> Result<Vec<Goal>, Failure> {
    let (full, half) = (figures.load(FULL)?, figures.load(HALF)?);
    let hanging = &figures.load(HANGING)?.latencies;
    Ok(vec![
        Goal::new(
            "reads of DynamoDB an event, under load",
            full.usage.read_units / length(full.accounts.accepted_events),
            0.02,
            0.005,
            "",
        ),
        Goal::new(
            "events a second on two processors, fan-out 2, nothing lost or unexpected",
            if full.is_balanced() { rate(full) } else { 0.0 },
            2_000.0,
            5_000.0,
            "",
        ),
        Goal::new(
            "due → delivered at half of that rate, p99",
            half.latencies.healthy_since_due.p99_ms,
            50.0,
            10.0,
            " ms",
        ),
        Goal::new(
            "one target of ten hangs, after half a minute: p99 of the healthy over theirs without",
            hanging.healthy_settled.p99_ms / hanging.healthy.p99_ms,
            2.0,
            1.2,
            " ×",
        ),
        Goal::new(
            "the same, in the first half minute",
            hanging.healthy_in_trouble.p99_ms / hanging.healthy.p99_ms,
            2.0,
            1.2,
            " ×",
        ),
    ])
}

/// Events that were accepted a second, until the last of them was delivered.
fn rate(load: &crate::load::report::Report) -> f64 {
    length(load.accounts.accepted_events) / load.elapsed_s.max(f64::from(load.seconds))
}

fn shown(number: f64) -> String {
    if number >= 100.0 {
        format!("{number:.0}")
    } else if number >= 10.0 {
        format!("{number:.1}")
    } else if number >= 0.1 {
        format!("{number:.2}")
    } else {
        format!("{number:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_judged_by_its_bounds() {
        let less = |measured| Goal::new("", measured, 2.0, 1.0, "").verdict();
        assert_eq!([0.9, 1.5, 2.1].map(less), ["aim reached", "kept", "**missed**"]);
        let more = |measured| Goal::new("", measured, 1.0, 2.0, "").verdict();
        assert_eq!([2.0, 1.5, 0.9].map(more), ["aim reached", "kept", "**missed**"]);
    }
}
