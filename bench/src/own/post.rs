//! The floor of a delivery: a bare signature, and a bare POST of as many bytes by reqwest.

use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::number::length;
use crate::stage::process::counted;

/// What is to be done, told by a line of standard input.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Where POSTs go.
    pub url: String,
    /// The certificate of the authority that is believed, in DER.
    pub authority: PathBuf,
    /// How many at once.
    pub at_once: usize,
    /// How often.
    pub times: usize,
    /// Bytes that are signed and sent.
    pub bytes: usize,
}

/// Seconds of a processor for one of each.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spent {
    /// A POST.
    pub post_s: f64,
    /// An ES256 signature.
    pub es256_s: f64,
    /// An RS256 signature, with a key of 2,048 bits.
    pub rs256_s: f64,
}

/// Does it, and says what was spent.
pub async fn run() -> Result<Spent, Failure> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    let (random, input) = (SystemRandom::new(), vec![b'x'; order.bytes]);
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let signatures = order.times * order.at_once;
    let es256_s = spent(signatures, || ec.sign(&random, &input).map(drop))?;
    let mut signature = vec![0; rsa.public_modulus_len()];
    let rs256_s =
        spent(signatures, || rsa.sign(&RSA_PKCS1_SHA256, &random, &input, &mut signature))?;
    let authority = reqwest::Certificate::from_der(&std::fs::read(&order.authority)?)?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .timeout(Duration::from_secs(5))
        .http1_only()
        .build()?;
    // A token that the target knows as one.
    let body = format!("e30.eyJqdGkiOiJiMCJ9.{}", "A".repeat(order.bytes.saturating_sub(22)));
    let post = || async {
        let posted = client.post(&order.url).header("content-type", "application/secevent+jwt");
        let posted = posted.body(body.clone()).send().await?.error_for_status()?;
        posted.bytes().await.map(drop)
    };
    try_join_all((0..order.at_once).map(|_| post())).await?;
    let before = counted(std::process::id())?.processor;
    for _ in 0..order.times {
        try_join_all((0..order.at_once).map(|_| post())).await?;
    }
    let after = counted(std::process::id())?.processor;
    let post_s = after.saturating_sub(before).as_secs_f64() / length(signatures);
    Ok(Spent { post_s, es256_s, rs256_s })
}

fn spent<E: Into<Failure>>(
    times: usize,
    mut work: impl FnMut() -> Result<(), E>,
) -> Result<f64, Failure>
where
    Failure: From<E>,
{
    let before = counted(std::process::id())?.processor;
    for _ in 0..times {
        work()?;
    }
    let after = counted(std::process::id())?.processor;
    Ok(after.saturating_sub(before).as_secs_f64() / length(times))
}
