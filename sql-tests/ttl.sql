-- ttl: rows that expire.  1 is long ago, 99999999999 is not to come.
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v TEXT, due INTEGER, ttl = due);
INSERT INTO t VALUES (1, 'never', NULL), (2, 'gone', 1), (3, 'later', 99999999999), (4, 'gone', 0), (5, 'gone', -5);
-- every query shape
SELECT * FROM t;
SELECT * FROM t ORDER BY k DESC;
SELECT count(*), sum(k), min(k), max(k) FROM t;
SELECT k FROM t;
SELECT * FROM t WHERE k = 2;
SELECT * FROM t WHERE k IN (1, 2, 3, 4);
SELECT * FROM t WHERE k BETWEEN 2 AND 4;
SELECT * FROM t WHERE rowid > 3;
SELECT * FROM t WHERE v = 'gone';
SELECT a.k, b.v FROM t a JOIN t b ON a.k = b.k;
SELECT x.k FROM t x WHERE EXISTS (SELECT 1 FROM t y WHERE y.k = x.k + 1);
SELECT k FROM t LIMIT 1 OFFSET 1;
SELECT group_concat(k) FROM t GROUP BY v;
CREATE TABLE plain(k);
INSERT INTO plain VALUES (1), (2), (3), (4);
SELECT plain.k, t.v FROM plain LEFT JOIN t ON t.k = plain.k;
-- an expired row cannot be changed, deleted, or found twice
UPDATE t SET v = 'x' WHERE k = 2;
SELECT changes();
DELETE FROM t WHERE k = 2;
SELECT changes();
DELETE FROM t WHERE v = 'gone';
SELECT changes();
INSERT INTO t VALUES (2, 'new', NULL);
INSERT INTO t VALUES (2, 'twice', NULL);
INSERT OR IGNORE INTO t VALUES (4, 'ignored?', NULL);
SELECT * FROM t;
-- an UPDATE may end a row, and another key may be one that expired
UPDATE t SET due = 1 WHERE k = 4;
SELECT changes();
UPDATE t SET k = 4 WHERE k = 2;
SELECT * FROM t;
-- within a transaction, with savepoints
BEGIN;
INSERT INTO t VALUES (10, 'own', 1), (11, 'own', NULL);
SELECT k FROM t;
SAVEPOINT s;
UPDATE t SET due = 1 WHERE k = 11;
SELECT k FROM t;
INSERT INTO t VALUES (11, 'again', NULL);
SELECT k, v FROM t;
ROLLBACK TO s;
SELECT k, v FROM t;
ROLLBACK;
SELECT k FROM t;
-- gone for good once written anew
SELECT seerdb('t', 'flush');
SELECT * FROM t;
-- reopen
SELECT * FROM t;
-- time passes while the connection stays open
INSERT INTO t VALUES (20, 'soon', CAST(strftime('%s', 'now') AS INTEGER) + 4);
SELECT k FROM t;
-- sh: sleep 5
SELECT k FROM t;
-- what is a time: integers, reals, texts that look like them; what is none is not stored
CREATE VIRTUAL TABLE u USING seerdb(k PRIMARY KEY, due, ttl = due);
INSERT INTO u VALUES ('integer', 1), ('real', 1.5), ('text', ' 12 '), ('far', 1e300), ('later', '99999999999'), ('inf', 9e999), ('huge', 9223372036854775807);
INSERT INTO u VALUES ('word', 'soon');
INSERT INTO u VALUES ('blob', x'00');
SELECT * FROM u;
-- expressions: natively and by SQLite
CREATE VIRTUAL TABLE p USING seerdb(k PRIMARY KEY, made INTEGER, ttl = made + 86400);
INSERT INTO p VALUES (1, strftime('%s', 'now') - 86500), (2, strftime('%s', 'now') - 86000), (3, 9223372036854775807);
SELECT k FROM p;
CREATE VIRTUAL TABLE q USING seerdb(a, b, made TEXT, PRIMARY KEY (b, a), ttl = 'CASE WHEN b = ''keep'' THEN NULL ELSE unixepoch(made, ''+1 day'') END');
INSERT INTO q VALUES (1, 'keep', '2001-01-01'), (2, 'x', '2001-01-01'), (3, 'x', '2999-01-01'), (4, 'x', NULL);
SELECT * FROM q;
SELECT a FROM q WHERE b = 'x';
SELECT seerdb('q', 'flush');
SELECT * FROM q;
-- a row about which the expression fails is not stored
CREATE VIRTUAL TABLE j USING seerdb(k PRIMARY KEY, doc, ttl = 'json_extract(doc, ''$.due'')');
INSERT INTO j VALUES (1, '{"due": 1}'), (2, '{"due": 99999999999}'), (3, '{}'), (4, NULL);
INSERT INTO j VALUES (5, 'no json');
UPDATE j SET doc = '{' WHERE k = 2;
SELECT * FROM j;
-- what is refused
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, ttl = 'nobody + 1');
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, ttl = 'random()');
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, ttl = 'unixepoch(''now'')');
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, ttl = '(SELECT 1)');
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, ttl = '');
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, ttl = 'k) , (k');
SELECT option, value, source FROM seerdb_options('t') WHERE option IN ('ttl', 'filter');
-- what has expired gives its space back by itself, with several runs in a level too
CREATE VIRTUAL TABLE lazily USING seerdb(k INTEGER PRIMARY KEY, due INTEGER, v, ttl = due, compaction = lazy);
CREATE VIRTUAL TABLE tiered USING seerdb(k INTEGER PRIMARY KEY, due INTEGER, v, ttl = due, compaction = tiered);
INSERT INTO lazily VALUES (100000, NULL, 'stays');
INSERT INTO tiered VALUES (100000, NULL, 'stays');
INSERT INTO lazily SELECT value * 8 + 0, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('lazily', 'flush') IS NOT NULL;
INSERT INTO tiered SELECT value * 8 + 0, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('tiered', 'flush') IS NOT NULL;
INSERT INTO lazily SELECT value * 8 + 1, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('lazily', 'flush') IS NOT NULL;
INSERT INTO tiered SELECT value * 8 + 1, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('tiered', 'flush') IS NOT NULL;
INSERT INTO lazily SELECT value * 8 + 2, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('lazily', 'flush') IS NOT NULL;
INSERT INTO tiered SELECT value * 8 + 2, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('tiered', 'flush') IS NOT NULL;
INSERT INTO lazily SELECT value * 8 + 3, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('lazily', 'flush') IS NOT NULL;
INSERT INTO tiered SELECT value * 8 + 3, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('tiered', 'flush') IS NOT NULL;
INSERT INTO lazily SELECT value * 8 + 4, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('lazily', 'flush') IS NOT NULL;
INSERT INTO tiered SELECT value * 8 + 4, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('tiered', 'flush') IS NOT NULL;
INSERT INTO lazily SELECT value * 8 + 5, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('lazily', 'flush') IS NOT NULL;
INSERT INTO tiered SELECT value * 8 + 5, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('tiered', 'flush') IS NOT NULL;
INSERT INTO lazily SELECT value * 8 + 6, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('lazily', 'flush') IS NOT NULL;
INSERT INTO tiered SELECT value * 8 + 6, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('tiered', 'flush') IS NOT NULL;
INSERT INTO lazily SELECT value * 8 + 7, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('lazily', 'flush') IS NOT NULL;
INSERT INTO tiered SELECT value * 8 + 7, strftime('%s', 'now') + 2, hex(randomblob(50)) FROM generate_series(1, 200);
SELECT seerdb('tiered', 'flush') IS NOT NULL;
-- what a statement has learnt of the table, for a join on a column that is no key, ends with it
CREATE VIRTUAL TABLE m USING seerdb(k INTEGER PRIMARY KEY, v, due, ttl = due);
INSERT INTO m VALUES (1, 'a', NULL), (2, 'b', strftime('%s', 'now') + 4), (3, 'c', NULL);
CREATE TABLE outer(v);
INSERT INTO outer VALUES ('a'), ('b'), ('c'), ('b'), ('a');
BEGIN;
SELECT count(*) FROM outer JOIN m ON m.v = outer.v;
.shell sleep 5
SELECT count(*) FROM outer JOIN m ON m.v = outer.v;
INSERT INTO m VALUES (2, 'again', NULL);
SELECT k, v FROM m;
COMMIT;
SELECT k, v FROM m;
SELECT count(*), sum(records) < 128 FROM seerdb_levels WHERE tbl IN ('main.lazily', 'main.tiered') GROUP BY tbl;
SELECT k, v FROM lazily UNION ALL SELECT k, v FROM tiered;
-- a large column that is left alone is neither read nor written, whatever tells when the row expires
CREATE VIRTUAL TABLE w USING seerdb(k INTEGER PRIMARY KEY, due INTEGER, n, big, ttl = due, value_log = 1000);
INSERT INTO w SELECT value, 99999999999, 0, randomblob(20000) FROM generate_series(1, 20);
CREATE TABLE big AS SELECT k, big FROM w;
SELECT seerdb('w', 'flush') IS NOT NULL;
SELECT seerdb('w', 'snapshot', 'then') IS NOT NULL;
CREATE TEMP TABLE before AS SELECT name, value FROM seerdb_stats('w') WHERE name IN ('value_log_written', 'table_read');
UPDATE w SET n = n + 1;
UPDATE w SET due = due + 1 WHERE k % 2;
UPDATE w SET k = k + 100 WHERE k <= 10;
BEGIN;
UPDATE w SET n = n + 1;
UPDATE w SET n = n + 1, due = 1 WHERE k = 20;
COMMIT;
SELECT seerdb('w', 'flush') IS NOT NULL;
SELECT count(*), sum(n), sum(due > 99999999999) FROM w;
SELECT count(*), sum(n), max(k) FROM w WHERE _snapshot = 'then';
SELECT name, s.value - b.value < CASE name WHEN 'table_read' THEN 50000 ELSE 1 END FROM seerdb_stats('w') s JOIN before b USING (name);
SELECT count(*) FROM w JOIN big ON big.k = w.k - 100 * (w.k > 100) AND big.big = w.big;
SELECT count(*) FROM w JOIN big USING (k) WHERE w._snapshot = 'then' AND big.big = w.big;
-- nor is it written where it tells when the row expires
CREATE VIRTUAL TABLE x USING seerdb(k INTEGER PRIMARY KEY, doc, n, big, value_log = 1000, ttl = 'json_extract(doc, ''$.due'')');
INSERT INTO x SELECT value, json_object('due', 99999999999, 'pad', hex(randomblob(1000))), 0, randomblob(500000) FROM generate_series(1, 20);
SELECT seerdb('x', 'flush') IS NOT NULL;
DROP TABLE before;
CREATE TEMP TABLE before AS SELECT name, value FROM seerdb_stats('x') WHERE name = 'value_log_written';
UPDATE x SET n = n + 1;
UPDATE x SET doc = '{' || hex(zeroblob(1000)) WHERE k = 1;
UPDATE x SET doc = '{"due": "' || hex(randomblob(1000)) || '"}' WHERE k = 1;
UPDATE x SET doc = json_object('due', 1, 'pad', hex(randomblob(1000))) WHERE k = 2;
BEGIN;
UPDATE x SET n = n + 1 WHERE k < 5;
UPDATE x SET n = n + 1, big = zeroblob(3000) WHERE k < 5;
UPDATE x SET n = n + 1, doc = json_object('due', 1, 'pad', hex(randomblob(1000))) WHERE k = 3;
UPDATE x SET n = n + 1 WHERE k < 5;
COMMIT;
SELECT k, n, length(big), length(doc) FROM x WHERE k < 6;
SELECT s.value - b.value < 50000 FROM seerdb_stats('x') s JOIN before b USING (name);
