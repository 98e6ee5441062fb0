#!/usr/bin/env python3
"""Measures the kit's nginx on the instance beside the same one in a container, in turns: 1,000 requests a second over
connections that are kept, and requests of 30 seconds on blue that begin before all others move to green.

It needs Docker and root. Leaves target/bench/nginx.json. Rows: `place, round, requests, lost, long, long_lost,
requests_per_second, cpu_us_per_request, median_ms, worst_of_100_ms`. Processor time is that of nginx's workers.
"""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RATE, CONNECTIONS, ROUNDS = 1000, 64, 2
# Seconds: how long a long request takes, when it begins, when the others move to green, when they end.
LONG, BEGIN, SHIFT, END = 30, 2, 4, 35
LONG_REQUESTS = 20
IMAGE, ADDRESS = "greenlight-nginx:bench", "127.0.81.2"
HOOK = (ROOT / "local/codedeploy/tests/data/counts/hook.sh").read_text()


class App(asyncio.Protocol):
    """Answers at once, and /long after its time. One request at a time on a connection, as nginx sends them."""

    def connection_made(self, transport):
        self.transport, self.left = transport, b""

    def data_received(self, data):
        self.left += data
        if b"\r\n\r\n" not in self.left:
            return
        wait = LONG if self.left.startswith(b"GET /long ") else 0
        self.left = b""
        asyncio.get_running_loop().call_later(wait, self.answer)

    def answer(self):
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def serve():
    loop = asyncio.get_running_loop()
    for port in (3000, 3001):
        await loop.create_server(App, ADDRESS, port, backlog=1024)
    print("ready", flush=True)
    await asyncio.Event().wait()


class Seen:
    """What came of the requests."""

    def __init__(self):
        self.taken, self.lost, self.long, self.long_lost, self.why = [], 0, 0, 0, []


async def ask(port, path, kept):
    """One request over the port's connection that is kept, or a new one."""
    reader, writer = kept.get(port) or await asyncio.open_connection(ADDRESS, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    await reader.readexactly(length)
    kept[port] = (reader, writer)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise OSError(head.split(b"\r\n")[0].decode())


async def visit(due, seen):
    kept = {}
    while (turn := await due.get()) is not None:
        when, port = turn
        try:
            await ask(port, "/", kept)
            seen.taken.append(time.monotonic() - when)
        except (OSError, asyncio.IncompleteReadError) as error:
            kept.pop(port, None)
            seen.lost += 1
            seen.why.append(repr(error))


async def wait_long(seen):
    await asyncio.sleep(BEGIN)
    try:
        await ask(8080, "/long", {})
        seen.long += 1
    except (OSError, asyncio.IncompleteReadError) as error:
        seen.long_lost += 1
        seen.why.append(repr(error))


async def drive():
    due, seen = asyncio.Queue(), Seen()
    visitors = [asyncio.create_task(visit(due, seen)) for _ in range(CONNECTIONS)]
    visitors += [asyncio.create_task(wait_long(seen)) for _ in range(LONG_REQUESTS)]
    begin, sent = time.monotonic(), 0
    while (now := time.monotonic() - begin) < END:
        for _ in range(int(now * RATE) - sent):
            due.put_nowait((time.monotonic(), 8080 if now < SHIFT else 8081))
            sent += 1
        await asyncio.sleep(0.001)
    for _ in range(CONNECTIONS):
        due.put_nowait(None)
    await asyncio.gather(*visitors)
    return seen


def cpu_seconds(master):
    """Processor time of nginx's workers below this master."""
    ticks = 0
    for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split():
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def docker(*words):
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def boot(root):
    """What the first boot leaves on an instance that is to run nginx from the image."""
    functions = f"source <(sed '/^case /,$d' {ROOT}/instance/boot/greenlight.sh); write_nginx_program"
    variables = {**os.environ, "GREENLIGHT_ROOT": str(root), "NGINX_IMAGE": IMAGE}
    subprocess.run(["bash", "-c", functions], env=variables, check=True)


def start(root):
    """nginx as the hooks start it; gives the process id of its master."""
    home = root / "opt/greenlight"
    hook = {**os.environ, "kit": str(ROOT / "instance"), "home": str(home), "DEPLOYMENT_ID": "d-1",
            "nginx_address": ADDRESS, "app_address": ADDRESS}
    subprocess.run(["bash", "-c", HOOK + "serve_colours"], env=hook, check=True)
    return int((home / "nginx/nginx.pid").read_text())


def measure(place, number):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        root = Path(folder)
        if place == "container":
            boot(root)
        master = start(root)
        time.sleep(1)
        try:
            before, begin = cpu_seconds(master), time.monotonic()
            seen = asyncio.run(drive())
            seconds, cpu = time.monotonic() - begin, cpu_seconds(master) - before
        finally:
            os.kill(master, 15)
            time.sleep(1)
    taken = sorted(seen.taken)
    for why in seen.why[:3]:
        print(why, file=sys.stderr)
    return {
        "place": place, "round": number, "requests": len(taken), "lost": seen.lost, "long": seen.long,
        "long_lost": seen.long_lost, "requests_per_second": round(len(taken) / seconds),
        "cpu_us_per_request": round(cpu / len(taken) * 1e6, 1), "median_ms": round(statistics.median(taken) * 1e3, 2),
        "worst_of_100_ms": round(taken[len(taken) * 99 // 100] * 1e3, 2),
    }


def main():
    os.environ["PATH"] += ":/usr/sbin"
    subprocess.run([ROOT / "local/nginx-image", IMAGE], check=True)
    app = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    app.stdout.readline()
    try:
        rows = []
        for number in range(ROUNDS):
            for place in ("host", "container"):
                rows.append(measure(place, number))
                print(json.dumps(rows[-1]), flush=True)
    finally:
        app.kill()
        docker("rm", "--force", "greenlight-nginx")
        docker("image", "rm", "--force", IMAGE)
    target = ROOT / "target/bench"
    target.mkdir(parents=True, exist_ok=True)
    (target / "nginx.json").write_text(json.dumps(rows, indent=1) + "\n")
    if any(row["lost"] or row["long_lost"] for row in rows):
        sys.exit("requests were lost")


if __name__ == "__main__":
    asyncio.run(serve()) if sys.argv[1:2] == ["serve"] else main()
