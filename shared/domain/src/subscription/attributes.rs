//! The names of a subscription row's attributes, and who writes them. How each is read stands beside
//! its reader; the test below holds the two together.

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

/// Whether an attribute is its owner's to write.
#[must_use]
pub fn is_owned(name: &str) -> bool {
    OWNED.iter().any(|attribute| attribute.name == name)
}
