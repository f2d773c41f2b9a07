"""`cargo lambda watch` with all functions, and `cargo lambda invoke` with every file of `events/`.

Each answer is compared with the one that the tests have on record for that file: the handlers are
the same, but here they are processes that cargo-lambda builds, starts and talks to.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import boto3

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDS = ROOT / "tests/tests/whole_path/snapshots"
FUNCTIONS = ["ingest", "delivery", "enrich", "sweeper"]
PATIENCE_S = 60
BUILD_PATIENCE_S = 1200

# What differs from run to run, and how the records spell it.
CHANCE = {
    "decisionId": "<decision ID>", "elapsedMs": "<milliseconds>", "aud": "<the endpoint>",
    "etag": "<etag>", "kid": "<kid>", "x": "<x>", "y": "<y>",
}


@contextlib.contextmanager
def running(command, ready):
    """A command that stays up, once it is ready."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=ROOT, start_new_session=True,
            stdout=log, stderr=subprocess.STDOUT,
        )

        def printed():
            log.seek(0)
            return log.read()

        try:
            until = time.monotonic() + BUILD_PATIENCE_S
            while not ready(printed()):
                if process.poll() is not None or time.monotonic() > until:
                    sys.exit(f"{command} did not start:\n{printed()}")
                time.sleep(0.1)
            yield printed
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            process.wait(PATIENCE_S)


def listens(_):
    with contextlib.suppress(OSError), socket.create_connection(("localhost", 9000), 1):
        return True
    return False


def without_chance(value):
    if isinstance(value, list):
        return [without_chance(element) for element in value]
    if not isinstance(value, dict):
        return value
    return {name: CHANCE.get(name) or without_chance(member) for name, member in value.items()}


def readable(answer):
    """An answer as the records have it: an HTTP answer's JSON body taken apart."""
    if isinstance(answer.get("body"), str):
        with contextlib.suppress(ValueError):
            answer["body"] = json.loads(answer["body"])
    return without_chance(answer)


def forget_logins():
    """A login is known for ten seconds, and two files may ask about the same one."""
    logins = boto3.resource(
        "dynamodb", endpoint_url="http://127.0.0.1:4566", region_name="us-east-1",
        aws_access_key_id="local", aws_secret_access_key="local",
    ).Table("logins")
    for item in logins.scan()["Items"]:
        logins.delete_item(Key={"pk": item["pk"]})


def invoke(function, file):
    """Whether a payload has the answer that is on record, and what it has."""
    done = subprocess.run(
        ["cargo", "lambda", "invoke", function, "--data-file", str(file)],
        cwd=ROOT, text=True, capture_output=True, timeout=BUILD_PATIENCE_S,
    )
    record = (RECORDS / f"{function}__{file.stem}.snap").read_text().split("\n---\n", 1)[1]
    expected = json.loads(record)
    if "error" in expected:
        # An error is written in lines of a box; the words are what counts.
        words = " ".join(done.stderr.replace("│", " ").split())
        error = expected["error"].removeprefix("the function failed: ")
        return done.returncode != 0 and error in words, words
    if done.returncode != 0:
        return False, done.stderr
    answer = readable(json.loads(done.stdout))
    return answer == without_chance(expected["answer"]), json.dumps(answer, indent=1)


def main():
    features = ",".join(f"{name}/loopback-targets" for name in FUNCTIONS if name != "sweeper")
    files = [(name, file) for name in FUNCTIONS for file in sorted((ROOT / "events" / name).glob("*.json"))]
    with running("exec cargo local -- --no-demo", lambda printed: '"ready":true' in printed):
        with running(f"source .env.local && exec cargo lambda watch --features {features}", listens) as watched:
            for function, file in files:
                forget_logins()
                right, answer = invoke(function, file)
                if not right:
                    sys.exit(f"cargo lambda invoke {function} --data-file {file} answered:\n{answer}\n{watched()}")
    print(f"   {len(files)} files of events/ answered by four functions as they should be.")


main()
