-- _op and insert = merge where they mean nothing.
.nullvalue NULL
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v NOT NULL);
INSERT INTO t VALUES (1, 'one');
INSERT INTO t(k, v, _op) VALUES (1, 'two', 'merge');
INSERT INTO t(k, v, _op) VALUES (1, 'two', 'upsert');
INSERT INTO t(k, v, _op) VALUES (1, 'two', 5);
INSERT INTO t(k, v, _op) VALUES (1, 'two', NULL);
INSERT INTO t(k, v, _op) VALUES (1, NULL, 'put');
INSERT INTO t(k, v, _op) VALUES (NULL, NULL, 'delete');
UPDATE t SET _op = 'put';
UPDATE t SET v = 'three', _op = NULL;
SELECT * FROM t;
SELECT k FROM t WHERE _op = 'put';
SELECT k FROM t WHERE _op IS NULL;
-- What _op says goes before what the statement says.
INSERT OR IGNORE INTO t(k, v, _op) VALUES (1, 'put', 'put');
SELECT * FROM t;
INSERT INTO t(k, v, _op) VALUES (2, 'two', 'put') RETURNING k, v;
INSERT INTO t(k, _op) VALUES (2, 'delete') RETURNING k;
SELECT changes(), count(*) FROM t;
INSERT INTO t SELECT k + 1, v FROM t;
SELECT * FROM t;
-- A rowid without a key can be put and deleted.
CREATE VIRTUAL TABLE r USING seerdb(v);
INSERT INTO r(rowid, v, _op) VALUES (5, 'five', 'put'), (5, 'again', 'put');
INSERT INTO r(v, _op) VALUES ('next', 'put');
SELECT rowid, v FROM r;
INSERT INTO r(rowid, _op) VALUES (5, 'delete');
INSERT INTO r(v, _op) VALUES ('next', 'delete');
SELECT rowid, v FROM r;
CREATE VIRTUAL TABLE x USING seerdb(v MERGE add);
-- The name _op is taken.
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY, _op);
-- insert can be changed to merge, and back.
SELECT seerdb('t', 'set', 'insert', 'merge');
CREATE VIRTUAL TABLE m USING seerdb(k PRIMARY KEY, n MERGE add);
INSERT INTO m VALUES (1, 1);
INSERT INTO m VALUES (1, 1);
SELECT seerdb('m', 'set', 'insert', 'merge');
INSERT INTO m VALUES (1, 1);
SELECT value FROM seerdb_options('m') WHERE option = 'insert';
INSERT OR IGNORE INTO m VALUES (1, 1), (2, 2);
INSERT OR REPLACE INTO m VALUES (2, 5);
SELECT * FROM m;
SELECT seerdb('m', 'set', 'insert', 'check');
INSERT INTO m VALUES (1, 1);
INSERT INTO m(k, n, _op) VALUES (1, 1, 'merge');
SELECT * FROM m;
-- The operators that rows were written under are checked when the table is opened.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'MERGE add', 'MERGE max') WHERE name = 'm';
-- reopen
SELECT * FROM m;
INSERT INTO m(k, n, _op) VALUES (1, 1, 'merge');
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, ' MERGE max', '') WHERE name = 'm';
-- reopen
SELECT * FROM m;
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'n)', 'n MERGE add)') WHERE name = 'm';
-- reopen
SELECT * FROM m;
-- Triggers of ordinary tables may merge.
CREATE TABLE event(kind, amount);
CREATE TRIGGER count_them AFTER INSERT ON event BEGIN INSERT INTO m(k, n, _op) VALUES (new.kind, new.amount, 'merge'); END;
INSERT INTO event VALUES (1, 10), (1, 20), (3, 5);
SELECT * FROM m;
