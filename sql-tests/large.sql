-- Large values, empty values, many columns.
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v, w);
INSERT INTO t VALUES ('text', printf('%.1000000c', 'x'), 1), ('blob', zeroblob(1048576), 2),
 ('random', randomblob(1048576), 3), ('empty text', '', 4), ('empty blob', x'', 5), ('null', NULL, 6), ('', x'', '');
SELECT k, typeof(v), length(v), w FROM t;
CREATE TABLE o AS SELECT k, v FROM t;
SELECT count(*) FROM t JOIN o USING (k) WHERE t.v IS o.v;
UPDATE t SET w = w + 10 WHERE w > 0;
SELECT seerdb('t', 'flush');
SELECT count(*) FROM t JOIN o USING (k) WHERE t.v IS o.v;
UPDATE t SET v = v || 'y' WHERE k = 'text';
BEGIN;
DELETE FROM t WHERE length(v) > 100;
SELECT count(*) FROM t;
ROLLBACK;
SELECT k, length(v) FROM t WHERE length(v) > 100;
-- Larger than a block, a memtable's share, a log file's usual fill.
INSERT INTO t VALUES ('16 MB', zeroblob(16000000), 7);
SELECT length(v) FROM t WHERE k = '16 MB';
-- reopen
SELECT k, typeof(v), length(v), w FROM t;
SELECT count(*) FROM t JOIN o USING (k) WHERE t.v IS o.v;
SELECT seerdb('t', 'flush');
SELECT seerdb('t', 'verify') LIKE '%no damage';
SELECT sum(length(v)) FROM t;
-- A value over the limit of SQLite.
INSERT INTO t VALUES ('huge', zeroblob(1000000001), 8);
SELECT count(*) FROM t;
-- Many columns.
CREATE VIRTUAL TABLE m USING seerdb(c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20,
 c21, c22, c23, c24, c25, c26, c27, c28, c29, c30, c31, c32, c33, c34, c35, c36, c37, c38, c39, c40, PRIMARY KEY (c40, c1));
INSERT INTO m(c40, c1, c20) VALUES (1, 2, 3);
UPDATE m SET c39 = c20;
SELECT c1, c20, c39, c40, c2 IS NULL FROM m;
