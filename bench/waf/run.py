#!/usr/bin/env python3
"""`make bench-waf`: reads the same WAF logs with several tools, in turns, and compares answers, processor time, memory.

Writes target/bench/waf.json and prints a table. Processor time and peak memory are what the kernel says of each
process, its start included; the figures are medians of the rounds.
"""
import argparse
import glob
import ipaddress
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
OUT = os.path.join(ROOT, "target", "bench")
MEASURE = os.path.join(ROOT, "target", "release", "measure")


def run(command):
    """Runs a command; returns its answer and what it used."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} {command[1]} failed with {process.returncode}")
    answer = json.loads(answer)
    return answer, {
        "wall_s": time.monotonic() - started,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        # What the kernel says of a small process includes this script at the moment it was forked.
        "peak_rss_mb": answer.get("peak_rss_mb", usage.ru_maxrss / 1024),
    }


def prepare(records, files):
    mixed, distinct = os.path.join(OUT, f"waf-{records}"), os.path.join(OUT, "waf-distinct-1m")
    generate = [sys.executable, os.path.join(HERE, "generate.py")]
    if not os.path.exists(os.path.join(mixed, "clients.json")):
        print(f"making {records} records ...", flush=True)
        subprocess.run([*generate, mixed, "--records", str(records), "--files", str(files)], check=True)
    if not glob.glob(os.path.join(distinct, "*.gz")):
        print("making 1,000,000 records of as many clients ...", flush=True)
        subprocess.run([*generate, distinct, "--distinct", "1000000"], check=True)
    access = os.path.join(OUT, f"access-{records}")
    if not os.path.exists(os.path.join(access, "clients.json")):
        print(f"making {records} lines of a load balancer's log ...", flush=True)
        subprocess.run([*generate, access, "--access", "--records", str(records), "--files", str(files)], check=True)
    return [sorted(glob.glob(os.path.join(folder, "*.gz"))) for folder in (mixed, distinct, access)]


def large_object(files):
    """One object of the largest size that WAF delivers, 75 MB: gzip members one after the other are one gzip file."""
    path = os.path.join(OUT, "waf-75mb.log.gz")
    size, records = 0, 0
    with open(path, "wb") as out:
        while size < 75_000_000:
            for part in files:
                with open(part, "rb") as whole:
                    data = whole.read()
                size, records = size + len(data), records + 1
                out.write(data)
                if size >= 75_000_000:
                    break
    shutil.copystat(files[0], path)
    return path


def canonical(answer):
    return {str(ipaddress.ip_address(client)): count for client, count in answer["over"].items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threshold", type=int, default=100, help="requests in a clock minute")
    parser.add_argument("--python", default=sys.executable, help="with duckdb and orjson (requirements.txt)")
    parser.add_argument("--logs", help="read the *.gz below this folder instead of making logs")
    options = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    files, distinct, access = prepare(options.records, options.files)
    if options.logs:
        files = sorted(glob.glob(os.path.join(options.logs, "**", "*.gz"), recursive=True))
    limit = str(options.threshold)
    # An address each instead of a /64, because that is the question the others answer.
    whole = [MEASURE, "whole", "--ipv6-prefix", "128", "--threshold", limit]
    tools = {
        # The function's work: all detectors, up to the bytes of the partial results.
        "greenlight": [*whole, "--no-answers", *files],
        # And the benchmark's question answered from it.
        "greenlight_answer": [*whole, *files],
        "inflate_only": [MEASURE, "inflate", *files],
        "serde_json": [MEASURE, "serde", "--threshold", limit, *files],
        "duckdb": [options.python, os.path.join(HERE, "with_duckdb.py"), limit, *files],
        "python_orjson": [options.python, os.path.join(HERE, "with_orjson.py"), limit, *files],
        # The load balancer's log. The question is that of the requests which were answered with success.
        "access_greenlight": [*whole, "--no-answers", *access],
        "access_greenlight_answer": [*whole, *access],
        "access_inflate_only": [MEASURE, "inflate", *access],
        "access_duckdb": [options.python, os.path.join(HERE, "access_with_duckdb.py"), limit, *access],
    }
    used, answers = {name: [] for name in tools}, {}
    for _ in range(options.rounds):
        for name, command in tools.items():
            answers[name], usage = run(command)
            used[name].append(usage)
    records = answers["greenlight"]["records"]
    figures = {}
    for name, rounds in used.items():
        median = {key: statistics.median(usage[key] for usage in rounds) for key in rounds[0]}
        median["records_per_cpu_second"] = round(records / median["cpu_s"])
        median["cpu_s_min"] = min(usage["cpu_s"] for usage in rounds)
        figures[name] = {key: round(value, 3) for key, value in median.items()}
    # In turns, so that what disturbs the machine disturbs both: the ratio of each round counts.
    def times_inflate(ours, inflate):
        return statistics.median(one["cpu_s"] / other["cpu_s"] for one, other in zip(used[ours], used[inflate]))

    ratio = times_inflate("greenlight", "inflate_only")
    access_ratio = times_inflate("access_greenlight", "access_inflate_only")
    asked = ["serde_json", "duckdb", "python_orjson"]
    agree = all(canonical(answers[name]) == canonical(answers["greenlight_answer"]) for name in asked)
    agree &= canonical(answers["access_duckdb"]) == canonical(answers["access_greenlight_answer"])
    many, many_usage = run([MEASURE, "whole", "--no-answers", *distinct])
    largest, largest_usage = run([MEASURE, "whole", "--no-answers", large_object(files)])
    merged, _ = run([MEASURE, "merge", *files])
    report = {
        **figures,
        "records": records,
        "ratio_to_inflate": round(ratio, 3),
        "ratio_to_duckdb": round(figures["duckdb"]["cpu_s"] / figures["greenlight_answer"]["cpu_s"], 2),
        "access_ratio_to_inflate": round(access_ratio, 3),
        "access_ratio_to_duckdb": round(figures["access_duckdb"]["cpu_s"] / figures["access_greenlight_answer"]["cpu_s"], 2),
        "rss_mb_at_1m_addresses": round(many_usage["peak_rss_mb"], 1),
        "count_error_at_1m_addresses": many["error"],
        "answers_agree": agree,
        "partial_bytes_per_object": answers["greenlight"]["partial_bytes"] // max(1, len(files)),
        "object_of_75_mb": {
            "records": largest["records"],
            "cpu_s": round(largest_usage["cpu_s"], 2),
            "peak_rss_mb": round(largest_usage["peak_rss_mb"], 1),
        },
        "merged_clients_per_cpu_second": round(merged["merged_per_cpu_s"]),
        "decided_clients_per_cpu_second": round(merged["decided_per_cpu_s"]),
    }
    with open(os.path.join(OUT, "waf.json"), "w", encoding="ascii") as out:
        json.dump(report, out, indent=2)
        out.write("\n")
    print(f"{records} records in {len(files)} objects, medians of {options.rounds} rounds in turns")
    print(f"{'':26}{'records/CPU-s':>14}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}")
    for name, figure in figures.items():
        print(f"{name:26}{figure['records_per_cpu_second']:>14,}{figure['cpu_s']:>8.2f}{figure['wall_s']:>8.2f}{figure['peak_rss_mb']:>9.1f}")
    print(f"{report['ratio_to_inflate']} times the time of inflate alone; {report['ratio_to_duckdb']} times as fast as DuckDB")
    print(f"access logs: {report['access_ratio_to_inflate']} times inflate alone; {report['access_ratio_to_duckdb']} times as fast as DuckDB")
    print(f"1,000,000 clients: {report['rss_mb_at_1m_addresses']} MB, counts at most {many['error']} too low")
    print(f"one object of 75 MB: {largest['records']} records, {report['object_of_75_mb']['cpu_s']} CPU-s, {report['object_of_75_mb']['peak_rss_mb']} MB")
    print(f"answers agree: {agree}")
    if not agree:
        sys.exit("the answers differ: somebody counts wrong")


if __name__ == "__main__":
    main()
