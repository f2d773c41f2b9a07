//! The functions' processes that are measured, each with what it is invoked with, and the stage they
//! are on.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use domain::key_rotation::SigningAlgorithm;
use local::functions::Name;
use local::{samples, target};
use testkit::tls::Authority;

use crate::Failure;
use crate::payloads::{self, PROPERTY};
use crate::stage::aws::{Latency, Queues};
use crate::stage::binaries::{Binaries, Build};
use crate::stage::mapping::payload;
use crate::stage::queue::Message;
use crate::stage::{Function, Options, Stage};
use crate::targets::{Behaviour, Kind, Targets};

/// The client whose logins are decided.
const CLIENT: &str = "bench-client";

/// All of them.
pub const FUNCTIONS: [Name; 4] = [Name::Ingest, Name::Delivery, Name::Enrich, Name::Sweeper];

/// What is measured on the stage.
pub struct Scene {
    /// AWS.
    pub stage: Stage,
    /// Targets over TLS.
    pub targets: Targets,
    binaries: Binaries,
}

/// A process that is measured.
#[derive(Clone)]
pub struct Subject {
    /// What it is called in tables.
    pub label: String,
    /// What is run.
    pub binary: PathBuf,
    /// How.
    pub function: Function,
}

impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.label)
    }
}

impl Scene {
    /// Sets it up, with a target for the events of a property and one for logins, both over TLS, and
    /// the keys that `workflows keys generate` makes.
    pub async fn start(binaries: Binaries) -> Result<Self, Failure> {
        Self::start_with(binaries, &[SigningAlgorithm::Es256, SigningAlgorithm::EdDsa]).await
    }

    /// The same, with these keys.
    pub async fn start_with(
        binaries: Binaries,
        keys: &[SigningAlgorithm],
    ) -> Result<Self, Failure> {
        let latency = Latency::default();
        let options = Options { queues: Queues::Stub, latency, keys: keys.to_vec() };
        let stage = Stage::start(&options).await?;
        let authority = Authority::generate();
        std::fs::write(stage.file(AUTHORITY), authority.der())?;
        let behaviour =
            Behaviour { slow: Duration::ZERO, always: Duration::ZERO, verify_each: u64::MAX };
        let identity = authority.identity(&["127.0.0.1"]);
        let targets = Targets::start(Some(&identity), behaviour, None).await?;
        let scene = Self { stage, targets, binaries };
        let url = scene.targets.url_of(Kind::Healthy, 0);
        let scope = format!("PROPERTY#{PROPERTY}");
        scene.stage.subscribe(&scope, "s0", "user_data_change", &url, []).await?;
        let keys = format!("{}/jwks.json", scene.targets.url());
        let response = ("response", samples::response(target::ISSUER, &keys));
        let login = format!("{}/login", scene.targets.url());
        let scope = format!("CLIENT#{CLIENT}");
        scene.stage.subscribe(&scope, "logins", "enrich", &login, [response]).await?;
        Ok(scene)
    }

    /// A function, in this build.
    pub fn subject(&self, name: Name, build: Build) -> Result<Subject, Failure> {
        let authority = self.stage.file(AUTHORITY);
        let authority = authority.to_str().ok_or("a path that is no text")?;
        Ok(Subject {
            label: name.package().to_owned(),
            binary: self.binaries.of(name, build),
            function: self.stage.function(name, &[("TARGETS_AUTHORITY", authority)])?,
        })
    }

    /// The file with the certificate of the targets' authority, in DER.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.stage.file(AUTHORITY)
    }

    /// The binaries.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }
}

/// The file with the certificate of the targets' authority.
const AUTHORITY: &str = "targets.der";

/// The nth thing that a function is invoked with: one event, one login, one tick.
#[must_use]
pub fn invocation(name: Name, number: usize) -> String {
    match name {
        Name::Ingest => payloads::http(&payloads::posting(number, 1, PROPERTY, 1_024)),
        Name::Delivery => batch(number, 1),
        Name::Enrich => payloads::login(CLIENT),
        Name::Sweeper => include_str!("../../events/sweeper/tick.json").to_owned(),
    }
}

/// A batch of so many messages of one event each.
#[must_use]
pub fn batch(number: usize, messages: usize) -> String {
    batch_of(number, messages, PROPERTY)
}

/// The same, about another property.
#[must_use]
pub fn batch_of(number: usize, messages: usize, property: &str) -> String {
    let numbers = number * messages..(number + 1) * messages;
    let message = |number: usize| Message {
        id: number as u64,
        body: payloads::message(number, property, 1_024).into(),
        received: 1,
    };
    payload(&numbers.map(message).collect::<Vec<_>>(), EVENTS)
}

const EVENTS: &str = "arn:aws:sqs:us-east-1:000000000000:events";
