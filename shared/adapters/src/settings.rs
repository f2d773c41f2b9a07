//! Settings: environment variables, parsed at boot, named in the error, never printed.

use std::collections::BTreeMap;
use std::fmt::Display;

use domain::event_type::EventTypeNames;
use domain::limits::{ENRICH_BUDGET_DEFAULT_MS, ENRICH_BUDGET_MAX_MS, ENRICH_BUDGET_MIN_MS};
use domain::notification::Issuer;
use domain::retry::Schedule;
use domain::subscription::EndpointVerification;

/// Where settings come from: the process environment, or a map in tests and on the laptop.
pub trait Strings {
    /// The value of a variable; `None` when it is not set.
    fn get(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct Environment;

impl Strings for Environment {
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

impl Strings for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        Self::get(self, name).cloned()
    }
}

/// A setting that is missing or cannot be meant. Says which, and never its value.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It must be set.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// It is set to something else than expected.
    #[error("the environment variable {name}: {problem}")]
    Invalid {
        /// Which.
        name: &'static str,
        /// What was expected.
        problem: String,
    },
}

/// A variable that must be set and not empty.
pub fn required(strings: &impl Strings, name: &'static str) -> Result<String, SettingsError> {
    optional(strings, name).ok_or(SettingsError::Missing(name))
}

/// A variable that may be missing; an empty one counts as missing.
pub fn optional(strings: &impl Strings, name: &'static str) -> Option<String> {
    strings.get(name).filter(|value| !value.is_empty())
}

fn parsed<T, E: Display>(
    name: &'static str,
    value: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, SettingsError> {
    parse(value).map_err(|error| SettingsError::Invalid { name, problem: error.to_string() })
}

/// `EVENT_TYPE_NAMES`: a JSON object that renames event types; `{}` when not set.
pub fn event_type_names(strings: &impl Strings) -> Result<EventTypeNames, SettingsError> {
    const NAME: &str = "EVENT_TYPE_NAMES";
    match strings.get(NAME).filter(|json| !json.is_empty()) {
        None => Ok(EventTypeNames::default()),
        Some(json) => parsed(NAME, &json, EventTypeNames::renamed),
    }
}

/// `ISSUER`: the `iss` of everything we sign.
pub fn issuer(strings: &impl Strings) -> Result<Issuer, SettingsError> {
    const NAME: &str = "ISSUER";
    parsed(NAME, &required(strings, NAME)?, Issuer::parse)
}

/// `RETRY_SCHEDULE`: `patient` (the default) or `documented`.
pub fn schedule(strings: &impl Strings) -> Result<Schedule, SettingsError> {
    const NAME: &str = "RETRY_SCHEDULE";
    match strings.get(NAME).as_deref() {
        None | Some("" | "patient") => Ok(Schedule::Patient),
        Some("documented") => Ok(Schedule::Documented),
        Some(_) => Err(SettingsError::Invalid {
            name: NAME,
            problem: "expected patient or documented".to_owned(),
        }),
    }
}

/// `ENDPOINT_VERIFICATION`: `UnlessOptedOut` (the default) or `WhereAsked`.
pub fn endpoint_verification(
    strings: &impl Strings,
) -> Result<EndpointVerification, SettingsError> {
    const NAME: &str = "ENDPOINT_VERIFICATION";
    match strings.get(NAME).as_deref() {
        Some("WhereAsked") => Ok(EndpointVerification::WhereAsked),
        None | Some("" | "UnlessOptedOut") => Ok(EndpointVerification::UnlessOptedOut),
        Some(_) => Err(SettingsError::Invalid {
            name: NAME,
            problem: "expected WhereAsked or UnlessOptedOut".to_owned(),
        }),
    }
}

/// `ENRICH_BUDGET_MS`: a login's time, 200 to 5,000; 1,500 when not set.
pub fn enrich_budget_ms(strings: &impl Strings) -> Result<u32, SettingsError> {
    const NAME: &str = "ENRICH_BUDGET_MS";
    let Some(value) = strings.get(NAME).filter(|value| !value.is_empty()) else {
        return Ok(ENRICH_BUDGET_DEFAULT_MS);
    };
    let range = ENRICH_BUDGET_MIN_MS..=ENRICH_BUDGET_MAX_MS;
    value.parse().ok().filter(|budget_ms| range.contains(budget_ms)).ok_or_else(|| {
        SettingsError::Invalid {
            name: NAME,
            problem: format!(
                "expected {ENRICH_BUDGET_MIN_MS} to {ENRICH_BUDGET_MAX_MS} milliseconds"
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_wrong_setting_is_named_and_its_value_is_not_shown() {
        let said = |error: Option<SettingsError>| error.map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(
            said(issuer(&BTreeMap::new()).err()),
            "the environment variable ISSUER is not set"
        );
        let secret = said(issuer(&with("ISSUER", "http://secret")).err());
        assert!(secret.starts_with("the environment variable ISSUER: expected an https URL"));
        assert!(!secret.contains("secret"));
        assert!(schedule(&with("RETRY_SCHEDULE", "eager")).is_err());
        // A typo must not switch it off.
        assert!(endpoint_verification(&with("ENDPOINT_VERIFICATION", "unlessOptedOut")).is_err());
        assert!(enrich_budget_ms(&with("ENRICH_BUDGET_MS", "9000")).is_err());
        assert!(event_type_names(&with("EVENT_TYPE_NAMES", "[]")).is_err());
    }

    #[test]
    fn what_is_not_set_has_its_documented_default() {
        let empty = BTreeMap::new();
        assert_eq!(schedule(&empty).ok(), Some(Schedule::Patient));
        assert_eq!(endpoint_verification(&empty).ok(), Some(EndpointVerification::UnlessOptedOut));
        assert_eq!(enrich_budget_ms(&empty).ok(), Some(1_500));
        assert_eq!(event_type_names(&empty).ok(), Some(EventTypeNames::default()));
    }
}
