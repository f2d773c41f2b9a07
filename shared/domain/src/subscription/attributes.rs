//! The names of a subscription row's attributes, and who writes them. How each is read stands beside
//! its reader; the test below holds the two together.

use serde_json::{Map, Value};

/// An attribute that a row's owner writes.
#[derive(Clone, Copy)]
pub struct Attribute {
    /// Its name in the row.
    pub name: &'static str,
    /// The members that it may have, where it is a map of ours; empty for everything else.
    pub members: &'static [&'static str],
    /// Whether it says something about logins, and about nothing else.
    pub is_of_logins: bool,
}

const fn plain(name: &'static str) -> Attribute {
    Attribute { name, members: &[], is_of_logins: false }
}

const fn map(name: &'static str, members: &'static [&'static str]) -> Attribute {
    Attribute { name, members, is_of_logins: false }
}

const fn of_logins(attribute: Attribute) -> Attribute {
    Attribute { is_of_logins: true, ..attribute }
}

/// What a row's owner writes.
pub const OWNED: [Attribute; 18] = [
    plain("category"),
    plain("endpoint"),
    plain("enabled"),
    plain("description"),
    plain("eventTypes"),
    map("filter", &["changedAttributes", "match"]),
    plain("fields"),
    plain("format"),
    plain("signingAlg"),
    plain("encryptionJwk"),
    plain("encryptionJwksUri"),
    plain("verification"),
    map("retry", &["timeoutMs", "attemptsMax"]),
    of_logins(map("response", &["issuer", "alg", "jwks", "jwksUri", "binding", "encryption"])),
    of_logins(map("lastKnownGood", &["maxAgeSeconds"])),
    of_logins(plain("priority")),
    of_logins(plain("timeoutMs")),
    of_logins(map(
        "onUnavailable",
        &["timeout", "connection", "status", "breaker_open", "key_set"],
    )),
];

/// What the service and its tools write into a row beside that.
pub const OURS: [&str; 7] = [
    "webhookSecrets",
    "disabledAt",
    "disabledReason",
    "troubledAt",
    "verifiedEndpoint",
    "verifiedAt",
    MANAGED_BY,
];

/// Who keeps the row in files and may delete it: the name given to `workflows apply --owner`.
pub const MANAGED_BY: &str = "managedBy";

/// What narrows what is sent, or guards it: passed over, it would be sent to more, in the clear, or
/// unasked. So a name that is nearly one of these is a typo.
pub const NARROWING: [&str; 7] = [
    "eventTypes",
    "filter",
    "fields",
    "encryptionJwk",
    "encryptionJwksUri",
    "verification",
    "format",
];

/// What a row has that is nearly called as something that narrows, or has it without a value: the
/// name that is meant. Names that nobody knows and that are like none of these are their owner's
/// business.
pub(super) fn misspelt(row: &Map<String, Value>) -> Option<&'static str> {
    row.iter().find_map(|(name, value)| {
        let is_known = is_owned(name) || OURS.contains(&name.as_str());
        match NARROWING.into_iter().find(|known| known == name) {
            Some(known) => (value.is_null() && NEVER_NULL.contains(&known)).then_some(known),
            None if is_known => None,
            None => nearest(name, NARROWING, LIKENESS_OF_A_TYPO),
        }
    })
}

/// Of which `NULL` is what becomes of a template that found no value, and never a wish.
const NEVER_NULL: [&str; 3] = ["fields", "encryptionJwk", "encryptionJwksUri"];

/// So alike are `encryptionJwkUri` and `encryptionJwksUri`, and not `formatted` and `format`.
const LIKENESS_OF_A_TYPO: f64 = 0.95;

/// The name that is most like a mistyped one, if any is so like it.
pub(crate) fn nearest(
    mistyped: &str,
    known: impl IntoIterator<Item = &'static str>,
    likeness_min: f64,
) -> Option<&'static str> {
    // A name with dashes or underscores is meant in camelCase.
    let plain = |name: &str| name.replace(['-', '_'], "").to_ascii_lowercase();
    let mistyped = plain(mistyped);
    let rated = known.into_iter().map(|name| (strsim::jaro_winkler(&mistyped, &plain(name)), name));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(likeness, _)| *likeness >= likeness_min).map(|(_, name)| name)
}

/// Whether an attribute is its owner's to write.
#[must_use]
pub fn is_owned(name: &str) -> bool {
    OWNED.iter().any(|attribute| attribute.name == name)
}
