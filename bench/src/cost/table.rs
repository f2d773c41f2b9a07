//! The tables of `docs/cost.md`.

mod amounts;
mod numbers;

use std::fmt::Write as _;

use super::inputs::Inputs;
use super::prices::{FreeTier, Prices};
use super::scenario::{Architecture, Failure, Front, Keys, Scenario};
use super::{CostError, model};

pub use amounts::{grouped, usd};

/// What the tables are about, where they say nothing else.
const SMALL: f64 = 1e6;
const LARGE: f64 = 100e6;

/// All tables, by the names of their places.
pub fn all(prices: &Prices, inputs: &Inputs) -> Result<Vec<(String, String)>, CostError> {
    let tables = Tables { prices, inputs };
    let mut all = vec![
        ("headline".to_owned(), tables.headline()?),
        ("idle".to_owned(), tables.idle()?),
        ("parts".to_owned(), tables.parts()?),
        ("switches".to_owned(), tables.switches()?),
        ("stories".to_owned(), tables.stories()?),
        ("logins".to_owned(), tables.logins()?),
        ("measured".to_owned(), numbers::measured(inputs)),
        ("assumed".to_owned(), numbers::assumed(inputs)),
        ("prices".to_owned(), numbers::prices(prices)),
    ];
    for (events, size) in [(SMALL, "1M"), (LARGE, "100M")] {
        for a_request in [1, 10] {
            all.push((format!("matrix-{size}-{a_request}"), tables.matrix(events, a_request)?));
        }
    }
    Ok(all)
}

/// What is asked otherwise.
type Change = fn(Scenario) -> Scenario;

struct Tables<'a> {
    prices: &'a Prices,
    inputs: &'a Inputs,
}

impl Tables<'_> {
    fn usd(&self, scenario: &Scenario) -> Result<f64, CostError> {
        let bill = model::month(scenario, self.inputs).bill();
        Ok(bill.price(self.prices, FreeTier::NotTaken)?.usd)
    }

    /// The few numbers that most people want.
    fn headline(&self) -> Result<String, CostError> {
        let idle = self.usd(&Scenario { events: 0.0, ..Scenario::default() })?;
        let mut text = "| events a month (1 KiB, one a POST, none failing) | fan-out 1 | fan-out 3 | fan-out 10 |\n".to_owned();
        text.push_str("| ---: | ---: | ---: | ---: |\n");
        let _ = writeln!(text, "| none | ${0} | ${0} | ${0} |", usd(idle));
        for events in [SMALL, LARGE / 10.0, LARGE] {
            row(&mut text, &[grouped(events)]);
            for fan_out in [1, 3, 10] {
                let in_all = self.usd(&Scenario { events, fan_out, ..Scenario::default() })?;
                let a_million = in_all / events * 1e6;
                let _ = write!(text, " ${} (${} a million) |", usd(in_all), usd(a_million));
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// Dollars a million events, by fan-out, failing share and payload.
    fn matrix(&self, events: f64, events_per_request: u32) -> Result<String, CostError> {
        let mut text = "| fan-out | failing | 1 KiB | 4 KiB | 64 KiB | 256 KiB |\n".to_owned();
        text.push_str("| ---: | ---: | ---: | ---: | ---: | ---: |\n");
        let fan_outs = [(0, [0.0].as_slice()), (1, &[0.0, 1.0, 10.0, 100.0])];
        let others = [3, 10].map(|fan_out| (fan_out, [0.0, 1.0, 10.0, 100.0].as_slice()));
        for (fan_out, shares) in fan_outs.into_iter().chain(others) {
            for failing in shares {
                row(&mut text, &[fan_out.to_string(), format!("{failing} %")]);
                for payload_bytes in [1_024, 4 * 1_024, 64 * 1_024, 256 * 1_024] {
                    let scenario = Scenario {
                        events,
                        fan_out,
                        failing: *failing,
                        payload_bytes,
                        events_per_request,
                        ..Scenario::default()
                    };
                    let mark = if model::month(&scenario, self.inputs).fits(self.inputs) {
                        ""
                    } else {
                        " †"
                    };
                    let a_million = self.usd(&scenario)? / events * 1e6;
                    // Writing to a text does not fail.
                    let _ = write!(text, " {}{mark} |", usd(a_million));
                }
                text.push('\n');
            }
        }
        Ok(text)
    }

    /// A month in which nothing happens.
    fn idle(&self) -> Result<String, CostError> {
        let idle = model::month(&Scenario { events: 0.0, ..Scenario::default() }, self.inputs).idle;
        let month = idle.price(self.prices, FreeTier::NotTaken)?;
        let left = idle.price(self.prices, FreeTier::Taken)?;
        let mut text =
            "| service | for | a month | unit | $ a month | with AWS's free tier |\n".to_owned();
        text.push_str("| --- | --- | ---: | --- | ---: | ---: |\n");
        for (line, left) in month.lines.iter().zip(&left.lines) {
            let quantity = grouped(line.quantity);
            let cells =
                [&line.service, line.what, &quantity, &line.unit, &usd(line.usd), &usd(left.usd)];
            row(&mut text, &cells.map(ToString::to_string));
            text.push('\n');
        }
        let sums = [usd(month.usd), usd(left.usd)].map(|sum| format!("**{sum}**"));
        row(&mut text, &["**in all**".to_owned(), String::new(), String::new(), String::new()]);
        let _ = writeln!(text, " {} | {} |", sums[0], sums[1]);
        Ok(text)
    }

    /// What a million events are made of.
    fn parts(&self) -> Result<String, CostError> {
        let scenario =
            |events, failing| Scenario { events, fan_out: 3, failing, ..Scenario::default() };
        let columns = [(SMALL, 0.0), (LARGE, 0.0), (SMALL, 1.0), (LARGE, 1.0)];
        let mut services: Vec<String> = Vec::new();
        let mut months = Vec::new();
        for (events, failing) in columns {
            let used = model::month(&scenario(events, failing), self.inputs).used;
            let month = used.price(self.prices, FreeTier::NotTaken)?;
            for (service, _) in month.by_service() {
                if !services.iter().any(|known| known == service) {
                    services.push(service.to_owned());
                }
            }
            months.push((events, month));
        }
        let mut text = "| $ a million events, without what an idle stack costs | 1 M a month | 100 M a month | 1 M, 1 % failing | 100 M, 1 % failing |\n".to_owned();
        text.push_str("| --- | ---: | ---: | ---: | ---: |\n");
        for service in &services {
            row(&mut text, std::slice::from_ref(service));
            for (events, month) in &months {
                let by_service = month.by_service();
                let of_it = by_service.iter().find(|(name, _)| name == service);
                let dollars = of_it.map_or(0.0, |(_, dollars)| *dollars) / events * 1e6;
                let _ = write!(text, " {} |", usd(dollars));
            }
            text.push('\n');
        }
        row(&mut text, &["**in all**".to_owned()]);
        for (events, month) in &months {
            let _ = write!(text, " **{}** |", usd(month.usd / events * 1e6));
        }
        text.push('\n');
        Ok(text)
    }

    /// What another choice comes to.
    fn switches(&self) -> Result<String, CostError> {
        let base = |events| Scenario { events, fan_out: 3, ..Scenario::default() };
        let changes: [(&str, Change); 13] = [
            ("as deployed by default", |it| it),
            ("Function URLs in the place of the HTTP API", |it| Scenario {
                front: Front::FunctionUrl,
                ..it
            }),
            ("ten events a POST", |it| Scenario { events_per_request: 10, ..it }),
            ("both of these", |it| Scenario {
                front: Front::FunctionUrl,
                events_per_request: 10,
                ..it
            }),
            ("no traces", |it| Scenario { tracing: false, ..it }),
            ("128 MB for `delivery`", |it| Scenario { delivery_mb: Some(128), ..it }),
            ("keys of AWS's own at rest", |it| Scenario { keys: Keys::AwsOwned, ..it }),
            ("ten custom metrics", |it| Scenario { metrics: Some(10), ..it }),
            ("no dashboard", |it| Scenario { dashboards: Some(0), ..it }),
            ("everything above", |it| Scenario {
                front: Front::FunctionUrl,
                events_per_request: 10,
                tracing: false,
                delivery_mb: Some(128),
                keys: Keys::AwsOwned,
                metrics: Some(10),
                dashboards: Some(0),
                ..it
            }),
            ("*dearer:* x86_64", |it| Scenario { architecture: Architecture::X86, ..it }),
            ("*dearer:* `IdempotentIngest`", |it| Scenario { idempotent: true, ..it }),
            ("*dearer:* ES256 by a key in KMS (`SigningKmsKeyArn`)", |it| Scenario {
                kms_signing: true,
                ..it
            }),
        ];
        let mut text =
            "| $ a month | 1 M events | | 100 M events | |\n| --- | ---: | ---: | ---: | ---: |\n"
                .to_owned();
        for (what, change) in changes {
            row(&mut text, &[what.to_owned()]);
            for events in [SMALL, LARGE] {
                let (was, is) = (self.usd(&base(events))?, self.usd(&change(base(events)))?);
                let percent = (is / was - 1.0) * 100.0;
                let _ = write!(text, " {} | {percent:+.0} % |", usd(is));
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// What a million deliveries cost that go wrong, beyond those that do not.
    fn stories(&self) -> Result<String, CostError> {
        let mut text =
            "| $ more a million deliveries that go wrong | 1 KiB | 4 KiB | 64 KiB | 256 KiB |\n"
                .to_owned();
        text.push_str("| --- | ---: | ---: | ---: | ---: |\n");
        let stories = [
            ("refused at once, the second attempt succeeds", Failure::Retried, 10),
            ("no answer in 5 s, the second attempt succeeds", Failure::Retried, 5_000),
            ("held by the breaker, delivered when the target is back", Failure::Held, 5_000),
            ("refused at once, 12 times in three days, a dead letter", Failure::Exhausted, 10),
            ("no answer in 5 s, 12 times in three days, a dead letter", Failure::Exhausted, 5_000),
        ];
        for (what, failure, failing_ms) in stories {
            row(&mut text, &[what.to_owned()]);
            for payload_bytes in [1_024, 4 * 1_024, 64 * 1_024, 256 * 1_024] {
                let well = Scenario {
                    events: SMALL,
                    payload_bytes,
                    failure,
                    failing_ms,
                    ..Scenario::default()
                };
                let ill = Scenario { failing: 100.0, ..well.clone() };
                let _ = write!(text, " {} |", usd(self.usd(&ill)? - self.usd(&well)?));
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// Dollars a million logins.
    fn logins(&self) -> Result<String, CostError> {
        let idle = self.usd(&Scenario { events: 0.0, ..Scenario::default() })?;
        let base = |logins| Scenario { events: 0.0, logins, ..Scenario::default() };
        let changes: [(&str, Change); 7] = [
            ("by the HTTP API, with a `requestId`, one target that answers in 100 ms", |it| it),
            ("… by direct Invoke", |it| Scenario { invoked: true, ..it }),
            ("… without a `requestId`", |it| Scenario { unnamed: true, ..it }),
            ("… with three targets", |it| Scenario { login_targets: 3, ..it }),
            ("… with a target that takes a second", |it| Scenario { target_ms: 1_000, ..it }),
            ("… with `LastKnownGood`", |it| Scenario { last_known_good: true, ..it }),
            ("… without traces", |it| Scenario { tracing: false, ..it }),
        ];
        let mut text = "| $ a million logins, without what an idle stack costs | 1 M a month | 100 M a month |\n".to_owned();
        text.push_str("| --- | ---: | ---: |\n");
        for (what, change) in changes {
            row(&mut text, &[what.to_owned()]);
            for logins in [SMALL, LARGE] {
                let scenario = change(base(logins));
                let untraced = Scenario { logins: 0.0, ..scenario.clone() };
                let fixed = if scenario.tracing { idle } else { self.usd(&untraced)? };
                let _ = write!(text, " {} |", usd((self.usd(&scenario)? - fixed) / logins * 1e6));
            }
            text.push('\n');
        }
        Ok(text)
    }
}

/// The first cells of a line.
fn row(text: &mut String, cells: &[String]) {
    text.push('|');
    for cell in cells {
        // Writing to a text does not fail.
        let _ = write!(text, " {cell} |");
    }
}
