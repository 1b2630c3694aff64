-- Connections that only read, of one process and of several, beside those that write.
-- require: flock -s "$0" grep -q " READ .*:$(stat -c %i "$0") " /proc/locks
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
CREATE TABLE o(a);
INSERT INTO t VALUES (1, 'one');
-- sh: printf '.load %s\n' "$SEERDB" >load
-- sh: printf '%s;\n' "SELECT 'outside', count(*) FROM t" "INSERT INTO t VALUES (4, 'four')" >write.sql; echo "SELECT 'outside', count(*) FROM t;" >read.sql
-- sh: printf '%s\n' '.shell echo $PPID >pid' "SELECT 'inside', count(*) FROM t;" ".shell touch ready; timeout 20 sh -c 'until [ -e done ]; do sleep 0.05; done'" >inside.sql
-- sh: echo '("$SESSION" "file:$DB?mode=ro" <inside.sql >inside.out 2>&1; touch over) & timeout 20 sh -c "until [ -e ready ]; do sleep 0.05; done"; cat inside.out' >inside.sh
-- A reader beside a writer sees what is committed.
.connection 1
.open file:test.db?mode=ro
.read load
SELECT * FROM t;
.connection 0
BEGIN;
INSERT INTO t VALUES (2, 'two');
INSERT INTO o VALUES (2);
.connection 1
SELECT * FROM t;
.connection 0
COMMIT;
.connection 1
SELECT * FROM t JOIN o ON k = a;
INSERT INTO t VALUES (9, 'nine');
SELECT seerdb('t', 'flush');
SELECT seerdb('t', 'truncate');
SELECT seerdb('t', 'delete_range', 1, 2);
SELECT seerdb('t', 'accept');
SELECT seerdb('t', 'verify') LIKE '%no damage';
.connection 0
SELECT seerdb('t', 'flush');
SELECT count(*) FROM t;
-- reopen
-- A reader comes first: the writer goes on from what is open.
.connection 1
.open file:test.db?mode=ro
.read load
SELECT * FROM t;
SELECT value FROM seerdb_stats WHERE name = 'read_only';
.connection 0
SELECT * FROM t;
SELECT value FROM seerdb_stats WHERE name = 'read_only';
INSERT INTO t VALUES (3, 'three');
SELECT value FROM seerdb_stats WHERE name = 'read_only';
.connection 1
SELECT * FROM t;
.connection 0
SELECT seerdb('t', 'compact');
.connection close 1
-- Other processes are kept out by a writer,
.shell $SESSION $DB <write.sql 2>&1 | sed "s/process $PPID/process OURS/"
.shell $SESSION "file:$DB?mode=ro" <read.sql 2>&1 | sed "s/process $PPID/process OURS/"
-- reopen
-- and by a reader if they want to write,
.open file:test.db?mode=ro
.read load
SELECT count(*) FROM t;
.shell $SESSION $DB <write.sql 2>&1 | sed "s/process $PPID/process OURS/"
.shell $SESSION "file:$DB?mode=ro" <read.sql
-- but not when it is gone.
-- sh: $SESSION $DB <write.sql
-- Who reads becomes no writer while others read.
.connection 1
.open file:test.db?mode=ro
.read load
SELECT count(*) FROM t;
.shell sh inside.sh
.connection 0
SELECT count(*) FROM t;
INSERT INTO t VALUES (5, 'five');
CREATE VIRTUAL TABLE u USING seerdb(k);
SELECT seerdb('t', 'flush');
DROP TABLE t;
SELECT count(*) FROM t;
.shell touch done; timeout 20 sh -c 'until [ -e over ]; do sleep 0.05; done'
INSERT INTO t VALUES (5, 'five');
SELECT * FROM t;
.connection 1
SELECT * FROM t WHERE k = 5;
-- reopen
-- PRAGMA query_only is SQLite's: it refuses what changes rows, and a flush changes none.
PRAGMA query_only = 1;
SELECT count(*) FROM t;
INSERT INTO t VALUES (6, 'six');
SELECT seerdb('t', 'truncate');
SELECT seerdb('t', 'delete_range', 1, 2);
SELECT seerdb('t', 'accept');
SELECT seerdb('t', 'verify') LIKE '%no damage';
PRAGMA query_only = 0;
INSERT INTO t VALUES (6, 'six');
SELECT count(*) FROM t;
-- reopen
-- An attached database.
ATTACH 'file:other.db?mode=rwc' AS x;
CREATE VIRTUAL TABLE x.u USING seerdb(k PRIMARY KEY);
INSERT INTO u VALUES ('u');
DETACH x;
ATTACH 'file:other.db?mode=ro' AS x;
SELECT * FROM u;
INSERT INTO t SELECT 10, k FROM u;
INSERT INTO u VALUES ('w');
SELECT seerdb('u', 'flush');
SELECT seerdb('t', 'flush');
SELECT k, v FROM t WHERE k = 10;
-- reopen
-- immutable=1: nothing but the database file is looked at.
.open file:test.db?immutable=1
.read load
SELECT * FROM t WHERE k >= 5;
INSERT INTO t VALUES (11, 'eleven');
-- reopen
PRAGMA journal_mode = wal;
INSERT INTO t VALUES (11, 'eleven');
.connection 1
.open file:test.db?immutable=1
.read load
SELECT count(*) FROM t;
-- reopen
-- A write-ahead log and a reader.
.open file:test.db?mode=ro
.read load
SELECT count(*) FROM t;
SELECT seerdb('t', 'verify') LIKE '%no damage';
-- reopen
.open file:test.db?immutable=1
.read load
SELECT count(*) FROM t;
