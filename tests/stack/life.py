"""The life of a stack's rules in the emulator: created, updated while a release is open, refused, deleted; and the next one.

usage: life.py BINARIES, the folder with the function's binary

The stack is the product's own template; what a custom resource does, the function's real binary does.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EMULATOR = ROOT / "local/cloud/emulator"
sys.path.insert(0, str(EMULATOR))
import deploy  # noqa: E402
import transform  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

STACK = "shop"
GIVEN = {"FrontendHost": "www.shop.test", "BackendHost": "api.shop.test"}


class Life:
    def __init__(self, endpoint: str, template: dict[str, Any]) -> None:
        self.endpoint, self.template = endpoint, template
        self.balancing = deploy.client("elbv2", endpoint)
        self.cloudformation = deploy.client("cloudformation", endpoint)

    def create(self, stack: str = STACK) -> dict[str, str]:
        made = deploy.create(self.endpoint, stack, self.template, ROOT, GIVEN)
        self.values = {**deploy.default_network(self.endpoint), **deploy.SWITCHED_OFF, **GIVEN}
        return dict(made["resources"])

    def update(self, **changed: str) -> str:
        """What the update is refused with; empty when it is done. moto does not roll back, so the values are ours."""
        values = {**self.values, **changed}
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()]
        try:
            self.cloudformation.update_stack(StackName=STACK, UsePreviousTemplate=True, Parameters=parameters)
        except ClientError as refused:
            return str(refused)
        self.values = values
        return ""

    def rules(self, listener: str) -> dict[int, dict[str, Any]]:
        found = {}
        for rule in self.balancing.describe_rules(ListenerArn=listener)["Rules"]:
            if rule["Priority"] != "default":
                groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
                found[int(rule["Priority"])] = {
                    "arn": rule["RuleArn"],
                    "hosts": sorted(rule["Conditions"][0]["HostHeaderConfig"]["Values"]),
                    "weights": [group["Weight"] for group in groups],
                    "groups": groups,
                }
        return found

    def open_release(self, listener: str, base: dict[str, Any]) -> None:
        """As the functions do, on the priority before the base rule, with a tenth of the traffic on green."""
        groups = [{**group, "Weight": weight} for group, weight in zip(base["groups"], (90, 10), strict=True)]
        self.balancing.create_rule(
            ListenerArn=listener,
            Priority=9,
            Conditions=[{"Field": "host-header", "HostHeaderConfig": {"Values": base["hosts"]}}],
            Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
            Tags=[{"Key": f"greenlight:{key}", "Value": value} for key, value in (("service", "frontend"), ("release", "7"))],
        )


def told(rules: dict[int, dict[str, Any]]) -> dict[int, tuple[list[str], list[int]]]:
    return {priority: (rule["hosts"], rule["weights"]) for priority, rule in rules.items()}


def expect(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        sys.exit(f"{what}: {expected} was expected, not {found}")
    print(f"{what}: as expected")


def play(endpoint: str, log: Path) -> None:
    life = Life(endpoint, transform.transform(str(ROOT / "template.yaml")))
    made = life.create()
    listener = made["Listener"]
    www, api = ["www.shop.test"], ["api.shop.test"]
    expect("created", told(life.rules(listener)), {10: (www, [100, 0]), 20: (api, [100, 0])})
    expect("the stack knows the rule", made["Frontend.Rule"], life.rules(listener)[10]["arn"])

    life.open_release(listener, life.rules(listener)[10])
    expect("two host names, while a release is open", life.update(FrontendHost="www.shop.test,shop.test"), "")
    both = ["shop.test", "www.shop.test"]
    shifting = {9: (both, [90, 10]), 10: (both, [100, 0]), 20: (api, [100, 0])}
    expect("both rules moved, no weight did", told(life.rules(listener)), shifting)

    refused = life.update(FrontendHost="other.test", Strategy="canary:5")
    expect("a bad policy is refused by name", 'Strategy is "canary:5": expected' in refused, True)
    expect("nothing moved", told(life.rules(listener)), shifting)

    life.balancing.delete_rule(RuleArn=life.rules(listener)[20]["arn"])
    expect("a rule that somebody deleted is made again", life.update(BackendHost="api.shop.test,api2.shop.test"), "")
    again = {**shifting, 20: (["api.shop.test", "api2.shop.test"], [100, 0])}
    expect("beside the others", told(life.rules(listener)), again)

    # moto itself does not see that the version depends on it.
    strategies = ("AllAtOnce", "Linear10PercentEvery1Minute", "AllAtOnce")
    expect("three strategies", [life.update(Strategy=strategy) for strategy in strategies], ["", "", ""])
    digests = re.findall(r'Digest\(\\"([0-9a-f]{16})\\"\)', log.read_text(encoding="utf-8"))[-3:]
    expect("each has a configuration of its own", [digests.index(digest) for digest in digests], [0, 1, 0])

    rules = [rule["arn"] for rule in life.rules(listener).values()]
    life.cloudformation.delete_stack(StackName=STACK)
    # The listener goes with all that is on it, so the function's log tells that nothing was left.
    said = log.read_text(encoding="utf-8")
    deleted = [rule for rule in rules if f'Delete(RuleArn(\\"{rule}\\"))' in said]
    expect("deleted with its rules and a release's left over", deleted, rules)
    # moto keeps much of what a stack deletes, so the next one has another name.
    made = life.create("shop-again")
    listener = made["Listener"]
    expect("the next stack has its own", told(life.rules(listener)), {10: (www, [100, 0]), 20: (api, [100, 0])})


def main() -> None:
    binaries = Path(sys.argv[1])
    [runtime] = (ROOT / ".venv/lib").glob(f"*/site-packages/samcli/local/rapid/aws-lambda-rie-{os.uname().machine.replace('aarch64', 'arm64')}")
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        # No gateway stands before this emulator: it is asked itself.
        environment = {
            **os.environ,
            "LOCAL_CLOUD": "http://127.0.0.1:9",
            "LOCAL_CLOUD_RUNTIME": str(runtime),
            "LOCAL_CLOUD_BINARIES": str(binaries),
            "LOCAL_CLOUD_FUNCTION_LOG": f"{folder}/{{}}.jsonl",
        }
        free.close()
        with open(f"{folder}/emulator.log", "wb") as log:
            emulator = subprocess.Popen([sys.executable, str(EMULATOR / "serve.py"), str(port)], env=environment, stdout=log, stderr=log)
        try:
            answers(port, emulator)
            play(f"http://127.0.0.1:{port}", Path(folder) / f"{STACK}-listener-rule.jsonl")
        except BaseException:
            for log in sorted(Path(folder).iterdir()):
                print(log.name, log.read_text(encoding="utf-8", errors="replace")[-4000:], file=sys.stderr)
            raise
        finally:
            emulator.kill()
            emulator.wait()


def answers(port: int, emulator: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and emulator.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit("the emulator does not answer")


if __name__ == "__main__":
    main()
