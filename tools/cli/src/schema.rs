//! `workflows schema`: JSON Schemas of what people write, for editors and for checks in CI.

use clap::{Args, ValueEnum};
use domain::schema;

use crate::access::Access;
use crate::console::Console;
use crate::failure::{Failure, Finished};

/// Print the JSON Schema of what people write
#[derive(Args)]
#[command(
    after_help = "The same as in docs/schemas, with this stack's names of event types where --event-type-names has
others. In an editor with YAML support a definition may begin with:

  # yaml-language-server: $schema=./subscription.json

Examples:
  workflows schema subscription > subscription.json
  workflows schema source > source.json
  workflows schema event"
)]
pub(crate) struct Schema {
    /// Of what
    #[arg(value_enum)]
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
    /// A definition, as subscriptions put and apply read it
    Subscription,
    /// A definition, as sources put reads it
    Source,
    /// A subscription's row of the table subscriptions
    Row,
    /// What is posted to /v1/events
    Event,
}

/// Carries the command out.
pub(crate) fn run(
    arguments: &Schema,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let names = access.names()?;
    let schema = match arguments.of {
        Of::Subscription => schema::definition(&names),
        Of::Source => schema::source(),
        Of::Row => schema::row(&names),
        Of::Event => schema::event(&names),
    };
    console.result(|| format!("{schema:#}"), || schema.clone())?;
    Ok(Finished::Done)
}
