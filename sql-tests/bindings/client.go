// SPDX-License-Identifier: Apache-2.0
// client SCENARIO EXTENSION DATABASE -- with database/sql and mattn/go-sqlite3.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	sqlite3 "github.com/mattn/go-sqlite3"
)

func value(token string) interface{} {
	text := token[2:]
	switch token[0] {
	case 'n':
		return nil
	case 'i':
		v, _ := strconv.ParseInt(text, 10, 64)
		return v
	case 'r':
		v, _ := strconv.ParseFloat(text, 64)
		return v
	case 't':
		return text
	}
	v, _ := hex.DecodeString(text)
	return v
}

func run(db *sql.Conn, text string, tokens []string) ([][]interface{}, error) {
	var args []interface{}
	for i, t := range tokens {
		args = append(args, sql.Named("p"+strconv.Itoa(i+1), value(t)))
	}
	rows, err := db.QueryContext(context.Background(), text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	var got [][]interface{}
	for err == nil && rows.Next() {
		row := make([]interface{}, len(columns))
		at := make([]interface{}, len(columns))
		for i := range row {
			at[i] = &row[i]
		}
		if err = rows.Scan(at...); err == nil {
			got = append(got, row)
		}
	}
	if err == nil {
		err = rows.Err()
	}
	return got, err
}

func same(got, want interface{}) bool {
	if w, is := want.([]byte); is {
		g, is := got.([]byte)
		return is && bytes.Equal(g, w)
	}
	return got == want
}

func sameRows(got, want [][]interface{}) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range want {
		if len(got[i]) != len(want[i]) {
			return false
		}
		for j := range want[i] {
			if !same(got[i][j], want[i][j]) {
				return false
			}
		}
	}
	return true
}

func main() {
	scenario, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	sql.Register("sqlite3_seerdb", &sqlite3.SQLiteDriver{Extensions: []string{os.Args[2]}})
	db, err := sql.Open("sqlite3_seerdb", os.Args[3])
	if err != nil {
		panic(err)
	}
	var steps [][]string
	var rows [][][]interface{}
	for _, line := range strings.Split(string(scenario), "\n") {
		fields := strings.Split(line, "\t")
		if line == "" || line[0] == '#' {
			continue
		} else if fields[0] == "row" {
			var row []interface{}
			for _, t := range fields[1:] {
				row = append(row, value(t))
			}
			rows[len(rows)-1] = append(rows[len(rows)-1], row)
		} else {
			steps, rows = append(steps, fields), append(rows, nil)
		}
	}
	// A connection that is closed goes back to the pool: none may stay there.
	db.SetMaxIdleConns(0)
	connections := map[string]*sql.Conn{}
	failed := 0
	for n, f := range steps {
		note := ""
		switch f[0] {
		case "open":
			if connections[f[1]], err = db.Conn(context.Background()); err != nil {
				panic(err)
			}
		case "close":
			if err := connections[f[1]].Close(); err != nil {
				note = err.Error()
			}
		case "fail":
			_, err := run(connections[f[1]], f[2], nil)
			if err == nil {
				note = "it did not fail"
			} else if !strings.Contains(err.Error(), f[3]) {
				note = err.Error()
			}
		default:
			got, err := run(connections[f[1]], f[2], f[3:])
			if err != nil {
				note = err.Error()
			} else if f[0] == "ask" && !sameRows(got, rows[n]) {
				note = fmt.Sprintf("%v, wanted %v", got, rows[n])
			}
		}
		prefix := ""
		if note != "" {
			prefix = "not "
			failed++
		}
		fmt.Printf("%sok %d - %s %s\n", prefix, n+1, f[0], append(f, f[1])[2])
		if note != "" {
			fmt.Println("# " + note)
		}
	}
	fmt.Printf("1..%d\n", len(steps))
	if failed > 0 {
		os.Exit(1)
	}
}
