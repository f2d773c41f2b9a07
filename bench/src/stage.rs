//! The stage: AWS around the functions' processes, on this machine.
//!
//! Each function is a process of its own at a Runtime API of its own, and reaches AWS over TLS, as
//! it does on Lambda: nothing in it knows that it is measured. What stands around it is counted
//! apart from it.

pub mod aws;
pub mod binaries;
pub mod callgrind;
pub mod environments;
pub mod mapping;
pub mod meter;
pub mod process;
pub mod queue;
pub mod quota;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use adapters::signing::SigningKeys;
use aws::{Front, Latency, Queues};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::QueueAttributeName;
use domain::key_rotation::SigningAlgorithm;
use local::aws::Endpoint;
use local::clock::{Clock, TimeScale};
use local::functions::Name;
use local::template::{Settings, Stack};
use local::{Clients, samples};
use meter::Meter;
use testkit::tls::Authority;

use crate::Failure;

/// The roots that the functions trust for AWS, so that reading them costs on the stage what it costs
/// on Lambda.
const AMAZON_ROOTS: &str = include_str!("../../shared/adapters/src/aws/amazon-roots.pem");

/// What the stage is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who answers for SQS.
    pub queues: Queues,
    /// How long AWS takes.
    pub latency: Latency,
    /// The algorithms that there are keys for.
    pub keys: Vec<SigningAlgorithm>,
}

/// The stage.
pub struct Stage {
    endpoint: Endpoint,
    front: Front,
    stack: Stack,
    meter: Arc<Meter>,
    folder: Folder,
    clients: Clients,
    published: String,
}

/// How a function is run.
#[derive(Clone, Debug)]
pub struct Function {
    /// Which.
    pub name: Name,
    /// Its ARN.
    pub arn: String,
    /// All of its environment but the Runtime API's address.
    pub environment: BTreeMap<String, String>,
    /// How long an invocation may take.
    pub timeout_ms: u64,
}

/// A folder of this run. Dropped, it is gone.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left over harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Stage {
    /// Sets it up: what the template declares, at its defaults.
    pub async fn start(options: &Options) -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("bench-stage-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let folder = Folder(folder);
        let any = ([127, 0, 0, 1], 0).into();
        let endpoint = Endpoint::start(any, None, &Clock::new(TimeScale::REAL)).await?;
        let mut stack =
            Stack::parse(local::TEMPLATE, &Settings::at_their_word(endpoint.account().clone()))?;
        let keys = SigningKeys::generate_for(&options.keys);
        let published = SigningKeys::parse(&keys)?.published().to_owned();
        for secret in &mut stack.secrets {
            secret.initial_value = Some(keys.clone());
        }
        endpoint.provision(&stack).await?;

        let authority = Authority::generate();
        std::fs::write(folder.0.join(ROOTS), format!("{AMAZON_ROOTS}{}", authority.pem()))?;
        let meter = Arc::new(Meter::default());
        let identity = authority.identity(&["127.0.0.1"]);
        let Options { queues, latency, .. } = *options;
        let front =
            Front::start(endpoint.url(), &identity, queues, latency, Arc::clone(&meter)).await?;
        let clients = Clients::new(&local::environment(&endpoint))?;
        Ok(Self { endpoint, front, stack, meter, folder, clients, published })
    }

    /// How a function is run, with these variables set beside the template's.
    pub fn function(&self, name: Name, variables: &[(&str, &str)]) -> Result<Function, Failure> {
        let function = self.stack.function(name.logical_id()).ok_or("no such function")?;
        let roots = self.file(ROOTS);
        let aws = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ("AWS_SESSION_TOKEN", SESSION_TOKEN),
            ("AWS_ENDPOINT_URL", self.front.url()),
            ("AWS_CA_BUNDLE", roots.to_str().ok_or("a path that is no text")?),
            ("AWS_LAMBDA_FUNCTION_NAME", name.logical_id()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ];
        let mut environment = function.environment.clone();
        let set = aws.iter().chain(variables);
        environment.extend(set.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Ok(Function {
            name,
            arn: self.endpoint.account().function_arn(name.logical_id()),
            environment,
            timeout_ms: u64::from(function.timeout_s) * 1_000,
        })
    }

    /// A file of this run.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// A file with this machine's own roots and the one of the stage.
    pub fn system_roots(&self) -> Result<PathBuf, Failure> {
        let (ours, file) = (std::fs::read_to_string(self.file(ROOTS))?, self.file("system.pem"));
        // Where there is no such store, there is none to be read.
        let system = std::fs::read_to_string("/etc/ssl/certs/ca-certificates.crt");
        std::fs::write(&file, system.unwrap_or_default() + &ours)?;
        Ok(file)
    }

    /// AWS as the functions meet it.
    #[must_use]
    pub fn front(&self) -> &Front {
        &self.front
    }

    /// What is billed.
    #[must_use]
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// What the template declares.
    #[must_use]
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The endpoint behind.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether a message waits in one of these queues of the endpoint behind, or is being worked.
    pub async fn endpoint_is_busy(&self, queues: &[&str]) -> Result<bool, Failure> {
        for queue in queues {
            let url = self.endpoint.account().queue_url(queue);
            let asked = self.clients.sqs.get_queue_attributes().queue_url(url);
            let [waiting, in_flight] = [
                QueueAttributeName::ApproximateNumberOfMessages,
                QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            ];
            let asked = asked.attribute_names(waiting.clone()).attribute_names(in_flight.clone());
            let said = asked.send().await?;
            // The emulation may say more than it was asked.
            let count = |name: &QueueAttributeName| said.attributes().and_then(|it| it.get(name));
            let are_there = |name: &QueueAttributeName| count(name).is_some_and(|it| it != "0");
            if are_there(&waiting) || are_there(&in_flight) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// AWS clients on the endpoint behind, which nothing counts.
    #[must_use]
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The public keys that notifications are verified with, as a JWK Set.
    #[must_use]
    pub fn published(&self) -> &str {
        &self.published
    }

    /// Writes a subscription, with these attributes beside the ones it must have.
    pub async fn subscribe(
        &self,
        scope: &str,
        id: &str,
        category: &str,
        endpoint: &str,
        attributes: impl IntoIterator<Item = (&str, AttributeValue)>,
    ) -> Result<(), Failure> {
        let mut row = samples::row(scope, id, category, endpoint);
        // No challenge goes before the first notification.
        row.insert("verification".to_owned(), AttributeValue::S("none".to_owned()));
        row.extend(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let put = self.clients.dynamodb.put_item().table_name("subscriptions").set_item(Some(row));
        put.send().await?;
        Ok(())
    }
}

/// The file with the roots that the functions trust.
const ROOTS: &str = "roots.pem";

/// As long as one of Lambda's.
const SESSION_TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLE\
IQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLE\
IQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLE\
IQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLE\
IQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLEIQoJb3JpZ2luX2VjEXAMPLE";
