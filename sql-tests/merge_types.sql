-- What MERGE operators do with values of all types.
.nullvalue NULL
.mode quote
-- add: integers as far as they go, then reals; the sum is exact and comes back.
CREATE VIRTUAL TABLE s USING seerdb(k INTEGER PRIMARY KEY, i INTEGER MERGE add, n MERGE add, r REAL MERGE add, insert = merge);
INSERT INTO s VALUES (1, 9223372036854775807, 9223372036854775807, 0.1);
INSERT INTO s VALUES (1, 1, 1, 0.2);
SELECT i, typeof(i), n, typeof(n), r = 0.3 FROM s;
SELECT seerdb('s', 'compact');
INSERT INTO s VALUES (1, -1, -1, -0.3);
SELECT i, typeof(i), n, typeof(n), r < 1e-15 AND r > 0 FROM s;
SELECT seerdb('s', 'flush');
SELECT i, typeof(i), n, typeof(n), r < 1e-15 AND r > 0 FROM s;
-- Text is read as + reads it.
INSERT INTO s VALUES (2, '5', '5', '5'), (2, '1.5x', '1.5x', '1.5x'), (2, 'none', x'31', NULL);
SELECT * FROM s WHERE k = 2;
INSERT INTO s(k, n, _op) VALUES (2, '12 apples', 'put');
SELECT n, typeof(n) FROM s WHERE k = 2;
INSERT INTO s(k, n) VALUES (2, 3);
SELECT n, typeof(n) FROM s WHERE k = 2;
SELECT seerdb('s', 'compact');
SELECT n, typeof(n) FROM s WHERE k = 2;
-- The order of merges does not matter, where 1e16 + 1 - 1e16 would be 0.
INSERT INTO s(k, r) VALUES (3, 1e16), (3, 1), (3, -1e16);
SELECT r FROM s WHERE k = 3;
-- An INTEGER PRIMARY KEY that is not given makes a row.
INSERT INTO s(i) VALUES (77);
SELECT last_insert_rowid();
INSERT INTO s(k, _op) VALUES (4, 'delete');
SELECT last_insert_rowid(), count(*) FROM s;
INSERT INTO s(k, _op) VALUES (NULL, 'delete');
INSERT INTO s(k, i) VALUES ('x', 1);
-- min and max compare as SQLite does, by the column's collation.
CREATE VIRTUAL TABLE m USING seerdb(k PRIMARY KEY, lo MERGE min, hi MERGE max, lot TEXT COLLATE NOCASE MERGE min, hib BLOB MERGE max, insert = merge);
INSERT INTO m VALUES (1, 5, 5, 'b', x'01'), (1, '4', '6', 'A', x'0100'), (1, 4.5, x'', 'C', 'text');
SELECT * FROM m;
INSERT INTO m VALUES (1, 4.5, x'', 'a', NULL), (1, -9223372036854775808, NULL, '', x'ff');
SELECT * FROM m;
-- append: texts, or blobs if all are blobs.
CREATE VIRTUAL TABLE a USING seerdb(k PRIMARY KEY, t TEXT MERGE append('; '), b BLOB MERGE append, u MERGE append('-'), insert = merge);
INSERT INTO a VALUES (1, 'x', x'01', 1), (1, 'ü', x'02', 2.5), (1, '', x'', 'z');
SELECT *, typeof(b), typeof(u) FROM a;
-- json_patch is RFC 7396; a missing value counts as {}.
CREATE VIRTUAL TABLE j USING seerdb(k PRIMARY KEY, doc TEXT MERGE json_patch, insert = merge);
INSERT INTO j VALUES (1, '{"a":1,"b":{"c":2}}'), (1, '{"b":{"d":3},"a":null}'), (2, '{"x":null,"y":1}');
SELECT * FROM j;
SELECT seerdb('j', 'compact');
INSERT INTO j VALUES (1, '{"e":5}');
SELECT * FROM j;
-- Defaults and NOT NULL: a merge is refused for what an INSERT would be refused for.
CREATE VIRTUAL TABLE d USING seerdb(k PRIMARY KEY, n INTEGER NOT NULL DEFAULT 10 MERGE add, m NOT NULL MERGE max, w NOT NULL DEFAULT 'w', insert = merge);
INSERT INTO d(k, n, m) VALUES (1, 5, 1);
INSERT INTO d(k, m) VALUES (1, 2), (2, 2);
INSERT INTO d(k, n, m) VALUES (2, 1, 0);
INSERT INTO d(k, n) VALUES (1, 1);
SELECT * FROM d;
-- strict = 1 looks at operands as at values.
CREATE VIRTUAL TABLE st USING seerdb(k INT PRIMARY KEY, n INT MERGE add, x ANY MERGE last, strict = 1, insert = merge);
INSERT INTO st VALUES (1, 1, 'a'), (1, '2', 5);
INSERT INTO st VALUES (1, 'two', 5);
INSERT INTO st VALUES (1, 1.5, 5);
SELECT * FROM st;
-- A sum that the column cannot hold: the read says so, nothing is lost.
INSERT INTO st(k, n) VALUES (1, 9223372036854775807);
SELECT * FROM st;
INSERT INTO st(k, n) VALUES (1, -9223372036854775807);
SELECT * FROM st;
-- A key of several columns.
CREATE VIRTUAL TABLE c USING seerdb(day TEXT, page TEXT COLLATE NOCASE, hits INTEGER MERGE add, PRIMARY KEY (day, page), insert = merge);
INSERT INTO c VALUES ('mon', 'Home', 1), ('mon', 'home', 1), ('tue', 'home', 1), ('mon', 'about', 5);
SELECT * FROM c;
INSERT INTO c(day, page, _op) VALUES ('mon', 'HOME', 'delete');
SELECT * FROM c WHERE day = 'mon';
SELECT count(*) FROM c WHERE _key IN (SELECT _key FROM c WHERE hits = 5);
-- Many to one key.
CREATE VIRTUAL TABLE hot USING seerdb(k PRIMARY KEY, n INTEGER MERGE add, log TEXT MERGE append, insert = merge);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 50000) INSERT INTO hot SELECT i % 2, i, char(97 + i % 26) FROM c;
SELECT k, n, length(log), substr(log, 1, 20) FROM hot;
-- Merges into rows with large values, which live in the value log, and of large operands.
CREATE VIRTUAL TABLE v USING seerdb(k PRIMARY KEY, n INTEGER MERGE add, note TEXT, big TEXT MERGE append, value_log = '1KB', insert = merge);
INSERT INTO v VALUES (1, 1, printf('%.*c', 5000, 'a'), printf('%.*c', 5000, 'b'));
INSERT INTO v(k, n, note, big, _op) VALUES (2, 1, printf('%.*c', 5000, 'c'), printf('%.*c', 5000, 'd'), 'put');
SELECT seerdb('v', 'flush');
INSERT INTO v VALUES (1, 1, 'ignored', 'e'), (2, 1, 'ignored', printf('%.*c', 3000, 'f'));
SELECT k, n, length(note), length(big), substr(big, -2) FROM v;
BEGIN;
INSERT INTO v(k, n) VALUES (2, 10);
SELECT seerdb('v', 'spill');
INSERT INTO v(k, n) VALUES (2, 100);
SELECT k, n, length(note), length(big), substr(big, -2) FROM v;
COMMIT;
SELECT seerdb('v', 'compact');
SELECT k, n, length(note), length(big), substr(big, -2) FROM v;
UPDATE v SET n = 0;
INSERT INTO v(k, n, big) VALUES (2, 7, 'g');
SELECT k, n, substr(note, 1, 3), length(note), length(big), substr(big, -2) FROM v;
SELECT seerdb('v', 'flush');
SELECT k, n, substr(note, 1, 3), length(note), length(big), substr(big, -2) FROM v;
