-- MERGE (expression): any deterministic one over old and new, and nothing else.
.nullvalue NULL
.mode quote
CREATE VIRTUAL TABLE e USING seerdb(k PRIMARY KEY, avg REAL MERGE (coalesce(old, new) * 0.75 + new * 0.25), last3 TEXT MERGE (substr(coalesce(old, '') || new, -3)), lim INTEGER MERGE (min(coalesce(old, 0) + new, 10)), hits INTEGER MERGE add, insert = merge);
INSERT INTO e VALUES (1, 8, 'a', 4, 1), (1, 4, 'b', 5, 1), (1, NULL, 'cd', 6, 1);
SELECT * FROM e;
SELECT seerdb('e', 'flush');
INSERT INTO e VALUES (1, 7, 'e', -1, 1), (2, 1, 'z', 1, 1);
SELECT * FROM e;
SELECT seerdb('e', 'compact');
SELECT * FROM e;
BEGIN;
INSERT INTO e VALUES (1, 1, 'f', 1, 1);
SAVEPOINT s;
INSERT INTO e VALUES (1, 100, 'g', 1, 1);
SELECT * FROM e WHERE k = 1;
ROLLBACK TO s;
SELECT * FROM e WHERE k = 1;
COMMIT;
-- reopen
.nullvalue NULL
.mode quote
SELECT * FROM e;
INSERT INTO e VALUES (1, 1, 'h', 1, 1);
SELECT * FROM e;
-- More operands than are kept.
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000) INSERT INTO e(k, lim, last3) SELECT 3, 1, i FROM c;
SELECT lim, last3 FROM e WHERE k = 3;
-- What is no such expression is refused at CREATE.
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY, n MERGE (old + other));
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY, n MERGE (old + random()));
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY, n MERGE ((SELECT new)));
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY, n MERGE (old + new, 1));
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY, n MERGE (seerdb('e', 'flush')));
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY, n MERGE (old + ));
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY, n MERGE ());
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY, n MERGE old + new);
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY, n MERGE (old)) ;
SELECT name FROM sqlite_schema WHERE name LIKE 'x%';
DROP TABLE x;
-- One that fails: the read says so; the operands stay, and so do the other rows.
CREATE VIRTUAL TABLE f USING seerdb(k PRIMARY KEY, doc MERGE (json_set(coalesce(old, '{}'), '$.n', json_extract(new, '$.n'))), insert = merge);
INSERT INTO f VALUES ('a', '{"n":1}'), ('b', '{"n":1}'), ('b', 'no json'), ('c', '{"n":3}');
SELECT * FROM f WHERE k = 'a';
SELECT * FROM f WHERE k = 'b';
SELECT * FROM f WHERE k > 'b';
SELECT seerdb('f', 'compact');
SELECT * FROM f WHERE k = 'b';
-- reopen
SELECT * FROM f WHERE k = 'b';
INSERT INTO f VALUES ('b', '{"n":5}');
SELECT * FROM f WHERE k = 'b';
-- Such a row can be put anew.
INSERT INTO f VALUES ('b', '{"n":6}');
INSERT INTO f(k, doc, _op) VALUES ('b', '{"n":7}', 'put');
SELECT * FROM f;
-- Hostile ones end soon.
CREATE VIRTUAL TABLE h USING seerdb(k PRIMARY KEY, a MERGE (zeroblob(1000000000) || new), c MERGE (replace(hex(zeroblob(5000000)), '0', hex(zeroblob(5000)))), insert = merge);
INSERT INTO h(k, a) VALUES (1, 1);
INSERT INTO h(k) VALUES (2);
INSERT INTO h(k, c) VALUES (3, 1);
SELECT length(a) FROM h WHERE k = 1;
SELECT * FROM h WHERE k = 2;
SELECT length(c) FROM h WHERE k = 3;
DELETE FROM h WHERE k = 1;
INSERT INTO h(k, _op) VALUES (1, 'delete'), (2, 'delete'), (3, 'delete');
SELECT count(*) FROM h;
-- Upon a row of its own the transaction merges at once, and is told at once.
CREATE VIRTUAL TABLE j USING seerdb(k INTEGER PRIMARY KEY, d MERGE json_patch, n MERGE add, insert = merge);
BEGIN;
INSERT INTO j VALUES (1, '{"a":1}', 1);
INSERT INTO j(k, d, n, _op) VALUES (2, '{"a":1}', 1, 'put');
SAVEPOINT s;
INSERT INTO j VALUES (2, '{"b":2}', 1), (2, '{"c":3}', 1);
ROLLBACK TO s;
RELEASE s;
INSERT INTO j VALUES (2, '{"d":4}', 1);
INSERT INTO j VALUES (2, 'no json', 1);
INSERT INTO j VALUES (3, 'no json', 1);
SELECT * FROM j WHERE k < 3;
COMMIT;
SELECT * FROM j WHERE k < 3;
SELECT * FROM j;
INSERT INTO j(k, _op) VALUES (3, 'delete');
SELECT * FROM j;
-- However large the row is, and whatever lies between.
CREATE VIRTUAL TABLE l USING seerdb(k INTEGER PRIMARY KEY, d MERGE json_patch, big TEXT, insert = merge, value_log = 512);
BEGIN;
INSERT INTO l(k, d, big, _op) VALUES (1, '{"a":1}', printf('%.*c', 20000, 'x'), 'put');
INSERT INTO l(k, d) VALUES (1, 'no json');
SAVEPOINT s;
INSERT INTO l(k, d) VALUES (1, '{"b":2}'), (1, 'no json');
INSERT INTO l(k, d) VALUES (1, '{"b":2}'), (1, '{"c":3}');
SELECT seerdb('l', 'spill');
INSERT INTO l(k, d) VALUES (1, 'no json');
INSERT INTO l(k, d) VALUES (1, '{"d":4}');
INSERT INTO l(k, d, _op) VALUES (3, NULL, 'delete');
INSERT INTO l(k, d) VALUES (3, 'no json');
COMMIT;
SELECT k, d, length(big) FROM l;
-- A long list becomes a row; from then on it is one.
BEGIN;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) INSERT INTO l(k, d) SELECT 1, '{"n":' || i || '}' FROM c;
SELECT k, d, length(big) FROM l;
INSERT INTO l(k, d) VALUES (1, 'no json');
ROLLBACK;
SELECT k, d, length(big) FROM l;
