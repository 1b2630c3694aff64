-- INSERT with every conflict clause, over one row and over many.
.nullvalue NULL
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);
INSERT INTO t VALUES ('a', 1), ('b', 2), ('c', 3);
SELECT changes(), total_changes() > 2;
-- REPLACE takes the place of the row.
INSERT OR REPLACE INTO t VALUES ('b', 'replaced'), ('d', 4);
SELECT changes();
REPLACE INTO t VALUES ('a', 'also');
SELECT changes();
SELECT * FROM t;
-- IGNORE leaves out the rows that do not fit.
INSERT OR IGNORE INTO t VALUES ('a', 'no'), ('e', 5), ('c', 'no'), ('f', 6);
SELECT changes();
SELECT * FROM t;
-- ABORT takes back the statement, inside a transaction too.
BEGIN;
INSERT INTO t VALUES ('g', 7);
INSERT OR ABORT INTO t VALUES ('h', 8), ('a', 'no'), ('i', 9);
SELECT * FROM t WHERE k > 'f';
COMMIT;
-- FAIL keeps the rows before the one that failed, and the transaction.
BEGIN;
INSERT OR FAIL INTO t VALUES ('j', 10), ('a', 'no'), ('k', 11);
SELECT * FROM t WHERE k > 'f';
COMMIT;
SELECT * FROM t WHERE k > 'f';
INSERT OR FAIL INTO t VALUES ('l', 12), ('a', 'no'), ('m', 13);
SELECT * FROM t WHERE k > 'f';
-- ROLLBACK ends the transaction with everything in it.
BEGIN;
INSERT INTO t VALUES ('n', 14);
INSERT OR ROLLBACK INTO t VALUES ('o', 15), ('a', 'no');
COMMIT;
SELECT * FROM t WHERE k > 'f';
-- Part of the columns, other orders, no columns.
INSERT INTO t(v, k) VALUES ('x', 'p'), ('y', 'q');
INSERT INTO t(k) VALUES ('r');
INSERT INTO t DEFAULT VALUES;
SELECT * FROM t WHERE k > 'o';
-- INSERT ... SELECT, from elsewhere and from the table itself as of the statement's start.
CREATE TABLE source(a, b);
INSERT INTO source VALUES ('s1', 1), ('s2', 2), ('a', 'no');
INSERT INTO t SELECT * FROM source;
SELECT count(*) FROM t WHERE k GLOB 's*';
INSERT OR IGNORE INTO t SELECT * FROM source;
SELECT * FROM t WHERE k GLOB 's*';
DELETE FROM t;
INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');
INSERT INTO t SELECT k + 3, v || '+3' FROM t;
SELECT * FROM t;
INSERT INTO t SELECT k + 1, v FROM t;
INSERT OR REPLACE INTO t SELECT k + 1, v || '>' FROM t;
SELECT * FROM t;
SELECT count(*) FROM t;
-- The next rowid comes after the largest; a failed statement uses none up.
CREATE VIRTUAL TABLE i USING seerdb(id INTEGER PRIMARY KEY, v NOT NULL);
INSERT INTO i(v) VALUES ('a'), ('b');
INSERT INTO i(v) VALUES ('c'), (NULL);
INSERT INTO i(v) VALUES ('d');
DELETE FROM i WHERE id = 3;
INSERT INTO i(v) VALUES ('e');
SELECT *, last_insert_rowid() FROM i;
BEGIN;
INSERT INTO i VALUES (100, 'x');
INSERT INTO i(v) VALUES ('y');
SELECT last_insert_rowid();
ROLLBACK;
INSERT INTO i(v) VALUES ('z');
SELECT * FROM i;
DELETE FROM i;
INSERT INTO i(v) VALUES ('first again');
SELECT * FROM i;
-- A row that is ignored leaves no words behind for the error of another.
INSERT OR IGNORE INTO i VALUES (1, 'ignored'), ('x', 'not a rowid');
INSERT OR IGNORE INTO i VALUES (2, NULL), (1.5, 'not a rowid');
SELECT * FROM i;
INSERT INTO i VALUES (9223372036854775807, 'last');
INSERT INTO i(v) VALUES ('beyond') RETURNING v;
