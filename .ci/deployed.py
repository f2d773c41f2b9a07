"""The story of one deployment, from `sam deploy` to `sam delete`, told by foreign clients.

boto3 and plain HTTP ask, PyJWT verifies; nothing here knows our code. `.ci/deploy` has built
everything: the release in .aws-sam/build, and debug binaries that may talk to this machine.
"""

import contextlib
import http.server
import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile

import jwt
import yaml
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import ec

import emulator

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(sys.argv[1])
ARCHITECTURE = sys.argv[2]
BUILT = ROOT / ".aws-sam/build"
STACK = "identity-workflows"
ISSUER = "https://id.example.org"
TARGET = "https://target.example.org"
# README.md's chapter, to the letter: whoever changes a command there changes what is run here. (The
# builds are `.ci/deploy`'s.)
COMMANDS = {
    "build": "sam build\n",
    "guided": "sam deploy --guided\n",
    "keys": "cargo workflows keys generate\n",
    "doctor": "cargo workflows doctor --url <the output ApiUrl>\n",
    "cargo-lambda": (
        "cargo lambda build --release --arm64\n"
        "cargo lambda deploy --binary-name ingest <name of the stack's ingest function>\n"
    ),
}
# Of each function: its name in the template, and its binary.
FUNCTIONS = {
    "IngestFunction": "ingest", "DeliveryFunction": "delivery",
    "EnrichFunction": "enrich", "SweeperFunction": "sweeper",
}
ZIP_BYTES_MAX = 4_000_000
# A debug build on a machine that builds something else, too, takes its time to decide.
PATIENT = "EnrichBudgetMs=5000"
COMMAND_PATIENCE_S = 300
PATIENCE_S = 60
# The schedule's first wait is 30 s, a fifth more or less; the sweeper's minute, and one more.
RETRY_PATIENCE_S = 90
SWEEP_PATIENCE_S = 180
# What an update interrupts comes back when its visibility time-out is over.
UPGRADE_PATIENCE_S = 300
# How the load goes on before and after the upgrade.
LOAD_INTERVAL_S = 0.1
LOAD_MARGIN_S = 3
# How much of the end of a log is shown when something fails.
SAID_MAX = 20_000


@contextlib.contextmanager
def step(what):
    """Says what is done and how long it took, also when it did not work."""
    started = time.monotonic()
    try:
        yield
    except BaseException:
        print(f"   FAILED: {what}", flush=True)
        raise
    print(f"   {what}: {time.monotonic() - started:.1f} s", flush=True)


def until(true, what, patience_s=PATIENCE_S):
    """Waits until something is true, and answers it."""
    end = time.monotonic() + patience_s
    while not (found := true()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience_s} s: {what}")
        time.sleep(0.1)
    return found


def run(*arguments, said="", **environment):
    """Runs a command in the checkout; its output, or an end with everything it said."""
    done = subprocess.run(
        arguments, cwd=ROOT, env=os.environ | environment, text=True, input=said, capture_output=True,
        timeout=COMMAND_PATIENCE_S,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")
    return done.stdout


def binaries():
    """Where the debug binaries of the functions are, and the command line's."""
    metadata = json.loads(run("cargo", "metadata", "--no-deps", "--format-version", "1"))
    return pathlib.Path(metadata["target_directory"]) / "debug"


class Target:
    """A system of a customer's: verifies what it gets through the deployed key set, and keeps it."""

    def __init__(self):
        target = self
        self.got = []
        # The `traceparent` of what was got, by its event.
        self.traces = {}
        self.refused = []
        # Paths that fail once, and then no more.
        self.fails_once = set()
        self.keys = None
        self.key = ec.generate_private_key(ec.SECP256R1())

        class Hook(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                token = self.rfile.read(int(self.headers["content-length"])).decode()
                status, answer = target.answer(self.path, self.headers, token)
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                """Says nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def answer(self, path, headers, token):
        try:
            if jwt.get_unverified_header(token).get("typ") != "secevent+jwt":
                raise jwt.InvalidTokenError("another kind of token")
            key = self.keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=["ES256"], issuer=ISSUER, audience=self.url(path))
        except jwt.PyJWTError as error:
            self.refused.append((path, repr(error)))
            return 400, b""
        [(kind, event)] = claims["events"].items()
        if kind == "endpoint/v1/verification":
            return 202, json.dumps({"challenge": event["challenge"]}).encode()
        self.traces[claims["jti"]] = headers.get("traceparent")
        self.got.append((path, claims["jti"], headers["webhook-id"], int(headers["webhook-attempt"])))
        if path in self.fails_once:
            self.fails_once.remove(path)
            return 500, b""
        if path == "/logins":
            decision = {
                "iss": TARGET, "iat": int(time.time()), "jti": claims["jti"],
                "action": "allow", "custom_claims": {"tier": "gold"},
            }
            return 200, jwt.encode(decision, self.key, "ES256", {"kid": "1"}).encode()
        return 202, b""

    def jwks(self):
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": "1", "alg": "ES256", "use": "sig"}]}

    def jtis(self, path):
        return {jti for where, jti, _, _ in self.got if where == path}


def event(name, **changed):
    """A sample of an event under an ID of its own."""
    sample = json.loads((ROOT / f"events/requests/{name}.json").read_text())
    return sample | {"id": f"{name}-{uuid.uuid4()}"} | changed


LOGIN = {
    "clientId": "demo-client", "sub": "6f1c1f0e-2b8a-4f7e-9c1d-3a5b7e9d1f20",
    "data": {"ip": "198.51.100.7", "authMethod": "password"},
}


class Story:
    """What is deployed, and what is done with it."""

    def __init__(self, aws, target):
        self.aws = aws
        self.target = target
        self.debug = binaries()
        self.parameters = {}
        self.outputs = {}
        self.resources = {}
        self.source = None

    # -- Commands of the README -------------------------------------------------------------------

    def sam(self, *arguments, said=""):
        return run("sam", *arguments, said=said, **self.aws.credentials)

    def deploy_guided(self):
        """`sam deploy --guided`: two answers of ours, else what it proposes, and nothing is kept."""
        ours = {"Architecture": ARCHITECTURE, "Issuer": ISSUER}
        parameters = yaml.safe_load((BUILT / "template.yaml").read_text())["Parameters"]
        stack, region, confirm, roles, rollback, keep = "", "", "n", "", "", "n"
        answers = [stack, region, *(ours.get(name, "") for name in parameters), confirm, roles, rollback, keep]
        self.sam("deploy", "--guided", said="\n".join(answers) + "\n")
        self.look()
        assert ours.items() <= self.parameters.items(), self.parameters

    def deploy(self, *parameters):
        """`sam deploy`, which asks nothing."""
        self.sam("deploy", "--no-confirm-changeset", "--parameter-overrides",
                 f"Architecture={ARCHITECTURE}", f"Issuer={ISSUER}", *parameters)
        self.look()

    def look(self):
        """What the stack has put out, and what it is made of."""
        clouds = self.aws.client("cloudformation")
        [stack] = clouds.describe_stacks(StackName=STACK)["Stacks"]
        self.parameters = {it["ParameterKey"]: it["ParameterValue"] for it in stack["Parameters"]}
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        found = clouds.describe_stack_resources(StackName=STACK)["StackResources"]
        self.resources = {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in found}

    def workflows(self, *arguments):
        return run(self.debug / "workflows", *arguments, **self.aws.credentials)

    # -- A source, a login journey, an operator ---------------------------------------------------

    def make_source(self):
        """A caller who may post events, and nothing else."""
        iam = self.aws.client("iam")
        iam.create_user(UserName="source")
        route = f"{self.resources['Api']}/$default/POST/v1/events"
        iam.put_user_policy(UserName="source", PolicyName="post", PolicyDocument=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Action": "execute-api:Invoke",
                "Resource": f"arn:aws:execute-api:{emulator.REGION}:{emulator.ACCOUNT}:{route}",
            }],
        }))
        key = iam.create_access_key(UserName="source")["AccessKey"]
        self.source = Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def post(self, events):
        """Posts events, signed; the status, and the IDs that were accepted."""
        status, said = self.aws.call(self.outputs["EventsUrl"], json.dumps(events).encode(), self.source)
        return status, [it["id"] for it in json.loads(said).get("accepted", [])]

    def accepted(self, events):
        status, ids = self.post(events)
        assert status == 202 and ids == [it["id"] for it in events], (status, ids)
        return set(ids)

    def login(self):
        """A login decided by a direct Invoke."""
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.outputs["EnrichFunctionArn"], Payload=json.dumps(LOGIN).encode(),
        )
        return json.loads(answer["Payload"].read())

    def subscribe(self, scope, name, category, **more):
        self.aws.table(self.outputs["SubscriptionsTableName"]).put_item(Item={
            "pk": scope, "sk": f"SUBSCRIPTION#{name}", "category": category, "enabled": True,
            "endpoint": self.target.url(f"/{name}"), **more,
        })

    def ledger(self):
        """The deliveries that are not done; the breakers beside them stay."""
        items = self.aws.table(self.outputs["DeliveriesTableName"]).scan()["Items"]
        return [item for item in items if item["pk"].startswith("dlv_")]

    def arrived(self, path, ids, patience_s=PATIENCE_S):
        """Waits until events have arrived and verified; says which did not."""
        try:
            until(lambda: ids <= self.target.jtis(path), "", patience_s)
        except AssertionError:
            lost = ids - self.target.jtis(path)
            raise AssertionError(f"not at {path} within {patience_s} s: {lost}; {self.target.refused}") from None


# -- The release -------------------------------------------------------------------------------


def sizes():
    """Each function's zip is small enough to start fast: nothing of a start is spent on unpacking."""
    for function, name in FUNCTIONS.items():
        bootstrap = BUILT / function / "bootstrap"
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
                packed.write(bootstrap, "bootstrap")
            zipped = file.tell()
        print(f"   {name}: {bootstrap.stat().st_size:,} bytes, zipped {zipped:,}", flush=True)
        assert zipped <= ZIP_BYTES_MAX, f"{name} is over {ZIP_BYTES_MAX:,} bytes"


def release(story):
    """What is deployed is up, is closed where it should be, and goes to no address of this machine."""
    status, _ = story.aws.call(f"{story.outputs['ApiUrl']}/health")
    assert status == 200, status
    status, keys = story.aws.call(story.outputs["JwksUrl"])
    algorithms = {key["alg"] for key in json.loads(keys)["keys"]}
    assert status == 200 and algorithms == {"ES256", "EdDSA"}, keys

    # Nobody who does not sign, and a source no further than its policy.
    status, _ = story.aws.call(story.outputs["EventsUrl"], b"[]")
    assert status == 403, status
    status, _ = story.aws.call(story.outputs["EnrichUrl"], json.dumps(LOGIN).encode(), story.source)
    assert status == 403, status

    # A release knows no exception for this machine: what is accepted becomes a dead letter, and a
    # login is a challenge.
    story.subscribe("PROPERTY#first", "first", "user_data_change")
    first = story.accepted([event("userCreated", propertyId="first")])
    [item] = until(story.ledger, "a dead letter")
    assert (item["state"], item["reason"]) == ("dead", "egress_blocked"), item
    jwks = json.dumps(story.target.jwks())
    story.subscribe("CLIENT#demo-client", "logins", "enrich", response={
        "issuer": TARGET, "alg": "ES256", "jwks": jwks, "binding": "required",
    })
    decision = story.login()
    assert (decision["action"], decision["reasons"]) == ("challenge", ["endpoint_refused"]), decision
    assert not story.target.got, story.target.got
    return first


def deploy_one(story):
    """cargo-lambda replaces the code of a function that is there, without SAM, and it answers."""
    was = story.aws.client("lambda").get_function_configuration(FunctionName=story.resources["IngestFunction"])
    run("cargo", "lambda", "deploy", "--binary-name", "ingest", story.resources["IngestFunction"],
        **story.aws.credentials)
    now = story.aws.client("lambda").get_function_configuration(FunctionName=story.resources["IngestFunction"])
    for kept in ["Role", "Environment", "Timeout", "MemorySize"]:
        assert now[kept] == was[kept], (was[kept], now[kept])
    status, _ = story.aws.call(f"{story.outputs['ApiUrl']}/health")
    assert status == 200, status


# -- With debug binaries -----------------------------------------------------------------------


def replace_code(story, build):
    """Puts debug binaries, which may talk to this machine, where SAM has put the release's.

    The release does not do for what follows: its egress guard has no switch, and its targets' roots
    are compiled in. The same sources and the same `main.rs`, with the feature `loopback-targets`,
    which does not compile in a release.
    """
    for function, name in FUNCTIONS.items():
        bootstrap = BUILT / function / "bootstrap"
        run("strip", "-o", bootstrap, story.debug / f"{name}-process")
        # A few bytes behind the program are other code to Lambda, and the same to whoever runs it.
        with open(bootstrap, "ab") as file:
            file.write(build.encode())


def first_attempts(story):
    """Events of every type but logins arrive at whoever subscribed, and verify."""
    story.subscribe("PROPERTY#demo-property", "users", "user_data_change")
    story.subscribe("CLIENT#demo-client", "emails", "transactional_email")
    names = [path.stem for path in (ROOT / "events/requests").glob("*.json") if not path.stem.endswith("login")]
    events = [event(name) for name in names if not name.startswith("enrich-")]
    ids = story.accepted(events)
    users = {it["id"] for it in events if "user" in it["type"].split("/")[-1]}
    story.arrived("/users", users)
    story.arrived("/emails", ids - users)


def logins(story):
    """A login is decided by Invoke and over HTTP, with the target's claims."""
    decision = story.login()
    assert (decision["action"], decision["custom_claims"]) == ("allow", {"tier": "gold"}), decision
    assert not decision["degraded"], decision
    status, said = story.aws.call(story.outputs["EnrichUrl"], json.dumps(LOGIN).encode(), emulator.OPERATOR)
    assert status == 200 and json.loads(said)["action"] == "allow", said


def doctor(story):
    """The command line finds nothing wrong. It does not send an event the whole way: the API calls
    itself by a name that nobody resolves here, and a target's certificate has to be a public one."""
    told = story.workflows("doctor", "--url", story.aws.here(story.outputs["ApiUrl"] + "/"), "--no-round-trip")
    assert "failed " not in told and "not_allowed " not in told, told


def traced(story):
    """A source's trace reaches the target, as a span of its own, and the logs of both functions."""
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    one = event("userUpdated")
    status, said = story.aws.call(
        story.outputs["EventsUrl"], json.dumps([one]).encode(), story.source,
        {"traceparent": f"00-{trace}-{parent}-01"},
    )
    assert status == 202, said
    story.arrived("/users", {one["id"]})
    version, got, span, flags = story.target.traces[one["id"]].split("-")
    assert (version, got, flags) == ("00", trace, "01") and span != parent, story.target.traces[one["id"]]

    def logged():
        lines = [line for line in story.aws.logged().splitlines() if f'"trace_id":"{trace}"' in line]
        return {line.split(": ", 1)[0].rsplit("-", 1)[1] for line in lines} == {"ingest", "delivery"}

    until(logged, f"log lines with the trace {trace}")


def counted(story):
    """What the functions have done stands in their logs as metrics of this stack."""
    wanted = {"EventsAccepted", "Deliveries", "AttemptMs", "DeadLetters", "Decisions", "DecisionMs"}

    def written():
        lines = [json.loads(line.split(": ", 1)[1]) for line in story.aws.logged().splitlines()]
        lines = [line for line in lines if line.get("Stack") == STACK]
        return wanted <= {
            metric["Name"] for line in lines
            for directive in line["_aws"]["CloudWatchMetrics"] for metric in directive["Metrics"]
        }

    until(written, f"metrics of {wanted}")


def set_aside(story):
    """A message that nobody can read lies on the dead-letter queue, with its reason."""
    queues = story.aws.client("sqs")
    queues.send_message(QueueUrl=story.outputs["EventsQueueUrl"], MessageBody="not a message")

    def lies_there():
        answer = queues.receive_message(
            QueueUrl=story.outputs["EventsDeadLetterQueueUrl"], MessageAttributeNames=["All"], WaitTimeSeconds=1,
        )
        return answer.get("Messages")

    [message] = until(lies_there, "a message set aside")
    assert message["Body"] == "not a message" and message["MessageAttributes"], message
    queues.delete_message(
        QueueUrl=story.outputs["EventsDeadLetterQueueUrl"], ReceiptHandle=message["ReceiptHandle"],
    )


def enforced(story):
    """Without its statement the role may not send: nothing is accepted. With it, it is again."""
    iam = story.aws.client("iam")
    role = story.resources["IngestRole"]
    [name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    less = policy | {"Statement": [it for it in policy["Statement"] if it["Sid"] != "StoreEvents"]}
    assert len(less["Statement"]) == len(policy["Statement"]) - 1, policy
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(less))
    status, ids = story.post([event("userUpdated")])
    assert (status, ids) == (503, []), (status, ids)
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))
    story.arrived("/users", story.accepted([event("userUpdated")]))


class Load(threading.Thread):
    """Posts an event after the other, and again what was not accepted; asks about logins besides."""

    def __init__(self, story):
        super().__init__(daemon=True)
        self.story = story
        self.accepted = set()
        self.again = 0
        self.decisions = []
        self.failures = []
        self.over = threading.Event()

    def run(self):
        try:
            while not self.over.wait(LOAD_INTERVAL_S):
                one = event("userDeleted", propertyId="steady")
                while self.story.post([one])[0] != 202:
                    self.again += 1
                    time.sleep(LOAD_INTERVAL_S)
                self.accepted.add(one["id"])
                self.decisions.append(self.story.login())
        except Exception as error:
            self.failures.append(repr(error))


def upgrade(story):
    """Other code and another setting, while events and logins go on: none is lost."""
    story.subscribe("PROPERTY#steady", "steady", "user_data_change")
    load = Load(story)
    load.start()
    time.sleep(LOAD_MARGIN_S)
    before = configuration(story)
    replace_code(story, "second")
    story.deploy(PATIENT, "LogLevel=warn")
    after = configuration(story)
    for function in FUNCTIONS:
        assert before[function]["CodeSha256"] != after[function]["CodeSha256"], function
        assert after[function]["Environment"]["Variables"]["LOG_LEVEL"] == "warn", function
    assert before["logins"] != after["logins"], after["logins"]
    time.sleep(LOAD_MARGIN_S)
    load.over.set()
    load.join(PATIENCE_S)
    assert not load.failures, load.failures
    assert {it.get("action") for it in load.decisions} == {"allow"}, load.decisions
    story.arrived("/steady", load.accepted, UPGRADE_PATIENCE_S)
    extra = story.target.jtis("/steady") - load.accepted
    assert not extra, extra
    print(f"   {len(load.accepted)} events accepted, all of them verified; {load.again} posted again; "
          f"{len(load.decisions)} logins decided", flush=True)


def configuration(story):
    """How each function is configured, and which version decides logins."""
    functions = story.aws.client("lambda")
    found = {
        name: functions.get_function_configuration(FunctionName=story.resources[name]) for name in FUNCTIONS
    }
    function, alias = story.outputs["EnrichFunctionArn"].rsplit(":", 1)
    return found | {"logins": functions.get_alias(FunctionName=function, Name=alias)["FunctionVersion"]}


# -- The end ------------------------------------------------------------------------------------


def inventory(aws):
    """Everything that a stack of ours may be made of, by kind and name."""
    ask = aws.client
    things = {
        ("function", it["FunctionName"]) for it in ask("lambda").list_functions()["Functions"]
    } | {
        ("mapping", it["UUID"]) for it in ask("lambda").list_event_source_mappings()["EventSourceMappings"]
    } | {
        ("queue", url) for url in ask("sqs").list_queues().get("QueueUrls", [])
    } | {
        ("table", name) for name in ask("dynamodb").list_tables()["TableNames"]
    } | {
        ("secret", it["Name"]) for it in ask("secretsmanager").list_secrets()["SecretList"]
    } | {
        ("log group", it["logGroupName"]) for it in ask("logs").describe_log_groups()["logGroups"]
    } | {
        ("role", it["RoleName"]) for it in ask("iam").list_roles()["Roles"]
    } | {
        ("API", it["ApiId"]) for it in ask("apigatewayv2").get_apis()["Items"]
    } | {
        ("rule", it["Name"]) for it in ask("events").list_rules()["Rules"]
    } | {
        ("schedule", it["Name"]) for it in ask("scheduler").list_schedules()["Schedules"]
    } | {
        ("alarm", it["AlarmName"]) for it in ask("cloudwatch").describe_alarms()["MetricAlarms"]
    } | {
        ("dashboard", it["DashboardName"]) for it in ask("cloudwatch").list_dashboards()["DashboardEntries"]
    } | {
        ("alias", it["AliasName"]) for it in ask("kms").list_aliases()["Aliases"]
    }
    keys = ask("kms")
    for it in keys.list_keys()["Keys"]:
        # One that waits for its deletion costs nothing and can do nothing.
        if keys.describe_key(KeyId=it["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled":
            things.add(("key", it["KeyId"]))
    return things


def delete(story, before):
    """`sam delete` takes everything away but what the template keeps, and that can be deleted too."""
    template = yaml.safe_load((BUILT / "template.yaml").read_text())["Resources"]
    kept = {
        story.resources[name] for name, resource in template.items()
        if resource.get("DeletionPolicy", "").startswith("Retain") and name in story.resources
    }
    assert {story.resources["SubscriptionsTable"], story.resources["DeliveriesTable"]} < kept, kept
    story.sam("delete", "--no-prompts")
    left = inventory(story.aws) - before
    assert {name for _, name in left} == kept, (left, kept)

    tables, keys = story.aws.client("dynamodb"), story.aws.client("kms")
    for kind, name in left:
        if kind == "table":
            tables.update_table(TableName=name, DeletionProtectionEnabled=False)
            tables.delete_table(TableName=name)
        elif kind == "secret":
            story.aws.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
        elif kind == "key":
            keys.schedule_key_deletion(KeyId=name)
    left = inventory(story.aws) - before
    assert not left, left


def tell(aws, target):
    story = Story(aws, target)
    before = inventory(aws)
    with step("deployed (sam deploy --guided)"):
        left_out = emulator.fitted(BUILT / "template.yaml")
        print(f"   MiniStack cannot make: {', '.join(sorted(left_out)) or 'nothing'}", flush=True)
        story.deploy_guided()
        tables = [story.resources[name] for name in ["DeliveriesTable", "LoginsTable"]]
        aws.make_up(story.resources["SigningKeysSecret"], tables)
    with step("keys made (workflows keys generate)"):
        story.workflows("keys", "generate")
        story.make_source()
    target.keys = jwt.PyJWKClient(aws.here(story.outputs["JwksUrl"]), ssl_context=aws.trust)
    with step("the release is up, closed, and goes to no address of this machine"):
        first = release(story)

    with step("the code of one function replaced (cargo lambda deploy)"):
        deploy_one(story)

    with step("upgraded from the release to debug binaries"):
        replace_code(story, "first")
        story.deploy(PATIENT)
    with step("events of every type arrive and verify"):
        first_attempts(story)
    # Both take their time, and the rest of the story goes on meanwhile.
    target.fails_once.add("/flaky")
    story.subscribe("PROPERTY#flaky", "flaky", "user_data_change")
    failed = story.accepted([event("userUpdated", propertyId="flaky")])
    redriven = time.monotonic()
    story.workflows("deliveries", "redrive", "--subscription", "first", "--reason", "egress_blocked", "--yes")
    with step("a login is decided by Invoke and over HTTP"):
        logins(story)
    with step("the stack is well (workflows doctor)"):
        doctor(story)
    with step("a trace goes from the source to the target"):
        traced(story)
    with step("all of that is counted"):
        counted(story)
    with step("what cannot be read is set aside"):
        set_aside(story)
    with step("a role without its statement may not, and with it may"):
        enforced(story)
    with step("upgraded under load"):
        upgrade(story)
    with step("a failed delivery is tried again through the queue"):
        until(lambda: ("/flaky", 2) in {(path, attempt) for path, _, _, attempt in target.got},
              "a second attempt", RETRY_PATIENCE_S)
        assert target.jtis("/flaky") == failed, target.got
        assert len({delivery for path, _, delivery, _ in target.got if path == "/flaky"}) == 1, target.got
    with step("a redriven dead letter is found by the schedule"):
        story.arrived("/first", first, SWEEP_PATIENCE_S)
        print(f"   {time.monotonic() - redriven:.0f} s after its redrive", flush=True)
        until(lambda: not story.ledger(), "an empty ledger")
    assert not target.refused, target.refused

    with step("deleted (sam delete)"):
        delete(story, before)


def main():
    readme = (ROOT / "README.md").read_text()
    written = dict(re.findall(r"<!-- deployed: ([a-z-]+) -->\n```sh\n(.*?)```", readme, re.S))
    assert written == COMMANDS, f"README.md says otherwise: {written}"
    sizes()
    with tempfile.TemporaryDirectory() as state:
        target = Target()
        aws = emulator.Emulator(CACHE / "ministack/bin/python", state)
        try:
            tell(aws, target)
        except BaseException:
            print(aws.said()[-SAID_MAX:], aws.logged()[-SAID_MAX:], sep="\n", file=sys.stderr)
            raise
        finally:
            aws.stop()


main()
