#!/usr/bin/env python3
"""`make bench-start`: what each function does before it asks for its first event, beside one that does nothing.

    bench/start/run.py [NAME ...]    of the binaries in target/release; all functions where none is named

The start is counted in processor time and in pages touched, because wall time on a shared machine says little: Lambda
gives a function of 1,769 MB one processor, so at 256 MB a millisecond of processor time here is about seven of waiting
there. Figures are medians; the binaries take turns, so that what else runs on the machine meets all of them.
"""

import http.server
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import threading
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = ROOT / "target" / "release"
OUT = ROOT / "target" / "bench" / "start.json"
ALONE = "hello"
FUNCTIONS = ["upload", "lifecycle", "alarm", "waf-logs"]
RUNS = 31
# How long a start may take, in seconds, before it counts as failed.
LIMIT = 20

NAMES = {
    "GREENLIGHT_STATE_BUCKET": "shop-state",
    "GREENLIGHT_ARTIFACT_BUCKET": "shop-artifacts",
    "GREENLIGHT_APPLICATION": "shop",
    "GREENLIGHT_ALARMS": "errors,slow",
    "GREENLIGHT_STRATEGY": "evidence",
    "GREENLIGHT_WAF_STATE_BUCKET": "shop-waf-logs",
    "GREENLIGHT_WAF_RULE": "repeat-offenders",
    "GREENLIGHT_WAF_MODE": "block",
}


def environment(function, runtime):
    """What Lambda and the template tell the function. A function refuses settings that it does not know."""
    arns = json.loads((ROOT / "events" / "environment.json").read_text())["Parameters"]
    of_waf_logs = function == "waf-logs"
    settings = {name: value for name, value in {**arns, **NAMES}.items() if ("_WAF_" in name) == of_waf_logs}
    return settings | {
        "AWS_LAMBDA_RUNTIME_API": runtime,
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
    }


class Runtime(http.server.BaseHTTPRequestHandler):
    """Lambda's runtime API, as far as "give me the next event", which is never answered."""

    def do_GET(self):
        self.server.asked.set()
        self.server.done.wait()

    def log_message(self, *_):
        pass


def start(function):
    """Runs a binary until it asks for its first event: CPU milliseconds, page faults, resident megabytes."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Runtime) as server:
        server.asked, server.done = threading.Event(), threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        process = subprocess.Popen(
            [BINARIES / function],
            env=environment(function, f"127.0.0.1:{server.server_port}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if not server.asked.wait(LIMIT):
            process.kill()
            sys.exit(f"{function} did not ask for an event within {LIMIT} s:\n{process.stdout.read().decode()}")
        resident = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * resource.getpagesize()
        process.kill()
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        process.stdout.close()
        server.done.set()
        server.shutdown()
    return (used.ru_utime + used.ru_stime) * 1000, used.ru_minflt + used.ru_majflt, resident / 1e6


def zipped(function):
    target = OUT.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(BINARIES / function, "bootstrap")
    size = target.stat().st_size
    target.unlink()
    return size


def main():
    measured = [ALONE, *(sys.argv[1:] or FUNCTIONS)]
    for function in measured:
        if not (BINARIES / function).exists():
            sys.exit(f"{BINARIES / function} is missing; `make bench-start` builds it")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    starts = {function: [] for function in measured}
    for run in range(RUNS + 1):
        for function in measured:
            used = start(function)
            # The first fills the page cache.
            if run > 0:
                starts[function].append(used)
    results = {}
    for function, runs in starts.items():
        cpu, faults, resident = (statistics.median(column) for column in zip(*runs))
        results[function] = {
            "mb": (BINARIES / function).stat().st_size / 1e6,
            "zip_mb": zipped(function) / 1e6,
            "cpu_ms": cpu,
            "page_faults": faults,
            "resident_mb": resident,
        }
    OUT.write_text(json.dumps(results, indent=2) + "\n")
    print("| function | MB | MB as ZIP | CPU ms to the first event | page faults | MB resident |")
    print("| --- | --- | --- | --- | --- | --- |")
    for function, of in results.items():
        print(
            f"| {function} | {of['mb']:.1f} | {of['zip_mb']:.1f} | {of['cpu_ms']:.1f} "
            f"| {of['page_faults']:.0f} | {of['resident_mb']:.1f} |"
        )
    print(f"written to {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
