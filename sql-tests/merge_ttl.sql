-- Merges into rows that have expired, or that the filter hides, begin anew.
.nullvalue NULL
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, n INTEGER MERGE add, gone INTEGER MERGE max, ttl = 'gone', insert = merge);
INSERT INTO t VALUES (1, 5, 1), (2, 5, NULL), (3, 5, 99999999999);
SELECT * FROM t;
INSERT INTO t VALUES (1, 3, NULL), (2, 3, 1), (3, 3, NULL);
SELECT * FROM t;
INSERT INTO t(k, n) VALUES (2, 1);
SELECT * FROM t;
SELECT seerdb('t', 'compact');
SELECT * FROM t;
BEGIN;
INSERT INTO t VALUES (1, 100, 5);
SELECT * FROM t;
INSERT INTO t VALUES (1, 7, NULL);
SELECT * FROM t;
COMMIT;
SELECT * FROM t;
CREATE VIRTUAL TABLE f USING seerdb(k PRIMARY KEY, n INTEGER MERGE add, filter = 'n >= 10', insert = merge);
INSERT INTO f VALUES (1, 6), (2, 6);
INSERT INTO f VALUES (1, 6);
SELECT * FROM f;
INSERT INTO f VALUES (1, 1);
SELECT * FROM f;
