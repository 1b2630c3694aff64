-- Trap 17: one flipped byte is an error that names the file, never other data; a garbage
-- file is no empty table.
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 2000)
 INSERT INTO t SELECT x, 'row ' || x FROM n;
SELECT seerdb('t', 'flush');
-- sh: cp -r "$STORE" good
-- A byte in the first block of the sorted table.
-- sh: for f in "$STORE"/*.tbl; do printf '\377\377\377\377\377' | dd of="$f" bs=1 seek=200 conv=notrunc status=none; done
SELECT count(*), sum(k) FROM t;
SELECT seerdb('t', 'verify');
SELECT v FROM t WHERE k = 1;
SELECT v FROM t WHERE k = 2000;
-- A byte in its last bytes.
-- sh: rm -rf "$STORE"; cp -r good "$STORE"; for f in "$STORE"/*.tbl; do printf '\377\377\377\377\377' | dd of="$f" bs=1 seek=$(($(wc -c <"$f") - 20)) conv=notrunc status=none; done
SELECT count(*), sum(k) FROM t;
-- The table cut short, empty, gone, garbage.
-- sh: rm -rf "$STORE"; cp -r good "$STORE"; for f in "$STORE"/*.tbl; do truncate -s -1 "$f"; done
SELECT count(*), sum(k) FROM t;
-- sh: rm -rf "$STORE"; cp -r good "$STORE"; for f in "$STORE"/*.tbl; do : >"$f"; done
SELECT count(*), sum(k) FROM t;
-- sh: rm -rf "$STORE"; cp -r good "$STORE"; rm "$STORE"/*.tbl
SELECT count(*), sum(k) FROM t;
-- sh: rm -rf "$STORE"; cp -r good "$STORE"; for f in "$STORE"/*.tbl; do head -c 4096 /dev/zero | tr '\0' 'g' >"$f"; done
SELECT count(*), sum(k) FROM t;
-- CURRENT.
-- sh: rm -rf "$STORE"; cp -r good "$STORE"; printf 'garbage\n' >"$STORE/CURRENT"
SELECT count(*) FROM t;
INSERT INTO t VALUES (3000, 'x');
-- sh: : >"$STORE/CURRENT"
SELECT count(*) FROM t;
-- sh: rm "$STORE/CURRENT"
SELECT count(*) FROM t;
-- The manifest: its header, a frame, a version from the future, nothing left.
-- sh: rm -rf "$STORE"; cp -r good "$STORE"; for f in "$STORE"/*.man; do printf '\377' | dd of="$f" bs=1 seek=3 conv=notrunc status=none; done
SELECT count(*) FROM t;
-- sh: rm -rf "$STORE"; cp -r good "$STORE"; for f in "$STORE"/*.man; do printf '\377\377\377\377\377' | dd of="$f" bs=1 seek=120 conv=notrunc status=none; done
SELECT count(*) FROM t;
-- sh: rm -rf "$STORE"; cp -r good "$STORE"; for f in "$STORE"/*.man; do : >"$f"; done
SELECT count(*) FROM t;
-- sh: rm -rf "$STORE"; cp -r good "$STORE"; rm "$STORE"/*.man
SELECT count(*) FROM t;
-- The log: a commit that was acknowledged, with newer ones after it.
-- sh: rm -rf "$STORE"; cp -r good "$STORE"
INSERT INTO t VALUES (3000, 'in the log');
INSERT INTO t VALUES (3001, printf('%.9000c', 'x'));
INSERT INTO t VALUES (3002, 'in the log too');
-- sh: for f in "$STORE"/*.log; do at=$(grep -abo 'in the log' "$f" | head -1 | cut -d: -f1); [ -z "$at" ] || printf 'I' | dd of="$f" bs=1 seek="$at" conv=notrunc status=none; done
SELECT k, length(v) FROM t WHERE k >= 3000;
INSERT INTO t VALUES (3003, 'x');
-- The store as it was: all is well again, and nothing was lost meanwhile.
-- sh: rm -rf "$STORE"; cp -r good "$STORE"
SELECT count(*), sum(k) FROM t;
SELECT seerdb('t', 'verify') LIKE '%no damage';
-- The shadow row.
-- sh: echo "PRAGMA writable_schema = on; UPDATE t_seerdb SET state = x'00';" | ${SQLITE3:-sqlite3} "$DB"
SELECT count(*) FROM t;
DROP TABLE t;
