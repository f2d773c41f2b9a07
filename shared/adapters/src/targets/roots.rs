//! Whose word is taken for who a target is: the certificate authorities that Mozilla trusts, compiled
//! in. No file, variable or setting adds one or takes one away; a release does.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
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

/// TLS 1.2 or later for HTTP/1.1, with these roots. rustls knows no cipher without authentication,
/// no SHA-1, no RSA key below 2,048 bits, no compression and no renegotiation.
pub(super) fn tls(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use rustls::{CipherSuite, SignatureScheme};

    use super::*;

    #[test]
    fn a27_no_cipher_or_signature_of_old_is_offered() {
        let config = tls(public()).expect("a configuration");
        let provider = config.crypto_provider();
        let mut suites: Vec<_> =
            provider.cipher_suites.iter().map(rustls::SupportedCipherSuite::suite).collect();
        suites.sort_by_key(|suite| u16::from(*suite));
        assert_eq!(
            suites,
            [
                CipherSuite::TLS13_AES_128_GCM_SHA256,
                CipherSuite::TLS13_AES_256_GCM_SHA384,
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
                CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            ]
        );
        let schemes = provider.signature_verification_algorithms.supported_schemes();
        for old in [SignatureScheme::RSA_PKCS1_SHA1, SignatureScheme::ECDSA_SHA1_Legacy] {
            assert!(!schemes.contains(&old), "{old:?}");
        }
    }

    #[test]
    fn a29_http_1_1_is_the_one_protocol_offered() {
        let config = tls(public()).expect("a configuration");
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
        assert!(!config.enable_early_data, "nothing is said before the target has proved itself");
    }

    #[test]
    fn there_are_public_roots() {
        assert!(public().len() > 100);
    }
}
