-- The option value_log, garbage collection, and what lies on disk.
.nullvalue NULL
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v BLOB, n, history = 0, compression = none);
CREATE VIRTUAL TABLE o USING seerdb(k INTEGER PRIMARY KEY, v BLOB, value_log = off);
CREATE VIRTUAL TABLE s USING seerdb(k INTEGER PRIMARY KEY, v BLOB, value_log = '1MB');
SELECT tbl, "option", value, "default" FROM seerdb_options WHERE "option" = 'value_log';
INSERT INTO t SELECT value, randomblob(20000), 0 FROM generate_series(1, 100);
INSERT INTO o SELECT value, randomblob(20000) FROM generate_series(1, 10);
INSERT INTO s SELECT value, randomblob(20000) FROM generate_series(1, 10);
-- reopen
SELECT seerdb('t', 'flush');
SELECT name, value > 2000000 FROM seerdb_stats('t') WHERE name LIKE 'value\_%bytes' ESCAPE '\';
SELECT seerdb('o', 'flush'), seerdb('s', 'flush');
SELECT sum(value) FROM seerdb_stats('o') WHERE name LIKE 'value\_%' ESCAPE '\';
-- An UPDATE of another column writes no value.
CREATE TEMP TABLE before AS SELECT value FROM seerdb_stats('t') WHERE name = 'value_log_written';
UPDATE t SET n = k;
SELECT s.value - b.value FROM seerdb_stats('t') s, before b WHERE s.name = 'value_log_written';
SELECT count(*), sum(n), sum(length(v)) FROM t;
UPDATE t SET v = randomblob(20000) WHERE k > 20;
UPDATE t SET v = randomblob(20000) WHERE k > 20;
-- reopen
SELECT seerdb('t', 'gc');
SELECT value < 2500000 FROM seerdb_stats('t') WHERE name = 'value_bytes';
SELECT count(*), sum(n), sum(length(v)) FROM t;
SELECT seerdb('t', 'verify') LIKE '%no damage';
SELECT seerdb('t', 'set', 'value_log', 'off');
INSERT INTO t VALUES (101, randomblob(20000), 1);
SELECT count(*), sum(length(v)) FROM t;
SELECT seerdb('t', 'set', 'value_log', 10);
-- A table without a value log gets one; the rows that it has stay where they are.
-- reopen
SELECT seerdb('o', 'set', 'value_log', 'off');
INSERT INTO o SELECT value, randomblob(20000) FROM generate_series(11, 12);
SELECT sum(value) FROM seerdb_stats('o') WHERE name LIKE 'value\_%' ESCAPE '\';
SELECT seerdb('o', 'set', 'value_log', '4KB');
SELECT seerdb('o', 'set', 'value_log', '8KB');
INSERT INTO o SELECT value, zeroblob(value * 1000) FROM generate_series(1001, 1010);
INSERT INTO o SELECT value, randomblob(6000 + (value - 12) * 1000) FROM generate_series(13, 22);
SELECT seerdb('o', 'flush'), seerdb('o', 'gc');
SELECT value FROM seerdb_stats('o') WHERE name = 'value_files';
SELECT count(*), sum(length(v)) FROM o;
-- reopen
SELECT value FROM seerdb_options WHERE tbl = 'main.o' AND "option" = 'value_log';
UPDATE o SET v = CAST(v AS TEXT) WHERE k = 1;
DELETE FROM o WHERE k > 1000;
SELECT seerdb('o', 'compact') LIKE 'compacted%', seerdb('o', 'gc');
SELECT count(*), sum(length(CAST(v AS BLOB))), typeof(v) FROM o GROUP BY 3;
SELECT name, value > 60000 FROM seerdb_stats('o') WHERE name = 'value_bytes';
SELECT seerdb('o', 'verify') LIKE '%no damage';
DROP TABLE t;
DROP TABLE o;
DROP TABLE s;
