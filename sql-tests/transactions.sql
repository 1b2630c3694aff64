-- BEGIN, COMMIT and ROLLBACK; a transaction reads what it wrote, in every shape of query.
CREATE VIRTUAL TABLE t USING seerdb(k INT PRIMARY KEY, v TEXT);
CREATE TABLE o(k INTEGER PRIMARY KEY, v TEXT);
INSERT INTO t VALUES (10, 'ten'), (20, 'twenty'), (30, 'thirty'), (40, 'forty');
INSERT INTO o VALUES (10, 'ordinary'), (25, 'ordinary'), (30, 'ordinary');
SELECT seerdb('t', 'flush');
INSERT INTO t VALUES (50, 'fifty');
BEGIN;
INSERT INTO t VALUES (15, 'new'), (25, 'new'), (60, 'new');
UPDATE t SET v = 'changed' WHERE k = 20;
DELETE FROM t WHERE k IN (30, 50);
-- One key, a range, lists, both directions, limits, aggregates, joins, expressions.
SELECT * FROM t;
SELECT * FROM t WHERE k = 25;
SELECT * FROM t WHERE k = 20;
SELECT * FROM t WHERE k = 30;
SELECT * FROM t WHERE k BETWEEN 15 AND 40;
SELECT * FROM t WHERE k > 15 AND k < 60;
SELECT k FROM t WHERE k IN (60, 50, 15, 10, 20);
SELECT k FROM t ORDER BY k DESC;
SELECT k FROM t WHERE k < 40 ORDER BY k DESC LIMIT 2;
SELECT k FROM t ORDER BY k LIMIT 3 OFFSET 1;
SELECT count(*), min(k), max(k), sum(k) FROM t;
SELECT v, count(*) FROM t GROUP BY v ORDER BY v;
SELECT DISTINCT v FROM t ORDER BY v;
SELECT o.k, t.v FROM o JOIN t ON t.k = o.k;
SELECT o.k, t.v FROM o LEFT JOIN t ON t.k = o.k;
SELECT k FROM t WHERE k = 10 OR k = 25 OR k = 30;
SELECT k FROM t WHERE v LIKE 'new' AND k > 15;
SELECT (SELECT v FROM t WHERE t.k = o.k) FROM o;
SELECT k FROM t EXCEPT SELECT k FROM o;
WITH RECURSIVE n(x) AS (VALUES (10) UNION ALL SELECT x + 5 FROM n WHERE x < 60)
 SELECT group_concat(x) FROM n WHERE x IN (SELECT k FROM t);
ROLLBACK;
SELECT * FROM t;
-- The same, committed.
BEGIN IMMEDIATE;
INSERT INTO t VALUES (15, 'new');
UPDATE t SET k = 16 WHERE k = 15;
DELETE FROM t WHERE k = 10;
INSERT INTO t VALUES (10, 'again');
UPDATE t SET v = v || '+' WHERE k < 20;
COMMIT;
SELECT * FROM t;
-- A transaction that writes both kinds of table, taken back.
BEGIN;
INSERT INTO t SELECT k + 100, v FROM o;
INSERT INTO o SELECT k + 100, v FROM t;
SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM o);
ROLLBACK;
SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM o);
-- Errors of transactions.
COMMIT;
ROLLBACK;
BEGIN;
BEGIN;
INSERT INTO t VALUES (16, 'duplicate');
INSERT INTO t VALUES (17, 'kept');
COMMIT;
SELECT * FROM t WHERE k BETWEEN 16 AND 17;
-- Empty transactions, and writes that hit nothing.
BEGIN; COMMIT;
BEGIN; UPDATE t SET v = 1 WHERE k = -1; DELETE FROM t WHERE k = -1; COMMIT;
BEGIN; SELECT count(*) FROM t; ROLLBACK;
-- A transaction that is open when the shell ends is gone.
BEGIN;
INSERT INTO t VALUES (999, 'never');
-- reopen
SELECT * FROM t;
-- A larger one.
BEGIN;
WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 20000)
 INSERT INTO t SELECT 1000 + (x * 7919) % 20011, 'row ' || x FROM n;
SELECT count(*), min(k), max(k) FROM t;
UPDATE t SET v = 'even' WHERE k >= 1000 AND k % 2 = 0;
DELETE FROM t WHERE k >= 1000 AND k % 3 = 0;
SELECT count(*), sum(v = 'even') FROM t WHERE k >= 1000;
COMMIT;
-- reopen
SELECT count(*), sum(v = 'even'), sum(k) FROM t WHERE k >= 1000;
SELECT seerdb('t', 'verify') LIKE 'verified%';
