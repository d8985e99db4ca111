// SPDX-License-Identifier: Apache-2.0

// Reads a result with databricks-sql-go: as Arrow batches that are dropped, or row by row.
//
//	client batches|rows [-sum] [-repeat N] [-cloud] URI SQL
//
// The token is LAKEBEAT_BENCH_TOKEN of the environment. Prints one line of JSON.
package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/url"
	"os"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/apache/arrow/go/v12/arrow/array"
	dbsql "github.com/databricks/databricks-sql-go"
	"github.com/databricks/databricks-sql-go/logger"
	dbrows "github.com/databricks/databricks-sql-go/rows"
)

type result struct {
	Wall    float64 `json:"wall"`
	CPU     float64 `json:"cpu"`
	PeakKiB int64   `json:"peak_kib"`
	Rows    int64   `json:"rows"`
	Batches int64   `json:"batches"`
	Sum     int64   `json:"sum"`
	First   float64 `json:"first"`
	Median  float64 `json:"latency_median,omitempty"`
	P99     float64 `json:"latency_p99,omitempty"`
	begin   time.Time
	addUp   bool
}

func check(err error, what string) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage), "getrusage")
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

func statusKiB(field string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	check(err, "status")
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, field) {
			number, err := strconv.ParseInt(strings.Fields(line)[1], 10, 64)
			check(err, field)
			return number
		}
	}
	return -1
}

func connect(uri string, cloud bool) *sql.DB {
	place, err := url.Parse(uri)
	check(err, "URI")
	port, err := strconv.Atoi(place.Port())
	check(err, "port")
	connector, err := dbsql.NewConnector(
		dbsql.WithServerHostname(place.Scheme+"://"+place.Hostname()),
		dbsql.WithPort(port),
		dbsql.WithHTTPPath(place.Path),
		dbsql.WithAccessToken(os.Getenv("LAKEBEAT_BENCH_TOKEN")),
		dbsql.WithArrowNativeDecimal(true),
		dbsql.WithCloudFetch(cloud),
	)
	check(err, "connector")
	return sql.OpenDB(connector)
}

func (res *result) arrived() {
	if res.First == 0 {
		res.First = time.Since(res.begin).Seconds()
	}
}

func (res *result) readBatches(ctx context.Context, conn *sql.Conn, query string) {
	check(conn.Raw(func(raw any) error {
		rows, err := raw.(driver.QueryerContext).QueryContext(ctx, query, nil)
		if err != nil {
			return err
		}
		defer rows.Close()
		batches, err := rows.(dbrows.Rows).GetArrowBatches(ctx)
		if err != nil {
			return err
		}
		defer batches.Close()
		for batches.HasNext() {
			batch, err := batches.Next()
			if err != nil {
				return err
			}
			res.arrived()
			res.Batches++
			res.Rows += batch.NumRows()
			if res.addUp {
				for _, value := range batch.Column(0).(*array.Int64).Int64Values() {
					res.Sum += value
				}
			}
			batch.Release()
		}
		return nil
	}), "batches")
}

func (res *result) readRows(ctx context.Context, conn *sql.Conn, query string) {
	rows, err := conn.QueryContext(ctx, query)
	check(err, "query")
	defer rows.Close()
	names, err := rows.Columns()
	check(err, "columns")
	values := make([]any, len(names))
	places := make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		check(rows.Scan(places...), "scan")
		res.arrived()
		res.Rows++
		if res.addUp {
			res.Sum += values[0].(int64)
		}
	}
	check(rows.Err(), "rows")
}

func (res *result) read(mode string, conn *sql.Conn, query string) {
	switch mode {
	case "batches":
		res.readBatches(context.Background(), conn, query)
	case "rows":
		res.readRows(context.Background(), conn, query)
	default:
		log.Fatalf("'%s' is neither batches nor rows", mode)
	}
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/databricks/databricks-sql-go" {
			return module.Version + ", " + info.GoVersion
		}
	}
	return "unknown"
}

func main() {
	addUp := flag.Bool("sum", false, "add up the first column")
	repeat := flag.Int("repeat", 1, "execute so often")
	cloud := flag.Bool("cloud", false, "with cloud fetch")
	tell := flag.Bool("version", false, "print the driver's version and end")
	if len(os.Args) > 1 {
		check(flag.CommandLine.Parse(os.Args[2:]), "arguments")
	}
	if *tell {
		fmt.Println(version())
		return
	}
	if flag.NArg() != 2 {
		log.Fatal("usage: client batches|rows [-sum] [-repeat N] [-cloud] URI SQL")
	}
	mode, uri, query := os.Args[1], flag.Arg(0), flag.Arg(1)
	log.SetFlags(0)
	_ = logger.SetLogLevel("disabled")
	db := connect(uri, *cloud)
	conn, err := db.Conn(context.Background())
	check(err, "connection")
	warm := result{begin: time.Now()}
	warm.readRows(context.Background(), conn, "SELECT 1")

	res := result{addUp: *addUp}
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	before := statusKiB("VmRSS:")
	cpu := cpuSeconds()
	latencies := make([]float64, 0, *repeat)
	res.begin = time.Now()
	for range *repeat {
		start := time.Now()
		res.read(mode, conn, query)
		latencies = append(latencies, time.Since(start).Seconds())
	}
	res.Wall = time.Since(res.begin).Seconds()
	res.CPU = cpuSeconds() - cpu
	res.PeakKiB = statusKiB("VmHWM:") - before
	if *repeat > 1 {
		sort.Float64s(latencies)
		res.Median, res.P99 = latencies[*repeat/2], latencies[*repeat*99/100]
	}
	check(json.NewEncoder(os.Stdout).Encode(res), "output")
	check(conn.Close(), "close")
	check(db.Close(), "close")
}
