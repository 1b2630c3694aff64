-- Commands that cannot run where they are told what to do instead.
PRAGMA journal_mode = wal;
CREATE VIRTUAL TABLE t USING seerdb(a INTEGER PRIMARY KEY, b);
CREATE TABLE o(x);
INSERT INTO t VALUES (1, 'one');
-- Within a statement that writes.
INSERT INTO o SELECT seerdb('t', 'accept');
INSERT INTO o SELECT seerdb('t', 'set', 'sync', 'full');
-- Under query_only.
PRAGMA query_only = 1;
SELECT seerdb('t', 'accept');
SELECT seerdb('t', 'set', 'sync', 'full');
PRAGMA query_only = 0;
-- Within a transaction that writes.
BEGIN;
INSERT INTO t VALUES (2, 'two');
SELECT seerdb('t', 'accept');
SELECT seerdb('t', 'set', 'sync', 'full');
ROLLBACK;
SELECT * FROM o;
SELECT * FROM t;
-- What waits for the next open says so.
SELECT seerdb('t', 'set', 'memory_limit', '64MB');
SELECT seerdb('t', 'set', 'history', '20');
-- A setting of a later version.
-- sh: sqlite3 $DB "INSERT INTO t_seerdb(id, state) VALUES (99, 'colour=blue')"
SELECT * FROM t;
SELECT state, detail, remedy FROM seerdb_health('t') WHERE state <> 'ok';
-- sh: sqlite3 $DB "DELETE FROM t_seerdb WHERE id = 99"
SELECT * FROM t;
