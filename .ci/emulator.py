"""MiniStack, started for one run: an AWS of its own, on this machine, that enforces IAM.

What it does otherwise than AWS and we have to know of stands here, each beside what is done about it.
Besides, it takes without a word, and does not do: encryption at rest, point-in-time recovery, reserved
and provisioned concurrency, throttling of the API, and conditions on `dynamodb:LeadingKeys`. It knows no
`kms:EncryptionContext`, and signs with no asymmetric key. Nothing is shown here of any of these.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import boto3
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = "us-east-1"
ACCOUNT = "000000000000"
PATIENCE_S = 60
STOP_PATIENCE_S = 10
# Its root: who calls with this key may everything.
OPERATOR = Credentials("operator", "operator")


class Emulator:
    """A running MiniStack, and how to reach what is deployed into it."""

    def __init__(self, python, state):
        self.state = pathlib.Path(state)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        # TLS as on AWS: the queues refuse whoever comes without. It makes its own certificate here,
        # and takes port 443 besides, if it is free.
        self.url = f"https://localhost:{self.port}"
        self.certificate = self.state / "ministack-tls" / "server.crt"
        self.credentials = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.certificate),
            # For those who trust what the system trusts.
            "SSL_CERT_FILE": str(self.certificate),
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": OPERATOR.access_key,
            "AWS_SECRET_ACCESS_KEY": OPERATOR.secret_key,
        }
        self.log = open(self.state / "ministack.log", "w+")
        self.process = subprocess.Popen(
            [python, "-m", "ministack"], cwd=self.state, start_new_session=True,
            stdout=self.log, stderr=subprocess.STDOUT,
            # The functions inherit all of it, so it is no more than this. Where AWS is and whom to
            # trust they are told so; on AWS they know.
            env=self.credentials | {
                "PATH": os.environ["PATH"],
                "HOME": str(self.state),
                "TMPDIR": str(self.state),
                "STATE_DIR": str(self.state / "state"),
                "S3_DATA_DIR": str(self.state / "s3"),
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self.port),
                "USE_SSL": "1",
                "AUTH": "true",
            },
        )
        until = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"MiniStack did not start:\n{self.said()}")
            time.sleep(0.1)
        self.trust = ssl.create_default_context(cafile=self.certificate)

    def _answers(self):
        with contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        return False

    def said(self):
        """What it has written."""
        self.log.flush()
        return (self.state / "ministack.log").read_text()

    def logged(self):
        """What the functions have logged."""
        logs = self.client("logs")
        groups = [it["logGroupName"] for it in logs.describe_log_groups()["logGroups"]]
        return "\n".join(
            f"{group}: {line['message'].rstrip()}"
            for group in groups for line in logs.filter_log_events(logGroupName=group)["events"]
            if line["message"].startswith("{")
        )

    def stop(self):
        """Ends it, and the functions with it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_PATIENCE_S)
        self.log.close()

    def client(self, service):
        """A boto3 client of the operator."""
        return boto3.client(service, **self._reached())

    def table(self, name):
        """A DynamoDB table."""
        return boto3.resource("dynamodb", **self._reached()).Table(name)

    def _reached(self):
        return {
            "endpoint_url": self.url,
            "verify": str(self.certificate),
            "region_name": REGION,
            "aws_access_key_id": OPERATOR.access_key,
            "aws_secret_access_key": OPERATOR.secret_key,
        }

    def make_up(self, secret, tables):
        """Does what CloudFormation does on AWS and did not here."""
        for table in tables:
            self.client("dynamodb").update_time_to_live(
                TableName=table, TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True},
            )
        # A secret without a value has no version there; here it has one, which is the empty text.
        secrets = self.client("secretsmanager")
        [(version, [stage])] = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"].items()
        secrets.update_secret_version_stage(SecretId=secret, VersionStage=stage, RemoveFromVersionId=version)

    def here(self, url):
        """Where a URL of an API is to be found on this machine: nobody resolves its name here, and
        under its own name `/health` would be MiniStack's."""
        api, path = re.fullmatch(rf"https://([a-z0-9]+)\.execute-api\.{REGION}\.amazonaws\.com(/.*)", url).groups()
        return f"{self.url}/_aws/execute-api/{api}/$default{path}"

    def call(self, url, body=None, keys=None, more=()):
        """An HTTP request to the API, signed where there are keys; its status and what was said."""
        method, headers = ("GET", {}) if body is None else ("POST", {"Content-Type": "application/json"})
        headers |= dict(more)
        address = self.here(url)
        if keys:
            request = AWSRequest(method, address, data=body, headers=headers)
            SigV4Auth(keys, "execute-api", REGION).add_auth(request)
            headers = dict(request.headers.items())
        request = urllib.request.Request(address, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self.trust, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def fitted(template):
    """Makes a built template one that MiniStack 1.5.33 can deploy; says which resources it cannot make."""
    text = template.read_text()
    stack = yaml.safe_load(text)
    # It translates SAM with the parameters' defaults, whatever is given, and has no CodeDeploy.
    stack["Parameters"]["GradualDeployment"]["Default"] = "false"
    # It has no alarms over metric math.
    out = {
        name for name, resource in stack["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
    }
    for name in out:
        del stack["Resources"][name]
    # Of IAM it wants a batch to be allowed by its own name; on AWS `sqs:SendMessage` is for both.
    for resource in stack["Resources"].values():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"]["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    if statement.get("Action") == "sqs:SendMessage":
                        statement["Action"] = ["sqs:SendMessage", "sqs:SendMessageBatch"]
    template.write_text(yaml.safe_dump(stack, sort_keys=False))
    return out
