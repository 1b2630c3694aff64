-- MERGE columns: every operator, through SQL; before and after a flush, a compaction and a reopen.
.nullvalue NULL
.mode quote
CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, a INTEGER MERGE add, r REAL MERGE add, lo MERGE min, hi MERGE max, bo MERGE bit_or, ba MERGE bit_and, ap TEXT MERGE append, ac TEXT MERGE append(', '), f MERGE first, l MERGE last, plain);
-- A merge of a key that is not there makes the row; one that is there is changed by the operators.
INSERT INTO t(k, a, r, lo, hi, bo, ba, ap, ac, f, l, plain, _op) VALUES ('x', 1, 0.5, 5, 5, 1, 7, 'a', 'a', 'one', 'one', 'first', 'merge');
INSERT INTO t(k, a, r, lo, hi, bo, ba, ap, ac, f, l, plain, _op) VALUES ('x', 2, 0.25, 3, 3, 2, 3, 'b', 'b', 'two', 'two', 'second', 'merge');
SELECT * FROM t;
SELECT seerdb('t', 'flush');
INSERT INTO t(k, a, r, lo, hi, bo, ba, ap, ac, f, l, plain, _op) VALUES ('x', -5, 1, 9, 9, 4, 6, 'c', 'c', 'three', 'three', 'third', 'merge');
SELECT * FROM t;
SELECT seerdb('t', 'compact');
SELECT * FROM t;
-- NULL operands leave columns alone, and a row that begins with NULL begins later.
INSERT INTO t(k, _op) VALUES ('x', 'merge'), ('y', 'merge');
SELECT * FROM t;
INSERT INTO t(k, a, lo, f, ap, _op) VALUES ('y', 3, 'text', 'begun', 'p', 'MERGE');
SELECT * FROM t WHERE k = 'y';
-- reopen
.nullvalue NULL
.mode quote
SELECT * FROM t;
INSERT INTO t(k, a, _op) VALUES ('x', 100, 'merge');
SELECT k, a, plain FROM t WHERE a > 50;
SELECT k, a FROM t ORDER BY a DESC;
SELECT sum(a), max(hi), count(*) FROM t;
SELECT _op FROM t;
-- put and delete without a look at what is there; of a delete nothing but the key counts.
INSERT INTO t(k, a, _op) VALUES ('x', 1, 'put'), ('z', 2, 'Put');
INSERT INTO t(k, a, plain, _op) VALUES ('y', 'ignored', 'ignored', 'delete'), ('nobody', NULL, NULL, 'delete');
SELECT changes();
SELECT k, a, plain FROM t;
-- Merges upon merges in one transaction, with savepoints and a rollback.
BEGIN;
INSERT INTO t(k, a, ac, _op) VALUES ('x', 10, 'p', 'merge'), ('x', 100, 'q', 'merge'), ('new', 1, 'r', 'merge');
SELECT k, a, ac FROM t;
SAVEPOINT one;
INSERT INTO t(k, a, ac, _op) VALUES ('x', 1000, 's', 'merge');
DELETE FROM t WHERE k = 'new';
INSERT INTO t(k, a, ac, _op) VALUES ('new', 5, 't', 'merge');
SELECT k, a, ac FROM t;
SAVEPOINT two;
UPDATE t SET a = a + 1;
INSERT INTO t(k, a, _op) VALUES ('x', 10000, 'merge');
SELECT k, a, ac FROM t;
ROLLBACK TO two;
SELECT k, a, ac FROM t;
ROLLBACK TO one;
SELECT k, a, ac FROM t;
SELECT seerdb('t', 'spill');
INSERT INTO t(k, a, ac, _op) VALUES ('x', 1, 'u', 'merge');
SELECT k, a, ac FROM t;
COMMIT;
SELECT k, a, ac FROM t;
BEGIN;
INSERT INTO t(k, a, _op) VALUES ('x', 7, 'merge');
ROLLBACK;
SELECT k, a, ac FROM t;
-- A statement that fails takes its merges back.
CREATE TABLE source(k, a);
INSERT INTO source VALUES ('x', 1), ('x', 2), ('q', 3), (NULL, 4);
INSERT INTO t(k, a, _op) SELECT k, a, 'merge' FROM source;
SELECT k, a FROM t;
INSERT OR IGNORE INTO t(k, a, _op) SELECT k, a, 'merge' FROM source;
SELECT k, a FROM t;
-- UPDATE and DELETE see merged rows; what is merged after a DELETE begins anew.
UPDATE t SET a = a * 2 WHERE a > 3;
DELETE FROM t WHERE a = 3;
INSERT INTO t(k, a, _op) VALUES ('q', 30, 'merge');
UPDATE t SET k = 'x2' WHERE k = 'x';
SELECT k, a FROM t;
INSERT INTO t(k, a) VALUES ('q', 1);
INSERT OR REPLACE INTO t(k, a) VALUES ('q', 1);
SELECT k, a FROM t WHERE k IN ('q', 'x2', 'nobody');
-- A range of keys deleted between two merges.
INSERT INTO t(k, a, _op) VALUES ('r1', 1, 'merge'), ('r2', 1, 'merge');
SELECT seerdb('t', 'delete_range', 'r1', 'r2');
INSERT INTO t(k, a, _op) VALUES ('r1', 5, 'merge'), ('r2', 5, 'merge');
SELECT k, a FROM t WHERE k LIKE 'r%';
SELECT seerdb('t', 'flush');
SELECT seerdb('t', 'compact');
SELECT k, a FROM t WHERE k LIKE 'r%';
-- Renaming the table, and a joined view of it.
ALTER TABLE t RENAME TO renamed;
INSERT INTO renamed(k, a, _op) VALUES ('r1', 5, 'merge');
SELECT s.a, t.a FROM source s JOIN renamed t ON t.k = 'r' || s.a WHERE s.a < 3;
SELECT seerdb('renamed', 'verify');
