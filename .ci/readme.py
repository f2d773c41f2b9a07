"""Runs README.md's code blocks, each found by the comment `<!-- run: name -->` above it.

Not a test framework: a reader who types what is there, in the order in which it is there, and
who looks at what comes out. The README's ports are used, so `cargo local` must not be running.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(sys.argv[1])
PATIENCE_S = 60
BUILD_PATIENCE_S = 1200
OUTAGE_PATIENCE_S = 300

BLOCKS = dict(
    re.findall(r"<!-- run: ([a-z-]+) -->\n```[a-z]+\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
)
ENVIRONMENT = os.environ | {"PATH": f"{CACHE / 'venv/bin'}:{os.environ['PATH']}", "AWS_PAGER": ""}


def block(name):
    """A block of the README, marked as used."""
    USED.add(name)
    return BLOCKS[name]


USED = set()


def run(script):
    """Runs a block in a shell; its output, or an end with everything it said."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, env=ENVIRONMENT, text=True, capture_output=True, timeout=BUILD_PATIENCE_S,
    )
    if done.returncode != 0:
        sys.exit(f"a command of README.md failed:\n{script}\n{done.stdout}{done.stderr}")
    return done.stdout


class Running:
    """A process that stays up, with what it has printed so far."""

    def __init__(self, arguments, cwd=ROOT):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            arguments, cwd=cwd, env=ENVIRONMENT, text=True, start_new_session=True,
            stdout=self.log, stderr=subprocess.STDOUT,
        )

    def printed(self):
        self.log.seek(0)
        return self.log.read()

    def wait_for(self, text, patience_s=PATIENCE_S):
        """Waits until a text was printed."""
        until = time.monotonic() + patience_s
        while text not in self.printed():
            if self.process.poll() is not None or time.monotonic() > until:
                sys.exit(f"README.md promises {text!r}, but:\n{self.printed()}")
            time.sleep(0.05)

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(timeout=PATIENCE_S)


@contextlib.contextmanager
def running(arguments, **options):
    process = Running(arguments, **options)
    try:
        yield process
    finally:
        process.stop()


def receive(arguments, source, name, post):
    """Starts a receiver of the README, posts an event, and waits until it was verified."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / name
        file.write_text(source)
        (pathlib.Path(folder) / "node_modules").symlink_to(CACHE / "node_modules")
        with running([*arguments, str(file)], cwd=folder) as receiver:
            wait_for_port(receiver, 9000)
            # What does not verify is refused, and does not stop a receiver.
            forged = run("curl --silent --output /dev/null --write-out '%{http_code}' "
                         "http://127.0.0.1:9000/hook --data e30.e30.AQID")
            assert forged == "400", forged
            answer = run(block("setup") + block(post))
            accepted = re.search(r'"accepted":\[{"id":"([A-Za-z0-9_-]+)"}]', answer)
            assert accepted, answer
            receiver.wait_for(f"verified: {accepted[1]}")


def webhook():
    """A secret is made for a row, and a webhook is verified with it by the published library."""
    with tempfile.TemporaryDirectory() as folder:
        secret = run(block("setup") + block("secret")).split()[-1]
        assert secret.startswith("whsec_"), secret
        file = pathlib.Path(folder) / "webhook.py"
        file.write_text(block("webhook"))
        arguments = ["env", f"WEBHOOK_SECRET={secret}", str(CACHE / "venv/bin/python"), str(file)]
        with running(arguments, cwd=folder) as receiver:
            wait_for_port(receiver, 9002)
            answer = run(block("setup") + block("post-again"))
            accepted = re.search(r'"accepted":\[{"id":"([A-Za-z0-9_-]+)"}]', answer)
            assert accepted, answer
            receiver.wait_for(f"verified: {accepted[1]} account/v1/userUpdated")


def decrypted(alg, jwks):
    """A row asks for encryption, and jose opens and verifies what is then sent. The README's algorithm
    is one of two; a key set under another name is one that nobody remembers."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "decrypt.mjs"
        file.write_text(block("decrypt").replace("ECDH-ES+A256KW", alg))
        (pathlib.Path(folder) / "node_modules").symlink_to(CACHE / "node_modules")
        with running(["node", str(file)], cwd=folder) as receiver:
            wait_for_port(receiver, 9003)
            run(block("setup") + block("encrypted").replace("jwks.json", jwks))
            answer = run(block("setup") + block("post-again"))
            accepted = re.search(r'"accepted":\[{"id":"([A-Za-z0-9_-]+)"}]', answer)
            assert accepted, answer
            receiver.wait_for(f"verified: {accepted[1]}")
            # What is not encrypted is no answer to having asked for encryption.
            clear = run("curl --silent --output /dev/null --write-out '%{http_code}' "
                        "http://127.0.0.1:9003/hook --data e30.e30.AQID")
            assert clear == "400", clear


def foreign_client():
    """boto3 sees the rows that were written, and what the README says is in the tables."""
    script = """
import boto3
tables = boto3.resource("dynamodb", endpoint_url="http://127.0.0.1:4566")
rows = tables.Table("subscriptions").scan()["Items"]
assert {"pk": "PROPERTY#demo-property", "sk": "SUBSCRIPTION#mine", "category": "user_data_change",
        "endpoint": "http://127.0.0.1:9000/hook", "enabled": True} in rows, rows
assert tables.Table("deliveries").scan()["Items"] == []
queues = boto3.client("sqs", endpoint_url="http://127.0.0.1:4566").list_queues()["QueueUrls"]
assert "http://127.0.0.1:4566/000000000000/events" in queues, queues
"""
    run(block("setup") + f"python - <<'PYTHON'{script}PYTHON\n")


def subscriptions():
    """The blocks that keep subscriptions in files, which the reader keeps and we do not."""
    folder = ROOT / "subscriptions"
    assert not folder.exists(), "there are subscriptions in the checkout"
    try:
        put = run(block("subscriptions"))
        assert "nothing was looked up" in put and "create filed of" in put, put
        assert "the endpoint said: http_202" in put, put
        applied = run(block("apply"))
        assert "which was written otherwise before" in applied, applied
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def dead_letters():
    """A delivery is given up, listed, mended and redriven; nothing lies on a dead-letter queue."""
    run(block("setup") + block("brittle"))
    until = time.monotonic() + PATIENCE_S
    while "exhausted:connection" not in run(block("dead-letters")):
        if time.monotonic() > until:
            sys.exit("README.md promises a dead letter")
        time.sleep(0.05)
    answers = run(block("setup") + block("redrive"))
    assert "1 delivery in all" in answers and "1 redriven." in answers, answers
    assert run(block("set-aside")).startswith("MESSAGE")


def explanations():
    """Who gets an event is told; one is sent and followed; what a receiver got verifies."""
    told = run(block("explain"))
    assert "mine" in told and "It was accepted at" in told, told
    followed = run(block("send"))
    assert "accepted" in followed and "emails" in followed, followed
    receiver = """
import http.server, pathlib, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        pathlib.Path(sys.argv[1]).write_bytes(body)
        print("received", flush=True)
        self.send_response(202)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 9000), Hook).serve_forever()
"""
    files = [ROOT / "received.txt", ROOT / "workflows.bash"]
    try:
        with running([sys.executable, "-c", receiver, str(files[0])]) as hook:
            wait_for_port(hook, 9000)
            run(block("setup") + block("post-again"))
            hook.wait_for("received")
            assert "It verifies." in run(block("verify"))
        run(block("completions"))
        assert "explain" in files[1].read_text()
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def doctor():
    """The stack is well, an event went the whole way, and nothing of it is left."""
    told = run(block("doctor"))
    assert "verified by the published keys" in told and "failed" not in told, told
    left = """
import boto3
tables = boto3.resource("dynamodb", endpoint_url="http://127.0.0.1:4566")
for name in ["subscriptions", "deliveries"]:
    assert "doctor-" not in str(tables.Table(name).scan()["Items"]), name
"""
    run(block("setup") + f"python - <<'PYTHON'{left}PYTHON\n")


def wait_for_port(process, port):
    import socket

    until = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.process.poll() is not None or time.monotonic() > until:
            sys.exit(f"nothing listens on port {port}:\n{process.printed()}")
        time.sleep(0.05)


def main():
    with running(["bash", "-c", "exec " + block("local").strip()]) as local:
        local.wait_for('"ready":true', BUILD_PATIENCE_S)
        local.wait_for("11 event types delivered and verified, 3 logins decided")
        run(block("setup") + block("subscribe"))
        foreign_client()
        receive([str(CACHE / "venv/bin/python")], block("python"), "receiver.py", "post")
        receive(["node"], block("node"), "receiver.mjs", "post-again")
        assert '"action":"allow"' in run(block("login"))
        subscriptions()
        run(block("setup") + block("akamai-source"))
        assert "your-capture-application-id" in run(block("akamai-source-file"))
        assert run(block("akamai")) == "202\n"
        local.wait_for('"jti":"aic_0192f3a1-7c4e-7d10-9a5b-000000000002"')
        dead_letters()
        explanations()
        doctor()
        webhook()
        decrypted("ECDH-ES+A256KW", "jwks.json")
        decrypted("RSA-OAEP-256", "rsa.json")
        with running(["bash", "-c", block("watch")]) as watch:
            wait_for_port(watch, 9000)
            answers = run(block("lambda-invoke"))
            assert '"statusCode":202' in answers and '{"batchItemFailures":[]}' in answers, answers
            assert r"\"action\":\"allow\"" in answers and '"isComplete":true' in answers, answers
        keys = run(block("keys"))
        assert re.search(r"RS256 +next ", keys) and re.search(r"made +ES256 +a new key +next", keys), keys
        assert local.stop() == 0, local.printed()
    with running(["bash", "-c", "exec " + block("outage").strip()]) as outage:
        outage.wait_for("The outage of six hours took", OUTAGE_PATIENCE_S)
        assert "✔ 30 events arrived" in outage.printed(), outage.printed()
        assert outage.stop() == 0, outage.printed()
    acts = run(block("enrich-faults"))
    assert "12 acts, each decided as it should be." in acts, acts
    answers = run(block("invoke"))
    assert '"statusCode": 202' in answers and '"action": "allow"' in answers, answers
    answers = run(block("platforms"))
    assert '"claimsToAddOrOverride"' in answers and "provideClaimsForToken" in answers, answers

    assert "20 histories held, 0 did not." in run(block("simulate"))
    figures = run(block("figures"))
    assert "317 messages, 10000 posts, at most 32 at once" in figures, figures
    assert "20000 woken, 208 + 1 queries," in figures, figures
    assert "60 logins allowed, 0 not;" in figures, figures

    readme = (ROOT / "README.md").read_text()
    fences = re.findall(r"^```(?:sh|python|js)$", readme, re.M)
    # `.ci/deployed.py` runs the chapter on deploying, and says so itself.
    excused = re.findall(r"^<!-- (?:not run: .+|deployed: [a-z-]+) -->\n```sh$", readme, re.M)
    assert len(fences) == len(BLOCKS) + len(excused), "a block of README.md says not how it is run"
    # `.ci/run` runs the tests itself.
    unused = BLOCKS.keys() - USED - {"tests"}
    assert not unused, f"blocks of README.md that nothing runs: {unused}"
    run_line = (ROOT / ".ci/run").read_text()
    assert BLOCKS["tests"].strip() in run_line, "the README's test command is not the one CI runs"
    print(f"{len(BLOCKS)} blocks of README.md did what they promise.")


main()
