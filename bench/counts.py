#!/usr/bin/env python3
"""Measures what counting costs an instance: the kit's nginx at 3,000 requests a second, with and without, in turns.

Leaves target/bench/counts.json. Rows: `counting, round, requests, requests_per_second, nginx_us_per_request,
median_ms, worst_of_100_ms, counted, question_cpu_ms, log_bytes_held`. Processor time is that of nginx's workers, and of
the hook's function for one question with everything that it starts.
"""

import json
import os
import resource
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ADDRESS, SECONDS, RATE, CONNECTIONS, ROUNDS = "127.0.81.1", 10, 3000, 32, 5

HOOK = (ROOT / "local/codedeploy/tests/data/counts/hook.sh").read_text()

APP = """worker_processes 1; pid app.pid; error_log app.log crit; daemon on;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 100000000; client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c;
uwsgi_temp_path d; scgi_temp_path e; server { listen %s:3000; location / { return 200 "ok"; } location /500 { return 500; } } }
"""


def hook(home: Path, what: str) -> str:
    environment = {
        "PATH": os.environ["PATH"] + ":/usr/sbin", "kit": str(ROOT / "instance"), "home": str(home),
        "nginx_address": ADDRESS, "app_address": ADDRESS, "DEPLOYMENT_ID": "d-1",
    }
    command = ["bash", "-c", HOOK + what]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def worker_seconds(master: int) -> float:
    """Processor time of nginx's workers."""
    ticks = 0
    for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split():
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def drive() -> list[float]:
    """Sends at the rate for the time, each request from another client, one in fifty failing. Gives the times taken."""
    ready = selectors.DefaultSelector()
    idle = []
    for _ in range(CONNECTIONS):
        connection = socket.create_connection((ADDRESS, 8080))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready.register(connection, selectors.EVENT_READ)
        idle.append(connection)
    taken: list[float] = []
    under_way: dict[int, float] = {}
    begin, sent = time.monotonic(), 0
    while len(taken) < RATE * SECONDS:
        now = time.monotonic()
        due = min(int((now - begin) * RATE), RATE * SECONDS)
        while idle and sent < due:
            connection = idle.pop()
            path = "/500" if sent % 50 == 0 else "/"
            client = f"10.{sent >> 16 & 255}.{sent >> 8 & 255}.{sent & 255}"
            connection.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n".encode())
            under_way[connection.fileno()] = time.monotonic()
            sent += 1
        for key, _ in ready.select(0.0005):
            connection = key.fileobj
            connection.recv(65536)
            taken.append(time.monotonic() - under_way.pop(key.fd))
            idle.append(connection)
    for connection in idle:
        connection.close()
    return taken


def measure(home: Path, counting: bool, number: int) -> dict[str, object]:
    log = home / "nginx/counts/log"
    hook(home, "begin_counting" if counting else "end_counting || true")
    master = int((home / "nginx/nginx.pid").read_text())
    before, begin = worker_seconds(master), time.monotonic()
    taken = drive()
    seconds, used = time.monotonic() - begin, worker_seconds(master) - before
    held = log.stat().st_blocks * 512
    # One question reads all of it: as much as two questions of five seconds have.
    time.sleep(0.2)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = hook(home, 'count_requests || true; printf "%s" "$counted"') if counting else hook(home, "true")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    counted = None
    if counting:
        minutes = json.loads(told.removeprefix(',"counts":'))
        counted = [sum(minute["blue"][member] for minute in minutes) for member in ("arrived", "failed", "open")]
    return {
        "counting": counting, "round": number, "requests": len(taken),
        "requests_per_second": round(len(taken) / seconds), "nginx_us_per_request": round(used / len(taken) * 1e6, 1),
        "median_ms": round(statistics.median(taken) * 1e3, 2),
        "worst_of_100_ms": round(sorted(taken)[len(taken) * 99 // 100] * 1e3, 2), "counted": counted,
        "question_cpu_ms": round((after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime) * 1e3, 1),
        "log_bytes_held": held,
    }


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        home, app = Path(folder) / "home", Path(folder) / "app"
        home.mkdir()
        app.mkdir()
        (app / "nginx.conf").write_text(APP % ADDRESS)
        path = os.environ["PATH"] + ":/usr/sbin"
        nginx = ["nginx", "-p", str(app), "-c", str(app / "nginx.conf"), "-e", str(app / "app.log")]
        subprocess.run(nginx, check=True, env={"PATH": path})
        os.chmod(folder, 0o755)
        try:
            hook(home, "serve_colours")
            for number in range(ROUNDS):
                for counting in (False, True):
                    rows.append(measure(home, counting, number))
                    print(json.dumps(rows[-1]), flush=True)
        finally:
            for pid in (home / "nginx/nginx.pid", app / "app.pid"):
                if pid.exists():
                    os.kill(int(pid.read_text()), 15)
    target = ROOT / "target/bench"
    target.mkdir(parents=True, exist_ok=True)
    (target / "counts.json").write_text(json.dumps(rows, indent=1) + "\n")
    wrong = [row for row in rows if row["counting"] and row["counted"] != [row["requests"], row["requests"] // 50, 0]]
    if wrong:
        sys.exit(f"counted wrongly: {wrong}")


if __name__ == "__main__":
    main()
