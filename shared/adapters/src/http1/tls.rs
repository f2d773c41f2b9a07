//! TLS as a client speaks it here, whoever is at the other end.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

/// TLS 1.2 or later for HTTP/1.1, with these roots. rustls knows no cipher without authentication,
/// no SHA-1, no RSA key below 2,048 bits, no compression and no renegotiation.
pub(crate) fn config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The name that a server's certificate has to hold. An IPv6 address stands in brackets in a URL, and
/// not in a certificate. `None` of what is no name.
pub(crate) fn server_name(host: &str) -> Option<ServerName<'static>> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use rustls::{CipherSuite, SignatureScheme};

    use super::*;

    #[test]
    fn a27_no_cipher_or_signature_of_old_is_offered() {
        let config = config(RootCertStore::empty()).expect("a configuration");
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
        let config = config(RootCertStore::empty()).expect("a configuration");
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
        assert!(!config.enable_early_data, "nothing is said before the target has proved itself");
    }
}
