-- The functions that look at a store or do something to it.
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);
CREATE VIRTUAL TABLE u USING seerdb(v);
SELECT seerdb('t', 'flush');
SELECT seerdb('t', 'verify');
INSERT INTO t SELECT value, 'row ' || value FROM json_each('[1,2,3,4,5,6,7,8,9]');
SELECT seerdb('t', 'flush');
SELECT seerdb('t', 'verify') LIKE 'verified main.t: 1 tables, % 9 records, % bytes, no damage';
SELECT seerdb('T', 'FLUSH');
SELECT seerdb('main.t', 'flush');
INSERT INTO t VALUES (10, 'ten');
DELETE FROM t WHERE k = 1;
SELECT seerdb('main.t', 'flush');
SELECT seerdb('t', 'verify') LIKE 'verified main.t: 2 tables, % 11 records, %';
SELECT count(*) FROM t;
-- Inside of a transaction: flush writes what is committed.
BEGIN;
INSERT INTO t VALUES (11, 'eleven');
SELECT seerdb('t', 'flush');
SELECT count(*) FROM t;
ROLLBACK;
SELECT count(*) FROM t;
-- Statistics: name, value, unit, meaning.
SELECT name FROM pragma_table_xinfo('seerdb_stats');
SELECT DISTINCT tbl FROM seerdb_stats ORDER BY tbl;
SELECT DISTINCT tbl FROM seerdb_stats('t');
SELECT count(*) > 5, count(*) = count(name), count(*) = count(value), count(*) = count(meaning) FROM seerdb_stats('t');
SELECT name, value, unit FROM seerdb_stats('t') WHERE name = 'tables';
SELECT * FROM seerdb_stats('nosuch');
SELECT seerdb_version();
SELECT seerdb_debug() LIKE '%zstd%', seerdb_debug() LIKE '%xxHash%', seerdb_debug() LIKE '%SQLite ' || sqlite_version() || '%';
SELECT seerdb_version(1);
