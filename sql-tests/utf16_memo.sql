-- A small table in a join on a column that is no key is read from memory (ext/memo.h), whatever the encoding. Under NOCASE
-- two surrogates without their partners may be equal to another text.
PRAGMA encoding = 'UTF-16le';
PRAGMA automatic_index = 0;
CREATE TABLE x(n INTEGER PRIMARY KEY, v TEXT);
WITH RECURSIVE c(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM c WHERE n < 40)
  INSERT INTO x SELECT n, CASE n % 4 WHEN 0 THEN CAST(x'3dd800de' AS TEXT) WHEN 1 THEN CAST(x'3ddc00de' AS TEXT)
  WHEN 2 THEN 'Ab' || char(0x141) ELSE 'aB' || char(0x141) || '  ' END FROM c;
CREATE VIRTUAL TABLE s USING seerdb(n INTEGER PRIMARY KEY, c TEXT COLLATE NOCASE, r TEXT COLLATE RTRIM);
CREATE TABLE o(n INTEGER PRIMARY KEY, c TEXT COLLATE NOCASE, r TEXT COLLATE RTRIM);
INSERT INTO s SELECT n, v, v FROM x;
INSERT INTO o SELECT * FROM s;
SELECT count(*), sum(x.n * s.n) FROM x CROSS JOIN s ON s.c = x.v;
SELECT count(*), sum(x.n * o.n) FROM x CROSS JOIN o ON o.c = x.v;
SELECT count(*), sum(x.n * s.n) FROM x CROSS JOIN s ON s.r = x.v;
SELECT count(*), sum(x.n * o.n) FROM x CROSS JOIN o ON o.r = x.v;
