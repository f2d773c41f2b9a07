//! Whose word is taken for who a target is: the certificate authorities that Mozilla trusts, compiled
//! in. No file, variable or setting adds one or takes one away; a release does.

use rustls::RootCertStore;
use webpki_roots::TLS_SERVER_ROOTS;

/// The public ones.
pub(super) fn public() -> RootCertStore {
    TLS_SERVER_ROOTS.iter().cloned().collect()
}

/// One that exists for a test, and no other.
#[cfg(any(test, feature = "loopback-targets"))]
pub(super) fn only(authority: &[u8]) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.to_vec().into())?;
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_public_roots() {
        assert!(public().len() > 100);
    }
}
