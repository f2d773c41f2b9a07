//! Lambda, as far as somebody asks which queues wake which function: `ListEventSourceMappings`, from
//! what the template declares. Its protocol is REST: a path, a method, and JSON.
//!
//! What differs from AWS: one page holds everything, and nothing can be changed here; a mapping is
//! disabled by a [`Fault`](super::Fault).

use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, Uri, header};
use serde_json::{Value, json};

use super::faults::{Faults, Service};
use crate::template::{Account, QueueMapping, Stack};

const PATH: &str = "/2015-03-31/event-source-mappings";
const OPERATION: &str = "ListEventSourceMappings";

/// The service.
pub(super) struct Lambda {
    account: Account,
    faults: Faults,
    /// Each with the logical ID of its function.
    mappings: Mutex<Vec<(String, QueueMapping)>>,
}

impl Lambda {
    /// A service without mappings.
    pub(super) fn new(account: Account, faults: Faults) -> Self {
        Self { account, faults, mappings: Mutex::default() }
    }

    /// Takes over what a template declares.
    pub(super) fn provision(&self, stack: &Stack) {
        let all = stack.functions.iter().flat_map(|function| {
            let mappings = function.queue_mappings.iter().cloned();
            mappings.map(|mapping| (function.logical_id.clone(), mapping))
        });
        *self.mappings.lock().unwrap_or_else(PoisonError::into_inner) = all.collect();
    }

    /// Answers a GET, if it is for this service.
    pub(super) fn get(&self, uri: &Uri) -> Option<Response<Body>> {
        if uri.path().trim_end_matches('/') != PATH {
            return None;
        }
        if self.faults.is_down(Service::Lambda, OPERATION) {
            let message = "A fault was switched on for this call.";
            return Some(refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceException", message));
        }
        if self.faults.forbids(Service::Lambda, OPERATION) {
            let message = "User is not authorized to perform: lambda:ListEventSourceMappings";
            return Some(refusal(StatusCode::FORBIDDEN, "AccessDeniedException", message));
        }
        let wanted = uri.query().map(str::as_bytes).map(url::form_urlencoded::parse);
        let wanted = wanted.and_then(|mut pairs| pairs.find(|(name, _)| name == "EventSourceArn"));
        let mappings = self.mappings.lock().unwrap_or_else(PoisonError::into_inner);
        let listed: Vec<Value> = mappings
            .iter()
            .enumerate()
            .map(|(index, (function, mapping))| self.listed(index, function, mapping))
            .filter(|listed| {
                wanted.as_ref().is_none_or(|(_, arn)| listed["EventSourceArn"] == **arn)
            })
            .collect();
        let body = json!({"EventSourceMappings": listed, "NextMarker": null});
        Some(response(StatusCode::OK, &body))
    }

    fn listed(&self, index: usize, function: &str, mapping: &QueueMapping) -> Value {
        let is_disabled = self.faults.disables_mapping(&mapping.queue);
        let kinds: &[&str] =
            if mapping.report_batch_item_failures { &["ReportBatchItemFailures"] } else { &[] };
        json!({
            "UUID": format!("00000000-0000-4000-8000-{index:012}"),
            "EventSourceArn": self.account.queue_arn(&mapping.queue),
            "FunctionArn": self.account.function_arn(function),
            "State": if is_disabled { "Disabled" } else { "Enabled" },
            "BatchSize": mapping.batch_size,
            "MaximumBatchingWindowInSeconds": mapping.batching_window_s,
            "FunctionResponseTypes": kinds,
            "ScalingConfig": mapping.maximum_concurrency.map(|most| json!({"MaximumConcurrency": most})),
        })
    }
}

fn refusal(status: StatusCode, kind: &'static str, message: &str) -> Response<Body> {
    let mut response = response(status, &json!({"Type": "User", "Message": message}));
    response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
    response
}

fn response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
