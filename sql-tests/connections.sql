-- Several connections of one process on one store.
-- sh: printf '.load %s\n' "$SEERDB" > load
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
INSERT INTO t VALUES (1, 'first connection');
.connection 1
.open test.db
.read load
SELECT * FROM t;
INSERT INTO t VALUES (2, 'second connection');
.connection 0
SELECT * FROM t;
-- What a transaction wrote is its own until it commits.
BEGIN;
INSERT INTO t VALUES (3, 'not yet');
UPDATE t SET v = 'changed' WHERE k = 1;
SELECT * FROM t;
.connection 1
SELECT * FROM t;
-- One writer at a time, as with ordinary tables.
INSERT INTO t VALUES (4, 'busy');
.connection 0
COMMIT;
.connection 1
SELECT * FROM t;
INSERT INTO t VALUES (4, 'now');
SELECT seerdb('t', 'flush');
-- Tables that come, change their names and go are seen by the other.
CREATE VIRTUAL TABLE u USING seerdb(k PRIMARY KEY);
INSERT INTO u VALUES ('u');
.connection 0
SELECT * FROM u;
ALTER TABLE u RENAME TO w;
.connection 1
SELECT * FROM w;
DROP TABLE w;
.connection 0
SELECT * FROM w;
SELECT * FROM u;
CREATE VIRTUAL TABLE u USING seerdb(k PRIMARY KEY);
.connection 1
SELECT count(*) FROM u;
.connection close 0
INSERT INTO t VALUES (5, 'alone');
SELECT count(*) FROM t;
-- reopen
SELECT * FROM t;
SELECT seerdb('t', 'verify') LIKE '%no damage';
