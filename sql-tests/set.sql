-- What a table's options are, where they come from, and changing them.
.nullvalue NULL
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v, compression = none);
CREATE VIRTUAL TABLE u USING seerdb(k INTEGER PRIMARY KEY, v, sync = full);
SELECT option, value, default_value, source FROM seerdb_options('t') WHERE option <> 'path';
SELECT value, source, allowed FROM seerdb_options('t') WHERE option = 'path';
SELECT count(*) FROM seerdb_options WHERE allowed IS NULL OR meaning IS NULL OR value IS NULL OR source IS NULL;
SELECT option, value, source FROM seerdb_options('u') WHERE source <> 'default';
SELECT option, value, source FROM seerdb_options('t') WHERE source <> 'default';
-- Plain INSERT, from the next transaction on.
INSERT INTO t VALUES (1, 'one');
INSERT INTO t VALUES (1, 'uno');
SELECT seerdb('t', 'set', 'insert', 'replace');
INSERT INTO t VALUES (1, 'uno');
SELECT * FROM t;
-- Sorted tables that are written from now on: without filters, compressed.
SELECT seerdb('t', 'set', 'filter_bits', 0);
SELECT seerdb('t', 'set', 'Compression', 'zstd:19');
SELECT seerdb('t', 'set', 'index', 'binary'), seerdb('t', 'set', 'compaction', 'tiered');
WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 5000)
 INSERT INTO t SELECT 'key ' || (x * 7919 % 5000), printf('%.100c', 'v') FROM n;
SELECT seerdb('t', 'compact');
SELECT name, value FROM seerdb_stats('t') WHERE name IN ('filter_memory', 'model_segments', 'model_runs');
SELECT (SELECT sum(bytes) FROM seerdb_files('t')) * 4 < (SELECT sum(key_bytes + value_bytes) FROM seerdb_files('t'));
SELECT seerdb('t', 'set', 'filter_bits', '10');
INSERT INTO t VALUES ('key 7', 'another');
SELECT seerdb('t', 'compact');
SELECT value > 0 FROM seerdb_stats('t') WHERE name = 'filter_memory';
SELECT option, value, source FROM seerdb_options('t') WHERE source NOT IN ('default', 'declared') ORDER BY option;
-- Of the store: one table sets it for all, whatever they declare.
SELECT seerdb('t', 'set', 'sync', 'normal');
SELECT tbl, value, source FROM seerdb_options WHERE option = 'sync';
SELECT seerdb('u', 'set', 'sync', 'off');
SELECT tbl, value, source FROM seerdb_options WHERE option = 'sync';
SELECT count(*) FROM t_seerdb WHERE state LIKE 'sync=%';
SELECT seerdb('u', 'set', 'memory_limit', '8MB'), seerdb('t', 'set', 'history', 0);
SELECT tbl, option, value, source FROM seerdb_options WHERE option IN ('memory_limit', 'history');
-- reopen
SELECT tbl, option, value, source FROM seerdb_options WHERE option IN ('memory_limit', 'history', 'sync');
SELECT value FROM seerdb_stats('t') WHERE name = 'memory_limit';
SELECT option, value, source FROM seerdb_options('t') WHERE source = 'set' ORDER BY option;
INSERT INTO t VALUES (1, 'ein');
SELECT * FROM t WHERE k = 1;
-- What it does not leave behind, and what it moves with.
SELECT changes(), last_insert_rowid();
INSERT INTO u VALUES (77, 'x');
SELECT seerdb('u', 'set', 'filter_bits', 3);
SELECT last_insert_rowid();
ALTER TABLE u RENAME TO w;
SELECT option, value FROM seerdb_options('w') WHERE option = 'filter_bits';
DROP TABLE w;
CREATE VIRTUAL TABLE w USING seerdb(k INTEGER PRIMARY KEY, v);
SELECT option, value, source FROM seerdb_options('w') WHERE option = 'filter_bits';
-- Refused.
SELECT seerdb('t', 'set', 'path', 'elsewhere');
SELECT seerdb('t', 'set', 'ttl', '1');
SELECT seerdb('t', 'set', 'strict', '1');
SELECT seerdb('t', 'set', 'colour', 'red');
SELECT seerdb('t', 'set', 'filter_bits', 99);
SELECT seerdb('t', 'set', 'insert', 'merge');
SELECT seerdb('t', 'set', 'insert', NULL);
SELECT seerdb('t', 'set', 'insert');
SELECT seerdb('t', 'set', 'memory_limit', '1');
BEGIN;
SELECT seerdb('t', 'set', 'insert', 'check');
COMMIT;
SELECT value FROM seerdb_options('t') WHERE option = 'insert';
SELECT seerdb('nosuch', 'set', 'insert', 'check');
SELECT * FROM seerdb_options('nosuch');
-- A table in memory has settings too, as long as it lives.
CREATE VIRTUAL TABLE temp.m USING seerdb(k PRIMARY KEY, v);
SELECT seerdb('m', 'set', 'insert', 'replace');
INSERT INTO m VALUES (1, 1), (1, 2);
SELECT * FROM m;
SELECT option, value, source FROM seerdb_options('temp.m') WHERE option IN ('path', 'insert');
-- sh: echo "SELECT seerdb('t', 'set', 'insert', 'check'); SELECT value FROM seerdb_options('t') WHERE option = 'insert';" | $SESSION 'file:test.db?mode=ro'
-- A row that nobody of us wrote.
INSERT INTO t_seerdb VALUES (99, 'colour=red');
-- reopen
SELECT count(*) FROM t;
DELETE FROM t_seerdb WHERE id = 99;
SELECT count(*) > 0 FROM t;
