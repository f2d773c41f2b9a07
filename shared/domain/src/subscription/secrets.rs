//! The secrets that a subscription's standard webhooks are signed with, as its row has them: sealed.
//!
//! `webhookSecrets` is a list of the current secret and, while a rotation overlaps, the one before
//! it, which has an `expiresAt`. Each is `{"ciphertext", "dataKey", "createdAt", "expiresAt"?}`:
//! the secret under a data key, and the data key under a key that never leaves its store. What a
//! secret is sealed to is whose it is: in another row it opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::SubscriptionKey;
use super::row::{Row, RowProblem, expected};
use crate::limits::{SEALED_BYTES_MAX, WEBHOOK_SECRET_OVERLAP_MAX_MS};
use crate::time::Timestamp;

/// A secret that only its key store can open, and only for its owner. Two of the same bytes and
/// different owners are different.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SealedSecret {
    /// Whose it is.
    pub owner: SubscriptionKey,
    /// The secret, under the data key.
    pub ciphertext: Vec<u8>,
    /// The data key, under the store's key.
    pub data_key: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it signs beside its successor, where it has one.
    pub expires_at: Option<Timestamp>,
}

/// The secrets of a subscription: none, the current one, or that and the one before it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WebhookSecrets {
    current: Option<SealedSecret>,
    previous: Option<SealedSecret>,
}

const NAME: &str = "webhookSecrets";

const WORDS: &str = "a list of one secret without expiresAt, and at most one more, with an \
                     expiresAt at most 7 days after the first one's createdAt";

impl WebhookSecrets {
    /// Reads the attribute of a whole row, and nothing else of it.
    pub fn of_row(owner: &SubscriptionKey, row: Map<String, Value>) -> Result<Self, RowProblem> {
        Self::read(owner, &mut Row::new(row))
    }

    pub(super) fn read(owner: &SubscriptionKey, row: &mut Row) -> Result<Self, RowProblem> {
        let Some(rows) = row.objects(NAME)? else { return Ok(Self::default()) };
        let mut secrets = Self::default();
        for mut row in rows {
            let secret = SealedSecret::read(owner, &mut row)?;
            let place = if secret.expires_at.is_none() {
                &mut secrets.current
            } else {
                &mut secrets.previous
            };
            if place.replace(secret).is_some() {
                return Err(expected(NAME, WORDS));
            }
        }
        let Some(current) = &secrets.current else { return Err(expected(NAME, WORDS)) };
        let last = current.created_at.plus_ms(WEBHOOK_SECRET_OVERLAP_MAX_MS);
        let expires_at = secrets.previous.as_ref().and_then(|previous| previous.expires_at);
        if expires_at.is_some_and(|at| at > last) {
            return Err(expected(NAME, WORDS));
        }
        Ok(secrets)
    }

    /// Only this one.
    #[must_use]
    pub fn only(current: SealedSecret) -> Self {
        Self { current: Some(SealedSecret { expires_at: None, ..current }), previous: None }
    }

    /// A new one in the current one's place, which signs beside it until a moment.
    #[must_use]
    pub fn rotated(self, new: SealedSecret, until: Timestamp) -> Self {
        let is_to_overlap = until > new.created_at;
        let previous = self.current.filter(|_| is_to_overlap);
        let previous =
            previous.map(|previous| SealedSecret { expires_at: Some(until), ..previous });
        Self { previous, ..Self::only(new) }
    }

    /// Those that sign at this moment, the current one first.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Vec<&SealedSecret> {
        self.all().filter(|secret| secret.expires_at.is_none_or(|at| now < at)).collect()
    }

    /// Until when the one before the current signs too, where it still does.
    #[must_use]
    pub fn overlap_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.previous.as_ref()?.expires_at.filter(|at| now < *at)
    }

    /// All of them, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &SealedSecret> {
        self.current.iter().chain(&self.previous)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.current.is_none()
    }

    /// The attribute, as it stands in the row; `None` without secrets.
    #[must_use]
    pub fn to_attribute(&self) -> Option<Value> {
        let all: Vec<Value> = self.all().map(SealedSecret::to_json).collect();
        (!all.is_empty()).then_some(Value::Array(all))
    }
}

impl SealedSecret {
    fn read(owner: &SubscriptionKey, row: &mut Row) -> Result<Self, RowProblem> {
        Ok(Self {
            owner: owner.clone(),
            ciphertext: octets(row, "ciphertext", "webhookSecrets.ciphertext")?,
            data_key: octets(row, "dataKey", "webhookSecrets.dataKey")?,
            created_at: moment(row, "createdAt", "webhookSecrets.createdAt")?
                .ok_or_else(|| expected("webhookSecrets.createdAt", MOMENT))?,
            expires_at: moment(row, "expiresAt", "webhookSecrets.expiresAt")?,
        })
    }

    fn to_json(&self) -> Value {
        let mut json = serde_json::json!({
            "ciphertext": STANDARD.encode(&self.ciphertext),
            "dataKey": STANDARD.encode(&self.data_key),
            "createdAt": self.created_at.as_ms(),
        });
        if let Some(at) = self.expires_at {
            json["expiresAt"] = at.as_ms().into();
        }
        json
    }
}

const MOMENT: &str = "a moment in epoch milliseconds";

fn moment(row: &mut Row, name: &str, path: &'static str) -> Result<Option<Timestamp>, RowProblem> {
    let Some(value) = row.take(name) else { return Ok(None) };
    let moment = value.as_u64().map(Timestamp::from_ms);
    moment.map(Some).ok_or_else(|| expected(path, MOMENT))
}

fn octets(row: &mut Row, name: &str, path: &'static str) -> Result<Vec<u8>, RowProblem> {
    let text = row.take(name);
    let octets = text.as_ref().and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
    let octets = octets.filter(|octets| (1..=SEALED_BYTES_MAX).contains(&octets.len()));
    octets.ok_or_else(|| expected(path, "base64 of 1 to 8,192 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SubscriptionId;
    use crate::scope::Scope;
    use serde_json::json;

    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

    fn owner() -> SubscriptionKey {
        SubscriptionKey {
            scope: Scope::try_from("PROPERTY#p1".to_owned()).expect("a scope"),
            subscription_id: SubscriptionId::parse("s1").expect("an ID"),
        }
    }

    fn read(secrets: &Value) -> Result<WebhookSecrets, String> {
        let row = json!({ "webhookSecrets": secrets });
        let row = row.as_object().expect("an object").clone();
        WebhookSecrets::of_row(&owner(), row).map_err(|problem| problem.to_string())
    }

    fn secret(created_at: u64, expires_at: Option<u64>) -> Value {
        let mut secret = json!({"ciphertext": "AQID", "dataKey": "BAUG", "createdAt": created_at});
        if let Some(at) = expires_at {
            secret["expiresAt"] = at.into();
        }
        secret
    }

    fn sealed(created_at: u64) -> SealedSecret {
        SealedSecret {
            owner: owner(),
            ciphertext: vec![1],
            data_key: vec![2],
            created_at: Timestamp::from_ms(created_at),
            expires_at: None,
        }
    }

    fn created(secrets: &[&SealedSecret]) -> Vec<u64> {
        secrets.iter().map(|secret| secret.created_at.as_ms()).collect()
    }

    #[test]
    fn a_row_without_secrets_has_none() {
        assert!(read(&Value::Null).expect("readable").is_empty());
    }

    #[test]
    fn the_current_secret_is_first_and_the_one_before_it_ends() {
        let secrets = read(&json!([secret(1, Some(2_000)), secret(1_000, None)]));
        let secrets = secrets.expect("readable");
        let standing = |ms| created(&secrets.standing(Timestamp::from_ms(ms)));
        assert_eq!(standing(1_999), [1_000, 1]);
        assert_eq!(standing(2_000), [1_000]);
        assert_eq!(secrets.overlap_until(Timestamp::from_ms(0)).map(Timestamp::as_ms), Some(2_000));
        assert_eq!(secrets.overlap_until(Timestamp::from_ms(2_000)), None);
    }

    #[test]
    fn secrets_that_say_nothing_clear_are_refused_and_not_shown() {
        let now = 1_000;
        let late = now + WEBHOOK_SECRET_OVERLAP_MAX_MS + 1;
        for bad in [
            json!([]),
            json!("whsec_AQID"),
            json!(["whsec_AQID"]),
            json!([secret(now, Some(now + 1))]),
            json!([secret(now, None), secret(now, None)]),
            json!([secret(now, None), secret(1, Some(late))]),
            json!([secret(now, None), secret(1, Some(now)), secret(2, Some(now))]),
            json!([{"ciphertext": "AQID", "dataKey": "BAUG"}]),
            json!([{"ciphertext": "AQID", "createdAt": 1}]),
            json!([{"ciphertext": "", "dataKey": "BAUG", "createdAt": 1}]),
            json!([{"ciphertext": "A?ID", "dataKey": "BAUG", "createdAt": 1}]),
            json!([{"ciphertext": "AQID", "dataKey": "BAUG", "createdAt": "now"}]),
        ] {
            let said = read(&bad).err().unwrap_or_else(|| unreachable!("{bad} was read"));
            assert!(said.starts_with("attribute webhookSecrets"), "{bad}: {said}");
            assert!(!said.contains("AQID"), "{said}");
        }
    }

    #[test]
    fn a87_a_rotation_overlaps_as_long_as_it_says_and_is_read_back_as_itself() {
        let until = Timestamp::from_ms(5_000).plus_ms(7 * DAY_MS);
        let rotated = WebhookSecrets::only(sealed(1)).rotated(sealed(5_000), until);
        let read_back = read(&rotated.to_attribute().expect("secrets")).expect("readable");
        assert!(read_back == rotated);
        assert_eq!(created(&rotated.standing(until.minus_ms(1))), [5_000, 1]);
        assert_eq!(created(&rotated.standing(until)), [5_000]);
        let again = rotated.rotated(sealed(6_000), Timestamp::from_ms(6_001));
        assert_eq!(created(&again.all().collect::<Vec<_>>()), [6_000, 5_000]);
        let at_once = again.rotated(sealed(7_000), Timestamp::from_ms(7_000));
        assert_eq!(created(&at_once.all().collect::<Vec<_>>()), [7_000]);
    }
}
