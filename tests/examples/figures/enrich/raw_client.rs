//! A client with nothing of ours in it: posts the bytes of a question over TLS that was set up like
//! ours, and believes every answer.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use domain::jose::Algorithm;
use reqwest::{Certificate, Client};
use serde_json::Value;
use tokio::time::Instant;

use super::target::held_by_answer;
use super::{ALGORITHMS, Place};
use crate::Failure;

/// The client, which is also how the target is told what to do.
pub(super) struct RawClient {
    http: Client,
    target: String,
    questions: Vec<Question>,
}

struct Question {
    algorithm: Algorithm,
    url: reqwest::Url,
    headers: HeaderMap,
    body: Bytes,
}

impl RawClient {
    /// A client that has no question yet.
    pub(super) fn new(place: &Place) -> Result<Self, Failure> {
        let authority = Certificate::from_der(&std::fs::read(&place.authority)?)?;
        let http = Client::builder()
            .tls_certs_only([authority])
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .tls_version_min(reqwest::tls::Version::TLS_1_2)
            .pool_idle_timeout(Duration::from_secs(20))
            .build()?;
        Ok(Self { http, target: place.url.clone(), questions: Vec::new() })
    }

    /// Takes over the questions that the target was asked, byte by byte.
    pub(super) async fn learn(&mut self) -> Result<(), Failure> {
        for algorithm in ALGORITHMS {
            let text = self.get(&format!("question/{}", algorithm.as_str())).await?;
            let asked: Value = serde_json::from_str(&text)?;
            let mut headers = HeaderMap::new();
            for (name, value) in asked["headers"].as_object().into_iter().flatten() {
                let value = HeaderValue::from_str(value.as_str().unwrap_or_default())?;
                headers.insert(HeaderName::from_bytes(name.as_bytes())?, value);
            }
            let body = asked["body"].as_str().ok_or("a question without a body")?;
            self.questions.push(Question {
                algorithm,
                url: format!("{}/decide/{}", self.target, algorithm.as_str()).parse()?,
                headers,
                body: Bytes::copy_from_slice(body.as_bytes()),
            });
        }
        Ok(())
    }

    /// Posts a question, and says how long that took beyond the target's own time.
    pub(super) async fn post(&self, algorithm: Algorithm) -> Result<Duration, Failure> {
        let question = self.questions.iter().find(|question| question.algorithm == algorithm);
        let question = question.ok_or("a question that was never asked")?;
        let began = Instant::now();
        let request = self
            .http
            .post(question.url.clone())
            .headers(question.headers.clone())
            .body(question.body.clone());
        let answer = request.send().await?.error_for_status()?.bytes().await?;
        let took = began.elapsed();
        let held = held_by_answer(std::str::from_utf8(&answer)?).ok_or("an answer of no use")?;
        Ok(took.saturating_sub(held))
    }

    /// From now on the target takes so long.
    pub(super) async fn hold(&self, milliseconds: u64) -> Result<(), Failure> {
        let url = format!("{}/hold/{milliseconds}", self.target);
        self.http.put(url).send().await?.error_for_status()?;
        Ok(())
    }

    /// How many connections the target has seen.
    pub(super) async fn connections(&self) -> Result<usize, Failure> {
        Ok(self.get("connections").await?.parse()?)
    }

    async fn get(&self, path: &str) -> Result<String, Failure> {
        let answer = self.http.get(format!("{}/{path}", self.target)).send().await?;
        Ok(answer.error_for_status()?.text().await?)
    }
}
