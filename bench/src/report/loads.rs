//! The loads of a report.

/// As fast as two processors go.
pub(super) const FULL: &str = "full";
/// Half of that.
pub(super) const HALF: &str = "half";
/// Ten events in each POST.
pub(super) const TEN: &str = "ten-a-post";
/// Targets that speak TLS.
pub(super) const TLS: &str = "tls";
/// One target of ten hangs for a while.
pub(super) const HANGING: &str = "hanging";
/// Some fail, some are slow.
pub(super) const FAILING: &str = "failing";
/// Signed by RSA.
pub(super) const RS256: &str = "rs256";
/// SQS by the local endpoint.
pub(super) const LOCAL: &str = "local";

/// Each with the options of `bench load`.
pub(super) const LOADS: [(&str, &str); 8] = [
    (LOCAL, "--events-per-s 100 --seconds 20 --aws local --ingest 2 --delivery 4"),
    (FULL, "--events-per-s 2400 --seconds 60 --ingest 3 --delivery 3"),
    (HALF, "--events-per-s 1200 --seconds 60 --ingest 3 --delivery 3"),
    (TEN, "--events-per-s 5000 --events-a-post 10 --seconds 20 --ingest 3 --delivery 3"),
    (TLS, "--events-per-s 1000 --seconds 20 --tls --ingest 3 --delivery 3"),
    (RS256, "--events-per-s 500 --seconds 20 --signing-alg RS256 --ingest 3 --delivery 3"),
    (
        HANGING,
        "--events-per-s 200 --seconds 90 --hanging-percent 10 --delivery 50 --tick-s 20 --drain-s 20",
    ),
    (
        FAILING,
        "--events-per-s 200 --seconds 90 --failing-percent 5 --slow-percent 10 --delivery 50 --tick-s 20 \
         --drain-s 20",
    ),
];

/// Those that are drawn.
pub(super) const DRAWN: [&str; 3] = [FULL, HANGING, FAILING];
