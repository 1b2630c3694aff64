-- UTF-16 databases: text is kept in the database's encoding, and compared as SQLite compares it.
PRAGMA encoding = 'UTF-16le';
CREATE TABLE x(n INTEGER PRIMARY KEY, v);
INSERT INTO x(v) VALUES ('a'), ('A'), ('b'), (char(0x161)), (char(0x160)), (char(0x100)), (char(0x130)), (char(0x3001)),
  (char(0xe9)), (char(0xff)), (''), (' '), ('a '), ('5'), ('05'), (' 5'), ('5.0'), ('1e1'), ('-'), ('Inf'), (5), (5.5), (9e999),
  (-9e999), (9007199254740993), (char(0x1f600)), (char(0xfffd)), (char(0xe000)), (char(0)), ('a' || char(0) || 'b'),
  ('A' || char(0) || 'B'), (char(0xfeff) || 'q'), (char(0xfeff)), (CAST(x'feff' AS TEXT)), (CAST(x'00d8' AS TEXT)),
  (CAST(x'00d86100' AS TEXT)), (CAST(x'00dc' AS TEXT)), (CAST(x'd800' AS TEXT)), (x''), (x'6100'), (x'3500'), (x'00d8');
CREATE VIRTUAL TABLE s USING seerdb(k PRIMARY KEY, n, t TEXT, c TEXT COLLATE NOCASE, r REAL, b BLOB);
CREATE TABLE o(k PRIMARY KEY, n, t TEXT, c TEXT COLLATE NOCASE, r REAL, b BLOB) WITHOUT ROWID;
CREATE VIRTUAL TABLE sn USING seerdb(k TEXT COLLATE NOCASE, n, PRIMARY KEY(k DESC, n));
CREATE TABLE no(k TEXT COLLATE NOCASE, n, PRIMARY KEY(k DESC, n)) WITHOUT ROWID;
CREATE VIRTUAL TABLE sr USING seerdb(n, k TEXT COLLATE RTRIM, PRIMARY KEY(k, n));
CREATE TABLE ro(n, k TEXT COLLATE RTRIM, PRIMARY KEY(k, n)) WITHOUT ROWID;
CREATE VIRTUAL TABLE sd USING seerdb(k TEXT, n, PRIMARY KEY(n DESC, k DESC));
CREATE TABLE od(k TEXT, n, PRIMARY KEY(n DESC, k DESC)) WITHOUT ROWID;
INSERT INTO o SELECT v, n, v, v, v, v FROM x;
INSERT INTO s SELECT v, n, v, v, v, v FROM x;
INSERT INTO no SELECT v, n FROM x;
INSERT INTO sn SELECT v, n FROM x;
INSERT INTO ro SELECT n, v FROM x;
INSERT INTO sr SELECT n, v FROM x;
INSERT INTO od SELECT v, n / 10 FROM x WHERE n > 20;
INSERT INTO sd SELECT v, n / 10 FROM x WHERE n > 20;
SELECT seerdb('sr', 'flush');
-- Nothing is lost: types, bytes and characters are those of the ordinary table, in its order.
SELECT count(*) FROM (SELECT *, row_number() OVER () AS p FROM s) a JOIN (SELECT *, row_number() OVER () AS p FROM o) b USING (p)
  WHERE a.n = b.n AND typeof(a.k) = typeof(b.k) AND hex(CAST(a.k AS BLOB)) = hex(CAST(b.k AS BLOB))
  AND hex(CAST(a.t AS BLOB)) = hex(CAST(b.t AS BLOB)) AND hex(CAST(a.c AS BLOB)) = hex(CAST(b.c AS BLOB)) AND a.t IS b.t
  AND typeof(a.r) = typeof(b.r) AND a.r IS b.r AND hex(CAST(a.b AS TEXT)) = hex(CAST(b.b AS TEXT)) AND length(a.t) = length(b.t);
SELECT hex(CAST(group_concat(k || n, ',') AS BLOB)) = (SELECT hex(CAST(group_concat(k || n, ',') AS BLOB)) FROM no) FROM sn;
SELECT hex(CAST(group_concat(k || n, ',') AS BLOB)) = (SELECT hex(CAST(group_concat(k || n, ',') AS BLOB)) FROM ro) FROM sr;
SELECT hex(CAST(group_concat(k || n, ',') AS BLOB)) = (SELECT hex(CAST(group_concat(k || n, ',') AS BLOB)) FROM od) FROM sd;
-- Every way of comparing with every value finds the same rows.
CREATE TABLE d AS SELECT 1 AS q, x.n AS p, a.n FROM x JOIN s a ON a.k = x.v
  UNION ALL SELECT 2, x.n, a.n FROM x JOIN s a ON a.k < x.v UNION ALL SELECT 3, x.n, a.n FROM x JOIN s a ON a.k >= x.v
  UNION ALL SELECT 4, x.n, a.n FROM x JOIN sn a ON a.k = x.v UNION ALL SELECT 5, x.n, a.n FROM x JOIN sn a ON a.k > x.v
  UNION ALL SELECT 6, x.n, a.n FROM x JOIN sr a ON a.k = x.v UNION ALL SELECT 7, x.n, a.n FROM x JOIN sr a ON a.k <= x.v
  UNION ALL SELECT 8, x.n, a.n FROM x JOIN s a ON a.k IN (x.v, 'a', 5);
CREATE TABLE e AS SELECT 1 AS q, x.n AS p, a.n FROM x JOIN o a ON a.k = x.v
  UNION ALL SELECT 2, x.n, a.n FROM x JOIN o a ON a.k < x.v UNION ALL SELECT 3, x.n, a.n FROM x JOIN o a ON a.k >= x.v
  UNION ALL SELECT 4, x.n, a.n FROM x JOIN no a ON a.k = x.v UNION ALL SELECT 5, x.n, a.n FROM x JOIN no a ON a.k > x.v
  UNION ALL SELECT 6, x.n, a.n FROM x JOIN ro a ON a.k = x.v UNION ALL SELECT 7, x.n, a.n FROM x JOIN ro a ON a.k <= x.v
  UNION ALL SELECT 8, x.n, a.n FROM x JOIN o a ON a.k IN (x.v, 'a', 5);
SELECT count(*) FROM d;
SELECT count(*) FROM e;
SELECT * FROM (SELECT * FROM d EXCEPT SELECT * FROM e) UNION ALL SELECT * FROM (SELECT * FROM e EXCEPT SELECT * FROM d);
-- LIKE and GLOB: what their prefixes bound, and what they do not.
INSERT INTO s(k) VALUES ('abc'), ('abd'), (char(0x161) || 'x'), (char(0xff) || '1'), (char(0x403f) || 'x');
SELECT hex(CAST(k AS BLOB)) FROM s WHERE k GLOB 'a*';
SELECT hex(CAST(k AS BLOB)) FROM s WHERE k GLOB char(0x161) || '*';
SELECT hex(CAST(k AS BLOB)) FROM s WHERE k GLOB 'ÿ*';
SELECT hex(CAST(k AS BLOB)) FROM s WHERE k GLOB '䀿*';
SELECT hex(CAST(k AS BLOB)), n FROM sn WHERE k LIKE 'a%';
EXPLAIN QUERY PLAN SELECT * FROM s WHERE k GLOB 'a*';
EXPLAIN QUERY PLAN SELECT * FROM s WHERE k GLOB '䀿*';
-- Changing and deleting rows by their keys, those with byte order marks and lone surrogates too.
UPDATE s SET r = n WHERE k = CAST(x'00d8' AS TEXT);
UPDATE s SET r = n, k = k || 'z' WHERE k = char(0xfeff);
UPDATE sn SET n = n + 1000 WHERE k = 'A';
SELECT hex(CAST(k AS BLOB)), n, r FROM s WHERE r = n;
SELECT k, n FROM sn WHERE k = 'a';
INSERT INTO s(k) VALUES (char(0xfeff) || 'q');
INSERT OR REPLACE INTO s(k, n) VALUES (CAST(x'feff' AS TEXT), 77), (CAST(x'00d86100' AS TEXT), 78);
SELECT hex(CAST(k AS BLOB)), n FROM s WHERE n IN (77, 78);
DELETE FROM s WHERE k IN (CAST(x'feff' AS TEXT), CAST(x'00d86100' AS TEXT), char(0xfeff) || 'q');
SELECT count(*) FROM s WHERE n IN (32, 77, 78);
-- Ranges of texts are deleted in the order of keys.
SELECT seerdb('s', 'delete_range', 'a', 'b');
SELECT seerdb('s', 'delete_range', char(0x100), CAST(x'00d8' AS TEXT)) LIKE 'deleted from main.s every row with k >= %';
SELECT count(*) FROM s WHERE k >= 'a' AND k < 'b';
SELECT count(*) FROM s;
-- A DEFAULT is text of the database.
CREATE VIRTUAL TABLE f USING seerdb(k INTEGER PRIMARY KEY, v TEXT NOT NULL DEFAULT 'né', w TEXT NOT NULL DEFAULT 5);
INSERT INTO f(k) VALUES (1);
SELECT k, hex(CAST(v AS BLOB)), v = 'né', hex(CAST(w AS BLOB)) FROM f;
-- Names, messages, and a second database.
CREATE VIRTUAL TABLE "tä\b" USING seerdb("ké" TEXT PRIMARY KEY, v NOT NULL);
INSERT INTO "tä\b" VALUES ('ä', 1);
INSERT INTO "tä\b" VALUES ('ä', 1);
INSERT INTO "tä\b" VALUES ('b', NULL);
SELECT seerdb('tä\b', 'flush');
ATTACH ':memory:' AS m;
CREATE VIRTUAL TABLE m.t USING seerdb(k TEXT PRIMARY KEY);
INSERT INTO m.t SELECT v FROM x WHERE typeof(v) = 'text';
SELECT count(*) FROM m.t JOIN x ON m.t.k = x.v WHERE hex(CAST(m.t.k AS BLOB)) = hex(CAST(x.v AS BLOB));
-- reopen
PRAGMA encoding;
SELECT hex(CAST(k AS BLOB)), n FROM sr WHERE k >= 'A' AND k < 'c' AND k != 'b';
SELECT count(*) FROM sn JOIN no USING (k, n);
SELECT hex(CAST("ké" AS BLOB)) FROM "tä\b";
-- sh: rm -rf $DB $DB-* $STORE; echo "PRAGMA encoding='UTF-16be'; CREATE TABLE x(v);" | $SESSION $DB
-- The other byte order has another order of keys, and needs no more than that.
INSERT INTO x VALUES ('a'), ('b'), (char(0x161)), (char(0x100)), (char(0x3001)), (''), ('5'), ('05'), (char(0x1f600)), (char(0xfffd)),
  (char(0xfeff)), (CAST(x'fffe' AS TEXT)), (CAST(x'd800' AS TEXT)), (CAST(x'd8000061' AS TEXT)), (char(0)), ('A'), ('a ');
CREATE VIRTUAL TABLE s USING seerdb(k PRIMARY KEY, c COLLATE NOCASE);
CREATE TABLE o(k PRIMARY KEY, c COLLATE NOCASE) WITHOUT ROWID;
CREATE VIRTUAL TABLE s2 USING seerdb(a TEXT COLLATE NOCASE, b TEXT, PRIMARY KEY(b DESC, a));
CREATE TABLE o2(a TEXT COLLATE NOCASE, b TEXT, PRIMARY KEY(b DESC, a)) WITHOUT ROWID;
INSERT INTO s SELECT v, v FROM x;
INSERT INTO o SELECT v, v FROM x;
INSERT INTO o2 SELECT x.v, y.v FROM x, x y WHERE x.v != 'A';
INSERT INTO s2 SELECT x.v, y.v FROM x, x y WHERE x.v != 'A';
SELECT hex(CAST(k AS BLOB)), hex(CAST(c AS BLOB)) FROM s;
SELECT count(*) FROM (SELECT *, row_number() OVER () AS p FROM s) a JOIN (SELECT *, row_number() OVER () AS p FROM o) b USING (p)
  WHERE hex(CAST(a.k AS BLOB)) = hex(CAST(b.k AS BLOB)) AND hex(CAST(a.c AS BLOB)) = hex(CAST(b.c AS BLOB));
SELECT count(*) FROM (SELECT *, row_number() OVER () AS p FROM s2) a JOIN (SELECT *, row_number() OVER () AS p FROM o2) b USING (p)
  WHERE hex(CAST(a.a AS BLOB)) = hex(CAST(b.a AS BLOB)) AND hex(CAST(a.b AS BLOB)) = hex(CAST(b.b AS BLOB));
SELECT (SELECT count(*) FROM x JOIN s ON s.k < x.v) - (SELECT count(*) FROM x JOIN o ON o.k < x.v),
  (SELECT count(*) FROM x JOIN s ON s.k = x.v) - (SELECT count(*) FROM x JOIN o ON o.k = x.v),
  (SELECT count(*) FROM x JOIN s2 ON s2.b > x.v) - (SELECT count(*) FROM x JOIN o2 ON o2.b > x.v);
-- A number compared with a text key: all texts that look like it.
CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY);
INSERT INTO t SELECT v FROM x;
CREATE TABLE i(v INT);
INSERT INTO i VALUES (5), (6);
SELECT k FROM t JOIN i ON t.k = i.v;
-- And a text of numeric affinity compared with an untyped key.
CREATE VIRTUAL TABLE w USING seerdb(k PRIMARY KEY);
INSERT INTO w VALUES (5), (6.5), ('a');
CREATE TABLE wo(k PRIMARY KEY) WITHOUT ROWID;
INSERT INTO wo SELECT k FROM w;
SELECT (SELECT group_concat(k) FROM (SELECT v FROM i UNION ALL SELECT '6.5') u CROSS JOIN w ON w.k = u.v)
  IS (SELECT group_concat(k) FROM (SELECT v FROM i UNION ALL SELECT '6.5') u CROSS JOIN wo ON wo.k = u.v);
UPDATE s2 SET a = a || 'y' WHERE b = CAST(x'fffe' AS TEXT);
DELETE FROM s2 WHERE b = char(0xfeff);
SELECT hex(CAST(a AS BLOB)) FROM s2 WHERE b = CAST(x'fffe' AS TEXT) OR b = char(0xfeff);
