-- NOCASE and RTRIM keys, DESC keys, composites of them.
.mode quote
CREATE VIRTUAL TABLE n USING seerdb(k TEXT COLLATE NOCASE PRIMARY KEY, v);
INSERT INTO n VALUES ('Banana', 1), ('apple', 2), ('CHERRY', 3), ('b', 4), ('É', 5), ('_', 6), ('[', 7);
INSERT INTO n VALUES ('BANANA', 8);
INSERT OR IGNORE INTO n VALUES ('APPLE', 9);
INSERT INTO n VALUES ('é', 10);
SELECT * FROM n;
SELECT * FROM n WHERE k = 'bAnAnA';
SELECT * FROM n WHERE k = 'banana' COLLATE BINARY;
SELECT * FROM n WHERE k >= 'B' AND k < 'c';
SELECT * FROM n WHERE k IN ('APPLE', 'cherry', 'none');
SELECT * FROM n WHERE k LIKE 'b%';
SELECT * FROM n WHERE k GLOB 'b*';
SELECT k FROM n ORDER BY k DESC;
SELECT k FROM n ORDER BY k COLLATE BINARY;
INSERT OR REPLACE INTO n VALUES ('BANANA', 'replaced');
SELECT * FROM n WHERE k = 'banana';
DELETE FROM n WHERE k = 'CHERRY';
SELECT count(*), min(k), max(k) FROM n;
CREATE VIRTUAL TABLE r USING seerdb(k TEXT COLLATE RTRIM PRIMARY KEY, v);
INSERT INTO r VALUES ('a', 1), ('b  ', 2), (' c', 3), ('', 4), ('a' || char(9), 5);
INSERT INTO r VALUES ('a   ', 6);
INSERT INTO r VALUES ('   ', 7);
SELECT * FROM r;
SELECT * FROM r WHERE k = 'b';
SELECT * FROM r WHERE k = 'a     ';
SELECT * FROM r WHERE k >= 'a ' AND k <= 'b';
UPDATE r SET k = 'b' WHERE k = 'b ';
SELECT * FROM r WHERE v = 2;
-- A BINARY key and LIKE: both cases are found.
CREATE VIRTUAL TABLE b USING seerdb(k TEXT PRIMARY KEY);
INSERT INTO b VALUES ('abc'), ('ABC'), ('Abd'), ('b'), ('a'), ('A');
SELECT * FROM b WHERE k LIKE 'ab%';
SELECT * FROM b WHERE k GLOB 'ab*';
SELECT * FROM b WHERE k GLOB 'A*';
PRAGMA case_sensitive_like = on;
SELECT * FROM b WHERE k LIKE 'ab%';
PRAGMA case_sensitive_like = off;
-- LIKE over numbers and blobs in an untyped key.
CREATE VIRTUAL TABLE u USING seerdb(k PRIMARY KEY);
INSERT INTO u VALUES (1), (10), (12.5), ('1a'), (x'3161'), ('x'), (2);
SELECT * FROM u WHERE k LIKE '1%';
SELECT * FROM u WHERE k GLOB '1*';
SELECT * FROM u WHERE k GLOB '1';
-- DESC.
CREATE VIRTUAL TABLE d USING seerdb(k, v, PRIMARY KEY (k DESC));
INSERT INTO d VALUES (1, 'a'), (2, 'b'), ('x', 'c'), ('xy', 'd'), (x'00', 'e'), (x'', 'f'), (-1, 'g'), (1.5, 'h');
SELECT * FROM d;
SELECT * FROM d ORDER BY k;
SELECT * FROM d WHERE k > 1 AND k < 'xy';
SELECT * FROM d WHERE k >= 1 ORDER BY k DESC LIMIT 3;
SELECT * FROM d WHERE k <= 'x' ORDER BY k LIMIT 3;
SELECT * FROM d WHERE k IN (2, 'xy', -1);
-- All together.
CREATE VIRTUAL TABLE c USING seerdb(a TEXT COLLATE NOCASE, b TEXT COLLATE RTRIM, n INT, v, PRIMARY KEY (a DESC, b, n DESC));
INSERT INTO c VALUES ('X', 'p', 1, 1), ('x', 'p ', 2, 2), ('x', 'q', 1, 3), ('Y', 'p', 1, 4), ('w', '', 0, 5);
INSERT INTO c VALUES ('x', 'p  ', 1, 'same');
SELECT * FROM c;
SELECT * FROM c WHERE a = 'x' AND b = 'p';
SELECT * FROM c WHERE a = 'x' AND b >= 'p' ORDER BY b DESC, n;
SELECT * FROM c ORDER BY a DESC, b, n DESC;
SELECT * FROM c ORDER BY a, b DESC, n LIMIT 2;
-- reopen
.mode quote
SELECT * FROM n;
SELECT * FROM r;
SELECT * FROM d;
SELECT * FROM c;

-- The collation of an INTEGER PRIMARY KEY counts nowhere, as in an ordinary table.
CREATE VIRTUAL TABLE i USING seerdb(a INTEGER PRIMARY KEY COLLATE NOCASE);
CREATE TABLE o(a INTEGER PRIMARY KEY COLLATE NOCASE);
SELECT a FROM o UNION SELECT column1 FROM (VALUES ('abc'), ('ABC'));
SELECT a FROM i UNION SELECT column1 FROM (VALUES ('abc'), ('ABC'));
