//! `workflows`: what operators do with a running stack, on AWS or on this machine.
//!
//! Commands parse and print; what happens is decided in `domain` and done through `adapters`.
//! Results go to standard output, everything else (progress, questions, log lines) to standard
//! error.

mod access;
mod api;
mod apply;
mod console;
mod dead_letters;
mod deliveries;
mod doctor;
mod documents;
mod duration;
mod explain;
mod failure;
mod filter;
mod front;
mod input;
mod keys;
mod schema;
mod secrets;
mod send;
mod sources;
mod subscriptions;
mod trials;
mod verify;
mod whose;

use std::process::ExitCode;

use adapters::settings::{Environment, Strings as _};
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use access::Access;
use console::{Console, Format};
use failure::{Failure, Finished};

/// Looks after a running stack of Identity Workflows: who is subscribed to what, deliveries that were
/// given up, records that could not be read, the secrets of webhooks and the signing keys; and says
/// whether it is well.
#[derive(Parser)]
#[command(
    name = "workflows",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes:
  0  done
  1  AWS or the API could not be reached or refused; the log lines on standard error say what
  2  the command line or a file that it names is wrong, or a question could not be asked (no terminal, no --yes)
  3  nothing matched, or something that was asked for was not done; the output says what

Examples:
  workflows --local subscriptions list
  workflows subscriptions put mine.yaml
  workflows apply ./subscriptions/ --dry-run
  workflows sources put akamai.yaml
  workflows --local deliveries list
  workflows deliveries list --property demo-property --reason exhausted --since 2h
  workflows deliveries show dlv_…
  workflows deliveries redrive dlv_…
  workflows deliveries redrive --subscription mine --reason exhausted --dry-run
  workflows --name-prefix staging- dead-letters list --queue events
  workflows dead-letters move-back --queue events --reason unknown_version
  workflows explain events/requests/userUpdated.json
  workflows --local send events/requests/userUpdated.json --watch
  workflows --local verify received.txt
  workflows secrets create --property demo-property --subscription mine
  workflows keys list
  workflows keys rotate --dry-run
  workflows --local doctor"
)]
struct Arguments {
    /// How results are printed; json is one object a line
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
    // After the others: what is declared below it would stand under its heading.
    #[command(flatten)]
    access: Access,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Who is told about what: rows of the table `subscriptions`
    #[command(subcommand)]
    Subscriptions(subscriptions::Command),
    Apply(apply::Apply),
    /// Whose events are taken in beside the platform's own: third parties' sources
    #[command(subcommand)]
    Sources(sources::Command),
    Schema(schema::Schema),
    /// Deliveries that are not done: given up, waiting or held
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// Records that could not be read: the two dead-letter queues
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Who would get an event, and who got it
    Explain(explain::Arguments),
    /// What standard webhooks are signed with
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// What tokens are signed with
    #[command(subcommand)]
    Keys(keys::Command),
    /// Post sample events to the stack, and follow them to their targets
    Send(send::Arguments),
    /// Whether something received is a notification, and what is wrong with it
    Verify(verify::Arguments),
    Doctor(doctor::Arguments),
    /// Print the completions of a shell
    #[command(after_help = "Examples:
  workflows completions bash > ~/.local/share/bash-completion/completions/workflows
  workflows completions zsh > ~/.zfunc/_workflows")]
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let console = Console::new(arguments.output);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let finished = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments, &console)),
        Err(error) => Err(error.into()),
    };
    match finished {
        Ok(finished) => finished.into(),
        Err(failure) => {
            if !failure.is_closed_pipe() {
                console.complain(&failure);
            }
            failure.into()
        }
    }
}

async fn run(arguments: Arguments, console: &Console) -> Result<Finished, Failure> {
    start_log()?;
    let Arguments { access, command, .. } = arguments;
    match command {
        Command::Subscriptions(command) => subscriptions::run(command, &access, console).await,
        Command::Apply(command) => apply::run(&command, &access, console).await,
        Command::Sources(command) => sources::run(command, &access, console).await,
        Command::Schema(command) => schema::run(&command, &access, console),
        Command::Keys(command) => keys::run(command, &access, console).await,
        Command::Deliveries(command) => deliveries::run(command, &access, console).await,
        Command::DeadLetters(command) => dead_letters::run(command, &access, console).await,
        Command::Explain(arguments) => explain::run(arguments, &access, console).await,
        Command::Secrets(command) => secrets::run(command, &access, console).await,
        Command::Send(arguments) => send::run(arguments, &access, console).await,
        Command::Verify(arguments) => verify::run(arguments, &access, console).await,
        Command::Doctor(arguments) => doctor::run(arguments, &access, console).await,
        Command::Completions { shell } => {
            // To a buffer first: the generator ends in a panic when a pipe is closed.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "workflows", &mut script);
            std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
            Ok(Finished::Done)
        }
    }
}

/// The adapters' log lines, for a person, on standard error; warnings unless `LOG_LEVEL` says more.
fn start_log() -> Result<(), Failure> {
    let level = match Environment.get("LOG_LEVEL") {
        Some(_) => adapters::log::level(&Environment)?,
        None => LevelFilter::WARN,
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .without_time()
        .with_target(false);
    // Only fails when logging was started before.
    let _ = tracing_subscriber::registry().with(lines).with(adapters::log::ours(level)).try_init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
