//! Every bound in one place, with its unit in its name and its reason beside it.
//!
//! Relations that must hold between bounds are checked when the crate is compiled.

mod doctor;
mod logins;

use crate::breaker::Tempo;

pub use doctor::*;
pub use logins::*;

/// One event as posted, in bytes of its JSON text.
///
/// A quarter of SQS's message limit and well inside a ledger item (`DynamoDB`: 400 KB).
pub const EVENT_BYTES_MAX: usize = 256 * 1024;

/// One ingest request, in bytes. HTTP API takes 10 MB and Lambda 6 MB; nobody needs them here.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// Events in one ingest request.
pub const REQUEST_EVENTS_MAX: usize = 100;

/// Ingest has done everything but answering this long after it began: producers are promised two
/// seconds.
pub const INGEST_ANSWER_MS: u64 = 1_900;
/// How long ingest waits to hear which events it knows. A table that is slower is done without:
/// the send that follows has the larger part of the time.
pub const INGEST_BEGIN_MS: u64 = 400;
/// How long ingest waits for the note that events were sent; they are stored by then.
pub const INGEST_MARK_MS: u64 = 400;
/// Calls of the table that one request has under way at once: each is a connection, and a cold
/// function pays for each with a TLS handshake.
pub const INGEST_AT_ONCE: usize = 16;
/// How long an event's ID is known. Producers repeat within minutes; a day covers an outage.
pub const IDEMPOTENCY_S: u64 = 24 * 60 * 60;

/// One Security Event Token of a third party's source, in bytes of its compact form: names of
/// changed attributes, never values. What is in it fits into [`EVENT_BYTES_MAX`], even if every
/// character of it is one that queues take twice as long.
pub const SET_BYTES_MAX: usize = 128 * 1024;
/// How far a source's clock may be ahead of ours, in seconds. How old what it says is has no bound:
/// Akamai Identity Cloud tries again for 25 hours, and by hand for seven days
/// (<https://techdocs.akamai.com/identity-cloud/docs/schedule-redelivery-for-a-failed-event>).
pub const SET_CLOCK_AHEAD_MAX_S: u64 = 300;
/// How long the listener waits for a source's key set. With the look-up before it and the queue
/// after it this ends before the function's time-out (10 s).
pub const SET_KEYS_MS: u64 = 5_000;
/// Issuers, audiences and entity types, of each, in one source's row.
pub const SOURCE_NAMES_MAX: usize = 16;
/// Sources that an execution environment remembers at once.
pub const SOURCES_REMEMBERED_MAX: usize = 1_000;

/// Nesting of one JSON text from outside; the outermost object or array of an event is level 1.
pub const JSON_DEPTH_MAX: usize = 32;

/// Identifiers that producers and operators choose, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// The `sub` of an end user, in bytes (OpenID Connect Core 1.0 §2: at most 255 ASCII characters).
pub const SUB_BYTES_MAX: usize = 255;

/// Events of one scope are packed up to this many bytes a queue message: SQS bills per 64 KiB.
pub const MESSAGE_PACK_BYTES_MAX: usize = 64 * 1024;

/// Paths in a subscription's `fields`: more than any of the documented data has members.
pub const FIELDS_MAX: usize = 64;

/// Clauses of a subscription's `filter.match`.
pub const FILTER_CLAUSES_MAX: usize = 16;

/// Values of one clause of a filter, and names in its `changedAttributes`.
pub const FILTER_VALUES_MAX: usize = 64;

/// One path of `fields`, one name or value of `filter`, in bytes.
pub const FIELD_PATH_BYTES_MAX: usize = 256;

/// One SQS message, in bytes
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Messages in one SQS batch call (same page).
pub const BATCH_ENTRIES_MAX: usize = 10;

/// The longest `DelaySeconds` SQS takes (same page). Longer waits belong to the ledger.
pub const QUEUE_DELAY_MAX_S: u32 = 900;

/// First attempts made at once for one queue message. One that stands for more is split.
pub const INLINE_FANOUT_MAX: usize = 32;

/// Portions that a queue message is cut into; what is left is one more, and is cut in its turn. Ten
/// batch calls take well under a second.
pub const SPLIT_PORTIONS_MAX: usize = 99;

/// Bytes of event data that the first attempts of one message send at once: a batch of ten such
/// messages, each event signed and encoded once a target, fits a function of 256 MB.
pub const FANOUT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Subscriptions are read at most this long ago when an event is matched.
pub const SUBSCRIPTIONS_STALENESS_MAX_MS: u64 = 30_000;

/// How long a webhook secret may sign beside its successor, so that no receiver has to change at
/// the same moment as we do.
pub const WEBHOOK_SECRET_OVERLAP_MAX_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// How long it does when nobody says otherwise.
pub const WEBHOOK_SECRET_OVERLAP_DEFAULT_MS: u64 = 24 * 60 * 60 * 1_000;
/// A sealed secret, and its data key: KMS encrypts to 6,144 bytes at most.
pub const SEALED_BYTES_MAX: usize = 8 * 1024;

/// One attempt when the subscription says nothing: the documented time-out.
pub const ATTEMPT_TIMEOUT_DEFAULT_MS: u32 = 5_000;
/// The least and most a subscription may ask for.
pub const ATTEMPT_TIMEOUT_MIN_MS: u32 = 500;
/// See [`ATTEMPT_TIMEOUT_MIN_MS`]; a delivery invocation (30 s) must hold one attempt and its books.
pub const ATTEMPT_TIMEOUT_MAX_MS: u32 = 15_000;

/// What an invocation keeps back from its own deadline for writing down what happened: two AWS
/// calls, one after the other, and a second to spare.
pub const DELIVERY_RESERVE_MS: u64 = 4_000;

/// How long a claimed ledger item is ours. Longer than an invocation (30 s), shorter than the
/// queue's visibility time-out (180 s), so that a returned wake-up finds the lease expired.
pub const LEASE_MS: u64 = 60_000;

/// A wake-up this much early still counts as due: SQS delays are whole seconds.
pub const DUE_TOLERANCE_MS: u64 = 1_000;

/// A wake-up that has not been heard of this long after its time is lost.
pub const WAKE_UP_LOST_MS: u64 = 120_000;

/// How long the sweeper's own wake-ups are taken to be under way. Longer than a queue full of
/// them takes to be worked, so that a slow hour does not wake the same items over and over.
pub const SWEEP_MARK_MS: u64 = 15 * 60 * 1_000;

/// Wake-ups that one sweep sends at most, so that a recovery wave reaches the queue in parts. The
/// queue's own concurrency keeps it from fresh events.
pub const SWEEP_RELEASE_MAX: usize = 20_000;
/// Pages of a bucket that one sweep reads at most.
pub const SWEEP_PAGES_MAX: usize = 25;
/// Items of a page: 16 buckets × 25 pages × 100 items are more than one sweep may release.
pub const SWEEP_PAGE_ITEMS: i32 = 100;
/// Buckets that are asked at once. Each question under way needs a connection of its own, and a new one's
/// handshake costs four times the question; most sweeps find nothing due.
pub const SWEEP_QUERIES_AT_ONCE: usize = 4;
/// Items marked at once; their wake-ups make ten full batches.
pub const SWEEP_AT_ONCE: usize = 100;
/// What a sweep keeps back from its invocation: marking and waking what it has begun.
pub const SWEEP_RESERVE_MS: u64 = 5_000;

/// A breaker opens after this many failures in a row.
pub const BREAKER_FAILURES_MAX: u32 = 5;
/// Or after this share of failures, in per cent, among the attempts of [`BREAKER_WINDOW_MS`].
pub const BREAKER_WINDOW_FAILURES_MIN_PERCENT: u64 = 70;
/// And at least this many of them.
pub const BREAKER_WINDOW_ATTEMPTS_MIN: u32 = 10;
/// See [`BREAKER_WINDOW_FAILURES_MIN_PERCENT`].
pub const BREAKER_WINDOW_MS: u64 = 5 * 60 * 1_000;
/// How long a breaker is open at first; doubled with every probe that fails.
pub const BREAKER_OPEN_MS: u64 = 60_000;
/// The longest it is open before the next probe.
pub const BREAKER_OPEN_MAX_MS: u64 = 30 * 60 * 1_000;
/// When a prober that has not been heard of is gone: longer than an invocation (30 s).
pub const BREAKER_PROBE_MS: u64 = 60_000;
/// The tempo of a breaker that holds deliveries.
pub const DELIVERY_TEMPO: Tempo = Tempo {
    open_ms: BREAKER_OPEN_MS,
    open_max_ms: BREAKER_OPEN_MAX_MS,
    probe_ms: BREAKER_PROBE_MS,
};
/// How long an execution environment goes by what it has read of a breaker that is not closed.
pub const BREAKER_STALENESS_MAX_MS: u64 = 10_000;
/// Breakers that an execution environment remembers at once.
pub const BREAKERS_REMEMBERED_MAX: usize = 10_000;
/// Endpoints that an execution environment remembers as just verified: so many new ones come in no
/// half minute, and one that is forgotten is verified again.
pub const ENDPOINTS_REMEMBERED_MAX: usize = 1_000;
/// How often a change of a breaker is tried against somebody else's: a batch in which all fail opens
/// it.
pub const BREAKER_WRITES_MAX: usize = 6;
/// What must be left of an invocation for a breaker to be written: what is owed to deliveries
/// comes first.
pub const BREAKER_RESERVE_MS: u64 = 2_000;
/// How long a breaker is looked after once nothing is held any more: longer than the longest wait
/// between two attempts.
pub const BREAKER_LINGER_MS: u64 = 36 * 60 * 60 * 1_000;
/// A subscription is disabled after nothing but failures for this long …
pub const BREAKER_DISABLE_AFTER_MS: u64 = 5 * 24 * 60 * 60 * 1_000;
/// … of which this many were probes, so that a quiet subscription is not judged by two attempts.
pub const BREAKER_DISABLE_OPENINGS_MIN: u32 = 24;

/// Held deliveries of one subscription that a tick of the sweeper releases in the first minute after
/// its breaker closed; twice as many in each minute after it.
pub const DRAIN_RELEASE_START: usize = 60;
/// The most that a tick releases of one subscription.
pub const DRAIN_RELEASE_MAX: usize = 3_000;
/// Breakers that one sweep looks at.
pub const SWEEP_BREAKERS_MAX: usize = 500;

/// Earlier deaths that a redriven delivery carries.
pub const HISTORY_MAX: usize = 10;

/// Dead letters that a redrive makes due in a minute, where nobody says another number.
pub const REDRIVE_PER_MINUTE_DEFAULT: u32 = 1_000;
/// The most that may be asked for: the sweeper releases more in a tick, so that other deliveries
/// keep their share.
pub const REDRIVE_PER_MINUTE_MAX: u32 = 6_000;
/// Dead letters redriven at once.
pub const REDRIVE_AT_ONCE: usize = 32;

/// Subscriptions that an explanation asks about at once: each costs two reads of the ledger's
/// table, which is busy with deliveries.
pub const EXPLAIN_AT_ONCE: usize = 16;

/// Messages of a dead-letter queue that one command looks at.
pub const ASIDE_MESSAGES_MAX: usize = 10_000;
/// How long a message that is looked at is hidden from everybody else, in seconds: looking at the
/// most of them takes less.
pub const ASIDE_HIDDEN_S: i32 = 300;

/// How long a dead letter is kept for redrive.
pub const DEAD_LETTER_RETENTION_S: u64 = 30 * 24 * 60 * 60;

/// Partitions of the ledger's due-time index.
pub const DUE_BUCKETS: u64 = 16;

/// An endpoint URL, in bytes.
pub const ENDPOINT_URL_BYTES_MAX: usize = 2_048;

/// Problems that one answer names; a request with more is told how many more there are.
pub const PROBLEMS_MAX: usize = 50;
/// A JSON Pointer in an answer, in bytes; a longer one ends in an ellipsis.
pub const POINTER_BYTES_MAX: usize = 512;

/// What we read of a target's reply, in bytes.
pub const REPLY_BYTES_MAX: usize = 64 * 1024;

/// The head of a target's reply, in bytes, and what comes before it: informational heads that are
/// skipped. More than any server sends. hyper takes 100 headers.
pub const REPLY_HEAD_BYTES_MAX: usize = 32 * 1024;
/// How long a connection to a target is kept without use. Most servers and load balancers keep it
/// for longer.
pub const KEPT_IDLE_MAX_MS: u64 = 20_000;
/// How long a connection to a target is kept at all, however busy it is: by then its name is looked
/// up and judged again. As long as a name that is to move is usually told to be remembered.
pub const KEPT_AGE_MAX_MS: u64 = 60_000;
/// Connections to targets that are kept at once.
pub const KEPT_CONNECTIONS_MAX: usize = 512;

/// The look-up of a target's name, waiting for its turn included, in milliseconds. What takes longer
/// has failed.
pub const LOOK_UP_MAX_MS: u64 = 2_000;
/// Addresses of one name: more than any honest name has.
pub const LOOK_UP_ADDRESSES_MAX: usize = 64;
/// Look-ups at once. Each holds a thread until the system gives up, which may be long after we have;
/// a quarter of the threads that tokio has for such work.
pub const LOOK_UPS_AT_ONCE_MAX: usize = 128;

/// How long an address may leave a connection unanswered before the next one is tried as well
/// (RFC 8305 §8 recommends 250 ms).
pub const DIAL_STAGGER_MS: u64 = 250;
/// Addresses of a name that are tried for one connection: with the stagger, two seconds' worth.
pub const DIAL_ADDRESSES_MAX: usize = 8;

/// A target's key set: bytes and keys.
pub const KEY_SET_BYTES_MAX: usize = 64 * 1024;
/// See [`KEY_SET_BYTES_MAX`].
pub const KEY_SET_KEYS_MAX: usize = 32;
/// The name of a key to encrypt to, in bytes: it stands in the header of all that is.
pub const KEY_ID_BYTES_MAX: usize = 256;
/// An RSA key to encrypt to, in bits: more cost us time and give nobody more safety.
pub const RSA_ENCRYPTION_BITS_MAX: usize = 4_096;
/// How long a fetched key set is used without looking again: how long a key that its target has
/// withdrawn goes on to count.
pub const KEY_SET_FRESH_MS: u64 = 10 * 60 * 1_000;
/// How often an unknown `kid`, or a host that fails while there are keys at hand, has a key set
/// fetched again.
pub const KEY_SET_REFETCH_MS: u64 = 30 * 1_000;
/// How long a key set serves while it cannot be fetched again.
pub const KEY_SET_STALE_MS: u64 = 60 * 60 * 1_000;
/// How long a failed fetch is remembered where there are no keys at hand: long enough that the
/// logins of one second do not each ask a host that is down.
pub const KEY_SET_FIRST_RETRY_MS: u64 = 1_000;
/// How long a login waits for a newer key set while the one at hand would do.
pub const KEY_SET_PATIENCE_MS: u64 = 300;
/// One fetch. It goes on when the login that began it has gone, so that the next one finds keys even
/// where the host takes longer than any login has.
pub const KEY_SET_FETCH_MS: u64 = 5_000;
/// Key sets that an execution environment remembers at once.
pub const KEY_SETS_REMEMBERED_MAX: usize = 500;

/// Our signing keys are read again when they are this old: a rotation is seen this much later at
/// most, while the secret can be read.
pub const SIGNING_KEYS_REFRESH_MS: u64 = 5 * 60 * 1_000;
/// How long whoever fetches our key set may go by it (`Cache-Control: max-age`), in seconds.
pub const JWKS_MAX_AGE_S: u64 = 5 * 60;
/// A key is published this long before it signs. Every environment of ours publishes it after one
/// refresh, every receiver has fetched that after one `max-age`; the rest is for a refresh that
/// failed, and for clocks that differ.
pub const KEY_PUBLISHED_BEFORE_MS: u64 = 15 * 60 * 1_000;
/// A key that signs no more stays published this long: for receivers that verify late, and for
/// environments that cannot read the secret and go on with it.
pub const KEY_OVERLAP_MS: u64 = 24 * 60 * 60 * 1_000;
/// Signing keys that were last read this long ago sign no more: by then they may not be published.
pub const SIGNING_KEYS_STALE_MS: u64 = 23 * 60 * 60 * 1_000;
/// Bits of an RSA key that signs (RFC 7518 §3.3: 2,048 or more).
pub const RSA_BITS_MIN: usize = 2_048;

const _: () = assert!(
    SIGNING_KEYS_REFRESH_MS + JWKS_MAX_AGE_S * 1_000 < KEY_PUBLISHED_BEFORE_MS,
    "every receiver knows a key before it signs"
);
const _: () = assert!(
    SIGNING_KEYS_STALE_MS + JWKS_MAX_AGE_S * 1_000 < KEY_OVERLAP_MS,
    "what an environment signs with is published"
);
const _: () = assert!(SWEEP_MARK_MS > WAKE_UP_LOST_MS);
const _: () = assert!(BREAKER_PROBE_MS > 30_000, "a probe ends before another takes its place");
const _: () = assert!(BREAKER_STALENESS_MAX_MS < BREAKER_OPEN_MS);
const _: () =
    assert!(BREAKER_LINGER_MS > 24 * 60 * 60 * 1_000 * 6 / 5, "the longest wait, jittered");
const _: () = assert!(BREAKER_WRITES_MAX > BREAKER_FAILURES_MAX as usize);
const _: () = assert!(DRAIN_RELEASE_MAX < SWEEP_RELEASE_MAX / 2, "fresh retries have their share");
const _: () = assert!(
    REDRIVE_PER_MINUTE_MAX as usize + DRAIN_RELEASE_MAX < SWEEP_RELEASE_MAX / 2,
    "redriven deliveries leave room for others"
);
const _: () = assert!(EVENT_BYTES_MAX < MESSAGE_BYTES_MAX / 2, "a message wraps an event");
const _: () = assert!(SET_BYTES_MAX / 4 * 3 * 2 < EVENT_BYTES_MAX, "base64url, then escapes");
const _: () = assert!(SET_KEYS_MS >= KEY_SET_FETCH_MS, "a first event has time for a whole fetch");
const _: () = assert!(EVENT_BYTES_MAX + 100_000 < 400_000, "a ledger item holds a whole event");
const _: () = assert!(MESSAGE_PACK_BYTES_MAX < MESSAGE_BYTES_MAX);
const _: () = assert!(DIAL_ADDRESSES_MAX <= LOOK_UP_ADDRESSES_MAX);
const _: () = assert!(KEPT_IDLE_MAX_MS < KEPT_AGE_MAX_MS);
const _: () = assert!(ATTEMPT_TIMEOUT_MAX_MS as u64 + DELIVERY_RESERVE_MS < 30_000);
const _: () = assert!(LEASE_MS > 30_000 && LEASE_MS < 180_000);
const _: () = assert!(KEY_SET_FRESH_MS < KEY_SET_STALE_MS);
const _: () = assert!(KEY_SET_REFETCH_MS < KEY_SET_FRESH_MS);
const _: () = assert!(KEY_SET_FETCH_MS >= ENRICH_BUDGET_MAX_MS as u64);
const _: () = assert!(KEY_SET_FETCH_MS < KEY_SET_REFETCH_MS);
const _: () = assert!(KEY_SET_PATIENCE_MS < ENRICH_BUDGET_DEFAULT_MS as u64 / 2);
