-- UPDATE: values, keys, both; a statement sees the rows as of its start.
.nullvalue NULL
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd');
UPDATE t SET v = upper(v) WHERE k >= 3;
SELECT changes();
UPDATE t SET v = 'nobody' WHERE k = 99;
SELECT changes();
SELECT * FROM t;
UPDATE t SET k = 10 WHERE k = 4;
UPDATE t SET k = 2 WHERE k = 10;
UPDATE t SET k = 1, v = 'one' WHERE k = 1;
SELECT * FROM t;
-- Rising keys meet the next row, as in an ordinary table; falling ones do not.
UPDATE t SET k = k + 1;
SELECT * FROM t;
UPDATE t SET k = k - 1;
UPDATE t SET k = -k;
SELECT * FROM t;
UPDATE t SET k = k * 10 + 1000;
SELECT * FROM t;
UPDATE t SET rowid = rowid + 1000, v = v || '!';
SELECT rowid, * FROM t;
-- With gaps k + 1 works on the whole table, and no row is visited twice.
CREATE VIRTUAL TABLE w USING seerdb(k INT PRIMARY KEY, v);
INSERT INTO w SELECT value * 2, value FROM json_each('[1,2,3,4,5,6,7,8]');
UPDATE w SET k = k + 1;
SELECT * FROM w;
UPDATE w SET k = k + 1000 WHERE k > 9;
UPDATE w SET k = k + 1000 WHERE k > 9;
SELECT * FROM w;
-- Rows that are in the way.
UPDATE OR IGNORE w SET k = 3 WHERE k > 4;
UPDATE OR REPLACE w SET k = 3 WHERE k = 5;
SELECT * FROM w;
BEGIN;
UPDATE OR FAIL w SET k = CASE v WHEN 2 THEN 50 WHEN 3 THEN 50 END WHERE v IN (2, 3);
ROLLBACK;
BEGIN;
UPDATE OR ROLLBACK w SET k = 7 WHERE k = 3;
COMMIT;
SELECT * FROM w;
-- Each row moves on with what it held as the statement began; the last one stays.  (With an
-- ordinary table the first row would take all the others' places in turn.)
CREATE VIRTUAL TABLE p USING seerdb(k PRIMARY KEY, v);
INSERT INTO p VALUES (1, 'a'), (2, 'b'), (3, 'c'), (7, 'd');
UPDATE OR REPLACE p SET k = k + 1;
SELECT * FROM p;
-- Composite keys: values, a part of the key, all of it.
CREATE VIRTUAL TABLE c USING seerdb(a TEXT, b INT, v, PRIMARY KEY (a, b DESC));
INSERT INTO c VALUES ('x', 1, 'x1'), ('x', 2, 'x2'), ('y', 1, 'y1'), ('y', 5, 'y5');
UPDATE c SET v = v || '.' WHERE a = 'x';
UPDATE c SET b = b + 10 WHERE a = 'y';
UPDATE c SET a = 'z', b = 0 WHERE a = 'x' AND b = 2;
UPDATE c SET a = 'y', b = 11 WHERE a = 'x';
SELECT * FROM c;
UPDATE c SET v = b, b = 7 WHERE a = 'z';
SELECT * FROM c;
UPDATE c SET b = b - 1;
SELECT * FROM c;
UPDATE c SET v = (SELECT max(b) FROM c AS other WHERE other.a = c.a);
SELECT * FROM c;
-- The same key, spelled otherwise.
CREATE VIRTUAL TABLE n USING seerdb(k TEXT COLLATE NOCASE PRIMARY KEY, v);
INSERT INTO n VALUES ('Abc', 1), ('b', 2);
UPDATE n SET k = 'ABC' WHERE k = 'abc';
UPDATE n SET k = 'aBC' WHERE k = 'b';
SELECT * FROM n;
-- From other tables, and large columns that stay as they are.
CREATE TABLE o(k, v);
INSERT INTO o VALUES (3, 'from o'), (7, 'from o too');
UPDATE w SET v = o.v FROM o WHERE o.k = w.k;
SELECT * FROM w;
CREATE VIRTUAL TABLE big USING seerdb(k PRIMARY KEY, small, large);
INSERT INTO big VALUES (1, 'a', zeroblob(100000)), (2, 'b', printf('%.90000c', 'x'));
UPDATE big SET small = small || '!';
UPDATE big SET k = k + 10;
SELECT k, small, length(large), typeof(large) FROM big;
UPDATE big SET large = NULL WHERE k = 11;
UPDATE big SET large = large || 'y' WHERE k = 12;
SELECT k, small, length(large), typeof(large) FROM big;
-- reopen
.nullvalue NULL
SELECT rowid, * FROM t;
SELECT * FROM w;
SELECT * FROM c;
SELECT * FROM n;
SELECT k, small, length(large), typeof(large) FROM big;
-- With a composite key UPDATE FROM hands the hidden key back.
CREATE TABLE s(a, b, v);
INSERT INTO s VALUES ('y', 11, 'from'), ('q', 1, 'nobody');
UPDATE c SET v = s.v FROM s WHERE s.a = c.a;
SELECT changes(), count(*) FROM c WHERE v = 'from';
-- One pass, or two where the value is equal to several keys.
CREATE VIRTUAL TABLE e USING seerdb(k TEXT PRIMARY KEY, v);
INSERT INTO e VALUES ('5', 1), ('05', 2), ('x', 3);
.parameter init
.parameter set ?1 5
UPDATE e SET v = v + 10 WHERE k = 'x';
UPDATE e SET v = v + 10 WHERE k = ?1;
SELECT * FROM e;
UPDATE e SET v = v + 100 WHERE k = CAST(?1 AS INTEGER);
SELECT changes();
UPDATE e SET v = v + 1000 WHERE k = ?1 || '';
SELECT * FROM e;
