"""What a release profile costs: the binary's size, its ZIP, and the work before it can take its first event.

    python bench/release-profile/cold_start.py target/release/alarm ...

The start is counted in CPU time and in pages read, because wall time on a shared machine says little: Lambda gives a
function of 1,769 MB one processor, so at 256 MB a CPU millisecond here is about seven milliseconds of waiting there.
"""

import http.server
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import threading
import zipfile

RUNS = 31
TARGET_GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{}/0123456789abcdef"
LISTENER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener{}/app/demo/0123456789abcdef/0123456789abcdef{}"


def environment(runtime):
    return {
        "AWS_LAMBDA_RUNTIME_API": runtime,
        "AWS_LAMBDA_FUNCTION_NAME": "measured",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example",
        "GREENLIGHT_SERVICES": "backend",
        "GREENLIGHT_STATE_BUCKET": "demo-state",
        "GREENLIGHT_ARTIFACT_BUCKET": "demo-artifacts",
        "GREENLIGHT_APPLICATION": "demo",
        "GREENLIGHT_LISTENER_ARN": LISTENER.format("", ""),
        "GREENLIGHT_BACKEND_DEPLOYMENT_GROUP": "backend",
        "GREENLIGHT_BACKEND_AUTO_SCALING_GROUP": "demo-backend",
        "GREENLIGHT_BACKEND_BASE_RULE_ARN": LISTENER.format("-rule", "/0123456789abcdef"),
        "GREENLIGHT_BACKEND_BLUE_TARGET_GROUP_ARN": TARGET_GROUP.format("blue"),
        "GREENLIGHT_BACKEND_GREEN_TARGET_GROUP_ARN": TARGET_GROUP.format("green"),
        "GREENLIGHT_BACKEND_BLUE_ALARMS": "demo-backend-blue-errors",
        "GREENLIGHT_BACKEND_GREEN_ALARMS": "demo-backend-green-errors",
        "GREENLIGHT_STRATEGY": "Canary10Percent5Minutes",
    }


class Runtime(http.server.BaseHTTPRequestHandler):
    """Lambda's runtime API, as far as "give me the next event", which is never answered."""

    def do_GET(self):
        self.server.asked.set()
        self.server.done.wait()

    def log_message(self, *_):
        pass


def start(binary):
    """Runs the binary until it asks for its first event: CPU milliseconds, page faults, resident megabytes."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Runtime) as server:
        server.asked, server.done = threading.Event(), threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        process = subprocess.Popen(
            [binary], env=environment(f"127.0.0.1:{server.server_port}"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if not server.asked.wait(20):
            process.kill()
            sys.exit(f"{binary} did not ask for an event within 20 s:\n{process.stdout.read().decode()}")
        resident = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * resource.getpagesize()
        process.kill()
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        server.done.set()
        server.shutdown()
    return (used.ru_utime + used.ru_stime) * 1000, used.ru_minflt + used.ru_majflt, resident / 1e6


def zipped(binary):
    target = pathlib.Path(f"{binary}.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.write(binary, "bootstrap")
    size = target.stat().st_size
    target.unlink()
    return size


print("| binary | MB | MB as ZIP | CPU ms to the first event | page faults | MB resident |\n| --- | --- | --- | --- | --- | --- |")
for binary in sys.argv[1:]:
    start(binary)
    cpu, faults, resident = (statistics.median(column) for column in zip(*(start(binary) for _ in range(RUNS))))
    size = pathlib.Path(binary).stat().st_size
    print(f"| {binary} | {size / 1e6:.1f} | {zipped(binary) / 1e6:.1f} | {cpu:.1f} | {faults:.0f} | {resident:.1f} |")
