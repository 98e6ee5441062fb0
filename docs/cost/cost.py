"""Computes docs/cost.md from prices.json and what a stack does in a month. Prints the page.

usage: cost.py > docs/cost.md
"""

import json
import textwrap
from pathlib import Path

REGIONS = {"us-east-1": "us-east-1", "ap-northeast-2": "ap-northeast-2 (Seoul)"}
PRICES = json.loads((Path(__file__).parent / "prices.json").read_text(encoding="utf-8"))

HOURS = 730
MINUTES = HOURS * 60

# The stack as the template makes it.
SERVICES = 2
INSTANCES = 4
DISK_GB = 20
DATABASE_GB = 20
# A load balancer has an address in each of its two zones.
ADDRESSES = INSTANCES + 2
WAF_RULES = 3
WAF_GROUPS = 3
# What judges the colours: on each of four, four alarms on five metrics.
COLOUR_METRICS = SERVICES * 2 * 5
# What watches Greenlight: the tick, lifecycle's errors, three queues. The fourth queue belongs to the firewall.
OWN_METRICS = 5
FREE_ALARM_METRICS = 10
# What a release that ends is counted in, at most. A metric is paid for in the hours in which it comes.
METRICS_OF_A_RELEASE = 3

RELEASES = 30
BUNDLE_GB = 0.3
# A release with the default strategy at its longest: three minutes of installation, 30 of evidence, five of bake.
EVIDENCE_MINUTES = 30
BAKE_MINUTES = 5
RELEASE_SECONDS = (3 + EVIDENCE_MINUTES + BAKE_MINUTES) * 60
WATCHED_MINUTES = 30
# What it reads of CloudWatch each minute, of the week before once, in two pages, and after its success every two minutes.
METRICS_READ = 12 * (EVIDENCE_MINUTES + BAKE_MINUTES + 2 + WATCHED_MINUTES // 2)
ASK_EVERY_SECONDS = 5
# In the first minute with weight a hook asks every second; most answers come from the ledger.
NEW_SECONDS = 60
INSTANCES_OF_A_RELEASE = INSTANCES // SERVICES

# What an invocation takes, generously: a pass waits for AWS, an answer from the ledger waits for S3. In seconds.
TICK_SECONDS = 0.5
ANSWER_SECONDS = 0.1
FUNCTION_GB = 0.25
# A pass reads the ledger, and again when it has acted.
READS_OF_A_PASS = 2
LOG_KB_OF_A_PASS = 1.5
# `waf-logs`: a tick of its own at twice the memory, and a read for each object of the two logs.
WAF_TICK_SECONDS = 0.2
WAF_FUNCTION_GB = 0.5

# Requests a month, by name. What a request brings along, in KB: its answer, its record in WAF's log (compressed).
TRAFFIC = {"100,000 requests": 100_000, "3 million": 3_000_000, "100 million": 100_000_000}
ANSWER_KB = 15
WAF_RECORD_KB = 0.15
FREE_OUT_GB = 100


def price(item: str, region: str) -> float:
    return float(PRICES["items"][item][region])


def greenlight(region: str, *, free_tier: bool) -> dict[str, float]:
    """What Greenlight adds to a stack that would be there without it, the firewall apart."""
    questions = (RELEASE_SECONDS - NEW_SECONDS) / ASK_EVERY_SECONDS + NEW_SECONDS
    asks = RELEASES * questions * INSTANCES_OF_A_RELEASE
    passes = MINUTES * SERVICES + RELEASES * RELEASE_SECONDS / ASK_EVERY_SECONDS
    gb_seconds = (MINUTES * TICK_SECONDS + asks * ANSWER_SECONDS) * FUNCTION_GB
    invocations = MINUTES + asks
    metrics = COLOUR_METRICS + OWN_METRICS
    log_gb = passes * LOG_KB_OF_A_PASS / 1e6
    counted = RELEASES * METRICS_OF_A_RELEASE / HOURS
    if free_tier:
        counted = 0.0
        gb_seconds = max(0.0, gb_seconds - 400_000)
        invocations = max(0.0, invocations - 1_000_000)
        metrics = max(0, metrics - FREE_ALARM_METRICS)
        log_gb = max(0.0, log_gb - 5)
    writes = RELEASES * RELEASE_SECONDS / ASK_EVERY_SECONDS
    return {
        f"alarms ({COLOUR_METRICS} metrics of the colours, {OWN_METRICS} of Greenlight itself)": metrics
        * price("alarm_metric", region),
        "functions": gb_seconds * price("function_gb_second", region)
        + invocations / 1e6 * price("function_million", region),
        "ledgers, read and written": passes * READS_OF_A_PASS / 1e3 * price("read_thousand", region)
        + writes / 1e3 * price("write_thousand", region),
        "CloudWatch's counts of both colours": RELEASES * METRICS_READ / 1e3 * price("metric_read_thousand", region),
        "metrics of what has ended": counted * price("custom_metric", region),
        "logs": log_gb * price("log_gb", region),
        f"bundles of {RELEASES} releases": RELEASES * BUNDLE_GB * price("storage_gb", region),
    }


def stack(region: str, requests: int) -> dict[str, float]:
    """The stack around it."""
    out_gb = requests * ANSWER_KB / 1e6
    units = max(out_gb / HOURS, requests / (HOURS * 3600) / 25)
    tick = MINUTES * WAF_TICK_SECONDS * WAF_FUNCTION_GB * price("function_gb_second", region)
    return {
        f"{INSTANCES} instances with their disks": INSTANCES
        * (HOURS * price("instance_hour", region) + DISK_GB * price("disk_gb", region)),
        f"{ADDRESSES} public addresses": ADDRESSES * HOURS * price("public_address_hour", region),
        "load balancer": HOURS * (price("balancer_hour", region) + units * price("capacity_unit_hour", region)),
        "firewall, managed rules and logs": price("waf_acl", region)
        + (WAF_RULES + WAF_GROUPS) * price("waf_rule", region)
        + requests / 1e6 * price("waf_million", region)
        + requests * WAF_RECORD_KB / 1e6 * price("waf_log_gb", region)
        + price("alarm_metric", region)
        + tick,
        "database and its secret": HOURS * price("database_hour", region)
        + DATABASE_GB * price("database_gb", region)
        + price("secret", region),
        "answers to the internet": max(0.0, out_gb - FREE_OUT_GB) * price("out_gb", region),
        "hosted zone": price("zone", region),
    }


def savings(region: str) -> dict[str, float]:
    """What the choices of the template save each month."""
    in_gb = RELEASES * BUNDLE_GB * INSTANCES_OF_A_RELEASE
    addresses = INSTANCES * HOURS * price("public_address_hour", region)
    one_nat = HOURS * price("nat_hour", region) + in_gb * price("nat_gb", region) - addresses
    return {
        "no NAT gateway, with an address for each instance instead": one_nat,
        "one load balancer for all services": HOURS
        * (price("balancer_hour", region) + 2 * price("public_address_hour", region)),
        "one web ACL for all services": price("waf_acl", region) + (WAF_RULES + WAF_GROUPS) * price("waf_rule", region),
        "no CodePipeline, for two services": SERVICES * price("pipeline", region),
        "both colours on the same instances": INSTANCES
        * (HOURS * (price("instance_hour", region) + price("public_address_hour", region)) + DISK_GB * price("disk_gb", region)),
    }


def dollars(value: float) -> str:
    return f"{value:,.2f}"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_region(parts: list[dict[str, float]], total: str | None) -> str:
    rows = [[name, *(dollars(part[name]) for part in parts)] for name in parts[0]]
    if total:
        rows.append([f"**{total}**", *(f"**{dollars(sum(part.values()))}**" for part in parts)])
    return table(["dollars a month", *REGIONS.values()], rows)


def price_row(item: dict[str, object]) -> list[str]:
    recalled = item.get("recalled", [])
    sources = [str(item["read"])] if "read" in item else []
    if recalled:
        sources.append("from memory: " + ", ".join(recalled))  # type: ignore[arg-type]
    return [str(item["unit"]), *(f"{item[region]:.10g}" for region in REGIONS), "; ".join(sources)]


def page() -> str:
    own = [greenlight(region, free_tier=False) for region in REGIONS]
    free = [greenlight(region, free_tier=True) for region in REGIONS]
    traffic = table(
        ["dollars a month", *(f"{name}, {region}" for region in REGIONS for name in TRAFFIC)],
        [
            [part, *(dollars(stack(region, count)[part]) for region in REGIONS for count in TRAFFIC.values())]
            for part in stack("us-east-1", 0)
        ]
        + [
            [
                "**the stack**",
                *(f"**{dollars(sum(stack(region, n).values()))}**" for region in REGIONS for n in TRAFFIC.values()),
            ]
        ],
    )
    prices = table(["for", *REGIONS, "source"], [price_row(item) for item in PRICES["items"].values()])
    totals = [sum(part.values()) for part in own + free]
    return f"""# Cost

`docs/cost/cost.py` computes this page from [its prices](cost/prices.json) of {PRICES["as_of"]}. To compute it
anew: `python3 docs/cost/cost.py > docs/cost.md`.

A month here has {RELEASES} releases of {SERVICES} services on {INSTANCES} instances, with the template's defaults.

## What Greenlight adds

{by_region(own, "at list price")}

The free tier, for as long as AWS grants it, leaves {dollars(totals[2])} in us-east-1 and {dollars(totals[3])} in Seoul. It
covers functions, logs, custom metrics, and {FREE_ALARM_METRICS} of the {COLOUR_METRICS + OWN_METRICS} alarm metrics. A further service
brings {COLOUR_METRICS // SERVICES} alarm metrics, so {dollars(COLOUR_METRICS / SERVICES * 0.1)} a month. Custom
metrics are paid for in the hours in which they come, and come when a release ends.

The firewall is apart, in the next table: a web ACL, {WAF_RULES} rules of ours, {WAF_GROUPS} managed groups, and an alarm.

## What the stack costs

{traffic}

A request is taken for {ANSWER_KB} KB of answer. `WafMode=none`, `WafManagedRules=none`, `Database=none` and
`DesiredInstances=1` leave the largest lines out. Images come from CloudFront, whose free tier is a terabyte a month.

## What the choices save

{by_region([savings(region) for region in REGIONS], None)}

## The prices

{textwrap.fill(PRICES["note"], 120)}

{prices}
"""


if __name__ == "__main__":
    print(page(), end="")
