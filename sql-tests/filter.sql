-- filter: rows for which an expression is true are not there.
CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, state TEXT COLLATE NOCASE, n INTEGER, filter = 'state = ''dead''');
INSERT INTO t VALUES ('a', 'alive', 1), ('b', 'dead', 2), ('c', 'DEAD', 3), ('d', NULL, 4);
SELECT * FROM t;
SELECT count(*) FROM t;
UPDATE t SET state = 'Dead' WHERE n = 1;
SELECT changes();
SELECT * FROM t;
INSERT INTO t VALUES ('a', 'again', 5);
SELECT * FROM t;
SELECT seerdb('t', 'flush');
SELECT seerdb('t', 'compact');
SELECT * FROM t;
-- the same as a number, by each operator
CREATE VIRTUAL TABLE lt USING seerdb(k INTEGER PRIMARY KEY, n, filter = n < 3);
CREATE VIRTUAL TABLE le USING seerdb(k INTEGER PRIMARY KEY, n, filter = n <= 3);
CREATE VIRTUAL TABLE gt USING seerdb(k INTEGER PRIMARY KEY, n, filter = n > -3);
CREATE VIRTUAL TABLE ge USING seerdb(k INTEGER PRIMARY KEY, n, filter = 'n >= 3');
CREATE VIRTUAL TABLE eq USING seerdb(k INTEGER PRIMARY KEY, n, filter = 'n == 3');
CREATE VIRTUAL TABLE ne USING seerdb(k INTEGER PRIMARY KEY, n, filter = n <> 3);
CREATE VIRTUAL TABLE tr USING seerdb(k INTEGER PRIMARY KEY, n, filter = n);
CREATE TABLE twin(k INTEGER PRIMARY KEY, n);
INSERT INTO twin VALUES (1, 2), (2, 3), (3, 4), (4, -3), (5, -2), (6, 0), (7, NULL), (8, 2.5), (9, '3'), (10, 'x'), (11, x'33'), (12, 3.0), (13, 9223372036854775807), (14, '2x');
INSERT INTO lt SELECT * FROM twin;
INSERT INTO le SELECT * FROM twin;
INSERT INTO gt SELECT * FROM twin;
INSERT INTO ge SELECT * FROM twin;
INSERT INTO eq SELECT * FROM twin;
INSERT INTO ne SELECT * FROM twin;
INSERT INTO tr SELECT * FROM twin;
SELECT (SELECT group_concat(k) FROM lt) = (SELECT group_concat(k) FROM twin WHERE (n < 3) IS NOT TRUE);
SELECT (SELECT group_concat(k) FROM le) = (SELECT group_concat(k) FROM twin WHERE (n <= 3) IS NOT TRUE);
SELECT (SELECT group_concat(k) FROM gt) = (SELECT group_concat(k) FROM twin WHERE (n > -3) IS NOT TRUE);
SELECT (SELECT group_concat(k) FROM ge) = (SELECT group_concat(k) FROM twin WHERE (n >= 3) IS NOT TRUE);
SELECT (SELECT group_concat(k) FROM eq) = (SELECT group_concat(k) FROM twin WHERE (n == 3) IS NOT TRUE);
SELECT (SELECT group_concat(k) FROM ne) = (SELECT group_concat(k) FROM twin WHERE (n <> 3) IS NOT TRUE);
SELECT (SELECT group_concat(k) FROM tr) = (SELECT group_concat(k) FROM twin WHERE n IS NOT TRUE);
SELECT group_concat(k) FROM lt;
SELECT group_concat(k) FROM eq;
SELECT group_concat(k) FROM tr;
-- key columns, composite keys, hidden rowids, blobs
CREATE VIRTUAL TABLE c USING seerdb(a, b INTEGER, v, PRIMARY KEY (a, b DESC), filter = 'b % 2 = 1 AND length(v) > 2');
INSERT INTO c VALUES ('x', 1, 'abc'), ('x', 2, 'abc'), ('x', 3, x'00'), ('y', 5, x'010203');
SELECT a, b, quote(v) FROM c;
CREATE VIRTUAL TABLE h USING seerdb(v, w, filter = 'v IS w');
INSERT INTO h VALUES (1, 1), (1, 2), (NULL, NULL), (3, NULL);
SELECT rowid, * FROM h;
INSERT INTO h VALUES (5, 6);
SELECT rowid, * FROM h;
CREATE VIRTUAL TABLE k USING seerdb(k INTEGER PRIMARY KEY, filter = k > 3);
INSERT INTO k VALUES (1), (5), (3), (7);
SELECT * FROM k;
INSERT INTO k VALUES (NULL);
SELECT * FROM k;
-- both options; a name that is a keyword
CREATE VIRTUAL TABLE both USING seerdb(k INTEGER PRIMARY KEY, "null", due, ttl = due, filter = '"null" = 1');
INSERT INTO both VALUES (1, 1, NULL), (2, 2, NULL), (3, 2, 1), (4, NULL, NULL);
SELECT k FROM both;
SELECT seerdb('both', 'flush');
SELECT k FROM both;
-- reopen
SELECT k FROM both;
SELECT * FROM t;
SELECT group_concat(k) FROM ne;
-- refused
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, filter = 'count(*)');
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, filter = 'k = ?');
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, filter = 'k = "nobody"');
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, filter = 'load_extension(k)');
