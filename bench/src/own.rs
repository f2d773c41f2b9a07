//! `cargo run -p bench --release -- own`: what each invocation costs us of a processor, beside the floor
//! of the same work, by turns in one run.

pub mod ingest;
mod ports;
pub mod post;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Parser;
use domain::key_rotation::SigningAlgorithm;
use local::functions::Name;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::load::child::Part;
use crate::number::{length, mib};
use crate::payloads::{self, PROPERTY};
use crate::progress::say;
use crate::stage::binaries::{Binaries, Build};
use crate::stage::environments::Environment;
use crate::stage::{Function, Stage};
use crate::subjects::{Scene, batch_of, invocation};
use crate::targets::Kind;

/// What each invocation costs us of a processor, beside its floor
#[derive(Debug, Parser)]
#[command(name = "bench own")]
pub struct Command {
    /// Turns that a median is taken of
    #[arg(long, default_value_t = 9)]
    turns: usize,
    /// Invocations of a turn
    #[arg(long, default_value_t = 500)]
    invocations: usize,
    /// Take the binaries as they are, and build none
    #[arg(long)]
    no_build: bool,
    /// Write the figures to this file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The figures, in microseconds of a processor.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Ingest, the outside stubbed.
    pub ingest_stubbed_us: f64,
    /// Its blocking floor.
    pub ingest_floor_us: f64,
    /// Ingest's real binary, one event in a POST, through to SQS.
    pub ingest_us: f64,
    /// The same of an event where ten are in a POST.
    pub ingest_of_ten_us: f64,
    /// Delivery's real binary, for each POST of a batch of ten, signed by ES256.
    pub delivery_us: f64,
    /// The same, signed by RS256.
    pub delivery_rs256_us: f64,
    /// A bare POST by reqwest, ten at once.
    pub post_us: f64,
    /// A bare ES256 signature.
    pub es256_us: f64,
    /// A bare RS256 signature.
    pub rs256_us: f64,
    /// Enrich's real binary, for a login, with its target's POST and the verification of its answer.
    pub enrich_us: f64,
    /// A bare POST by reqwest, one at a time.
    pub lone_post_us: f64,
    /// The most that was resident after all invocations, in MiB: ingest, delivery, enrich.
    pub resident_mib: [f64; 3],
}

/// Another property, whose notifications are signed by RS256.
const RS256: &str = "bench-rs256";

impl Command {
    /// Measures.
    pub async fn run(&self) -> Result<String, Failure> {
        let binaries = if self.no_build {
            Binaries::found()?
        } else {
            Binaries::build(&[Build::Deployed, Build::Loopback])?
        };
        let figures = self.measure(binaries).await?;
        if let Some(file) = &self.json {
            std::fs::write(file, serde_json::to_string_pretty(&figures)?)?;
        }
        Ok(text(&figures))
    }

    /// Measures these binaries.
    pub async fn measure(&self, binaries: Binaries) -> Result<Figures, Failure> {
        let all = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256];
        let scene = Scene::start_with(binaries, &all).await?;
        let url = scene.targets.url_of(Kind::Healthy, 1);
        let alg = ("signingAlg", aws_sdk_dynamodb::types::AttributeValue::S("RS256".to_owned()));
        let scope = format!("PROPERTY#{RS256}");
        scene.stage.subscribe(&scope, "s0", "user_data_change", &url, [alg]).await?;

        let running = Running::start(&scene).await?;
        let mut turns = Vec::new();
        for turn in 0..=self.turns {
            say(&format!("turn {turn} of {}", self.turns));
            let figures = running.turn(&scene, self.invocations).await?;
            // The first warms up.
            if turn > 0 {
                turns.push(figures);
            }
        }
        Ok(Figures { resident_mib: running.resident_mib()?, ..median(&turns) })
    }
}

/// The processes.
struct Running {
    stubbed: Environment,
    floor: Environment,
    ingest: Environment,
    delivery: Environment,
    enrich: Environment,
}

impl Running {
    async fn start(scene: &Scene) -> Result<Self, Failure> {
        let this = std::env::current_exe()?;
        let of_ours = async |which: &str| {
            let function = function(&scene.stage, &[("BENCH_FUNCTION", which)])?;
            spawn(&function, &this).await
        };
        let real = async |name, build| {
            let subject = scene.subject(name, build)?;
            spawn(&subject.function, &subject.binary).await
        };
        Ok(Self {
            stubbed: of_ours("stubbed").await?,
            floor: of_ours("floor").await?,
            ingest: real(Name::Ingest, Build::Deployed).await?,
            delivery: real(Name::Delivery, Build::Loopback).await?,
            enrich: real(Name::Enrich, Build::Loopback).await?,
        })
    }

    async fn turn(&self, scene: &Scene, invocations: usize) -> Result<Figures, Failure> {
        let posting = |number| invocation(Name::Ingest, number);
        let of_ten =
            |number: usize| payloads::http(&payloads::posting(number * 10, 10, PROPERTY, 1_024));
        let batches = invocations.div_ceil(10);
        let batch = |property: &'static str| move |number| batch_of(number, 10, property);
        let posts = async |at_once: usize, times: usize| posts(scene, at_once, times).await;
        let floor = posts(10, batches * 2).await?;
        Ok(Figures {
            ingest_stubbed_us: spent(&self.stubbed, invocations, posting).await?,
            ingest_floor_us: spent(&self.floor, invocations, posting).await?,
            ingest_us: spent(&self.ingest, invocations, posting).await?,
            ingest_of_ten_us: spent(&self.ingest, batches, of_ten).await? / 10.0,
            delivery_us: spent(&self.delivery, batches, batch(PROPERTY)).await? / 10.0,
            delivery_rs256_us: spent(&self.delivery, batches, batch(RS256)).await? / 10.0,
            post_us: floor.post_s * 1e6,
            es256_us: floor.es256_s * 1e6,
            rs256_us: floor.rs256_s * 1e6,
            enrich_us: spent(&self.enrich, invocations, |number| invocation(Name::Enrich, number))
                .await?,
            lone_post_us: posts(1, invocations).await?.post_s * 1e6,
            resident_mib: [0.0; 3],
        })
    }

    fn resident_mib(&self) -> Result<[f64; 3], Failure> {
        let mib = |of: &Environment| of.process().counted().map(|counted| mib(counted.peak_kib));
        Ok([mib(&self.ingest)?, mib(&self.delivery)?, mib(&self.enrich)?])
    }
}

fn function(stage: &Stage, variables: &[(&str, &str)]) -> Result<Function, Failure> {
    stage.function(Name::Ingest, variables)
}

async fn spawn(function: &Function, binary: &std::path::Path) -> Result<Environment, Failure> {
    let environment = Environment::spawn(function, binary, &[], None).await?;
    environment.asked(1).await?;
    Ok(environment)
}

/// Microseconds of a processor for each of so many invocations.
async fn spent(
    environment: &Environment,
    invocations: usize,
    payload: impl Fn(usize) -> String,
) -> Result<f64, Failure> {
    let before = environment.process().counted()?.processor;
    for number in 0..invocations {
        environment.work(payload(number)).await?;
    }
    let spent = environment.process().counted()?.processor.saturating_sub(before);
    Ok(spent.as_secs_f64() * 1e6 / length(invocations))
}

/// The floor, in a process of its own.
async fn posts(scene: &Scene, at_once: usize, times: usize) -> Result<post::Spent, Failure> {
    let mut part = Part::start("own-floor")?;
    let bytes = 1_700;
    let (url, authority) = (scene.targets.url_of(Kind::Healthy, 2), scene.authority());
    part.ask(&post::Order { url, authority, at_once, times, bytes }).await
}

fn median(turns: &[Figures]) -> Figures {
    let of = |part: fn(&Figures) -> f64| {
        let mut parts: Vec<f64> = turns.iter().map(part).collect();
        parts.sort_by(f64::total_cmp);
        parts.get(parts.len() / 2).copied().unwrap_or_default()
    };
    Figures {
        ingest_stubbed_us: of(|it| it.ingest_stubbed_us),
        ingest_floor_us: of(|it| it.ingest_floor_us),
        ingest_us: of(|it| it.ingest_us),
        ingest_of_ten_us: of(|it| it.ingest_of_ten_us),
        delivery_us: of(|it| it.delivery_us),
        delivery_rs256_us: of(|it| it.delivery_rs256_us),
        post_us: of(|it| it.post_us),
        es256_us: of(|it| it.es256_us),
        rs256_us: of(|it| it.rs256_us),
        enrich_us: of(|it| it.enrich_us),
        lone_post_us: of(|it| it.lone_post_us),
        resident_mib: [0.0; 3],
    }
}

/// As a person reads it.
#[must_use]
pub fn text(figures: &Figures) -> String {
    let it = figures;
    let mut text =
        String::from("| | ours, µs CPU | floor, µs CPU | ratio |\n| --- | ---: | ---: | ---: |\n");
    let rows = [
        (
            "ingest, AWS stubbed / blocking, by hand, same checks",
            it.ingest_stubbed_us,
            it.ingest_floor_us,
        ),
        (
            "ingest of an event, ten in a POST / one in a POST, to SQS",
            it.ingest_of_ten_us,
            it.ingest_us,
        ),
        (
            "delivery of a POST, batch of ten, ES256 / bare signature and reqwest POST",
            it.delivery_us,
            it.es256_us + it.post_us,
        ),
        ("delivery of a POST, RS256 / bare RSA signature", it.delivery_rs256_us, it.rs256_us),
        ("enrich of a login, verified / bare reqwest POST", it.enrich_us, it.lone_post_us),
    ];
    for (what, ours, floor) in rows {
        // Writing to a text does not fail.
        let _ = writeln!(text, "| {what} | {ours:.1} | {floor:.1} | {:.2} |", ours / floor);
    }
    let [ingest, delivery, enrich] = it.resident_mib;
    let _ = writeln!(
        text,
        "\nenrich beyond its target's POST: {:.0} µs; resident at most: ingest {ingest:.1} MiB, delivery {delivery:.1}, enrich {enrich:.1}",
        it.enrich_us - it.lone_post_us
    );
    text
}
