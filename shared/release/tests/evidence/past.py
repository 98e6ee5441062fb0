"""Reckons what shared/release/src/evidence/past.rs reckons, another way: odds multiplied out as its documentation says them, without
a logarithm until the end. `python3 past.py > past.json`."""
import json
from math import ceil, log

DEGREES = [0.05, 0.20, 0.50]
SPOILT = [(0.2, 0.3), (0.5, 0.3), (0.9, 0.4)]
NOW, HOUR, DAY = 29_000_000, 60, 24 * 60


def usual(week):
    def of(degree):
        whole = (week["all"]["bad"][degree] + 1) / (week["all"]["minutes"] + 1)
        lately = week["recent"]["bad"][degree] / max(week["recent"]["minutes"], 20)
        return min(0.005 + 2 * max(whole, lately), 0.5)

    return [of(degree) for degree in range(3)]


def ln_past(slots, week):
    odds = 0.0
    for bad, by_itself in zip(slots["bad"], usual(week)):
        for part, prior in SPOILT:
            if part < 2 * by_itself:
                part = min(max(2 * by_itself, (1 + by_itself) / 2), 0.98)
            good = slots["minutes"] - bad
            odds += prior / 3 * (part / by_itself) ** bad * ((1 - part) / (1 - by_itself)) ** good
    return log(odds)


def slots_of(minutes):
    with_requests = [(requests, failed) for requests, failed in minutes if requests]
    bad = [sum(f >= 1 and f >= degree * r for r, f in with_requests) for degree in DEGREES]
    return {"minutes": len(with_requests), "bad": bad}


def week_of(minutes):
    """`minutes`: (how many minutes before the release, requests, failed), oldest first, at most a week."""
    within = [m for m in minutes if 0 < m[0] <= 7 * DAY]
    came = [m for m in within if m[1]]
    history = came[0][0] if came else 0
    lately = [m for m in within if m[0] <= 30]
    week = {
        "history": history,
        "all": slots_of([m[1:] for m in within]),
        "recent": slots_of([m[1:] for m in lately]),
        "rate": ceil(sum(m[1] for m in lately) / min(max(history, 1), 30)),
    }
    highest = []
    for start in range(len(within)):
        window = [m for m in within[start:start + 60] if within[start][0] - m[0] < 60]
        most = 0.0
        for end in range(1, len(window) + 1):
            if slots_of([window[end - 1][1:]])["bad"][0]:
                most = max(most, ln_past(slots_of([m[1:] for m in window[:end]]), week))
        highest.append(most)
    highest.sort(reverse=True)
    week["reached"] = ceil(highest[len(highest) // 400] * 1000) if highest else 0
    hour = lambda ago: sum(m[1] for m in within if ago - HOUR < m[0] <= ago)
    alike = max(hour(ago) for ago in (HOUR, DAY, DAY - HOUR, 7 * DAY, 7 * DAY - HOUR))
    week["hour"] = alike if history >= 6 * DAY else None
    return week


def slots(minutes, *bad):
    return {"minutes": minutes, "bad": list(bad)}


# All minutes of the week and the bad ones, the same of the last half hour; then what was seen.
odds = [
    (slots(9_000, 0, 0, 0), slots(30, 0, 0, 0), slots(3, 3, 3, 3)),
    (slots(9_000, 0, 0, 0), slots(30, 0, 0, 0), slots(20, 3, 1, 0)),
    (slots(9_000, 0, 0, 0), slots(30, 0, 0, 0), slots(60, 0, 0, 0)),
    (slots(9_000, 400, 90, 9), slots(30, 2, 0, 0), slots(25, 9, 4, 2)),
    # By itself a tenth is bad: twice that is the least that a bad version may spoil, and no less than it may.
    (slots(399, 18, 18, 18), slots(30, 0, 0, 0), slots(12, 5, 3, 1)),
    (slots(900, 130, 60, 20), slots(5, 3, 2, 1), slots(17, 8, 5, 3)),
    (slots(1_000, 190, 200, 210), slots(30, 5, 6, 7), slots(40, 30, 25, 20)),
    (slots(1_000, 900, 700, 240), slots(30, 29, 20, 9), slots(30, 30, 28, 25)),
    (slots(0, 0, 0, 0), slots(0, 0, 0, 0), slots(4, 2, 1, 0)),
    (slots(5_000, 3, 2, 1), slots(30, 12, 9, 6), slots(10, 10, 7, 5)),
]

# Runs of minutes alike: from how many minutes before the release on, how many, requests, failed, and how far apart if not a minute.
weeks = {
    "nothing came": [],
    "one minute": [(1, 1, 7, 7)],
    "a young service with two bad minutes": [(400, 380, 10, 0), (20, 2, 10, 5), (18, 18, 13, 0)],
    "the oldest request half an hour ago": [(31, 1, 0, 0), (30, 30, 3, 0)],
    "an hour of outage in each of six days": [
        run for day in range(6, 0, -1) for run in [(day * DAY + 700, 1_400, 10, 0), (day * DAY - 700, 40, 10, 10)]
    ],
    "six days to the minute, of which every tenth minute had a request": [
        (6 * DAY, 864, 3, 0, 10),
    ],
    "a minute less than six days": [(6 * DAY - 1, 300, 8, 1), (900, 30, 50, 10)],
    "bad minutes in the last half an hour": [(7 * DAY, 2_000, 20, 0), (35, 5, 20, 20), (30, 30, 20, 4)],
    "more than a week": [(7 * DAY + 60, 61, 500, 0), (7 * DAY - 1, 59, 3, 0), (7 * DAY - 60, 60, 11, 2), (120, 60, 1, 0)],
    "yesterday at this hour": [(7 * DAY, 100, 1, 0), (DAY + 1, 1, 999, 0), (DAY, 60, 9, 0), (DAY - 60, 60, 8, 0), (60, 60, 7, 0)],
    "yesterday an hour later": [(7 * DAY, 30, 1, 0), (DAY - 60, 60, 9, 3), (DAY - 120, 1, 999, 0), (60, 60, 7, 0)],
    "bursts of bad minutes a window apart": [
        run for burst in range(0, 40) for run in [(5_000 - burst * 62, 3, 40, 3 * (burst % 5)), (4_990 - burst * 62, 20, 40, 1)]
    ],
}


def minutes_of(runs):
    alike = (run if len(run) == 5 else (*run, 1) for run in runs)
    return sorted(((start - n * apart, r, f) for start, count, r, f, apart in alike for n in range(count)), reverse=True)


def lines(cases):
    return ",\n".join(json.dumps(case) for case in cases)


print('{"now": %d, "odds": [' % NOW)
print(lines(
    {"all": week, "recent": recent, "seen": seen, "ln": ln_past(seen, {"all": week, "recent": recent})}
    for week, recent, seen in odds
))
print('], "weeks": [')
print(lines(
    {"name": name, "runs": runs, "week": week_of(minutes_of(runs))}
    for name, runs in weeks.items()
))
print("]}")
