//! List prices, as they stand in `bench/prices.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::CostError;

const FILE: &str = include_str!("../../prices.json");

/// What AWS bills, one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each has its unit and its source in the file of prices")]
pub enum Item {
    HttpApiRequest,
    LambdaRequest,
    LambdaGbSecondArm64,
    LambdaGbSecondX86,
    SqsRequest,
    SqsFairRequest,
    DynamoDbWrite,
    DynamoDbRead,
    DynamoDbStorage,
    KmsKey,
    KmsRequest,
    KmsSignature,
    Secret,
    SecretRequest,
    LogsIngested,
    LogsStored,
    Metric,
    Alarm,
    Dashboard,
    Trace,
    TransferOut,
}

impl Item {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::HttpApiRequest,
        Self::LambdaRequest,
        Self::LambdaGbSecondArm64,
        Self::LambdaGbSecondX86,
        Self::SqsRequest,
        Self::SqsFairRequest,
        Self::DynamoDbWrite,
        Self::DynamoDbRead,
        Self::DynamoDbStorage,
        Self::KmsKey,
        Self::KmsRequest,
        Self::KmsSignature,
        Self::Secret,
        Self::SecretRequest,
        Self::LogsIngested,
        Self::LogsStored,
        Self::Metric,
        Self::Alarm,
        Self::Dashboard,
        Self::Trace,
        Self::TransferOut,
    ];
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prices {
    /// What the file is.
    pub about: String,
    /// The Region that the prices are of.
    pub region: String,
    /// What they are in.
    pub currency: String,
    /// When they were collected.
    pub collected_on: String,
    #[serde(rename = "prices")]
    items: BTreeMap<Item, Price>,
}

/// The price of an item.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// Under which heading it is billed.
    pub service: String,
    /// What one of them is.
    pub unit: String,
    /// How many a price is for.
    pub per: f64,
    /// What they cost, in steps of how many there are a month.
    pub tiers: Vec<Tier>,
    /// How many a month AWS gives an account for nothing, without end.
    pub free_per_month: f64,
    /// Where AWS says the price.
    pub page: String,
    /// The date of where it was read, where that has one.
    pub stated_on: Option<String>,
    /// Where it was read.
    pub stated_in: String,
}

/// A step of a price.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tier {
    /// Up to how many a month, counted from the first; without end when `None`.
    pub up_to: Option<f64>,
    /// Dollars.
    pub usd: f64,
}

/// Whether what AWS gives every account for nothing is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeTier {
    /// It is another stack's.
    NotTaken,
    /// All of it is this stack's.
    Taken,
}

impl Prices {
    /// The prices of the file that this program was built with.
    pub fn built_in() -> Result<Self, CostError> {
        Self::parse(FILE)
    }

    /// Reads a file of prices.
    pub fn parse(text: &str) -> Result<Self, CostError> {
        let read: Self = serde_json::from_str(text)
            .map_err(|source| CostError::Numbers { file: "bench/prices.json", source })?;
        for item in Item::ALL {
            read.of(item)?;
        }
        Ok(read)
    }

    /// The price of an item.
    pub fn of(&self, item: Item) -> Result<&Price, CostError> {
        self.items.get(&item).ok_or(CostError::NoPrice(item))
    }

    /// All prices.
    pub fn iter(&self) -> impl Iterator<Item = (Item, &Price)> {
        self.items.iter().map(|(item, price)| (*item, price))
    }
}

impl Price {
    /// Dollars for so many a month.
    #[must_use]
    pub fn usd(&self, quantity: f64, free_tier: FreeTier) -> f64 {
        let mut from = match free_tier {
            FreeTier::NotTaken => 0.0,
            FreeTier::Taken => self.free_per_month,
        };
        let mut usd = 0.0;
        for tier in &self.tiers {
            let until = tier.up_to.unwrap_or(f64::INFINITY).min(quantity);
            if until > from {
                usd += (until - from) / self.per * tier.usd;
                from = until;
            }
        }
        usd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price() -> Price {
        let text = r#"{
            "service": "s", "unit": "u", "per": 10, "freePerMonth": 50, "page": "p", "statedIn": "i",
            "tiers": [{"upTo": 100, "usd": 2.0}, {"upTo": 300, "usd": 1.0}, {"usd": 0.5}]
        }"#;
        serde_json::from_str(text).expect("a price")
    }

    fn assert_usd(quantity: f64, free_tier: FreeTier, usd: f64) {
        let said = price().usd(quantity, free_tier);
        assert!((said - usd).abs() < 1e-9, "{quantity}: {said}, not {usd}");
    }

    #[test]
    fn each_unit_has_the_price_of_its_tier() {
        assert_usd(0.0, FreeTier::NotTaken, 0.0);
        assert_usd(5.0, FreeTier::NotTaken, 1.0);
        assert_usd(100.0, FreeTier::NotTaken, 20.0);
        assert_usd(110.0, FreeTier::NotTaken, 21.0);
        assert_usd(320.0, FreeTier::NotTaken, 20.0 + 20.0 + 1.0);
    }

    #[test]
    fn a_free_tier_is_the_first_units() {
        assert_usd(50.0, FreeTier::Taken, 0.0);
        assert_usd(60.0, FreeTier::Taken, 2.0);
        assert_usd(110.0, FreeTier::Taken, 11.0);
    }

    #[test]
    fn every_item_has_a_price_that_says_where_it_is_from() {
        let prices = Prices::built_in().expect("prices");
        assert_eq!(prices.iter().count(), Item::ALL.len());
        assert_eq!((prices.region.as_str(), prices.currency.as_str()), ("us-east-1", "USD"));
        assert!(is_date(&prices.collected_on), "{}", prices.collected_on);
        for (item, price) in prices.iter() {
            assert!(price.page.starts_with("https://aws.amazon.com/"), "{item:?}");
            assert!(price.stated_in.starts_with("https://"), "{item:?}");
            assert!(price.stated_on.as_deref().is_none_or(is_date), "{item:?}");
            let [.., last] = price.tiers.as_slice() else { panic!("{item:?} has no tier") };
            assert!(last.up_to.is_none(), "{item:?} has an end");
            let steps: Vec<f64> = price.tiers.iter().filter_map(|tier| tier.up_to).collect();
            assert!(steps.is_sorted(), "{item:?}");
            assert!(price.tiers.iter().all(|tier| tier.usd > 0.0) && price.per > 0.0, "{item:?}");
        }
    }

    #[test]
    fn a_file_without_a_price_is_not_one() {
        let text = FILE.replace("\"sqsRequest\"", "\"sqsFairRequest\"");
        assert!(Prices::parse(&text).is_err());
        assert!(Prices::parse("{}").is_err());
    }

    fn is_date(text: &str) -> bool {
        let mut parts = text.split('-').map(str::len);
        (parts.next(), parts.next(), parts.next(), parts.next())
            == (Some(4), Some(2), Some(2), None)
    }
}
