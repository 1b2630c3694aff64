-- A disk that is full, and what to do about it.  The store is in a file system of its own.
-- require: [ "$(id -u)" = 0 ] && mkdir -p "$DIR/m" && mount -t tmpfs -o size=8m tmpfs "$DIR/m" && head -c 5500000 /dev/zero > "$DIR/m/ballast"
PRAGMA journal_mode = wal;
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, path = 'm/store', memory_limit = '1MB', compression = none, value_log = off);
SELECT seerdb('t', 'resume') LIKE 'nothing to resume for main.t: nothing has failed in %';
SELECT state FROM seerdb_health('t') WHERE "check" = 'failures';
-- One session: it fills the disk, looks around, makes room and goes on.
-- sh: for i in $(seq 40); do echo "INSERT INTO t VALUES ($i, randomblob(150000));"; done > session.sql
-- sh: echo "SELECT 'stored', count(*) BETWEEN 3 AND 30 FROM t; CREATE TABLE seen AS SELECT k, length(v) AS n FROM t;" >> session.sql
-- sh: echo "SELECT seerdb('t', 'flush');" >> session.sql
-- sh: echo "SELECT \"check\", state, remedy FROM seerdb_health('t') WHERE \"check\" IN ('failures', 'disk');" >> session.sql
-- sh: printf '%s\n' "SELECT seerdb('t', 'resume');" "SELECT \"check\", state FROM seerdb_health('t') WHERE \"check\" = 'failures';" >> session.sql
-- sh: printf ".system rm m/ballast\nSELECT seerdb('t', 'resume') LIKE 'resumed main.t: what had failed is done, and the store in %%';\n" >> session.sql
-- sh: echo "SELECT \"check\", state FROM seerdb_health('t') WHERE \"check\" = 'failures'; INSERT INTO t VALUES (100, 'goes on');" >> session.sql
-- sh: $SESSION "$DB" < session.sql 2>errors; grep -c . errors > /dev/null && grep -v 'No space left on device (13)$' errors; grep -q tbl errors && echo told
SELECT count(*) = (SELECT count(*) + 1 FROM seen), sum(length(v)) - 7 = (SELECT sum(n) FROM seen) FROM t;
SELECT seerdb('t', 'verify') LIKE '%no damage';
-- sh: umount m
