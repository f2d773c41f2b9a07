//! What the bills are made of: prices, and what was measured, documented and assumed.

use std::fmt::Write as _;

use crate::cost::inputs::{Figure, Inputs};
use crate::cost::prices::Prices;

/// What was measured.
pub(super) fn measured(inputs: &Inputs) -> String {
    figures("measured", &inputs.measured.figures())
}

/// What AWS documents, what the template makes, and what is assumed.
pub(super) fn assumed(inputs: &Inputs) -> String {
    let sections = [
        figures("documented by AWS", &inputs.documented.figures()),
        figures("of the template", &inputs.stack.figures()),
        figures("assumed", &inputs.assumed.figures()),
    ];
    sections.join("\n")
}

fn figures(heading: &str, figures: &[(&'static str, &Figure)]) -> String {
    let mut text = format!("| {heading} | | unit | how |\n| --- | ---: | --- | --- |\n");
    for (name, Figure { value, unit, how }) in figures {
        // Writing to a text does not fail.
        let _ = writeln!(text, "| {} | {value} | {unit} | {how} |", name.replace('_', " "));
    }
    text
}

/// The list prices.
pub(super) fn prices(prices: &Prices) -> String {
    let mut text = format!(
        "| {}, collected on {} | $ | for | stated on |\n| --- | ---: | --- | --- |\n",
        prices.region, prices.collected_on
    );
    for (_, price) in prices.iter() {
        let steps: Vec<String> = price.tiers.iter().map(|tier| tier.usd.to_string()).collect();
        let per = if price.per > 1.0 {
            format!("{} × {}", super::grouped(price.per), price.unit)
        } else {
            price.unit.clone()
        };
        let stated_on = price.stated_on.as_deref().unwrap_or("undated");
        let _ = writeln!(
            text,
            "| [{}]({}) | {} | {per} | [{stated_on}]({}) |",
            price.service,
            price.page,
            steps.join(", then "),
            price.stated_in,
        );
    }
    text
}
