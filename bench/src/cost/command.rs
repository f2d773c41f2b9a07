//! `cargo run -p bench -- cost`: a scenario's bill, or the tables of `docs/cost.md`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use serde::Serialize;

use super::bill::Month;
use super::inputs::Inputs;
use super::prices::{FreeTier, Prices};
use super::scenario::Scenario;
use super::table::{grouped, usd};
use super::{CostError, document, model};

/// What a stack costs a month, from list prices (bench/prices.json) and what was measured
/// (bench/inputs.json)
#[derive(Debug, Parser)]
#[command(name = "bench cost")]
pub struct Command {
    #[command(flatten)]
    scenario: Scenario,
    /// Take off what AWS gives every account for nothing, as if nothing else were in the account
    #[arg(long)]
    free_tier: bool,
    /// How the bill is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
    /// Make the tables of this document anew, and print nothing
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// The bill as JSON has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    region: &'a str,
    prices_collected_on: &'a str,
    scenario: &'a Scenario,
    usd: f64,
    usd_idle: f64,
    usd_a_million_events: Option<f64>,
    concurrency_of_events: f64,
    concurrency_of_retries: f64,
    /// Whether the template's mappings let as many invocations run at once.
    fits: bool,
    idle: Month,
    used: Month,
}

impl Command {
    /// What is to be printed.
    pub fn run(&self) -> Result<String, CostError> {
        let (prices, inputs) = (Prices::built_in()?, Inputs::built_in()?);
        if let Some(path) = &self.write {
            document::write(path, &prices, &inputs)?;
            return Ok(String::new());
        }
        let free_tier = if self.free_tier { FreeTier::Taken } else { FreeTier::NotTaken };
        let outcome = model::month(&self.scenario, &inputs);
        let whole = outcome.bill().price(&prices, free_tier)?;
        let document = Document {
            region: &prices.region,
            prices_collected_on: &prices.collected_on,
            scenario: &self.scenario,
            usd: whole.usd,
            usd_idle: outcome.idle.price(&prices, free_tier)?.usd,
            usd_a_million_events: (self.scenario.events > 0.0)
                .then(|| whole.usd / self.scenario.events * 1e6),
            concurrency_of_events: outcome.concurrency_of_events,
            concurrency_of_retries: outcome.concurrency_of_retries,
            fits: outcome.fits(&inputs),
            idle: outcome.idle.price(&prices, free_tier)?,
            used: outcome.used.price(&prices, free_tier)?,
        };
        match self.output {
            Output::Text => Ok(text(&document, &whole)),
            Output::Json => serde_json::to_string_pretty(&document)
                .map_err(|source| CostError::Numbers { file: "the bill", source }),
        }
    }
}

fn text(document: &Document<'_>, whole: &Month) -> String {
    let Document { region, prices_collected_on, usd: in_all, usd_idle, .. } = document;
    let mut text = format!("list prices of {region}, collected on {prices_collected_on}\n\n");
    for (service, of_it) in whole.by_service() {
        line(&mut text, service, &usd(of_it));
        for it in whole.lines.iter().filter(|line| line.service == service) {
            let quantity = grouped(it.quantity);
            line(&mut text, &format!("  {}: {quantity} × {}", it.what, it.unit), &usd(it.usd));
        }
    }
    line(&mut text, "\na month in all, in dollars", &usd(*in_all));
    line(&mut text, "of which while nothing happens", &usd(*usd_idle));
    if let Some(a_million) = document.usd_a_million_events {
        line(&mut text, "a million events, in dollars", &usd(a_million));
    }
    if !document.fits {
        let (events, retries) = (document.concurrency_of_events, document.concurrency_of_retries);
        let needs = "it does not fit the template's MaximumConcurrency: on average";
        // Writing to a text does not fail.
        let _ = writeln!(text, "{needs} {events:.0} and {retries:.0} invocations at once");
    }
    text
}

fn line(text: &mut String, what: &str, dollars: &str) {
    // Writing to a text does not fail.
    let _ = writeln!(text, "{what:<86} {dollars:>14}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(options: &[&str]) -> String {
        let arguments = ["cost"].into_iter().chain(options.iter().copied());
        let command = Command::try_parse_from(arguments).expect("a command line");
        command.run().expect("a bill")
    }

    #[test]
    fn the_bill_is_printed_as_text_and_as_json() {
        let text = run(&["--events=1e6", "--fan-out=3"]);
        assert!(text.contains("Lambda") && text.contains("a million events"), "{text}");
        let json: serde_json::Value =
            serde_json::from_str(&run(&["--fan-out=3", "--output=json"])).expect("JSON");
        let sum = |part: &str| -> f64 {
            let lines = json[part]["lines"].as_array().expect("lines");
            lines.iter().filter_map(|line| line["usd"].as_f64()).sum()
        };
        let in_all = json["usd"].as_f64().expect("a number");
        assert!((sum("idle") + sum("used") - in_all).abs() < 1e-6);
        assert_eq!(json["fits"], true);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let text = run(&["--events=1e9", "--failing=100"]);
        assert!(text.contains("MaximumConcurrency"), "{text}");
    }
}
