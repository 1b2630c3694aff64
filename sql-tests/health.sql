-- What is wrong, and what to do: every check finds what it is there for.
.nullvalue NULL
.mode list
SELECT name FROM pragma_table_xinfo('seerdb_health');
PRAGMA journal_mode = wal;
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, memory_limit = '1MB');
INSERT INTO t VALUES (1, 'one');
SELECT "check", state, detail, remedy FROM seerdb_health('t');
-- The database's journal, and syncs.
PRAGMA journal_mode = delete;
SELECT state, detail, remedy FROM seerdb_health('t') WHERE "check" = 'journal_mode';
PRAGMA journal_mode = memory;
SELECT state, detail, remedy FROM seerdb_health('t') WHERE "check" = 'journal_mode';
PRAGMA journal_mode = off;
SELECT state FROM seerdb_health('t') WHERE "check" = 'journal_mode';
PRAGMA journal_mode = wal;
PRAGMA synchronous = off;
SELECT state, detail, remedy FROM seerdb_health('t') WHERE "check" = 'synchronous';
PRAGMA synchronous = full;
SELECT seerdb('t', 'set', 'sync', 'off');
SELECT state, detail, remedy FROM seerdb_health('t') WHERE "check" = 'synchronous';
SELECT seerdb('main.t', 'set', 'sync', 'auto');
SELECT state FROM seerdb_health('t') WHERE "check" = 'synchronous';
-- Maps, and compaction that is paused or behind.
SELECT seerdb('t', 'set', 'mmap', 1);
SELECT state, remedy FROM seerdb_health('t') WHERE "check" = 'mmap';
SELECT seerdb('main.t', 'set', 'mmap', '0');
SELECT seerdb('t', 'pause');
INSERT OR REPLACE INTO t VALUES (1, 'a'), (1000, 'a');
SELECT seerdb('t', 'flush');
INSERT OR REPLACE INTO t VALUES (1, 'b'), (1000, 'b');
SELECT seerdb('t', 'flush');
SELECT state, detail, remedy FROM seerdb_health('t') WHERE "check" = 'compaction';
SELECT seerdb('t', 'continue');
SELECT state FROM seerdb_health('t') WHERE "check" = 'compaction';
-- Indexes and filters that are too large for the store's memory.
SELECT seerdb('t', 'set', 'filter_bits', 20) LIKE 'set %';
BEGIN;
WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 370000)
 INSERT INTO t SELECT x * 1000003 % 1000000007 + 2000, x FROM n;
COMMIT;
SELECT seerdb('t', 'compact');
SELECT state, detail LIKE 'indexes and filters of the sorted tables take % of 1048576 bytes: %', remedy LIKE 'SELECT seerdb(''main.t'', ''set'', ''memory_limit'', ''%MB'')' FROM seerdb_health('t') WHERE "check" = 'memory';
DROP TABLE t;
-- Dropped tables whose space is not given back yet.
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
SELECT state, detail FROM seerdb_health('t') WHERE "check" = 'dropped';
-- A table whose creation was cut short.
-- sh: exec 2>/dev/null; (echo "BEGIN; CREATE VIRTUAL TABLE lost USING seerdb(k PRIMARY KEY, v);"; echo '.system kill -9 $PPID') | $SESSION "$DB" 2>/dev/null; true
SELECT count(*) FROM sqlite_schema WHERE name = 'lost';
SELECT state, detail LIKE 'no table of this database is tree %', remedy LIKE 'SELECT seerdb(''main.t'', ''drop_tree'', ''%'')' FROM seerdb_health('t') WHERE "check" = 'trees';
CREATE TABLE orphan AS SELECT substr(remedy, -34, 32) AS id FROM seerdb_health('t') WHERE "check" = 'trees';
SELECT seerdb('t', 'drop_tree', id) LIKE 'tree % will be dropped by a later write, once no reader can want it' FROM orphan;
SELECT count(*) FROM seerdb_health('t') WHERE "check" = 'trees';
SELECT seerdb('t', 'drop_tree', 'nonsense');
SELECT seerdb('t', 'drop_tree', '00112233445566778899aabbccddeeff');
SELECT seerdb('t', 'drop_tree', hex(substr(state, 25, 16))) FROM t_seerdb WHERE id = 1;
SELECT count(*) FROM t;
-- Two databases that share a store, and one of them goes.
ATTACH 'other.db' AS other;
CREATE VIRTUAL TABLE shared USING seerdb(k PRIMARY KEY, path = 'both', history = 0);
CREATE VIRTUAL TABLE other.shared USING seerdb(k PRIMARY KEY, path = 'both');
INSERT INTO shared VALUES (1);
INSERT INTO other.shared VALUES (1);
SELECT count(*) FROM seerdb_health('main.shared') WHERE "check" = 'trees';
CREATE TABLE theirs AS SELECT lower(hex(substr(state, 25, 16))) AS id FROM other.shared_seerdb WHERE id = 1;
SELECT seerdb('main.shared', 'drop_tree', id) FROM theirs;
DETACH other;
-- sh: rm -f other.db other.db-*
SELECT state, detail LIKE 'tree % belongs to the database %/other.db, which is gone' FROM seerdb_health('main.shared') WHERE "check" = 'trees';
SELECT seerdb('main.shared', 'drop_tree', id) LIKE 'tree % is marked: say so again, once no reader can want it, to drop it' FROM theirs;
.system sleep 0.1
SELECT seerdb('main.shared', 'drop_tree', id) LIKE 'dropped tree %' FROM theirs;
SELECT count(*) FROM seerdb_health('main.shared') WHERE "check" = 'trees';
SELECT * FROM shared;
-- Out of reach: the answer says why, and for the others of the connection goes on.
-- sh: mv both aside
SELECT "check", state, detail, remedy FROM seerdb_health('shared');
SELECT count(*) > 10 FROM seerdb_health WHERE tbl = 'main.t';
SELECT option, value, source FROM seerdb_options('shared') WHERE option IN ('path', 'history');
-- sh: mv aside both
SELECT count(*) FROM seerdb_health('shared') WHERE state IN ('warning', 'error');
-- A store that another process holds.
-- sh: echo "SELECT state, remedy, detail LIKE '%is held by process%' FROM seerdb_health('t') WHERE \"check\" = 'store';" > ask.sql
-- sh: printf 'SELECT count(*) FROM t;\n.system $SESSION $DB < ask.sql\n' | $SESSION "$DB"
-- A database that is older than its store knows: the store lost the end.
PRAGMA wal_checkpoint(truncate);
-- sh: cp -r test.db-seerdb older
INSERT INTO t VALUES (5, 'five');
-- sh: rm -r test.db-seerdb; mv older test.db-seerdb
SELECT state, detail LIKE 'the database knows commit %, the store has lost what comes after %', remedy FROM seerdb_health('t') WHERE "check" = 'agreement';
-- Only for reading.
-- sh: echo "SELECT state, detail FROM seerdb_health('t') WHERE \"check\" = 'access';" | $SESSION "file:test.db?mode=ro"
