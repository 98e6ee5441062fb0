"""The same question for DuckDB, with only the two columns it needs: clients over N requests in a clock minute."""
import json
import sys

import duckdb

threshold, *files = sys.argv[1:]
connection = duckdb.connect()
connection.execute("SET threads = 1")
rows = connection.execute(
    """
    SELECT client, max(n) FROM (
      SELECT httpRequest.clientIp AS client, "timestamp" // 60000 AS minute, count(*) AS n
      FROM read_json($files, format = 'newline_delimited', compression = 'gzip',
                     columns = {'timestamp': 'BIGINT', 'httpRequest': 'STRUCT(clientIp VARCHAR)'})
      GROUP BY ALL HAVING count(*) >= $threshold
    ) GROUP BY client
    """,
    {"files": files, "threshold": int(threshold)},
).fetchall()
print(json.dumps({"over": dict(rows)}))
