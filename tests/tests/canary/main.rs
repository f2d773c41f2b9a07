//! Nothing personal and nothing secret in a log, an error, a dead letter's reason or a message
//! attribute: canaries are put wherever something may not leak from, every story and every attack
//! is played through the deployed handlers over real HTTP, and then everything that an operator or a
//! caller gets to see is searched for them, in every form of [`testkit::canary`].
//!
//! The log is the deployed one at its loudest. Beside it everything is recorded that any crate says:
//! there many of the canaries *are*, which proves that they were under way, that the search finds
//! them, and that the log has reason to let nobody else's lines through.

mod deliveries;
mod encryption;
mod handshakes;
mod keys;
mod logins;
mod outages;
mod platforms;
mod postings;
mod sources;
mod stack;
mod watch;
mod webhooks;
mod words;

use stack::Stack;
use testkit::canary::sightings;
use watch::Watch;

/// What our lines must say for the stories to have been told at all.
const TOLD: [&str; 29] = [
    "KMS did not sign",
    "KMS gave no data key",
    "KMS gave no public key",
    "a batch could not be sent to the queue",
    "a delivery is a dead letter",
    "a ledger item cannot be read and becomes a dead letter",
    "a login request is not valid",
    "a login was decided",
    "a panic",
    "a platform's question about a login cannot be used",
    "a record goes back to its queue",
    "a source's event could not be stored",
    "a source's event was posted",
    "a source's row makes no sense",
    "a source's token holds nothing for us",
    "a source's token is refused",
    "a subscription is disabled",
    "a subscription row cannot be read and is skipped",
    "a URL is refused: nothing was posted",
    "a target's key set is refused",
    "a webhook secret could not be opened",
    "an allowed login fails: the platform does not take its claims",
    "an attempt was made",
    "an endpoint has not shown that it wants notifications, and is sent none",
    "an endpoint is verified",
    "an unreadable record lies on the dead-letter queue",
    "somebody asks as Microsoft Entra and has not shown to be",
    "the data key of a webhook secret could not be decrypted",
    "the secret holds no signing keys",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a52_what_may_not_leak_is_in_no_log_line_error_reason_or_attribute() {
    let watch = Watch::begin();
    let stack = Stack::start().await;
    let mut canaries = words::all();
    canaries.extend(stack.private_keys().await);

    outages::play(&stack).await;
    postings::play(&stack).await;
    sources::play(&stack).await;
    deliveries::play(&stack).await;
    logins::play(&stack).await;
    platforms::play(&stack).await;
    encryption::play(&stack).await;
    canaries.extend(handshakes::play(&stack).await);
    canaries.extend(webhooks::play(&stack).await);
    canaries.extend(keys::play(&stack).await);
    watch.panics_over(words::ROW);

    let ours = watch.deployed();
    for sentence in TOLD {
        assert!(ours.contains(&format!("\"message\":\"{sentence}\"")), "nobody said {sentence:?}");
    }
    let nowhere = |what: &str, text: &str| {
        let seen = sightings(&canaries, text);
        assert!(seen.is_empty(), "{what}:\n{}", seen.join("\n"));
    };
    nowhere("the log", &ours);
    nowhere("what callers were answered", &stack.refusals());
    nowhere("the ledger, without the events", &stack.ledger_without_events().await);
    nowhere("the rows that we write in", &stack.what_we_wrote_into_rows().await);
    nowhere("attributes of messages", &stack.message_attributes().await);

    let everything = watch.everything();
    for word in words::SEEN {
        assert!(everything.contains(word), "{word} was never under way");
    }
    stack.stop().await;
}
