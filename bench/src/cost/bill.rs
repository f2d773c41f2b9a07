//! A month's bill: what is counted, line by line, and what that comes to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::CostError;
use super::prices::{FreeTier, Item, Prices};

/// So many of an item, and what for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// What for.
    pub what: &'static str,
    /// What is billed.
    pub item: Item,
    /// How many a month.
    pub quantity: f64,
}

/// What a month comes to, before it is priced.
#[derive(Clone, Debug, Default)]
pub struct Bill {
    lines: Vec<Line>,
}

/// A line with its price.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Priced {
    /// Under which heading AWS bills it.
    pub service: String,
    /// What for.
    pub what: &'static str,
    /// How many a month.
    pub quantity: f64,
    /// What one of them is.
    pub unit: String,
    /// Dollars a month.
    pub usd: f64,
}

/// A month in dollars.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Month {
    /// Dollars in all.
    pub usd: f64,
    /// Line by line.
    pub lines: Vec<Priced>,
}

impl Bill {
    /// One line more.
    pub fn add(&mut self, what: &'static str, item: Item, quantity: f64) {
        if quantity > 0.0 {
            self.lines.push(Line { what, item, quantity });
        }
    }

    /// All lines of another bill.
    pub fn extend(&mut self, other: Self) {
        self.lines.extend(other.lines);
    }

    /// How many of an item.
    #[must_use]
    pub fn quantity(&self, item: Item) -> f64 {
        self.lines.iter().filter(|line| line.item == item).map(|line| line.quantity).sum()
    }

    /// In dollars. Where a price has steps, each line of its item has the mean of them.
    pub fn price(&self, prices: &Prices, free_tier: FreeTier) -> Result<Month, CostError> {
        let mut lines = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let price = prices.of(line.item)?;
            let of_all = self.quantity(line.item);
            let usd = price.usd(of_all, free_tier) * line.quantity / of_all;
            let (service, unit) = (price.service.clone(), price.unit.clone());
            lines.push(Priced { service, what: line.what, quantity: line.quantity, unit, usd });
        }
        Ok(Month { usd: lines.iter().map(|line| line.usd).sum(), lines })
    }
}

impl Month {
    /// Dollars by service, the dearest first.
    #[must_use]
    pub fn by_service(&self) -> Vec<(&str, f64)> {
        let mut services: BTreeMap<&str, f64> = BTreeMap::new();
        for line in &self.lines {
            *services.entry(line.service.as_str()).or_default() += line.usd;
        }
        let mut services: Vec<_> = services.into_iter().collect();
        services.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        services
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_part_of_the_steps_of_its_item() {
        let prices = Prices::built_in().expect("prices");
        let mut bill = Bill::default();
        bill.add("events", Item::HttpApiRequest, 300e6);
        bill.add("logins", Item::HttpApiRequest, 100e6);
        bill.add("nothing", Item::Trace, 0.0);
        let month = bill.price(&prices, FreeTier::NotTaken).expect("a bill");
        // 300 × $1.00 + 100 × $0.90
        assert!((month.usd - 390.0).abs() < 1e-9);
        assert_eq!(month.lines.len(), 2);
        assert!((month.lines[0].usd - 390.0 * 0.75).abs() < 1e-9);
        assert_eq!(month.by_service().len(), 1);
    }
}
