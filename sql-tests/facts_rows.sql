-- What SQLite does to a virtual table, fact by fact: queries. They answer as on ordinary tables. (The rest: facts.sql.)
-- twin
.nullvalue NULL
CREATE VIRTUAL TABLE x USING seerdb(k TEXT PRIMARY KEY, n INT, r REAL);
CREATE VIRTUAL TABLE a USING seerdb(k ANYTEXT COLLATE NOCASE PRIMARY KEY, n);
CREATE VIRTUAL TABLE b USING seerdb(k BLOB PRIMARY KEY, n);
CREATE VIRTUAL TABLE u USING seerdb(k PRIMARY KEY, n);
CREATE VIRTUAL TABLE i USING seerdb(k INTEGER PRIMARY KEY, t TEXT);
CREATE VIRTUAL TABLE c USING seerdb(p INT, q INT, v, PRIMARY KEY (p, q));
INSERT INTO x VALUES ('1', 1, 1), ('01', 2, 2), ('1.0', 3, 3), ('a', 4, 4), ('B', 5, 5), ('b', 6, 6), ('A1', 7, 7), ('', 8, 8), ('10', 9, 9);
INSERT INTO a VALUES ('Ab', 1), ('abc', 2), ('B', 3), ('aB d', 4);
INSERT INTO b VALUES (x'61', 1), ('a', 2), (1, 3), (1.5, 4), ('1', 5), (x'31', 6);
INSERT INTO u SELECT k, n FROM b;
INSERT INTO i VALUES (1, '1'), (2, '02'), (3, 'x'), (10, '1'), (-5, NULL);
WITH RECURSIVE g(v) AS (VALUES (0) UNION ALL SELECT v + 1 FROM g WHERE v < 29) INSERT INTO c SELECT v / 5, v % 5, v FROM g;
-- fact 8: right-hand sides come without affinity: a TEXT key and numbers, a BLOB or untyped key and both
SELECT k FROM x WHERE k = 1 ORDER BY k;
SELECT k FROM x WHERE k = 1.0 ORDER BY k;
SELECT k FROM x WHERE k > 1 ORDER BY k;
SELECT k FROM x WHERE k IN (1, 10, 'a') ORDER BY k;
SELECT k FROM x WHERE k BETWEEN 0 AND 2 ORDER BY k;
SELECT x.k, i.k FROM x JOIN i ON x.k = i.k ORDER BY 1, 2;
SELECT x.k, i.k FROM i JOIN x ON x.k = i.k + 0 ORDER BY 1, 2;
SELECT x.k, i.k FROM x JOIN i ON i.k = x.k ORDER BY 1, 2;
SELECT x.k, i.t FROM x JOIN i ON i.t = x.k ORDER BY 1, 2;
SELECT n FROM b WHERE k = 1 ORDER BY n;
SELECT n FROM b WHERE k = '1' ORDER BY n;
SELECT n FROM b WHERE k = x'31' ORDER BY n;
SELECT n FROM u WHERE k >= 1 ORDER BY n;
SELECT n FROM u WHERE k < 'a' ORDER BY n;
SELECT n FROM u WHERE k IN (1, '1', x'31') ORDER BY n;
SELECT k FROM i WHERE k = '1';
SELECT k FROM i WHERE k = '1.0';
SELECT k FROM i WHERE k > '1x';
SELECT k FROM i WHERE k < 'a' ORDER BY k;
SELECT k FROM i WHERE k >= 1.5 AND k <= 2.5;
SELECT k FROM i WHERE k = 1.5;
SELECT k FROM i WHERE k > 9e99;
SELECT k FROM i WHERE k < 9e999 ORDER BY k;
-- fact 9: collations: the column's, another one in the comparison, LIKE and GLOB
SELECT n FROM x WHERE k = 'A' COLLATE NOCASE ORDER BY n;
SELECT n FROM x WHERE k COLLATE NOCASE = 'b' ORDER BY n;
SELECT n FROM x WHERE k LIKE 'a%' ORDER BY n;
SELECT n FROM x WHERE k LIKE 'b' ORDER BY n;
SELECT n FROM x WHERE k GLOB 'a*' ORDER BY n;
SELECT n FROM x WHERE k GLOB '[aA]*' ORDER BY n;
SELECT n FROM x WHERE k LIKE '1%' AND k > '1' ORDER BY n;
SELECT n FROM a WHERE k = 'ABC';
SELECT n FROM a WHERE k = 'ABC' COLLATE BINARY;
SELECT n FROM a WHERE k LIKE 'aB%' ORDER BY n;
SELECT n FROM a WHERE k GLOB 'a*' ORDER BY n;
SELECT k FROM a ORDER BY k COLLATE BINARY;
SELECT k FROM a ORDER BY k DESC;
SELECT k FROM a GROUP BY k COLLATE RTRIM ORDER BY 1;
-- fact 10: IN, one by one and all at once, where affinities cross; OR
SELECT k FROM x WHERE k IN (SELECT n FROM x WHERE n < 3) ORDER BY k;
SELECT k FROM x WHERE k IN (SELECT k FROM i) ORDER BY k;
SELECT k FROM i WHERE k IN (SELECT k FROM x) ORDER BY k;
SELECT k FROM i WHERE k IN ('1', '02', 3.0, NULL, 'x') ORDER BY k DESC;
SELECT k FROM i WHERE k NOT IN (1, 2) ORDER BY k LIMIT 2;
SELECT k FROM i WHERE k IN (10, 3, 2, 1) ORDER BY k LIMIT 2 OFFSET 1;
SELECT k FROM i WHERE k = 1 OR k = 10 OR t = 'x' ORDER BY k;
SELECT v FROM c WHERE p IN (3, 1) AND q IN (4, 0) ORDER BY p, q;
SELECT v FROM c WHERE p IN (3, 1) AND q > 3 ORDER BY p DESC;
SELECT v FROM c WHERE (p = 1 AND q = 1) OR (p = 2 AND q < 2) OR v = 7 ORDER BY v;
-- fact 11: row values, with LIMIT beside them
SELECT v FROM c WHERE (p, q) > (2, 3) ORDER BY p, q LIMIT 3;
SELECT v FROM c WHERE (p, q) >= (2, 3) ORDER BY p, q LIMIT 3 OFFSET 1;
SELECT v FROM c WHERE (p, q) < (1, 2) ORDER BY p DESC, q DESC LIMIT 4;
SELECT v FROM c WHERE (p, q) = (4, 4);
SELECT v FROM c WHERE (p, q) IN ((4, 4), (0, 0), (9, 9)) ORDER BY v;
SELECT v FROM c WHERE (p, q) BETWEEN (1, 3) AND (2, 1) ORDER BY v LIMIT 10;
SELECT v FROM c WHERE p > 1 AND v % 2 = 0 ORDER BY p, q LIMIT 2 OFFSET 2;
SELECT v FROM c LIMIT 3 OFFSET 28;
SELECT v FROM c WHERE p = 2 LIMIT -1 OFFSET 3;
SELECT v FROM c WHERE p = 2 ORDER BY q LIMIT 0;
-- fact 12: the whole key, ORDER BY the key with LIMIT
SELECT v FROM c WHERE p = 2 AND q = 2;
UPDATE c SET v = -v WHERE p = 2 AND q = 2;
DELETE FROM c WHERE p = 2 AND q = 3;
SELECT changes();
SELECT v FROM c ORDER BY p DESC, q DESC LIMIT 2;
SELECT v FROM c ORDER BY p, q DESC LIMIT 2;
SELECT k FROM x ORDER BY k LIMIT 2;
SELECT k FROM i ORDER BY k DESC LIMIT 1;
-- fact 13: NULLS FIRST and LAST; count(*)
SELECT k, t FROM i ORDER BY t NULLS LAST, k;
SELECT k, t FROM i ORDER BY t DESC NULLS FIRST, k;
SELECT p, q FROM c WHERE p = 5 ORDER BY p, q NULLS LAST LIMIT 2;
SELECT count(*) FROM c;
SELECT count(*) FROM c WHERE p BETWEEN 1 AND 2;
-- fact 29: results that outlive their row: max and min, GROUP BY, compound queries, correlated subqueries, UPDATE
SELECT max(k), min(k), max(n) FROM x;
SELECT max(k), n FROM x WHERE k LIKE 'a%';
SELECT t, max(k), count(*) FROM i GROUP BY t ORDER BY t;
SELECT k FROM x UNION SELECT k FROM a UNION SELECT t FROM i ORDER BY 1;
SELECT k FROM x INTERSECT SELECT t FROM i ORDER BY 1;
SELECT k, (SELECT group_concat(k, '/') FROM (SELECT k FROM a WHERE a.k > x.k ORDER BY k)) FROM x ORDER BY k;
UPDATE x SET n = (SELECT max(n) FROM x AS y WHERE y.k < x.k), r = length(k);
SELECT * FROM x ORDER BY k;
SELECT group_concat(k, ',') FROM (SELECT k FROM x ORDER BY k DESC);
-- fact 30: a constraint that is not exact is checked again: what is not a number under a numeric key, and mixed bounds
SELECT k FROM i WHERE k > 1 AND k > '2' AND k < 1e3;
SELECT k FROM i WHERE k >= -5 AND k <= 3 AND t IS NOT NULL ORDER BY k;
SELECT k FROM i WHERE k > NULL;
SELECT k FROM i WHERE k IS NULL;
SELECT k FROM i WHERE k IS NOT NULL AND k <> 1 ORDER BY k;
-- fact 31: a reader sees what others commit, between its transactions only
-- sh: printf '.load %s\n' "$SEERDB" > load
.connection 1
.open test.db
.read load
SELECT count(*) FROM i;
BEGIN;
SELECT count(*) FROM i;
.connection 0
PRAGMA journal_mode = wal;
.connection 1
COMMIT;
.connection 0
PRAGMA journal_mode = wal;
INSERT INTO i VALUES (100, 'seen');
.connection 1
SELECT t FROM i WHERE k = 100;
BEGIN;
SELECT count(*) FROM i;
.connection 0
INSERT INTO i VALUES (101, 'later');
.connection 1
SELECT count(*) FROM i;
COMMIT;
SELECT count(*) FROM i;
