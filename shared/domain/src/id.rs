//! Identifiers, each with its own type, so that one cannot stand where another belongs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::limits::{ID_BYTES_MAX, SUB_BYTES_MAX};
use crate::scope::Scope;
use crate::time::Timestamp;

/// Why a text is not an identifier. The sentence is fit for the caller's eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Nothing between the quotes.
    #[error("must not be empty")]
    Empty,
    /// Longer than its limit.
    #[error("must be at most {limit_bytes} bytes long")]
    TooLong {
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// Not of the allowed alphabet.
    #[error("may hold only {allowed}")]
    Character {
        /// What is allowed, in words.
        allowed: &'static str,
    },
}

/// `[A-Za-z0-9_-]`: safe in a URL, a header and a key.
fn check_token(text: &str) -> Result<(), InvalidId> {
    check(text, ID_BYTES_MAX, "A-Z, a-z, 0-9, '_' and '-'", |byte| {
        byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
    })
}

/// Printable ASCII without spaces and `#` (which separates the parts of a table key).
fn check_name(text: &str, limit_bytes: usize) -> Result<(), InvalidId> {
    check(text, limit_bytes, "printable ASCII without spaces and '#'", |byte| {
        byte.is_ascii_graphic() && byte != b'#'
    })
}

fn check(
    text: &str,
    limit_bytes: usize,
    allowed: &'static str,
    is_allowed: impl Fn(u8) -> bool,
) -> Result<(), InvalidId> {
    match text {
        "" => Err(InvalidId::Empty),
        _ if text.len() > limit_bytes => Err(InvalidId::TooLong { limit_bytes }),
        _ if text.bytes().all(is_allowed) => Ok(()),
        _ => Err(InvalidId::Character { allowed }),
    }
}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and takes a text.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                Self::try_from(text.to_owned())
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                let check: fn(&str) -> Result<(), InvalidId> = $check;
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

/// Identifiers that logs and errors may show.
macro_rules! shown {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

shown!(EventId, SubscriptionId, PropertyId, ClientId, CaptureApplicationId, SourceTerm);

identifier!(
    /// An event's ID, the producer's or ours; the `jti` of every notification of it.
    /// `[A-Za-z0-9_-]{1,64}`.
    EventId,
    check_token
);
identifier!(
    /// A subscription's ID, unique within its scope. `[A-Za-z0-9_-]{1,64}`.
    SubscriptionId,
    check_token
);
identifier!(
    /// A property: the scope of user data change events. 1 to 64 bytes of printable ASCII.
    PropertyId,
    |text| check_name(text, ID_BYTES_MAX)
);
identifier!(
    /// A client ID: the scope of transactional email and enrich events. As [`PropertyId`].
    ClientId,
    |text| check_name(text, ID_BYTES_MAX)
);
identifier!(
    /// An application of Akamai Identity Cloud, as its events name it. As [`PropertyId`].
    CaptureApplicationId,
    |text| check_name(text, ID_BYTES_MAX)
);
identifier!(
    /// A word of a third party's vocabulary, for the log: the name of an event, or of an entity
    /// type. `[A-Za-z0-9_-]{1,64}`.
    SourceTerm,
    check_token
);
identifier!(
    /// An end user's identifier. 1 to 255 bytes of printable ASCII. Personal data: it can be
    /// neither displayed nor debugged.
    Sub,
    |text| check_name(text, SUB_BYTES_MAX)
);

impl EventId {
    /// A UUID version 7 (RFC 9562 §5.7) for an event whose producer gave none.
    #[must_use]
    pub fn assign(now: Timestamp, dice: [u8; 10]) -> Self {
        Self(uuid_v7(now, dice))
    }

    /// An ID made of what is said, for a producer that gives none and yet may say it twice: 43
    /// characters of base64url, a SHA-256 over the parts. The whole of it, since a part may be an
    /// attacker's choice.
    #[must_use]
    pub fn of_content(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // A part may hold anything, so only its length tells where it ends.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(URL_SAFE_NO_PAD.encode(hash.finalize()))
    }
}

/// A UUID version 7 of this moment and these dice, hyphenated, lower case.
#[must_use]
pub fn uuid_v7(now: Timestamp, dice: [u8; 10]) -> String {
    uuid::Builder::from_unix_timestamp_millis(now.as_ms(), &dice).into_uuid().to_string()
}

/// The promise of one event to one subscription. Also the `webhook-id` of every attempt.
///
/// `dlv_` and 22 characters of base64url: the first 128 bits of a SHA-256 over scope, event ID
/// and subscription ID. The same three always give the same delivery, whoever computes it, and
/// the scope keeps equal IDs of two tenants apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(String);

impl DeliveryId {
    /// What every delivery's ID begins with.
    pub const PREFIX: &str = "dlv_";

    /// The delivery of this event to this subscription of this scope.
    #[must_use]
    pub fn of(scope: &Scope, event: &EventId, subscription: &SubscriptionId) -> Self {
        let mut hash = Sha256::new();
        // None of the parts can hold a NUL, so the parts cannot run into each other.
        for part in [scope.key().as_str(), event.as_str(), subscription.as_str()] {
            hash.update(part);
            hash.update([0]);
        }
        let digest = hash.finalize();
        Self(format!("{}{}", Self::PREFIX, URL_SAFE_NO_PAD.encode(&digest[..16])))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        check_token(&text)?;
        if text.starts_with(Self::PREFIX) {
            Ok(Self(text))
        } else {
            Err(InvalidId::Character { allowed: "an ID that begins with dlv_" })
        }
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a37_event_ids_outside_the_alphabet_are_refused() {
        for bad in ["", "a.b", "a\r\nb", "🦀", "../", "a b", &"x".repeat(65)] {
            assert!(EventId::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "01J-_z", &"x".repeat(64)] {
            assert!(EventId::parse(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn an_assigned_event_id_is_a_uuid_version_7_of_its_moment() {
        let id = EventId::assign(Timestamp::from_ms(0x0190_1234_5678), [0xff; 10]);
        assert!(id.as_str().starts_with("01901234-5678-7"), "{id}");
        assert!(EventId::parse(id.as_str()).is_ok());
    }

    #[test]
    fn an_id_of_content_depends_on_every_part_and_on_where_it_ends() {
        let id = EventId::of_content(&["a", "bc"]);
        assert_eq!(id, EventId::of_content(&["a", "bc"]));
        assert_eq!(EventId::parse(id.as_str()), Ok(id.clone()));
        for other in [&["ab", "c"][..], &["a", "bc", ""], &["abc"], &["bc", "a"], &[]] {
            assert_ne!(id, EventId::of_content(other), "{other:?}");
        }
    }

    #[test]
    fn a84_a_delivery_id_depends_on_scope_event_and_subscription() {
        let property = Scope::Property(PropertyId::parse("p").expect("valid"));
        let client = Scope::Client(ClientId::parse("p").expect("valid"));
        let event = EventId::parse("e1").expect("valid");
        let subscription = SubscriptionId::parse("s1").expect("valid");
        let id = DeliveryId::of(&property, &event, &subscription);
        assert_eq!(id, DeliveryId::of(&property, &event, &subscription));
        assert_ne!(id, DeliveryId::of(&client, &event, &subscription));
        assert_eq!(DeliveryId::try_from(id.to_string()), Ok(id));
    }
}
