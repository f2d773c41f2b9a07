//! JOSE as far as our contracts need it: signed notifications out, signed answers and a third
//! party's signed events in, and either of the first two encrypted to whoever is to read it.
//!
//! Pure functions over texts and keys. The arithmetic of signatures is a library's; what stands
//! here is what the libraries leave open (RFC 7515, RFC 7517, RFC 8725). Private keys live in the
//! adapters.

mod compact;
mod compact_jwe;
mod encryption_key;
mod key_memory;
mod key_set;
mod sealed;

use std::fmt;

pub use compact::{Compact, HeaderRefusal, Unverified, signing_input};
pub use compact_jwe::{CompactJwe, JweHeader};
pub use encryption_key::{EncryptionKey, EncryptionMaterial, UnfitKey};
pub use key_memory::{Fetched, KeyMemory, KeyStep, NoKeySet, Wanted, WantedKey};
pub use key_set::{Key, KeySet, KeySetRefusal};
pub use sealed::{CONTENT_ENCRYPTION, KeyEncryption, SealRefusal, Sealed, SealedKey, concat_kdf};

/// The signature algorithms we know (RFC 7518 §3.1, RFC 8037 §3.1). No symmetric ones, no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256.
    Es256,
    /// ECDSA on P-384.
    Es384,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Es256, Self::Es384, Self::Rs256, Self::Ps256, Self::EdDsa];

    /// Its registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads a registered name, to the letter.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    pub(crate) const fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
