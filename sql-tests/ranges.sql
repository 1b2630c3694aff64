-- delete_range and truncate: all rows of a range for the price of one write.
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
INSERT INTO t WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) SELECT i, 'row ' || i FROM n;
SELECT seerdb('t', 'delete_range', 5, 10);
SELECT group_concat(k) FROM t;
SELECT * FROM t WHERE k = 5;
SELECT * FROM t WHERE k = 10;
SELECT group_concat(k) FROM (SELECT k FROM t ORDER BY k DESC);
-- NULL is no bound; an empty range is no error.
SELECT seerdb('t', 'delete_range', NULL, 3);
SELECT seerdb('t', 'delete_range', 19, NULL);
SELECT seerdb('t', 'delete_range', 12, 12);
SELECT seerdb('t', 'delete_range', 13, 12);
SELECT group_concat(k) FROM t;
-- Bounds are read as the column would store them, and compare as values do.
SELECT seerdb('t', 'delete_range', 16.5, '18');
SELECT seerdb('t', 'delete_range', 'text', NULL);
SELECT seerdb('t', 'delete_range', 1e30, 2e30);
SELECT group_concat(k) FROM t;
SELECT seerdb('t', 'delete_range', -1e30, 3.5);
SELECT seerdb('t', 'delete_range', 18, 'text');
SELECT group_concat(k) FROM t;
SELECT seerdb('t', 'truncate');
SELECT count(*) FROM t;
INSERT INTO t VALUES (9223372036854775807, 'last'), (-9223372036854775808, 'first');
SELECT seerdb('t', 'delete_range', -9223372036854775808, 9223372036854775807);
SELECT * FROM t;
SELECT seerdb('t', 'delete_range', 9223372036854775807.0, NULL);
SELECT * FROM t;
SELECT seerdb('t', 'delete_range', 9223372036854775807, NULL);
SELECT count(*) FROM t;
-- In transactions: savepoints, rollback, and writes before and after.
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd');
BEGIN;
INSERT INTO t VALUES (5, 'e');
SELECT seerdb('t', 'delete_range', 2, 6);
INSERT INTO t VALUES (3, 'c again');
SELECT * FROM t;
SAVEPOINT s;
SELECT seerdb('t', 'truncate');
SELECT count(*) FROM t;
ROLLBACK TO s;
SELECT * FROM t;
RELEASE s;
ROLLBACK;
SELECT * FROM t;
BEGIN;
SELECT seerdb('t', 'delete_range', 2, 4);
SELECT seerdb('t', 'spill');
INSERT INTO t VALUES (2, 'b again');
SELECT seerdb('t', 'spill');
SELECT seerdb('t', 'delete_range', 4, 5);
COMMIT;
SELECT * FROM t;
-- A rowid is assigned as if the rows had been deleted one by one.
CREATE VIRTUAL TABLE r USING seerdb(v);
INSERT INTO r VALUES ('one'), ('two'), ('three');
SELECT seerdb('r', 'delete_range', 2, NULL);
INSERT INTO r VALUES ('second');
SELECT rowid, * FROM r;
BEGIN;
INSERT INTO r VALUES ('third');
SELECT last_insert_rowid();
SELECT seerdb('r', 'truncate');
SELECT last_insert_rowid();
INSERT INTO r VALUES ('first');
SELECT rowid, * FROM r;
COMMIT;
-- Keys of several columns: the bounds are about the first one.
CREATE VIRTUAL TABLE c USING seerdb(a TEXT COLLATE NOCASE, b INTEGER, v, PRIMARY KEY(a, b));
INSERT INTO c VALUES ('a', 1, 1), ('a', 2, 2), ('B', 1, 3), ('b', 2, 4), ('bb', 1, 5), ('C', 1, 6), ('d', 1, 7);
SELECT seerdb('c', 'delete_range', 'b', 'c');
SELECT a, b FROM c;
SELECT seerdb('c', 'delete_range', NULL, 'A');
SELECT a, b FROM c;
SELECT seerdb('c', 'delete_range', 'A', 'AA');
SELECT a, b FROM c;
-- Falling keys: still from the lower value up to the upper one.
CREATE VIRTUAL TABLE d USING seerdb(a TEXT, b, PRIMARY KEY(a DESC, b DESC));
INSERT INTO d VALUES ('a', 1), ('a', 2), ('b', 1), ('ba', 1), ('c', 1), ('c', 2), ('d', 1);
SELECT seerdb('d', 'delete_range', 'b', 'c');
SELECT a, b FROM d;
SELECT seerdb('d', 'delete_range', NULL, 'b');
SELECT a, b FROM d;
SELECT seerdb('d', 'delete_range', 'd', NULL);
SELECT a, b FROM d;
SELECT seerdb('d', 'truncate');
SELECT count(*) FROM d;
-- Mixed types in one column.
CREATE VIRTUAL TABLE m USING seerdb(k PRIMARY KEY, v);
INSERT INTO m VALUES (1, 1), (2.5, 2), ('1', 3), ('z', 4), (x'00', 5), (x'ff', 6);
SELECT seerdb('m', 'delete_range', 2, '2');
SELECT quote(k) FROM m;
SELECT seerdb('m', 'delete_range', 'z', x'ff');
SELECT seerdb('m', 'delete_range', 'it''s ' || hex(zeroblob(40)), 1.5e300);
SELECT quote(k) FROM m;
-- What was deleted stays deleted: flushed, compacted, reopened.
INSERT INTO t WITH n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i, 'row ' || i FROM n;
SELECT seerdb('t', 'flush');
SELECT seerdb('t', 'delete_range', 100, 900);
SELECT count(*), min(k), max(k) FROM t;
SELECT seerdb('t', 'flush');
SELECT count(*), min(k), max(k) FROM t;
SELECT value >= 1 FROM seerdb_stats('t') WHERE name = 'table_ranges';
-- reopen
SELECT count(*), min(k), max(k) FROM t;
SELECT seerdb('t', 'compact');
SELECT count(*), min(k), max(k) FROM t;
SELECT seerdb('t', 'verify') LIKE 'verified main.t: %, no damage';
SELECT seerdb('t', 'truncate');
-- reopen
SELECT count(*) FROM t;
INSERT INTO t VALUES (7, 'seven');
SELECT * FROM t;
-- Beside other statements that read the table.
INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three'), (8, 'eight');
SELECT k, CASE k WHEN 2 THEN seerdb('t', 'delete_range', 3, 8) LIKE 'deleted %' END FROM t ORDER BY k;
SELECT * FROM t;
INSERT INTO r SELECT seerdb('t', 'delete_range', 2, 3);
SELECT rowid, substr(v, 1, 19) FROM r;
SELECT * FROM t;
-- Refusals.
SELECT seerdb('t', 'delete_range');
SELECT seerdb('t', 'delete_range', 1);
SELECT seerdb('t', 'truncate', 1);
SELECT seerdb('t', 'flush', 1);
SELECT seerdb('nosuch', 'truncate');
SELECT seerdb('m', 'delete_range', hex(zeroblob(40000)), NULL);
CREATE VIEW w AS SELECT seerdb('t', 'truncate');
SELECT * FROM w;
PRAGMA query_only = 1;
SELECT seerdb('t', 'truncate');
PRAGMA query_only = 0;
SELECT count(*) FROM t;
-- A REAL key is compared with an integer as it is, not with the real next to it.
CREATE VIRTUAL TABLE re USING seerdb(k REAL PRIMARY KEY);
INSERT INTO re VALUES (-9223372036854775808), (9007199254740992), (9007199254740994);
SELECT seerdb('re', 'delete_range', -9223372036854775807, 9007199254740993);
SELECT * FROM re;
DROP TABLE re;
