//! `cargo run -p bench --release -- report`: everything that is measured, in one run, and from it the
//! tables and plots of `docs/performance.md` and the metered part of `docs/cost.md`.

mod document;
mod figures;
mod goals;
mod loads;

use std::collections::BTreeMap;

use clap::Parser;

use crate::Failure;
use crate::stage::binaries::{Binaries, Build};
use crate::{bill, load, own, startup};
use figures::{Figures, Machine};
use loads::{DRAWN, LOADS};

/// Everything that is measured, and the documents that are made of it; takes half an hour
#[derive(Debug, Parser)]
#[command(name = "bench report")]
pub struct Command {
    /// Measure nothing: make the documents from bench/figures.json
    #[arg(long)]
    from_figures: bool,
    /// Measure these alone, and keep the other figures: startup, own, bill, or a load's name
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Take the binaries as they are, and build none
    #[arg(long)]
    no_build: bool,
}

impl Command {
    /// Measures, and writes the documents.
    pub async fn run(&self) -> Result<String, Failure> {
        let figures = if self.from_figures {
            Figures::committed()?
        } else {
            let figures = self.measure().await?;
            std::fs::write(figures::file(), serde_json::to_string_pretty(&figures)? + "\n")?;
            figures
        };
        document::write(&figures)?;
        goals::table(&figures)
    }

    async fn measure(&self) -> Result<Figures, Failure> {
        let binaries = if self.no_build {
            Binaries::found()?
        } else {
            Binaries::build_baselines()?;
            Binaries::build(&[Build::Deployed, Build::Loopback])?
        };
        let known = |name: &str| PARTS.contains(&name) || LOADS.iter().any(|(it, _)| *it == name);
        if let Some(unknown) = self.only.iter().find(|name| !known(name)) {
            let loads: Vec<&str> = LOADS.iter().map(|(name, _)| *name).collect();
            let all = [&PARTS[..], &loads].concat().join(", ");
            return Err(format!("there is no {unknown}; there are {all}").into());
        }
        let is_wanted = |name: &str| self.only.is_empty() || self.only.iter().any(|it| it == name);
        // With none committed, everything has to be measured.
        let before = if self.only.is_empty() { None } else { Some(Figures::committed()?) };
        let startup = match &before {
            Some(before) if !is_wanted("startup") => before.startup.clone(),
            _ => parsed::<startup::Command>("startup", "")?.measure(binaries.clone()).await?,
        };
        let own = match &before {
            Some(before) if !is_wanted("own") => before.own,
            _ => parsed::<own::Command>("own", "")?.measure(binaries.clone()).await?,
        };
        let mut all = BTreeMap::new();
        for (name, options) in LOADS {
            let mut load = match &before {
                Some(before) if !is_wanted(name) => before.load(name)?.clone(),
                _ => parsed::<load::Command>("load", options)?.measure(&binaries).await?,
            };
            if !load.is_balanced() {
                return Err(format!("{name} does not balance: {:?}", load.accounts).into());
            }
            if DRAWN.contains(&name) && !load.latencies.seconds.is_empty() {
                let folder = document::folder().join("performance");
                std::fs::create_dir_all(&folder)?;
                load::plot::draw(&load, &folder.join(format!("{name}.svg")))?;
            }
            // They are in the plot, and nobody reads a thousand lines more.
            load.latencies.seconds.clear();
            all.insert(name.to_owned(), load);
        }
        let billed = match &before {
            Some(before) if !is_wanted("bill") => before.billed.clone(),
            _ => parsed::<bill::Command>("bill", "")?.measure(&binaries).await?,
        };
        Ok(Figures { machine: Machine::here()?, startup, own, loads: all, billed })
    }
}

/// What is measured besides loads.
const PARTS: [&str; 3] = ["startup", "own", "bill"];

/// A program with these options.
fn parsed<P: Parser>(name: &str, options: &str) -> Result<P, Failure> {
    Ok(P::try_parse_from([name].into_iter().chain(options.split_whitespace()))?)
}
