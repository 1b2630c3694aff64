-- Unicode, NULs inside, empty keys, and what looks alike but is not.
.mode quote
CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v);
INSERT INTO t VALUES ('', 'empty'), ('naïve', 1), ('naive', 2), (char(110, 97, 105, 776, 118, 101), 3), ('日本', 4),
 ('😀', 5), ('Ａ', 6), ('ß', 7), (char(0x10ffff), 8), (char(0xfffd), 9);
SELECT k, v FROM t;
SELECT v FROM t WHERE k = 'naïve';
SELECT v FROM t WHERE k = '';
SELECT v FROM t WHERE k >= '日' AND k < '日' || char(0x10ffff);
SELECT v FROM t WHERE k GLOB '日*';
SELECT v FROM t WHERE k LIKE 'NAI%';
-- NULs: SQLite compares all the bytes, and shows those before the first.
INSERT INTO t VALUES (CAST(x'6100' AS TEXT), 'a0'), (CAST(x'610061' AS TEXT), 'a0a'), ('a', 'a'), (CAST(x'00' AS TEXT), '0'),
 (CAST(x'0000' AS TEXT), '00'), (CAST(x'610062' AS TEXT), CAST(x'780079' AS TEXT));
SELECT hex(k), length(k), v FROM t WHERE k < 'b';
SELECT v FROM t WHERE k = CAST(x'610061' AS TEXT);
SELECT hex(v), typeof(v) FROM t WHERE k = CAST(x'610062' AS TEXT);
SELECT v FROM t WHERE k > 'a' AND k < CAST(x'610062' AS TEXT);
DELETE FROM t WHERE k = CAST(x'6100' AS TEXT);
SELECT count(*) FROM t WHERE k < 'b';
-- As parts of a composite key NULs do not run into the next part.
CREATE VIRTUAL TABLE c USING seerdb(a, b, PRIMARY KEY (a, b));
CREATE TABLE o(a, b, PRIMARY KEY (a, b)) WITHOUT ROWID;
INSERT INTO o SELECT x.k, y.k FROM
 (SELECT CAST(value AS TEXT) AS k FROM json_each('["", "a"]') UNION ALL SELECT CAST(x'00' AS TEXT) UNION ALL SELECT CAST(x'0000' AS TEXT)
  UNION ALL SELECT CAST(x'00ff' AS TEXT) UNION ALL SELECT x'' UNION ALL SELECT x'00' UNION ALL SELECT x'0000' UNION ALL SELECT x'00ff' UNION ALL SELECT x'ff'
  UNION ALL SELECT x'6100' UNION ALL SELECT 1 UNION ALL SELECT 0.5) x,
 (SELECT '' AS k UNION ALL SELECT x'' UNION ALL SELECT x'00' UNION ALL SELECT CAST(x'ff' AS TEXT) UNION ALL SELECT 2 UNION ALL SELECT 'b') y;
INSERT INTO c SELECT * FROM o ORDER BY random();
SELECT count(*) FROM c;
SELECT count(*) FROM (SELECT a, b, row_number() OVER () p FROM c) x JOIN (SELECT a, b, row_number() OVER () p FROM o) y USING (p)
 WHERE x.a IS y.a AND x.b IS y.b AND typeof(x.a) = typeof(y.a) AND typeof(x.b) = typeof(y.b);
SELECT count(*) FROM o JOIN c ON c.a = o.a AND c.b = o.b;
-- reopen
.mode quote
SELECT count(*) FROM o JOIN c ON c.a = o.a AND c.b = o.b;
SELECT hex(k), length(k), v FROM t WHERE k < 'b';
SELECT k, v FROM t WHERE v > 0;
