//! What a subscription says of encryption: the key that its notifications are encrypted to.
//!
//! Read exactly: a row that asks for encryption in a way that we cannot give is no row at all, for
//! the one other thing to do with it would be to send in the clear.

use serde_json::Value;

use super::Format;
use super::row::{Row, RowProblem, expected};
use crate::jose::{EncryptionKey, UnfitKey};
use crate::limits::ENDPOINT_URL_BYTES_MAX;

/// Where the key comes from that a target's notifications are encrypted to.
#[derive(Clone)]
pub enum Encryption {
    /// The row itself.
    Pinned(EncryptionKey),
    /// A JWK Set behind a URL, fetched through the egress guard.
    Uri(String),
}

const JWK: &str = "encryptionJwk";
const URI: &str = "encryptionJwksUri";

impl Encryption {
    /// Reads `encryptionJwk`, a public JWK, or `encryptionJwksUri`, a URL. A standard webhook has no
    /// encrypted form.
    pub(super) fn read(row: &mut Row, format: Format) -> Result<Option<Self>, RowProblem> {
        let encryption = match (row.take(JWK), row.take(URI)) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(expected(JWK, "to be absent where there is an encryptionJwksUri"));
            }
            (Some(Value::Object(jwk)), None) => {
                let unfit = |unfit: UnfitKey| expected(JWK, &unfit.to_string());
                Self::Pinned(EncryptionKey::read(&jwk).map_err(unfit)?)
            }
            (Some(_), None) => return Err(expected(JWK, "a map: a public JWK")),
            (None, Some(Value::String(uri)))
                if (1..=ENDPOINT_URL_BYTES_MAX).contains(&uri.len()) =>
            {
                Self::Uri(uri)
            }
            (None, Some(_)) => return Err(expected(URI, "a URL of at most 2,048 bytes")),
        };
        match format {
            Format::Set => Ok(Some(encryption)),
            Format::StandardWebhooks => Err(expected(
                "format",
                "set where there is a key for encryption: a standard webhook cannot be encrypted",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::KeyEncryption;
    use serde_json::json;

    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn jwk() -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y, "kid": "k1"})
    }

    fn read(row: Value, format: Format) -> Result<Option<Encryption>, String> {
        let Value::Object(row) = row else { unreachable!("an object") };
        Encryption::read(&mut Row::new(row), format).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_row_names_its_key_or_where_it_is() {
        assert!(matches!(read(json!({}), Format::Set), Ok(None)));
        assert!(matches!(read(json!({}), Format::StandardWebhooks), Ok(None)));
        let Ok(Some(Encryption::Pinned(key))) =
            read(json!({ "encryptionJwk": jwk() }), Format::Set)
        else {
            unreachable!("a key")
        };
        assert_eq!((key.kid(), key.algorithm()), (Some("k1"), KeyEncryption::EcdhEsA256Kw));
        let uri = "https://t.example/jwks.json";
        let read = read(json!({ "encryptionJwksUri": uri }), Format::Set);
        assert!(matches!(read, Ok(Some(Encryption::Uri(read))) if read == uri));
    }

    #[test]
    fn a71_a_row_that_asks_for_encryption_in_another_way_is_unreadable() {
        let mut private = jwk();
        private["d"] = X.into();
        let mut off_curve = jwk();
        off_curve["y"] = X.into();
        let mut other = jwk();
        other["alg"] = "ECDH-ES".into();
        let uri = "https://t.example/jwks.json";
        for (row, said) in [
            (
                json!({"encryptionJwk": jwk(), "encryptionJwksUri": uri}),
                "attribute encryptionJwk: expected to be absent where there is an encryptionJwksUri",
            ),
            (
                json!({ "encryptionJwk": private }),
                "attribute encryptionJwk: expected a public key: a JWK without d, k, p, q, dp, dq, qi and oth",
            ),
            (
                json!({ "encryptionJwk": off_curve }),
                "attribute encryptionJwk: expected x and y of a point on P-256, each 32 octets in base64url",
            ),
            (
                json!({ "encryptionJwk": other }),
                "attribute encryptionJwk: expected alg ECDH-ES+A256KW for EC, RSA-OAEP-256 for RSA, or no alg",
            ),
            (
                json!({"encryptionJwk": {"keys": [jwk()]}}),
                "attribute encryptionJwk: expected kty EC with crv P-256, or kty RSA",
            ),
            (
                json!({"encryptionJwk": jwk().to_string()}),
                "attribute encryptionJwk: expected a map: a public JWK",
            ),
            (
                json!({"encryptionJwksUri": 7}),
                "attribute encryptionJwksUri: expected a URL of at most 2,048 bytes",
            ),
            (
                json!({"encryptionJwksUri": ""}),
                "attribute encryptionJwksUri: expected a URL of at most 2,048 bytes",
            ),
            (
                json!({"encryptionJwksUri": format!("https://t.example/{}", "a".repeat(2_048))}),
                "attribute encryptionJwksUri: expected a URL of at most 2,048 bytes",
            ),
        ] {
            assert_eq!(read(row, Format::Set).err().as_deref(), Some(said));
        }
        for row in [json!({ "encryptionJwk": jwk() }), json!({ "encryptionJwksUri": uri })] {
            let said = read(row, Format::StandardWebhooks).err();
            let expected = "attribute format: expected set where there is a key for encryption: a \
                            standard webhook cannot be encrypted";
            assert_eq!(said.as_deref(), Some(expected));
        }
    }
}
