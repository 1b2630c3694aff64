-- Compaction: what seerdb('t', 'compact') leaves, pause and continue, and the functions that look inside.
.nullvalue NULL
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, history = 0);
CREATE VIRTUAL TABLE lazy USING seerdb(k INTEGER PRIMARY KEY, v, compaction = lazy);
CREATE VIRTUAL TABLE tiered USING seerdb(k INTEGER PRIMARY KEY, v, compaction = 'Tiered');
SELECT name FROM pragma_table_xinfo('seerdb_levels');
SELECT name FROM pragma_table_xinfo('seerdb_files');
SELECT name FROM pragma_table_xinfo('seerdb_events');
-- Three flushes are three runs of level 0.
INSERT INTO t SELECT value, 'first ' || value FROM generate_series(1, 1000);
SELECT seerdb('t', 'flush');
UPDATE t SET v = 'second ' || k WHERE k % 2;
SELECT seerdb('t', 'flush');
DELETE FROM t WHERE k % 3 = 0;
SELECT seerdb('t', 'flush');
SELECT level, runs, tables FROM seerdb_levels('t') WHERE tables > 0;
SELECT count(*), sum(records), sum(tombstones), min(min_commit) > 0 FROM seerdb_files('t');
SELECT count(*), sum(k), count(DISTINCT v) FROM t;
-- One run at the bottom, with the rows that there are and nothing else.  (The first line lets the history pass.)
SELECT count(*) > 0 FROM generate_series(1, 300000) WHERE value % 7 = 0;
SELECT seerdb('t', 'compact');
SELECT level, runs, tables, records, tombstones FROM seerdb_levels('t') WHERE tables > 0;
SELECT level, records, tombstones, bytes > 0 FROM seerdb_files('t');
SELECT count(*), sum(k), count(DISTINCT v) FROM t;
SELECT seerdb('t', 'verify') LIKE '%, 667 records, %no damage';
SELECT tbl, event, bytes_in > 0, bytes_out > 0, duration_ms >= 0 FROM seerdb_events('t') ORDER BY time;
-- Again: nothing to do.
SELECT seerdb('t', 'compact');
SELECT count(*) FROM seerdb_events('t') WHERE event = 'compaction';
-- All rows deleted: no table is left.
DELETE FROM t;
SELECT count(*) > 0 FROM generate_series(1, 300000) WHERE value % 7 = 0;
SELECT seerdb('t', 'compact');
SELECT count(*) FROM seerdb_files('t');
SELECT count(*) FROM t;
-- The other policies.
INSERT INTO lazy SELECT value, value FROM generate_series(1, 100);
SELECT seerdb('lazy', 'flush');
INSERT INTO lazy SELECT value, value FROM generate_series(101, 200);
SELECT seerdb('lazy', 'compact');
INSERT INTO tiered SELECT value, value FROM generate_series(1, 100);
SELECT seerdb('tiered', 'flush');
INSERT INTO tiered SELECT value, value FROM generate_series(101, 200);
SELECT seerdb('tiered', 'compact');
SELECT tbl, level, runs, records FROM seerdb_levels WHERE tables > 0;
SELECT count(*), sum(v) FROM lazy;
SELECT count(*), sum(v) FROM tiered;
-- Pause holds back compaction, not flushes.
SELECT seerdb('t', 'pause');
SELECT value FROM seerdb_stats('t') WHERE name = 'compaction_paused';
SELECT seerdb('lazy', 'compact');
SELECT seerdb('lazy', 'flush');
SELECT seerdb('t', 'continue');
SELECT seerdb('lazy', 'compact');
-- In a transaction: what is committed.
BEGIN;
INSERT INTO lazy VALUES (1000, 'not yet');
SELECT seerdb('lazy', 'compact');
SELECT count(*) FROM lazy;
ROLLBACK;
SELECT count(*) FROM lazy;
-- Names.
SELECT * FROM seerdb_levels('nosuch');
SELECT count(*) FROM seerdb_files(NULL);
-- reopen
SELECT tbl, level, runs, records FROM seerdb_levels WHERE tables > 0;
SELECT count(*), sum(v) FROM tiered;
