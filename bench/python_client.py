# SPDX-License-Identifier: Apache-2.0
"""Reads a result from Python and drops it.

    python_client.py adbc|connector [--sum] [--repeat N] [--cloud] [--driver LIBRARY]
                     URI SQL [KEY=VALUE...]

`adbc` is lakebeat through adbc_driver_manager, batch by batch; `connector` is
databricks-sql-connector's fetchall_arrow. The token is LAKEBEAT_BENCH_TOKEN of the
environment; KEY=VALUE are options of lakebeat's database. Prints one line of JSON.
"""

import argparse
import json
import os
import resource
import time
import urllib.parse


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def status_kib(field):
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


def column_sum(table):
    import pyarrow.compute

    return pyarrow.compute.sum(table.column(0)).as_py() or 0


class Adbc:
    def __init__(self, args):
        import adbc_driver_manager.dbapi

        options = dict(pair.split("=", 1) for pair in args.options)
        options["uri"] = args.uri
        options["databricks.access_token"] = os.environ["LAKEBEAT_BENCH_TOKEN"]
        self.connection = adbc_driver_manager.dbapi.connect(
            driver=args.driver, db_kwargs=options, autocommit=True
        )
        self.cursor = self.connection.cursor()

    def read(self, sql, into, begin, add_up):
        self.cursor.execute(sql)
        for batch in self.cursor.fetch_record_batch():
            into.setdefault("first", time.perf_counter() - begin)
            into["rows"] += batch.num_rows
            into["batches"] += 1
            if add_up:
                into["sum"] += column_sum(batch)

    def close(self):
        self.cursor.close()
        self.connection.close()


class Connector:
    def __init__(self, args):
        from databricks import sql

        place = urllib.parse.urlsplit(args.uri)
        self.connection = sql.connect(
            server_hostname=place.hostname, http_path=place.path,
            access_token=os.environ["LAKEBEAT_BENCH_TOKEN"], _connection_uri=args.uri,
            use_cloud_fetch=args.cloud, enable_telemetry=False,
        )  # fmt: skip
        self.cursor = self.connection.cursor()

    def read(self, sql, into, begin, add_up):
        self.cursor.execute(sql)
        table = self.cursor.fetchall_arrow()
        into.setdefault("first", time.perf_counter() - begin)
        into["rows"] += table.num_rows
        into["batches"] += 1
        if add_up:
            into["sum"] += column_sum(table)

    def close(self):
        self.cursor.close()
        self.connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("who", choices=["adbc", "connector"])
    parser.add_argument("--sum", action="store_true")
    parser.add_argument("--cloud", action="store_true")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--driver")
    parser.add_argument("uri")
    parser.add_argument("sql")
    parser.add_argument("options", nargs="*")
    args = parser.parse_args()

    # A proxy in the environment must never see loopback traffic.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
    client = (Adbc if args.who == "adbc" else Connector)(args)
    client.read("SELECT 1", {"rows": 0, "batches": 0, "sum": 0}, 0, True)

    found = {"rows": 0, "batches": 0, "sum": 0}
    with open("/proc/self/clear_refs", "w", encoding="ascii") as refs:
        refs.write("5")
    before = status_kib("VmRSS:")
    cpu = cpu_seconds()
    begin = time.perf_counter()
    latencies = []
    for _ in range(args.repeat):
        start = time.perf_counter()
        client.read(args.sql, found, begin, args.sum)
        latencies.append(time.perf_counter() - start)
    found["wall"] = time.perf_counter() - begin
    found["cpu"] = cpu_seconds() - cpu
    found["peak_kib"] = status_kib("VmHWM:") - before
    if args.repeat > 1:
        latencies.sort()
        found["latency_median"] = latencies[args.repeat // 2]
        found["latency_p99"] = latencies[args.repeat * 99 // 100]
    print(json.dumps(found))
    client.close()


if __name__ == "__main__":
    main()
