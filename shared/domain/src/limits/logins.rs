//! The bounds of a login: its time, what is remembered for it, and what an answer may hold.

use crate::breaker::Tempo;

/// A login's budget when neither caller nor subscription says less: inside Entra's 2 s and Okta's 3 s.
pub const ENRICH_BUDGET_DEFAULT_MS: u32 = 1_500;
/// The least and most a subscription or a deployment may choose.
pub const ENRICH_BUDGET_MIN_MS: u32 = 200;
/// See [`ENRICH_BUDGET_MIN_MS`].
pub const ENRICH_BUDGET_MAX_MS: u32 = 5_000;
/// What the enrich function keeps back from Lambda's deadline to answer in.
pub const ENRICH_RESERVE_MS: u64 = 100;
/// A login that takes more of its time than this, in per cent, is slow: it is counted, and alarmed on.
pub const ENRICH_SLOW_PERCENT: u64 = 80;
/// Even a login that comes with its deadline behind it may look up what the policy says, this long.
pub const ENRICH_LOOK_UP_GRACE_MS: u64 = 40;

/// How long the first login of a new endpoint waits for its row to say that the endpoint is verified,
/// beside the question and within its deadline: a write takes a few milliseconds.
pub const ENRICH_MARK_MS: u64 = 100;

/// How long a login waits to hear whether its request is another's already …
pub const ENRICH_TAKE_MS: u64 = 100;
/// … and at most this part of the time that it has left: a table that is slower is done without.
pub const ENRICH_TAKE_PART: u64 = 10;
/// How long a decision waits within its deadline to be noted, before it is answered.
pub const ENRICH_KEEP_MS: u64 = 200;
/// And this long in any case: a login that has used up its time is the one that is asked about again.
pub const ENRICH_KEEP_GRACE_MS: u64 = 40;
/// How long a decision is answered again: Amazon Cognito asks for the third time ten seconds after
/// the first, and a decision takes some time to be made.
pub const ENRICH_REPEAT_MS: u64 = 10_000;

/// How young last known good claims must be: what a subscription may ask for, in seconds.
pub const LAST_KNOWN_GOOD_MAX_AGE_MIN_S: u32 = 60;
/// See [`LAST_KNOWN_GOOD_MAX_AGE_MIN_S`]: 30 days.
pub const LAST_KNOWN_GOOD_MAX_AGE_MAX_S: u32 = 30 * 24 * 60 * 60;
/// A mark is kept for this much longer than the oldest claims that it speaks of are of use: clocks
/// differ, and writes are late.
pub const MARK_MARGIN_S: u64 = 24 * 60 * 60;
/// How long before a login's deadline last known good claims are read, in case its target does not
/// answer; and how long reading them may take.
pub const ENRICH_RECALL_MS: u64 = 200;
/// Users whose end of access is marked at once of one message: each is a connection.
pub const REVOKE_AT_ONCE: usize = 16;

/// How long the breaker of a target that is asked about logins is open at first: a second of users
/// who get the policy's answer at once, instead of after the whole budget.
pub const ENRICH_BREAKER_OPEN_MS: u64 = 1_000;
/// The longest it is open: logins are back to normal within [`ENRICH_RECOVERY_MS`].
pub const ENRICH_BREAKER_OPEN_MAX_MS: u64 = 3_000;
/// When a prober that has not been heard of is gone: longer than the longest budget.
pub const ENRICH_BREAKER_PROBE_MS: u64 = 6_000;
/// How long after a target's recovery its logins are back to normal: a probe that began before it
/// fails, and the breaker is open once more.
pub const ENRICH_RECOVERY_MS: u64 = 5_000;
/// The tempo of a breaker that logins go by.
pub const ENRICH_TEMPO: Tempo = Tempo {
    open_ms: ENRICH_BREAKER_OPEN_MS,
    open_max_ms: ENRICH_BREAKER_OPEN_MAX_MS,
    probe_ms: ENRICH_BREAKER_PROBE_MS,
};

/// Of a hundred questions, this many may be put a second time: a target that refuses connections
/// gets a tenth more of them at most.
pub const ENRICH_RETRIES_PERCENT: u64 = 10;
/// And this many a second in any case, or an execution environment that is asked now and then could
/// never replace the connection that died while it was frozen.
pub const ENRICH_RETRIES_PER_S: u64 = 1;
/// Second questions that can be saved up: the kept connections of one frozen environment.
pub const ENRICH_RETRIES_SAVED_MAX: u64 = 10;
/// What must be left of a login's time for a second question: a handshake and an answer of a target
/// that is not far.
pub const ENRICH_RETRY_LEFT_MIN_MS: u64 = 100;

/// When Microsoft Entra has its answer, counted from when we have its question: it waits two
/// seconds at most, and the network and the gateway have their part of them
/// (<https://learn.microsoft.com/graph/api/resources/customextensionclientconfiguration>).
pub const ENTRA_ANSWER_MS: u64 = 1_700;
/// What Microsoft Entra takes of claims, names and values together
/// (<https://learn.microsoft.com/entra/identity-platform/custom-claims-provider-reference>).
pub const ENTRA_CLAIMS_BYTES_MAX: usize = 3 * 1024;
/// When Amazon Cognito has its answer: it waits five seconds, and asks three times in all
/// (<https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html>).
pub const COGNITO_ANSWER_MS: u64 = 4_500;

/// Allowed difference between a target's clock and ours on `iat`.
pub const ANSWER_IAT_SKEW_MAX_S: i64 = 60;
/// Allowed difference on `exp` and `nbf`.
pub const ANSWER_EXPIRY_SKEW_MAX_S: i64 = 30;
/// The longest life an answer may claim for itself (`exp - iat`).
pub const ANSWER_LIFETIME_MAX_S: i64 = 60 * 60;

/// Custom claims of one answer: how many, and bytes in all.
pub const CLAIMS_MAX: usize = 32;
/// See [`CLAIMS_MAX`].
pub const CLAIMS_BYTES_MAX: usize = 8 * 1024;
/// A claim's name, in bytes.
pub const CLAIM_NAME_BYTES_MAX: usize = 128;
/// A claim's string, in bytes, and an array's elements.
pub const CLAIM_STRING_BYTES_MAX: usize = 1024;
/// See [`CLAIM_STRING_BYTES_MAX`].
pub const CLAIM_ARRAY_MAX: usize = 32;

const _: () = assert!(ENRICH_BUDGET_DEFAULT_MS < ENRICH_BUDGET_MAX_MS);
const _: () = assert!(ENRICH_BUDGET_DEFAULT_MS as u64 <= ENTRA_ANSWER_MS);
const _: () = assert!(ENRICH_LOOK_UP_GRACE_MS < ENRICH_RESERVE_MS);
const _: () = assert!(ENRICH_KEEP_GRACE_MS < ENRICH_RESERVE_MS);
const _: () = assert!(ENRICH_REPEAT_MS > ENRICH_BUDGET_MAX_MS as u64, "longer than a login takes");
const _: () = assert!(ENRICH_BREAKER_PROBE_MS > ENRICH_BUDGET_MAX_MS as u64);
const _: () = assert!(
    ENRICH_BUDGET_DEFAULT_MS as u64 + ENRICH_BREAKER_OPEN_MAX_MS < ENRICH_RECOVERY_MS,
    "a probe that just missed the recovery, and the breaker open once more"
);
const _: () = assert!(ENRICH_RETRY_LEFT_MIN_MS < ENRICH_BUDGET_MIN_MS as u64);
