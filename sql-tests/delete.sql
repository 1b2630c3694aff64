-- DELETE by key, by range, by anything, of everything; deleted rows stay away.
CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v);
INSERT INTO t VALUES ('a', 1), ('b', 2), ('c', 3), ('d', 4), ('e', 5), ('f', 6);
DELETE FROM t WHERE k = 'a';
SELECT changes();
DELETE FROM t WHERE k = 'a';
SELECT changes();
DELETE FROM t WHERE k >= 'b' AND k < 'd';
SELECT changes();
DELETE FROM t WHERE v = 6 OR k = 'd';
SELECT * FROM t;
-- A flush in between does not bring them back.
SELECT seerdb('t', 'flush');
SELECT * FROM t;
DELETE FROM t WHERE k = 'e';
SELECT count(*) FROM t;
SELECT seerdb('t', 'flush');
SELECT count(*) FROM t;
INSERT INTO t VALUES ('a', 'back'), ('e', 'back');
SELECT * FROM t;
-- In a transaction, over rows of tables, memory and the transaction itself.
BEGIN;
INSERT INTO t VALUES ('m', 1);
DELETE FROM t WHERE k IN ('a', 'm');
SELECT * FROM t;
DELETE FROM t;
SELECT changes();
SELECT count(*) FROM t;
INSERT INTO t VALUES ('n', 1);
SELECT * FROM t;
ROLLBACK;
SELECT * FROM t;
BEGIN;
DELETE FROM t;
INSERT INTO t VALUES ('a', 'new');
COMMIT;
SELECT * FROM t;
-- Composite, rowid and keyless tables.
CREATE VIRTUAL TABLE c USING seerdb(a, b, PRIMARY KEY (a, b));
INSERT INTO c VALUES (1, 1), (1, 2), (2, 1), (2, 2), (3, 3);
DELETE FROM c WHERE a = 1;
DELETE FROM c WHERE a = 2 AND b > 1;
DELETE FROM c WHERE b = 3;
SELECT * FROM c;
CREATE VIRTUAL TABLE h USING seerdb(v);
INSERT INTO h VALUES ('x'), ('y'), ('x'), ('z');
DELETE FROM h WHERE v = 'x';
DELETE FROM h WHERE rowid = 4;
SELECT rowid, v FROM h;
-- Rows chosen by a query over the same table.
INSERT INTO c SELECT value, value % 3 FROM json_each('[10,11,12,13,14,15]');
DELETE FROM c WHERE a IN (SELECT a + 1 FROM c WHERE b = 0);
SELECT * FROM c;
-- reopen
SELECT * FROM t;
SELECT * FROM c;
SELECT rowid, v FROM h;
INSERT INTO h VALUES ('after');
SELECT rowid, v FROM h;
