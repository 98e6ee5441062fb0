#!/usr/bin/env python3
"""Makes WAF logs to measure with: the same arguments give the same bytes.

  generate.py FOLDER --records 200000 --files 20     mixed traffic of a shop under attack, about 2 KB a record
  generate.py FOLDER --access                        the same traffic as the load balancer logs it, about 600 bytes a line
  generate.py FOLDER --distinct 1000000              one object, every record from an IPv6 network of its own

The layout is that of WAF's delivery to S3 from a load balancer. Beside the objects stands clients.json: who is who.
"""
import argparse
import datetime
import gzip
import itertools
import json
import os
import random

ACL = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/shop/8c7a3f52-4b1e-4c35-9d8e-6f1f0a2b3c4d"
GROUPS = ["AmazonIpReputationList", "CommonRuleSet", "KnownBadInputsRuleSet", "SQLiRuleSet"]
BROWSERS = [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
]
TOOLS = ["curl/8.16.0", "Go-http-client/2.0", "python-requests/2.32.5", "Mozilla/5.0 zgrab/0.x"]
PROBES = ["/.env", "/.git/config", "/wp-login.php", "/phpmyadmin/index.php", "/actuator/env", "/cgi-bin/luci", "/xmlrpc.php",
          "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "/server-status", "/.aws/credentials", "/backup.zip",
          "/owa/auth/logon.aspx", "/solr/admin/info/system", "/boaform/admin/formLogin", "/HNAP1", "/old/wp-admin/setup-config.php"]
PAGES = ["/", "/login", "/cart", "/search", "/account", "/api/v1/orders", "/assets/app.7f31.js", "/assets/app.c0de.css"]
PAGES += [f"/products/{n}" for n in range(500)] + [f"/images/{n}.webp" for n in range(300)]
START = 1_795_348_800_000
CODER = json.JSONEncoder(separators=(",", ":"))


def hexadecimal(source, digits):
    return f"{source.getrandbits(4 * digits):0{digits}x}"


class Client:
    def __init__(self, source, role):
        self.role = role
        if source.random() < 0.3:
            self.prefix = f"2001:db8:{source.randrange(1, 65536):x}:{source.randrange(1, 65536):x}"
            self.ip = self.prefix + ":" + ":".join(f"{source.randrange(1, 65536):x}" for _ in range(4))
        else:
            self.ip = f"{source.choice((198, 203, 100))}.{source.randrange(256)}.{source.randrange(256)}.{source.randrange(1, 255)}"
        is_person = role == "person"
        self.agent = source.choice(BROWSERS if is_person else TOOLS)
        self.cookie = f"session={hexadecimal(source, 64)}; _ga=GA1.1.{source.getrandbits(30)}; consent={hexadecimal(source, 12)}"
        self.country = source.choice(["DE", "FR", "US", "IN", "BR", "NL", "-"])
        self.ja3, self.ja4 = hexadecimal(source, 32), f"t13d1516h2_{hexadecimal(source, 12)}_{hexadecimal(source, 12)}"


def record(source, at, client, ip):
    method, path, args = "GET", source.choice(PAGES), ""
    action, rule, kind, stopped_by, labels, rates, extra = "ALLOW", "Default_Action", "REGULAR", None, [], [], {}
    if client.role == "flood":
        path, args = "/search", f"q={hexadecimal(source, 10)}"
        if source.random() < 0.3:
            action, rule, kind = "BLOCK", "rate", "RATE_BASED"
            rates = [{"rateBasedRuleId": ACL + "_rate", "rateBasedRuleName": "rate", "limitKey": "IP", "maxRateAllowed": 2000,
                      "evaluationWindowSec": "300", "limitValue": ip}]
    elif client.role == "login":
        method, path = "POST", "/login"
    elif client.role == "scanner":
        path = source.choice(PROBES)
        if source.random() < 0.5:
            action, rule, kind, stopped_by = "BLOCK", "aws-common", "MANAGED_RULE_GROUP", (1, "RestrictedExtensions_URIPATH")
            labels = [{"name": "awswaf:managed:aws:core-rule-set:RestrictedExtensions_URIPath"}]
        elif source.random() < 0.3:
            action, rule = "CHALLENGE", "challenge"
            extra["challengeResponse"] = {"responseCode": 202, "failureReason": "TOKEN_MISSING"}
    elif client.role == "injection":
        path, args = "/search", "q=1%27%20OR%20%271%27=%271"
        action, rule, kind, stopped_by = "BLOCK", "aws-sqli", "MANAGED_RULE_GROUP", (3, "SQLi_QUERYARGUMENTS")
    elif path == "/login" and source.random() < 0.5:
        method = "POST"
    headers = [("host", "www.example.com"), ("user-agent", client.agent),
               ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
               ("accept-encoding", "gzip, deflate, br, zstd")]
    if client.role == "person":
        headers += [("accept-language", "de-DE,de;q=0.9,en;q=0.7"), ("cookie", client.cookie),
                    ("sec-ch-ua", '"Chromium";v="142", "Not_A Brand";v="99"'), ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-mode", "navigate"), ("referer", "https://www.example.com" + source.choice(PAGES))]
    groups = []
    for place, name in enumerate(GROUPS):
        stops = stopped_by is not None and stopped_by[0] == place
        terminating = {"ruleId": stopped_by[1], "action": "BLOCK", "ruleMatchDetails": None} if stops else None
        groups.append({"ruleGroupId": f"AWS#AWSManagedRules{name}", "terminatingRule": terminating,
                       "nonTerminatingMatchingRules": [], "excludedRules": None, "customerConfig": None})
        if stops:
            break
    whole = {"timestamp": at, "formatVersion": 1, "webaclId": ACL, "terminatingRuleId": rule, "terminatingRuleType": kind,
             "action": action, "terminatingRuleMatchDetails": [], "httpSourceName": "ALB",
             "httpSourceId": "123456789012-app/shop/50dc6c495c0c9188", "ruleGroupList": groups, "rateBasedRuleList": rates,
             "nonTerminatingMatchingRules": [], "requestHeadersInserted": None, "responseCodeSent": None,
             "httpRequest": {"clientIp": ip, "country": client.country,
                             "headers": [{"name": name, "value": value} for name, value in headers], "uri": path, "args": args,
                             "httpVersion": "HTTP/2.0", "httpMethod": method,
                             "requestId": f"1-{at // 1000:08x}-{hexadecimal(source, 24)}", "fragment": "", "scheme": "https",
                             "host": "www.example.com"}}
    if labels:
        whole["labels"] = labels
    return CODER.encode({**whole, **extra, "ja3Fingerprint": client.ja3, "ja4Fingerprint": client.ja4})


def access(source, at, client, ip):
    """The line of the load balancer's access log for a request like that of `record`."""
    method, path, status = "GET", source.choice(PAGES), 200
    if client.role == "flood":
        path = f"/search?q={hexadecimal(source, 10)}"
    elif client.role == "login":
        method, path, status = "POST", "/login", 401
    elif client.role in ("scanner", "injection"):
        path, status = source.choice(PROBES), 404
    elif source.random() < 0.2:
        status = 304
    stopped = client.role == "injection" or (client.role == "scanner" and source.random() < 0.5)
    time = datetime.datetime.fromtimestamp(at / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    target, times, codes, actions = "10.0.1.17:8080", "0.001 0.004 0.000", f"{status} {status}", "waf,forward"
    if stopped:
        target, times, codes, actions = "-", "-1 -1 -1", "403 -", "waf"
    return (f'https {time} app/shop/50dc6c495c0c9188 {ip}:{source.randrange(1024, 65536)} {target} {times} {codes} {source.randrange(200, 900)} '
            f'{source.randrange(200, 90000)} "{method} https://www.example.com:443{path} HTTP/2.0" "{client.agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 '
            f'arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop-blue/73e2d6bc24d8a067 "Root=1-{at // 1000:08x}-{hexadecimal(source, 24)}" '
            f'"www.example.com" "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012" 100 {time} "{actions}" "-" "-" '
            f'"{target}" "{codes.split()[1]}" "-" "-" TID_{hexadecimal(source, 32)} "-" "-" "-"')


def write(folder, number, lines):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"waflogs_{number:04d}.log.gz")
    with open(path, "wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as out:
            for line in lines:
                out.write(line.encode() + b"\n")
    # As if it had been copied from where WAF wrote it.
    os.utime(path, (START // 1000 + 3600, START // 1000 + 3600))


def mixed(folder, n_records, n_files, line):
    source = random.Random(7)
    people = [Client(source, "person") for _ in range(20_000)]
    weights = list(itertools.accumulate(1 / (place + 1) for place in range(len(people))))
    bad = [Client(source, role) for role, count in
           (("flood", 8), ("scanner", 25), ("login", 6), ("injection", 10)) for _ in range(count)]
    rotating = Client(source, "flood")
    rotating.prefix, begins = "2001:db8:bad:1", {}
    for client in bad + [rotating]:
        begins[client] = source.randrange(3_000_000)
    requests = []
    for client in source.choices(people, cum_weights=weights, k=n_records * 88 // 100):
        requests.append((source.randrange(3_600_000), client))
    while len(requests) < n_records:
        client = source.choice(bad[:8] * 3 + bad + [rotating] * 6)
        requests.append((begins[client] + source.randrange(300_000), client))
    requests.sort(key=lambda request: request[0])
    per_file = -(-n_records // n_files)
    for number in range(n_files):
        def lines(part=requests[number * per_file:(number + 1) * per_file]):
            for at, client in part:
                ip = client.ip
                if client is rotating:
                    ip = rotating.prefix + ":" + ":".join(f"{source.randrange(1, 65536):x}" for _ in range(4))
                yield line(source, START + at, client, ip)
        write(folder, number, lines())
    with open(os.path.join(folder, "clients.json"), "w", encoding="ascii") as out:
        json.dump({client.ip: client.role for client in bad}, out)


def distinct(folder, count):
    source = random.Random(7)
    client = Client(source, "person")
    sample = record(source, START + 123_456, client, "@@IP@@").replace(str(START + 123_456), "@@AT@@", 1)
    head, rest = sample.split("@@AT@@")
    middle, tail = rest.split("@@IP@@", 1)
    def lines():
        for n in range(count):
            bits = source.getrandbits(32)
            ip = f"2a00:{n >> 16:x}:{n & 65535:x}:{bits >> 16:x}::{bits & 65535:x}"
            yield f"{head}{START + n * 290_000 // count}{middle}{ip}{tail}"
    write(folder, 0, lines())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--files", type=int, default=20)
    parser.add_argument("--distinct", type=int)
    parser.add_argument("--access", action="store_true")
    options = parser.parse_args()
    if options.distinct:
        distinct(options.folder, options.distinct)
    else:
        mixed(options.folder, options.records, options.files, access if options.access else record)


if __name__ == "__main__":
    main()
