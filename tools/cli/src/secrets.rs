//! `workflows secrets`: what standard webhooks are signed with. A secret is printed once.

use adapters::webhook_secrets::WebhookSecret;
use clap::Subcommand;
use domain::subscription::{Format, SubscriptionKey};
use domain::webhook_secrets::{Earlier, Made, Overlap, Ports, create, rotate};
use serde_json::{Value, json};

use crate::access::Access;
use crate::console::{Console, moment};
use crate::duration::parse_ms;
use crate::failure::{Failure, Finished};
use crate::whose::Whose;

/// What standard webhooks are signed with.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make the first secret of a subscription, and print it once
    #[command(
        after_help = "The secret (`whsec_…`) is for the receiver's library; it is printed now and never again. The
stack keeps it sealed in the subscription's row, under a KMS key that it has with the parameter
WebhookSecrets=enabled. Webhooks are sent once the row says \"format\": \"standard_webhooks\".

Examples:
  workflows secrets create --property demo-property --subscription mine"
    )]
    Create(Whose),
    /// Make a new secret in the place of the current one, and print it once
    #[command(
        after_help = "For the time of the overlap every webhook carries the signatures of both secrets, so the receiver
changes when it likes; the stack signs with the new one within 30 seconds. After a secret has
leaked, end it at once: --overlap 0s --end-earlier.

Examples:
  workflows secrets rotate --client demo-client --subscription mine
  workflows secrets rotate --property demo-property --subscription mine --overlap 7d"
    )]
    Rotate {
        #[command(flatten)]
        whose: Whose,
        /// How long the secret before it signs too: at most 7d
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = overlap)]
        overlap: Overlap,
        /// Also while the last rotation overlaps: the earliest of the three secrets ends now, and
        /// whoever knows only that one refuses what it gets
        #[arg(long)]
        end_earlier: bool,
    },
}

fn overlap(text: &str) -> Result<Overlap, String> {
    let ms = parse_ms(text).map_err(|error| error.to_string())?;
    Overlap::of_ms(ms).map_err(|error| error.to_string())
}

/// Carries out a command.
pub(crate) async fn run(
    command: Command,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let ports = access.secrets().await?;
    match command {
        Command::Create(whose) => {
            let owner = whose.key()?;
            show(&owner, &create(&owner, &ports).await?, console)
        }
        Command::Rotate { whose, overlap, end_earlier } => {
            let owner = whose.key()?;
            let earlier = if end_earlier { Earlier::Ended } else { Earlier::Kept };
            show(&owner, &rotate_with(&owner, overlap, earlier, &ports).await?, console)
        }
    }
}

async fn rotate_with<P: Ports>(
    owner: &SubscriptionKey,
    overlap: Overlap,
    earlier: Earlier,
    ports: &P,
) -> Result<Made<P::Secret>, Failure> {
    Ok(rotate(owner, overlap, earlier, ports).await?)
}

fn show(
    owner: &SubscriptionKey,
    made: &Made<WebhookSecret>,
    console: &Console,
) -> Result<Finished, Failure> {
    let Made { secret, overlap_until, format } = made;
    console.result(|| secret.reveal().to_string(), || object(owner, made))?;
    console.note("This is the only time that the secret is shown. Give it to the receiver.");
    if let Some(until) = overlap_until {
        console.note(&format!("The secret before it signs too until {}.", moment(*until)));
    }
    match format {
        Some(Format::StandardWebhooks) => {}
        Some(Format::Set) | None => console.note(
            "No webhooks are sent yet: the row's attribute \"format\" is not \"standard_webhooks\".",
        ),
    }
    Ok(Finished::Done)
}

fn object(owner: &SubscriptionKey, made: &Made<WebhookSecret>) -> Value {
    json!({
        "scope": owner.scope.key(),
        "subscriptionId": owner.subscription_id.as_str(),
        "secret": *made.secret.reveal(),
        "overlapUntil": made.overlap_until.map(moment),
    })
}
