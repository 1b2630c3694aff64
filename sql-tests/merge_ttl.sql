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
-- a compaction drops the old row, but not from under a merge that came in time
CREATE VIRTUAL TABLE s USING seerdb(k INTEGER PRIMARY KEY, n INTEGER MERGE add, log TEXT MERGE append, due INTEGER MERGE max, ttl = due, insert = merge, value_log = 512);
INSERT INTO s VALUES (1, 10, printf('%.2000c', 'a'), strftime('%s', 'now') + 3), (2, 10, NULL, strftime('%s', 'now') + 3);
SELECT seerdb('s', 'compact');
INSERT INTO s VALUES (1, 5, 'b', strftime('%s', 'now') + 99999);
.shell sleep 6
SELECT k, n, length(log), substr(log, 1999) FROM s;
SELECT seerdb('s', 'compact');
SELECT k, n, length(log), substr(log, 1999) FROM s;
-- a merge that makes a row of which nobody could say when it expires is refused
CREATE VIRTUAL TABLE j USING seerdb(k PRIMARY KEY, doc TEXT MERGE append, due MERGE last, filter = 'doc ->> ''x'' = 1', ttl = due, insert = merge);
INSERT INTO j VALUES (1, '{"x": ', NULL);
INSERT INTO j VALUES (1, '{}', NULL), (2, '{}', NULL);
INSERT INTO j VALUES (1, 'no', NULL);
INSERT INTO j VALUES (2, NULL, 'later');
SELECT * FROM j;
