-- Triggers of ordinary tables, views, WITH, windows, joins: what a program does around its tables.
-- twin
.nullvalue NULL
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v TEXT NOT NULL, n INT);
CREATE VIRTUAL TABLE c USING seerdb(a TEXT, b INT, v, PRIMARY KEY (a, b));
CREATE TABLE o(id INTEGER PRIMARY KEY, v, n);
-- BEFORE and AFTER triggers of an ordinary table write seerdb tables: INSERT, UPDATE, DELETE.
CREATE TRIGGER o_bi BEFORE INSERT ON o BEGIN INSERT INTO c VALUES ('before', new.n, new.v); END;
CREATE TRIGGER o_ai AFTER INSERT ON o BEGIN INSERT INTO t VALUES (new.id, new.v, new.n); END;
CREATE TRIGGER o_au AFTER UPDATE OF v ON o BEGIN UPDATE t SET v = new.v WHERE k = new.id; END;
CREATE TRIGGER o_ad AFTER DELETE ON o BEGIN DELETE FROM t WHERE k = old.id; DELETE FROM c WHERE b = old.n; END;
INSERT INTO o VALUES (1, 'one', 10), (2, 'two', 20), (3, 'three', 30);
SELECT changes(), last_insert_rowid();
UPDATE o SET v = upper(v) WHERE n > 10;
SELECT changes();
DELETE FROM o WHERE id = 2;
SELECT * FROM t;
SELECT * FROM c;
-- What fails in a trigger fails the statement, with everything it had done on both sides.
INSERT INTO o VALUES (4, 'four', 40), (5, NULL, 50), (6, 'six', 60);
SELECT count(*), (SELECT count(*) FROM t), (SELECT count(*) FROM c) FROM o;
INSERT OR IGNORE INTO o VALUES (4, 'four', 40), (5, NULL, 50), (6, 'six', 60);
SELECT count(*), (SELECT count(*) FROM t), (SELECT count(*) FROM c) FROM o;
BEGIN;
INSERT INTO o VALUES (7, 'seven', 70);
INSERT INTO o VALUES (8, 'eight', 80), (7, 'again', 71);
SELECT count(*), (SELECT count(*) FROM t), (SELECT count(*) FROM c) FROM o;
ROLLBACK;
SELECT count(*), (SELECT count(*) FROM t), (SELECT count(*) FROM c) FROM o;
-- RAISE: ABORT, FAIL, ROLLBACK, IGNORE, decided by what a seerdb table holds.
CREATE TABLE guard(k, how);
CREATE TRIGGER guard_bi BEFORE INSERT ON guard BEGIN
 INSERT INTO t VALUES (100 + new.k, 'guarded', new.k);
 SELECT RAISE(ABORT, 'aborted') FROM t WHERE t.k = new.k AND new.how = 'abort';
 SELECT RAISE(FAIL, 'failed') FROM t WHERE t.k = new.k AND new.how = 'fail';
 SELECT RAISE(ROLLBACK, 'rolled back') FROM t WHERE t.k = new.k AND new.how = 'rollback';
 SELECT RAISE(IGNORE) FROM t WHERE t.k = new.k AND new.how = 'ignore'; END;
INSERT INTO guard VALUES (50, 'fine'), (1, 'abort'), (51, 'fine');
SELECT (SELECT count(*) FROM guard), (SELECT count(*) FROM t WHERE k > 100);
INSERT INTO guard VALUES (50, 'fine'), (1, 'fail'), (51, 'fine');
SELECT (SELECT count(*) FROM guard), (SELECT group_concat(k) FROM t WHERE k > 100);
INSERT INTO guard VALUES (52, 'fine'), (3, 'ignore'), (53, 'fine');
SELECT (SELECT count(*) FROM guard), (SELECT group_concat(k) FROM t WHERE k > 100);
BEGIN;
INSERT INTO t VALUES (99, 'lost', 1);
INSERT INTO guard VALUES (54, 'fine'), (4, 'rollback'), (1, 'rollback');
COMMIT;
SELECT (SELECT count(*) FROM guard), (SELECT group_concat(k) FROM t WHERE k > 90);
DELETE FROM t WHERE k > 90;
-- A recursive trigger.
PRAGMA recursive_triggers = on;
CREATE TABLE steps(n);
CREATE TRIGGER steps_ai AFTER INSERT ON steps WHEN new.n > 0 BEGIN
 INSERT OR REPLACE INTO c VALUES ('step', new.n, (SELECT count(*) FROM c)); INSERT INTO steps VALUES (new.n - 1); END;
INSERT INTO steps VALUES (50);
SELECT count(*), min(b), max(b) FROM c WHERE a = 'step';
PRAGMA recursive_triggers = off;
-- A trigger in temp, and one that reads and writes the same seerdb table.
CREATE TEMP TRIGGER o_temp AFTER INSERT ON o BEGIN UPDATE t SET n = (SELECT sum(n) FROM t) WHERE k = new.id; END;
INSERT INTO o VALUES (20, 'twenty', 200);
SELECT * FROM t;
DROP TRIGGER o_temp;
-- Views, views of views, a view in a join; UPDATE and DELETE by a view's rows.
CREATE VIEW v1 AS SELECT k, v, n FROM t WHERE n >= 10;
CREATE VIEW v2(key, total) AS SELECT a, sum(b) FROM c GROUP BY a;
CREATE VIEW v3 AS SELECT v1.k, v1.v, v2.total FROM v1 LEFT JOIN v2 ON v2.key = lower(v1.v);
SELECT * FROM v1;
SELECT * FROM v2;
SELECT * FROM v3 WHERE k < 20;
UPDATE t SET n = -n WHERE k IN (SELECT k FROM v1 WHERE n > 100);
SELECT k, n FROM t;
-- WITH: ordinary, recursive over a seerdb table, before INSERT, UPDATE and DELETE.
CREATE VIRTUAL TABLE tree USING seerdb(parent INT, child INT, PRIMARY KEY (parent, child));
WITH RECURSIVE g(n) AS (VALUES (2) UNION ALL SELECT n + 1 FROM g WHERE n < 40) INSERT INTO tree SELECT n / 2, n FROM g;
WITH RECURSIVE below(n, depth) AS (VALUES (5, 0) UNION ALL SELECT child, depth + 1 FROM tree JOIN below ON parent = n)
 SELECT depth, count(*), group_concat(n) FROM below GROUP BY depth;
WITH RECURSIVE below(n) AS (VALUES (5) UNION ALL SELECT child FROM tree JOIN below ON parent = n)
 DELETE FROM tree WHERE parent IN below;
SELECT count(*) FROM tree;
WITH w AS MATERIALIZED (SELECT max(child) AS m FROM tree) UPDATE tree SET child = child + (SELECT m FROM w) WHERE parent = 1;
SELECT * FROM tree WHERE parent = 1;
-- Window functions.
SELECT a, b, row_number() OVER (PARTITION BY a ORDER BY b DESC) AS r, sum(b) OVER (PARTITION BY a ORDER BY b ROWS 2 PRECEDING) AS s,
 lag(b) OVER w AS l FROM c WHERE b > 27 WINDOW w AS (PARTITION BY a ORDER BY b) ORDER BY a, b LIMIT 8;
SELECT k, v, rank() OVER (ORDER BY length(v)) FROM t ORDER BY k;
-- RIGHT and FULL JOIN, both ways; NATURAL, USING, self joins, correlated subqueries, EXISTS, compound queries.
CREATE TABLE x(k, y);
INSERT INTO x VALUES (1, 'x1'), (3, 'x3'), (77, 'x77');
SELECT t.k, v, x.k, y FROM t RIGHT JOIN x ON x.k = t.k ORDER BY x.k;
SELECT t.k, v, x.k, y FROM t FULL JOIN x ON x.k = t.k ORDER BY 1, 3;
SELECT t.k, v, x.k, y FROM x FULL JOIN t ON x.k = t.k ORDER BY 1, 3;
SELECT * FROM t NATURAL JOIN x;
SELECT p.k, q.k FROM t p JOIN t q ON q.k > p.k ORDER BY 1, 2 LIMIT 3;
SELECT k, (SELECT count(*) FROM t AS i WHERE i.k <= t.k) FROM t WHERE EXISTS (SELECT 1 FROM x WHERE x.k = t.k);
SELECT k FROM t EXCEPT SELECT k FROM x UNION ALL SELECT 0 INTERSECT SELECT 0;
SELECT v, n FROM t GROUP BY v HAVING n > 0 ORDER BY n DESC;
-- Temporary seerdb tables beside others; a temporary one hides one of main with its name.
CREATE VIRTUAL TABLE temp.scratch USING seerdb(k PRIMARY KEY, v);
INSERT INTO scratch SELECT k, v FROM t;
CREATE VIRTUAL TABLE temp.t USING seerdb(k PRIMARY KEY);
SELECT count(*) FROM t;
SELECT count(*) FROM main.t;
DROP TABLE temp.t;
SELECT count(*) FROM t;
SELECT count(*) FROM scratch JOIN t USING (k);
-- ATTACH: rows copied from one file to another, one transaction over both, the same names.
ATTACH 'second.db' AS second;
CREATE VIRTUAL TABLE second.t USING seerdb(k INTEGER PRIMARY KEY, v TEXT NOT NULL, n INT);
INSERT INTO second.t SELECT * FROM main.t;
BEGIN;
DELETE FROM main.t WHERE k = 1;
UPDATE second.t SET v = 'moved' WHERE k = 1;
ROLLBACK;
SELECT (SELECT v FROM main.t WHERE k = 1), (SELECT v FROM second.t WHERE k = 1);
BEGIN;
INSERT INTO second.t VALUES (500, 'second only', 0);
DELETE FROM main.t WHERE k = 20;
COMMIT;
SELECT group_concat(k) FROM main.t UNION ALL SELECT group_concat(k) FROM second.t;
SELECT * FROM second.t EXCEPT SELECT * FROM main.t;
DETACH second;
-- Savepoints with names that need quotes, nested and of the same name.
SAVEPOINT "a ""quoted"" name";
INSERT INTO t VALUES (600, 'x', 1);
SAVEPOINT s;
INSERT INTO t VALUES (601, 'y', 1);
SAVEPOINT s;
INSERT INTO t VALUES (602, 'z', 1);
ROLLBACK TO s;
RELEASE s;
ROLLBACK TO SAVEPOINT s;
RELEASE "a ""quoted"" name";
SELECT k FROM t WHERE k >= 600;
DELETE FROM t WHERE k >= 600;
-- .import reads rows into a seerdb table; .dump leaves the declaration.
-- sh: printf '700,imported,1\n701,"im,ported",\n' > rows.csv
.import --csv rows.csv t
SELECT *, typeof(n) FROM t WHERE k >= 700;
.mode insert copy
SELECT * FROM t WHERE k >= 700;
.mode list
SELECT * FROM o;
-- reopen
SELECT * FROM v3;
INSERT INTO o VALUES (30, 'thirty', 300);
SELECT * FROM t WHERE k = 30;
PRAGMA integrity_check;
