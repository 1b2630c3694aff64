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
SELECT seerdb('o', 'set', 'value_log', '4KB');
DROP TABLE t;
DROP TABLE o;
DROP TABLE s;
