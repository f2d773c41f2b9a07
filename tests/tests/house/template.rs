//! What no tool checks of `template.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use adapters::ports::{DeliveryPorts, EnrichPorts, IngestPorts, SweepPorts};
use adapters::settings::{self, Strings};
use adapters::targets::Targets;
use domain::egress::EgressPolicy;
use domain::event_type::EventTypeNames;
use local::template::{Account, Settings, Stack};

use super::read;

/// The stack with everything on that can be switched on.
fn stack() -> Stack {
    stack_with(&[
        ("IdempotentIngest", "enabled"),
        ("LastKnownGood", "enabled"),
        ("WebhookSecrets", "enabled"),
        ("SigningKmsKeyArn", SIGNING_KMS_KEYS),
    ])
}

/// Two keys in KMS.
const SIGNING_KMS_KEYS: &str =
    "arn:aws:kms:us-east-1:000000000000:key/a,arn:aws:kms:us-east-1:000000000000:key/b";

fn stack_with(parameters: &[(&str, &str)]) -> Stack {
    let mut settings = Settings::new(Account::local("http://127.0.0.1:4566"));
    let given = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    settings.parameters.extend(given);
    Stack::parse(&read("template.yaml"), &settings).expect("a template")
}

#[test]
fn queues_give_a_function_time_and_nothing_is_dropped() {
    let stack = stack();
    let mut mappings = 0;
    for function in &stack.functions {
        for mapping in &function.queue_mappings {
            mappings += 1;
            let queue = stack.queues.iter().find(|queue| queue.name == mapping.queue);
            let queue = queue.expect("a declared queue");
            let least_s = 6 * function.timeout_s + mapping.batching_window_s;
            assert!(queue.visibility_timeout_s >= least_s, "{}", queue.name);
            assert!(mapping.report_batch_item_failures, "{}", queue.name);
            assert!((1..=10).contains(&mapping.batch_size), "{}", queue.name);
            assert!(mapping.maximum_concurrency.is_some(), "{}", queue.name);
            let redrive = queue.redrive.as_ref().expect("a dead-letter queue");
            let name = redrive.dead_letter_queue_arn.rsplit(':').next().expect("a name");
            let dead = stack.queues.iter().find(|queue| queue.name == name).expect("declared");
            assert!(
                dead.retention_s > queue.retention_s,
                "{name} keeps longer than {}",
                queue.name
            );
            assert_eq!(dead.redrive, None, "{name}");
        }
    }
    assert_eq!(mappings, 2, "events and retries, each with its own mapping");
}

#[test]
fn the_sweeper_runs_every_minute_alone_and_ends_before_the_next_tick() {
    let stack = stack();
    let sweeper = stack.function("SweeperFunction").expect("a sweeper");
    assert_eq!(sweeper.schedules, ["rate(1 minute)"]);
    assert!(sweeper.timeout_s < 60);
    let template = read("template.yaml");
    let (_, from) = template.split_once("  SweeperFunction:").expect("declared");
    let (declared, _) = from.split_once("\n\n").expect("its end");
    assert!(declared.contains("ReservedConcurrentExecutions: !If [ScaleIsReserved, 1,"));
    assert!(declared.contains("MaximumRetryAttempts: 0"), "Lambda repeats a failed tick itself");
}

#[test]
fn names_are_the_plain_ones_without_a_prefix() {
    let stack = stack();
    let tables: Vec<_> = stack.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(tables, ["subscriptions", "deliveries", "ingested", "logins", "known-good"]);
    for name in ["events", "events-dead-letter", "retries", "retries-dead-letter"] {
        assert!(stack.queues.iter().any(|queue| queue.name == name), "{name}");
    }
}

#[test]
fn idempotency_costs_nothing_until_it_is_switched_on() {
    let declares = |stack: &Stack| {
        let ingest = stack.function("IngestFunction").expect("declared");
        (stack.table("IngestedTable").is_some(), ingest.environment.contains_key("INGESTED_TABLE"))
    };
    assert_eq!(declares(&stack_with(&[])), (false, false));
    assert_eq!(declares(&stack()), (true, true));
    let stack = stack();
    assert_eq!(
        stack.table("IngestedTable").expect("declared").ttl_attribute.as_deref(),
        Some("ttl")
    );
    let ingest = tables_of("IngestRole");
    assert_eq!(ingest.last().expect("allowed"), "Action: [dynamodb:PutItem, dynamodb:UpdateItem]");
}

#[test]
fn ingest_reads_the_rows_of_sources_and_no_subscription() {
    let template = read("template.yaml");
    let (_, role) = template.split_once("  IngestRole:").expect("declared");
    let (_, statement) = role.split_once("Sid: ReadSources").expect("a statement");
    let (statement, _) = statement.split_once("- !If").expect("its end");
    let lines: Vec<&str> =
        statement.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(
        lines,
        [
            "Effect: Allow",
            "Action: dynamodb:GetItem",
            "Resource: !GetAtt SubscriptionsTable.Arn",
            "Condition:",
            "ForAllValues:StringLike:",
            r#""dynamodb:LeadingKeys": "SOURCE#*""#,
        ]
    );
    assert_eq!(tables_of("IngestRole").len(), 3, "this, its condition, and idempotency");
}

#[test]
fn the_laptop_serves_the_routes_that_the_template_declares() {
    let routes = |parameters: &[(&str, &str)]| {
        let stack = stack_with(parameters);
        let routes = stack.functions.into_iter().flat_map(|function| function.routes);
        let mut routes: Vec<String> =
            routes.map(|route| format!("{} {}", route.method, route.path)).collect();
        routes.sort();
        routes
    };
    let open = [
        "GET /.well-known/jwks.json",
        "GET /health",
        "POST /v1/doctor",
        "POST /v1/sources/akamai-identity-cloud/events",
    ];
    let closed = ["POST /v1/enrich/login", "POST /v1/events"];
    let mut all = [open.as_slice(), closed.as_slice()].concat();
    all.sort_unstable();
    assert_eq!(routes(&[]), all);
    assert_eq!(routes(&[("Front", "FunctionUrls")]), open, "the rest is at the functions' URLs");
    let entra = [("EntraIssuer", "https://login.example.com/t"), ("EntraAudience", "a")];
    assert!(routes(&entra).contains(&"POST /v1/enrich/entra".to_owned()));
}

#[test]
fn nothing_is_remembered_of_users_until_it_is_switched_on_for_logins_and_deliveries_alike() {
    let declares = |stack: &Stack| {
        let told = ["EnrichFunction", "DeliveryFunction"].map(|function| {
            let function = stack.function(function).expect("declared");
            function.environment.contains_key("KNOWN_GOOD_TABLE")
        });
        (stack.table("KnownGoodTable").is_some(), told)
    };
    assert_eq!(declares(&stack_with(&[])), (false, [false; 2]));
    let stack = stack();
    assert_eq!(declares(&stack), (true, [true; 2]));
    let table = stack.table("KnownGoodTable").expect("declared");
    assert_eq!(table.ttl_attribute.as_deref(), Some("ttl"));
    let template = read("template.yaml");
    let (_, from) = template.split_once("  KnownGoodTable:\n").expect("declared");
    let (text, _) = from.split_once("\n\n").expect("its end");
    assert!(text.contains("DeletionPolicy: Delete") && text.contains("SSEEnabled: true"));
    assert!(!text.contains("PointInTime"), "what is forgotten stays forgotten");
    let delivery = tables_of("DeliveryRole");
    assert!(delivery.contains(&"Action: dynamodb:PutItem".to_owned()), "{delivery:?}");
}

/// What a role may do with tables.
fn tables_of(role: &str) -> Vec<String> {
    let template = read("template.yaml");
    let (_, role) = template.split_once(&format!("  {role}:")).expect("declared");
    let (role, _) = role.split_once("\n\n").expect("its end");
    let allowed = role.lines().filter(|line| line.contains("dynamodb:"));
    allowed.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn whoever_decides_logins_reads_subscriptions_marks_them_verified_and_keeps_its_own_books() {
    let allowed = [
        "Action: dynamodb:Query",
        "Action: dynamodb:UpdateItem",
        r#""dynamodb:Attributes": [pk, sk, verifiedEndpoint, verifiedAt]"#,
        r#""dynamodb:ReturnValues": [NONE, UPDATED_OLD, UPDATED_NEW]"#,
        "Action: [dynamodb:GetItem, dynamodb:PutItem, dynamodb:UpdateItem]",
        "Action: [dynamodb:BatchGetItem, dynamodb:PutItem]",
    ];
    assert_eq!(tables_of("EnrichRole"), allowed);
    let stack = stack();
    let logins = stack.table("LoginsTable").expect("declared");
    assert_eq!(logins.ttl_attribute.as_deref(), Some("ttl"), "claims do not stay");
}

#[test]
fn platforms_are_served_where_their_parameters_are_given_and_behind_a_lock() {
    let template = read("template.yaml");
    let declared = |name: &str| {
        let (_, from) = template.split_once(&format!("\n  {name}:\n")).expect(name);
        from.split("\n\n").next().expect("its end").to_owned()
    };
    for name in ["EntraAuthorizer", "PostEntraRoute"] {
        assert!(declared(name).contains("Condition: EntraIsServed"), "{name}");
    }
    assert!(declared("CognitoMayInvokeEnrich").contains("Condition: CognitoIsServed"));
    let route = declared("PostEntraRoute");
    assert!(route.contains("AuthorizationType: JWT") && route.contains("!Ref EntraAuthorizer"));
    assert_eq!(template.matches("RouteKey: POST /v1/enrich/").count(), 2, "the login, and Entra");
}

#[test]
fn webhook_secrets_cost_nothing_until_they_are_switched_on() {
    let declares = |stack: &Stack| {
        let delivery = stack.function("DeliveryFunction").expect("declared");
        let names = [stack.kms_keys.len(), stack.kms_aliases.len()];
        (names, delivery.environment.get("WEBHOOK_SECRETS_KEY_ID").cloned())
    };
    assert_eq!(declares(&stack_with(&[])), ([1, 1], None));
    let arn = "arn:aws:kms:us-east-1:000000000000:key/WebhookSecretsKey".to_owned();
    assert_eq!(declares(&stack()), ([2, 2], Some(arn)), "beside the key of the data");
    let prefixed = stack_with(&[("WebhookSecrets", "enabled"), ("NamePrefix", "staging-")]);
    let alias = prefixed.kms_aliases.iter().find(|it| it.name == "alias/staging-webhook-secrets");
    assert_eq!(alias.map(|it| it.key_id.as_str()), Some("WebhookSecretsKey"));
}

#[test]
fn delivery_alone_opens_webhook_secrets_and_only_as_those_of_a_subscription() {
    let template = read("template.yaml");
    let (_, role) = template.split_once("  DeliveryRole:").expect("declared");
    let (role, _) = role.split_once("\n\n").expect("its end");
    let (_, statement) = role.split_once("Sid: OpenWebhookSecrets").expect("a statement");
    let (statement, _) = statement.split_once("- !Ref AWS::NoValue").expect("its end");
    let lines: Vec<&str> =
        statement.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(
        lines,
        [
            "Effect: Allow",
            "Action: kms:Decrypt",
            "Resource: !GetAtt WebhookSecretsKey.Arn",
            "Condition:",
            "StringLike:",
            r#""kms:EncryptionContext:scope": ["PROPERTY#*", "CLIENT#*"]"#,
            r#""kms:EncryptionContext:subscription": "*""#,
        ]
    );
    let named = template.matches("!GetAtt WebhookSecretsKey.Arn").count();
    assert_eq!(named, 2, "this one, and the function's environment");
    let (_, key) = template.split_once("  WebhookSecretsKey:").expect("declared");
    let (key, _) = key.split_once("\n\n").expect("its end");
    for line in ["EnableKeyRotation: true", "PendingWindowInDays: 30"] {
        assert!(key.contains(line), "{line}");
    }
}

#[test]
fn keys_in_kms_sign_where_they_are_named_and_for_whom_signs() {
    let told = |stack: &Stack| {
        ["IngestFunction", "DeliveryFunction", "EnrichFunction", "SweeperFunction"].map(|name| {
            let function = stack.function(name).expect("declared");
            function.environment.get("SIGNING_KMS_KEY_ID").cloned()
        })
    };
    assert_eq!(told(&stack_with(&[])), [const { None }; 4]);
    let keys = || Some(SIGNING_KMS_KEYS.to_owned());
    assert_eq!(told(&stack()), [keys(), keys(), keys(), None]);
    let template = read("template.yaml");
    for (role, expected) in [
        ("IngestRole", "Action: kms:GetPublicKey"),
        ("DeliveryRole", "Action: [kms:Sign, kms:GetPublicKey]"),
        ("EnrichRole", "Action: [kms:Sign, kms:GetPublicKey]"),
    ] {
        let (_, statements) = template.split_once(&format!("  {role}:")).expect("declared");
        let (statements, _) = statements.split_once("\n\n").expect("its end");
        let lines: Vec<&str> = statements.lines().map(str::trim).collect();
        let at = lines.iter().position(|line| *line == "- KmsSigns").expect("a condition");
        assert_eq!(
            lines[at + 2..=at + 5],
            [
                "Effect: Allow",
                expected,
                r#"Resource: !Split [",", !Ref SigningKmsKeyArn]"#,
                "- !Ref AWS::NoValue",
            ],
            "{role}"
        );
    }
    assert_eq!(template.matches("kms:Sign").count(), 2);
}

/// An environment that remembers what it was asked for.
struct Asked<'a> {
    set: &'a BTreeMap<String, String>,
    asked: Mutex<BTreeSet<String>>,
}

impl Strings for Asked<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.asked.lock().expect("one thread").insert(name.to_owned());
        self.set.get(name).cloned()
    }
}

/// What a function's `main` reads, by doing what it does.
fn read_by(function: &str, environment: &BTreeMap<String, String>) -> BTreeSet<String> {
    let strings = Asked { set: environment, asked: Mutex::default() };
    let names = EventTypeNames::default();
    let targets = Targets::new(EgressPolicy::production()).expect("a client");
    adapters::log::level(&strings).expect("a level");
    adapters::metrics::stack(&strings).expect("a name");
    match function {
        "IngestFunction" => {
            IngestPorts::new(&strings, targets, 0).expect("ports");
        }
        "DeliveryFunction" => {
            DeliveryPorts::new(&strings, names, targets, 0).expect("ports");
            settings::issuer(&strings).expect("an issuer");
            settings::schedule(&strings).expect("a schedule");
            settings::endpoint_verification(&strings).expect("one of the two");
        }
        "SweeperFunction" => {
            SweepPorts::new(&strings).expect("ports");
            return without_aws(strings);
        }
        other => {
            assert_eq!(other, "EnrichFunction", "a function that this test does not know");
            EnrichPorts::new(&strings, names, targets, 0).expect("ports");
            settings::issuer(&strings).expect("an issuer");
            settings::enrich_budget_ms(&strings).expect("a budget");
            settings::endpoint_verification(&strings).expect("one of the two");
        }
    }
    settings::event_type_names(&strings).expect("names");
    without_aws(strings)
}

/// What was asked for, without what Lambda itself sets.
fn without_aws(strings: Asked<'_>) -> BTreeSet<String> {
    let asked = strings.asked.into_inner().expect("one thread");
    asked.into_iter().filter(|name| !name.starts_with("AWS_")).collect()
}

#[tokio::test]
async fn every_variable_is_read_and_every_variable_that_is_read_is_set() {
    let aws =
        [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "s")];
    for function in &stack().functions {
        let mut environment = function.environment.clone();
        let declared: BTreeSet<String> = environment.keys().cloned().collect();
        environment.extend(aws.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let id = &function.logical_id;
        assert_eq!(read_by(id, &environment), declared, "{id}");
    }
}

#[test]
fn the_laptop_s_settings_are_those_of_the_template() {
    let written = read(".env.local");
    let written: BTreeMap<&str, &str> =
        written.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('=')).collect();
    let mut declared = BTreeMap::new();
    for function in stack().functions {
        declared.extend(function.environment);
    }
    for (name, value) in declared {
        // What is left out has the same default in the template and in the code.
        let settled = [
            "LOG_LEVEL",
            // Nobody makes metrics of a laptop's logs.
            "METRICS_STACK",
            "EVENT_TYPE_NAMES",
            "RETRY_SCHEDULE",
            "ENRICH_BUDGET_MS",
            "ENDPOINT_VERIFICATION",
            "SIGNING_KMS_KEY_ID",
        ];
        if settled.contains(&name.as_str()) {
            continue;
        }
        let expected = if name == "SIGNING_KEYS_SECRET_ID" { "signing-keys" } else { &value };
        assert_eq!(written.get(name.as_str()), Some(&expected), "{name}");
    }
}
