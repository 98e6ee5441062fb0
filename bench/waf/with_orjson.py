"""The same question for Python with orjson: clients over N requests in a clock minute."""
import gzip
import json
import sys
from collections import Counter

import orjson

threshold, *files = sys.argv[1:]
minutes = Counter()
for path in files:
    with gzip.open(path) as lines:
        for line in lines:
            record = orjson.loads(line)
            minutes[record["httpRequest"]["clientIp"], record["timestamp"] // 60_000] += 1
over = {}
for (client, _), count in minutes.items():
    if count >= int(threshold):
        over[client] = max(count, over.get(client, 0))
print(json.dumps({"over": over}))
