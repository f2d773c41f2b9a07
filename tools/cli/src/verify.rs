//! `workflows verify`: whether something received is a notification of this stack, and in words
//! what is wrong with it.

use std::path::{Path, PathBuf};

use adapters::api::{fetch_keys, is_fetchable};
use adapters::clock;
use adapters::webhook_secrets::{WebhookKey, WebhookSecret};
use clap::Args;
use domain::jose::KeySet;
use domain::notification::check::{
    Checked, Expected, IsMac, ReceivedWebhook, check_token, check_webhook,
};
use serde_json::{Value, json};

use crate::access::Access;
use crate::api::ApiArguments;
use crate::console::{Console, bad, good, moment, plain, words};
use crate::failure::{Failure, Finished};
use crate::input;

/// Verifies a notification.
#[derive(Args)]
#[command(
    after_help = "The file is the body as it was received, to the byte: a receiver that has parsed and written it
anew has changed what was signed. Everything that is wrong is told at once. Of the payload only
names are printed, of members and of the event's type, unless --show-payload says otherwise.

A key set is needed for tokens and for v1a signatures: --jwks, or the stack's by --url, --local or
WORKFLOWS_URL. Without --issuer and --audience those two members are not compared.

Exit code 3: it does not verify.

Examples:
  workflows --local verify received.txt --issuer https://idp.example.com
  workflows verify - --jwks https://abc.execute-api.eu-central-1.amazonaws.com/.well-known/jwks.json
  workflows verify body.json --webhook-id dlv_… --webhook-timestamp 1795428000 \\
    --webhook-signature 'v1,…' --secret-file secret.txt"
)]
pub(crate) struct Arguments {
    /// The body that was received; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The key set: a file, or a URL
    #[arg(long, value_name = "FILE|URL", conflicts_with = "url")]
    jwks: Option<String>,
    #[command(flatten)]
    api: ApiArguments,
    /// The stack's issuer, to be compared with `iss`
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The endpoint as its subscription spells it, to be found in `aud`
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
    /// Of a standard webhook: the header `webhook-id`
    #[arg(long, value_name = "ID", requires_all = ["webhook_timestamp", "webhook_signature"])]
    webhook_id: Option<String>,
    /// Of a standard webhook: the header `webhook-timestamp`
    #[arg(long, value_name = "SECONDS", requires = "webhook_id")]
    webhook_timestamp: Option<String>,
    /// Of a standard webhook: the header `webhook-signature`
    #[arg(long, value_name = "LIST", requires = "webhook_id")]
    webhook_signature: Option<String>,
    /// Of a standard webhook: a file with the receiver's secret, `whsec_…`; `-` is standard input
    #[arg(long, value_name = "FILE", requires = "webhook_id")]
    secret_file: Option<PathBuf>,
    /// Print the payload too. It may hold personal data
    #[arg(long)]
    show_payload: bool,
}

/// Carries out the command.
pub(crate) async fn run(
    arguments: Arguments,
    access: &Access,
    console: &Console,
) -> Result<Finished, Failure> {
    let stdin = Path::new("-");
    if arguments.file == stdin && arguments.secret_file.as_deref() == Some(stdin) {
        return Err(Failure::Usage("standard input is either the body or the secret"));
    }
    let received = input::read(&arguments.file)?;
    let keys = arguments.keys(access).await?;
    let now = clock::now();
    let checked = match (&arguments.webhook_id, &keys) {
        (Some(id), keys) => {
            let secret = arguments.secret_file.as_deref().map(secret).transpose()?;
            let webhook = ReceivedWebhook {
                id,
                timestamp: arguments.webhook_timestamp.as_deref().unwrap_or_default(),
                signatures: arguments.webhook_signature.as_deref().unwrap_or_default(),
                body: &received,
            };
            let is_mac = |input: &[u8], mac: &[u8]| {
                secret.as_ref().is_some_and(|secret| secret.has_signed(input, mac))
            };
            let is_mac = secret.is_some().then_some(&is_mac as IsMac<'_>);
            check_webhook(webhook, is_mac, keys.as_ref(), now)
        }
        (None, Some(keys)) => {
            let (issuer, audience) = (arguments.issuer.as_deref(), arguments.audience.as_deref());
            check_token(&received, keys, Expected { issuer, audience, now })
        }
        (None, None) => {
            return Err(Failure::Usage("say whose keys: --jwks, --url, WORKFLOWS_URL or --local"));
        }
    };
    let said = if arguments.show_payload { checked.payload.clone() } else { None };
    console.result(
        || lines(&checked, said.as_ref().map(|it| json!(it).to_string())),
        || object(&checked, said.clone()),
    )?;
    let verifies = checked.flaws.is_empty();
    Ok(if verifies { Finished::Done } else { Finished::InPart })
}

impl Arguments {
    /// The key set, where one is named.
    async fn keys(&self, access: &Access) -> Result<Option<KeySet>, Failure> {
        let api = self.api.find(access)?;
        let (name, bytes) = match (&self.jwks, api) {
            (Some(jwks), _) => match url::Url::parse(jwks) {
                Ok(url) if is_fetchable(&url) => (jwks.clone(), fetch_keys(&url).await?),
                Ok(url) if url.scheme() == "http" => {
                    return Err(Failure::Usage(
                        "--jwks: keys that came in plain text prove nothing",
                    ));
                }
                // A file; one with a colon in its name looks like a URL.
                Ok(_) | Err(_) => (jwks.clone(), input::read(Path::new(jwks))?),
            },
            (None, Some(api)) => ("the stack's key set".to_owned(), fetch_keys(&api.keys()).await?),
            (None, None) => return Ok(None),
        };
        let wrong = |problem: domain::jose::KeySetRefusal| Failure::File {
            path: PathBuf::from(name),
            problem: problem.to_string(),
        };
        KeySet::parse(&bytes).map(Some).map_err(wrong)
    }
}

/// A receiver's secret, made ready; its text is not kept.
fn secret(path: &Path) -> Result<WebhookKey, Failure> {
    let text = input::read_secret(path)?;
    let wrong = || Failure::File {
        path: path.to_owned(),
        problem: "expected a secret, whsec_ and base64".to_owned(),
    };
    Ok(WebhookSecret::parse(&text).ok_or_else(wrong)?.key())
}

fn lines(checked: &Checked, payload: Option<String>) -> String {
    let verdict =
        if checked.flaws.is_empty() { good("It verifies.") } else { bad("It does not verify.") };
    let mut lines = vec![verdict];
    lines.extend(checked.flaws.iter().map(|flaw| format!("  {}", plain(&flaw.to_string()))));
    let mut fact = |name: &str, value: String| lines.push(format!("{name:<12}  {}", plain(&value)));
    if let Some(signed_by) = &checked.signed_by {
        fact("signed by", signed_by.clone());
    }
    if let Some(id) = &checked.event_id {
        fact("event", id.clone());
    }
    if let Some(at) = checked.issued_at {
        let age = words(clock::now().since_ms(at));
        fact("issued at", format!("{}, {age} ago", moment(at)));
    }
    if !checked.members.is_empty() {
        fact("members", checked.members.join(", "));
    }
    for (kind, members) in &checked.events {
        fact("tells of", format!("{kind} with {}", members.join(", ")));
    }
    if let Some(payload) = payload {
        fact("payload", payload);
    }
    lines.join("\n")
}

fn object(checked: &Checked, payload: Option<serde_json::Map<String, Value>>) -> Value {
    let flaws: Vec<String> = checked.flaws.iter().map(ToString::to_string).collect();
    let event = |(kind, members): &(String, Vec<String>)| json!({"type": kind, "members": members});
    let mut object = json!({
        "verifies": checked.flaws.is_empty(),
        "problems": flaws,
        "signedBy": checked.signed_by,
        "eventId": checked.event_id,
        "issuedAt": checked.issued_at.map(domain::time::Timestamp::to_rfc3339),
        "members": checked.members,
        "events": checked.events.iter().map(event).collect::<Vec<_>>(),
    });
    if let Some(payload) = payload {
        object["payload"] = Value::Object(payload);
    }
    object
}
