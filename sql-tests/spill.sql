-- Transactions larger than memory: they go to disk as they grow.
CREATE VIRTUAL TABLE t USING seerdb(id INTEGER PRIMARY KEY, v TEXT, memory_limit = '1MB');
CREATE TABLE o(id INTEGER PRIMARY KEY, v TEXT);
CREATE VIEW differ AS SELECT count(*) AS rows, (SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM o)) AS more, (SELECT count(*) FROM (SELECT * FROM o EXCEPT SELECT * FROM t)) AS less FROM t;
INSERT INTO o WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i, printf('%064x', i * 7919) FROM n;
-- one statement, nothing around it
INSERT INTO t SELECT * FROM o;
SELECT * FROM differ;
BEGIN;
-- a statement that reads what it writes sees the table as it was
UPDATE t SET id = id + 100000, v = v || 'x';
UPDATE o SET id = id + 100000, v = v || 'x';
SELECT * FROM differ;
SELECT count(*) FROM t WHERE id = 100001;
INSERT INTO t SELECT id + 50000, v FROM t;
INSERT INTO o SELECT id + 50000, v FROM o;
SELECT * FROM differ;
SAVEPOINT a;
DELETE FROM t WHERE id % 3 = 0;
DELETE FROM o WHERE id % 3 = 0;
SELECT * FROM differ;
SAVEPOINT b;
UPDATE t SET v = upper(v) WHERE id % 2 = 0;
UPDATE o SET v = upper(v) WHERE id % 2 = 0;
-- half of a statement that fails is undone, wherever it was
INSERT INTO t SELECT 300000 - id, v FROM t UNION ALL SELECT 150001, 'there already';
INSERT OR FAIL INTO t SELECT id + 400000, v FROM o WHERE id < 120000 UNION ALL SELECT 150001, 'there already';
INSERT OR IGNORE INTO o SELECT id + 400000, v FROM o WHERE id < 120000;
SELECT * FROM differ;
ROLLBACK TO b;
SELECT * FROM differ;
RELEASE a;
SELECT seerdb('t', 'spill');
COMMIT;
SELECT * FROM differ;
SELECT seerdb('t', 'verify') LIKE '%no damage';
-- reopen
SELECT * FROM differ;
SELECT seerdb('t', 'flush');
SELECT * FROM differ;
BEGIN;
DELETE FROM t;
INSERT INTO t SELECT id, v FROM o ORDER BY v;
ROLLBACK;
SELECT * FROM differ;
-- sh: ls $STORE | grep -c tbl > a; echo "SELECT value FROM seerdb_stats('t') WHERE name = 'tables';" | $SESSION $DB | sed 's/\.0//' | cmp - a && echo "no file is left over"
SELECT seerdb('t', 'spill');
-- in memory, which has no files
CREATE VIRTUAL TABLE temp.m USING seerdb(id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO m SELECT * FROM o;
SELECT count(*), (SELECT count(*) FROM (SELECT * FROM m EXCEPT SELECT * FROM o)) FROM m;
