"""The load balancer's log, for DuckDB: clients over N requests in a clock minute that were answered with success."""
import json
import sys

import duckdb

threshold, *files = sys.argv[1:]
names = ["type", "time", "elb", "client", "target", "t1", "t2", "t3", "elb_status", "status"]
names += [f"more{n}" for n in range(23)]
connection = duckdb.connect()
connection.execute("SET threads = 1")
rows = connection.execute(
    """
    SELECT client, max(n) FROM (
      SELECT regexp_replace(client, ':[0-9]+$', '') AS client, left("time", 16) AS minute, count(*) AS n
      FROM read_csv($files, delim = ' ', quote = '"', escape = '\\', header = false, auto_detect = false, compression = 'gzip',
                    columns = $columns)
      WHERE status BETWEEN '100' AND '399'
      GROUP BY ALL HAVING count(*) >= $threshold
    ) GROUP BY client
    """.replace("$columns", "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in names) + "}"),
    {"files": files, "threshold": int(threshold)},
).fetchall()
print(json.dumps({"over": dict(rows)}))
