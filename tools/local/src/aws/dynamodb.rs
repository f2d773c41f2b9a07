//! DynamoDB: dynoxide on an inner loopback port, to which requests are forwarded as they are.
//!
//! Its HTTP front has the fidelity (checks in AWS's order, AWS's words), but it is private to the
//! crate and takes a TCP listener, hence the second port. Only its ARNs are its own
//! (`arn:aws:dynamodb:dynoxide:…`).

use std::path::Path;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Response, Uri, header};
use dynoxide::Database;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::StartError;
use super::answer::Refusal;
use crate::template::{Index, Key, Projection, Table};

/// Where the tables are, in the data directory.
const FILE: &str = "dynamodb.sqlite";

/// Headers that concern one connection and are not forwarded.
const OF_THE_CONNECTION: [HeaderName; 4] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::EXPECT, header::TRANSFER_ENCODING];

/// The service.
pub(super) struct DynamoDb {
    database: Database,
    origin: String,
    client: Client<HttpConnector, Body>,
}

/// The running inner server.
pub(super) struct Server {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), String>>,
}

impl DynamoDb {
    /// Opens the database in `data`, or one in memory, and serves it on a free loopback port.
    pub(super) async fn start(data: Option<&Path>) -> Result<(Self, Server), StartError> {
        let database = match data.map(|it| it.join(FILE)) {
            Some(file) => Database::new(&file.to_string_lossy())
                .map_err(|error| StartError::data(&file, error))?,
            None => Database::memory().map_err(|error| StartError::Tables(error.to_string()))?,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(StartError::Inner)?;
        let address = listener.local_addr().map_err(StartError::Inner)?;
        let (stop, stopped) = oneshot::channel();
        let serving = dynoxide::server::serve_with_shutdown(listener, database.clone(), async {
            // A dropped sender means stop, too.
            let _ = stopped.await;
        });
        let service = Self {
            database,
            origin: format!("http://{address}"),
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        let server = Server { stop, task: tokio::spawn(serving) };
        Ok((service, server))
    }

    /// Forwards a request, whose body has been read, and its answer.
    pub(super) async fn forward(
        &self,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, Refusal> {
        let unavailable = |error: &dyn std::error::Error| {
            Refusal::unavailable(format!("The inner DynamoDB does not answer: {error}"))
        };
        let uri = Uri::try_from(&self.origin).map_err(|error| unavailable(&error))?;
        let mut request =
            Request::post(uri).body(Body::from(body)).map_err(|error| unavailable(&error))?;
        *request.headers_mut() = headers.clone();
        for name in OF_THE_CONNECTION {
            request.headers_mut().remove(name);
        }
        let answer = self.client.request(request).await;
        Ok(answer.map_err(|error| unavailable(&error))?.map(Body::new))
    }

    /// Creates a table, unless it is there with the same keys and indexes.
    pub(super) fn provision(&self, table: &Table) -> Result<(), String> {
        let wanted = schema(table);
        if let Some(found) = self.described(&table.name)? {
            return match differs_in(&wanted, &found) {
                None => Ok(()),
                Some(member) => Err(format!("the table is there with another {member}")),
            };
        }
        let request = serde_json::from_value(wanted).map_err(|error| error.to_string())?;
        self.database.create_table(request).map_err(|error| error.to_string())?;
        let Some(attribute) = &table.ttl_attribute else {
            return Ok(());
        };
        let request = json!({
            "TableName": table.name,
            "TimeToLiveSpecification": {"AttributeName": attribute, "Enabled": true},
        });
        let request = serde_json::from_value(request).map_err(|error| error.to_string())?;
        let answer = self.database.update_time_to_live(request);
        answer.map(drop).map_err(|error| error.to_string())
    }

    fn described(&self, table: &str) -> Result<Option<Value>, String> {
        let known = self.database.get_table_metadata(table);
        if known.map_err(|error| error.to_string())?.is_none() {
            return Ok(None);
        }
        let request = serde_json::from_value(json!({"TableName": table}));
        let request = request.map_err(|error| error.to_string())?;
        let answer = self.database.describe_table(request);
        let answer = serde_json::to_value(answer.map_err(|error| error.to_string())?);
        Ok(Some(answer.map_err(|error| error.to_string())?["Table"].take()))
    }
}

impl Server {
    /// Ends the server; it closes its connections once their requests are answered.
    pub(super) async fn stop(self) {
        // An error here means that the server has ended already.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// The `CreateTable` request for a table.
fn schema(table: &Table) -> Value {
    let attributes: Vec<Value> = table
        .attributes
        .iter()
        .map(|it| json!({"AttributeName": it.name, "AttributeType": it.kind.as_str()}))
        .collect();
    let mut schema = json!({
        "TableName": table.name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes,
        "KeySchema": keys(&table.keys),
    });
    if !table.indexes.is_empty() {
        schema["GlobalSecondaryIndexes"] = table.indexes.iter().map(index).collect();
    }
    schema
}

fn keys(keys: &[Key]) -> Value {
    keys.iter()
        .map(|it| json!({"AttributeName": it.attribute, "KeyType": it.role.as_str()}))
        .collect()
}

fn index(index: &Index) -> Value {
    let projection = match &index.projection {
        Projection::All => json!({"ProjectionType": "ALL"}),
        Projection::KeysOnly => json!({"ProjectionType": "KEYS_ONLY"}),
        Projection::Include(names) => {
            json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": names})
        }
    };
    json!({"IndexName": index.name, "KeySchema": keys(&index.keys), "Projection": projection})
}

/// The first part in which a table differs from what is wanted.
fn differs_in(wanted: &Value, found: &Value) -> Option<&'static str> {
    let indexes = |of: &Value| -> Vec<(String, Value, Value)> {
        let list = of["GlobalSecondaryIndexes"].as_array();
        let mut indexes: Vec<_> = list
            .into_iter()
            .flatten()
            .map(|it| {
                (it["IndexName"].to_string(), it["KeySchema"].clone(), it["Projection"].clone())
            })
            .collect();
        indexes.sort_by(|one, other| one.0.cmp(&other.0));
        indexes
    };
    if wanted["KeySchema"] != found["KeySchema"] {
        Some("key")
    } else if indexes(wanted) != indexes(found) {
        Some("set of indexes")
    } else {
        None
    }
}
