//! One loopback endpoint that speaks DynamoDB, SQS, Secrets Manager and KMS to any AWS client, and
//! says of Lambda which queues wake which function.
//!
//! Everything that talks to AWS talks to it unchanged: the functions' own adapters, the `aws`
//! command line, boto3, `cargo lambda watch`; one `AWS_ENDPOINT_URL` is enough. Signatures are not
//! verified (DynamoDB alone insists that there is one), regions and accounts in a request make no
//! difference: there is one account, [`Account::local`].
//!
//! With a data directory, tables live in `dynamodb.sqlite` and survive anything. Queues, with
//! their messages, and secrets are in memory: they end with the endpoint.
//!
//! `router` finds the service of a request, `faults` lets it fail, `dynamodb`, `sqs`, `secrets` and
//! `kms` are the services (dynoxide, winterbaume's by way of `inner`, and our own), `provision`
//! creates what a template declares. What differs from AWS stands at the head of each service.

mod answer;
mod dynamodb;
mod faults;
mod inner;
mod kms;
mod lambda;
mod provision;
mod router;
mod secrets;
mod sqs;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::template::{Account, Stack};
pub use faults::{Fault, Faults, Service};
pub use provision::ProvisionError;

/// How long `stop` waits for running requests.
const STOP_MAX: Duration = Duration::from_secs(5);

/// A running endpoint. Dropping it stops it too, but waits for nothing.
pub struct Endpoint {
    address: SocketAddr,
    services: Arc<Services>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
    dynamodb: dynamodb::Server,
}

/// What the requests reach.
struct Services {
    account: Account,
    faults: Faults,
    dynamodb: dynamodb::DynamoDb,
    sqs: sqs::Sqs,
    secrets: secrets::Secrets,
    kms: kms::Kms,
    lambda: lambda::Lambda,
}

/// Some of the queues.
pub(crate) struct Queues {
    services: Arc<Services>,
    names: Vec<String>,
}

impl Queues {
    /// Whether none has a message to be received, or one that was received and not deleted.
    pub(crate) async fn are_quiet(&self) -> bool {
        for name in &self.names {
            if !self.services.sqs.is_quiet(name).await {
                return false;
            }
        }
        true
    }
}

/// Why the endpoint does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// No loopback port for the inner DynamoDB.
    #[error("cannot listen on a loopback port for DynamoDB")]
    Inner(#[source] io::Error),
    /// The tables in memory cannot be opened.
    #[error("cannot open the tables: {0}")]
    Tables(String),
    /// The data directory, or a file in it, cannot be used.
    #[error("cannot use {path}")]
    Data {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Why the endpoint did not stop cleanly. It has stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Requests were still running when the time for them was over, and were cut off.
    #[error("requests were cut off that still ran after {} s", STOP_MAX.as_secs())]
    CutOff,
}

impl StartError {
    fn data(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Data { path: path.to_owned(), source: source.into() }
    }
}

impl Endpoint {
    /// Starts the endpoint on `address`, where port 0 takes a free one. Without `data` everything
    /// is in memory; with it, the directory is created if need be. Messages are delayed by `clock`.
    ///
    /// It starts without resources: read the template with [`Endpoint::account`], which knows the
    /// port, then [`Endpoint::provision`].
    pub async fn start(
        address: SocketAddr,
        data: Option<&Path>,
        clock: &Arc<Clock>,
    ) -> Result<Self, StartError> {
        let listen = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let account = Account::local(format!("http://{address}"));
        if let Some(data) = data {
            std::fs::create_dir_all(data).map_err(|error| StartError::data(data, error))?;
        }

        let faults = Faults::default();
        inner::play(&account);
        let (dynamodb, dynamodb_server) = dynamodb::DynamoDb::start(data).await?;
        let services = Arc::new(Services {
            secrets: secrets::Secrets::new(account.clone()),
            kms: kms::Kms::new(account.clone()),
            lambda: lambda::Lambda::new(account.clone(), faults.clone()),
            sqs: sqs::Sqs::new(account.clone(), faults.clone(), Arc::clone(clock)),
            account,
            faults,
            dynamodb,
        });

        let router = router::router(Arc::clone(&services));
        let (stop, stopped) = oneshot::channel::<()>();
        // An answer is written in two pieces; without this the second would wait for an
        // acknowledgement of the first.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection stays with delayed packets");
            }
        });
        let server = axum::serve(listener, router).with_graceful_shutdown(async {
            // A dropped sender means stop, too.
            let _ = stopped.await;
        });
        Ok(Self {
            address,
            services,
            stop,
            server: tokio::spawn(server.into_future()),
            dynamodb: dynamodb_server,
        })
    }

    /// The address that it listens on, with the port it got.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL for `AWS_ENDPOINT_URL`, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.services.account.endpoint_url
    }

    /// The account that it plays; it makes queue URLs and ARNs.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.services.account
    }

    /// The switch for scripted outages.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.services.faults
    }

    /// The queues of these names, to be asked whether something lies on them.
    pub(crate) fn queues(&self, names: Vec<String>) -> Queues {
        Queues { services: Arc::clone(&self.services), names }
    }

    /// Creates the tables, queues, secrets and keys of `stack`, whatever faults are set. What is there
    /// already, from a data directory, stays with its contents; a queue takes the attributes of
    /// `stack`, and a table with other keys or indexes is an error.
    pub async fn provision(&self, stack: &Stack) -> Result<(), ProvisionError> {
        provision::provision(&self.services, stack).await
    }

    /// Stops: takes no more requests and answers those that run, a waiting receive at once, with
    /// no messages.
    pub async fn stop(self) -> Result<(), StopError> {
        self.services.sqs.stop_waiting();
        // An error here means that the server has ended already.
        let _ = self.stop.send(());
        let server = self.server.abort_handle();
        let ended = tokio::time::timeout(STOP_MAX, self.server).await;
        if ended.is_err() {
            // A client that never ends its request does not hold us up.
            server.abort();
        }
        // The inner connections end with the client that keeps them.
        drop(self.services);
        let _ = tokio::time::timeout(STOP_MAX, self.dynamodb.stop()).await;
        ended.map(drop).map_err(|_| StopError::CutOff)
    }
}
