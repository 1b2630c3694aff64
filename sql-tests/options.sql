-- Options and what they do; those of the store are shared.
.nullvalue NULL
CREATE VIRTUAL TABLE a USING seerdb(k PRIMARY KEY, v, compression = none, sync = off);
CREATE VIRTUAL TABLE b USING seerdb(k PRIMARY KEY, v, compression = 'zstd:19', sync = off);
CREATE VIRTUAL TABLE c USING seerdb(k PRIMARY KEY, v, compression = zstd, insert = replace);
CREATE VIRTUAL TABLE d USING seerdb(k PRIMARY KEY, v, insert = check);
INSERT INTO a VALUES (1, printf('%.20000c', 'a'));
INSERT INTO b VALUES (1, printf('%.20000c', 'a'));
INSERT INTO c VALUES (1, printf('%.20000c', 'a')), (1, printf('%.20001c', 'a'));
INSERT INTO d VALUES (1, 1), (1, 2);
SELECT seerdb('a', 'flush');
SELECT seerdb('b', 'flush');
SELECT (SELECT length(v) FROM a), (SELECT length(v) FROM b), (SELECT length(v) FROM c), (SELECT count(*) FROM d);
-- Tables of one store agree on what belongs to the store, or leave it out.
CREATE VIRTUAL TABLE e USING seerdb(k, sync = full);
CREATE VIRTUAL TABLE e USING seerdb(k, memory_limit = '8MB');
CREATE VIRTUAL TABLE f USING seerdb(k, memory_limit = '16MB');
CREATE VIRTUAL TABLE f USING seerdb(k, memory_limit = '8192KB', sync = off);
-- Spellings: quotes, cases, spaces.
CREATE VIRTUAL TABLE g USING seerdb(k, COMPRESSION = 'none', Insert= "replace");
-- A store elsewhere.
CREATE VIRTUAL TABLE p USING seerdb(k PRIMARY KEY, v, path = 'elsewhere');
INSERT INTO p VALUES (1, 'far away');
CREATE VIRTUAL TABLE q USING seerdb(k PRIMARY KEY, path = 'no/such/directory');
SELECT count(*) FROM sqlite_schema WHERE name IN ('q', 'q_seerdb');
-- In a store of its own the first table may say how much memory it may use.
ATTACH 'small.db' AS small;
CREATE VIRTUAL TABLE small.a USING seerdb(k PRIMARY KEY, v, memory_limit = '1MB');
CREATE VIRTUAL TABLE small.b USING seerdb(k, memory_limit = '1024KB');
CREATE VIRTUAL TABLE small.c USING seerdb(k, memory_limit = 2000000);
CREATE VIRTUAL TABLE small.d USING seerdb(k);
WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 300)
 INSERT INTO small.a SELECT x, randomblob(20000) FROM n;
SELECT count(*), sum(length(v)) FROM small.a;
SELECT seerdb('small.a', 'verify') LIKE '%no damage';
-- Sizes need quotes: SQLite itself does not read 1MB without.
CREATE VIRTUAL TABLE e USING seerdb(k, memory_limit = 1MB);
-- How tables are searched: the answers are the same, what is kept in memory is not.
CREATE VIRTUAL TABLE dense USING seerdb(k INTEGER PRIMARY KEY, v);
CREATE VIRTUAL TABLE hashed USING seerdb(k TEXT PRIMARY KEY, v);
CREATE VIRTUAL TABLE plain USING seerdb(k TEXT PRIMARY KEY, v, index = binary, filter_bits = 0);
BEGIN;
WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 20000) INSERT INTO dense SELECT 3 * x, 'v' || x FROM n;
INSERT INTO hashed SELECT printf('%08x', k / 3 * 2654435761 % 4294967296), v FROM dense;
INSERT INTO plain SELECT k, v FROM hashed;
COMMIT;
SELECT seerdb('dense', 'flush'), seerdb('hashed', 'flush'), seerdb('plain', 'flush');
SELECT (SELECT v FROM dense WHERE k = 12345), (SELECT v FROM dense WHERE k = 12346), (SELECT v FROM dense WHERE k = -1);
SELECT (SELECT v FROM hashed WHERE k = '9e3779b1'), (SELECT v FROM plain WHERE k = '9e3779b1');
SELECT count(*), count(h.v), count(p.v) FROM dense d LEFT JOIN hashed h ON h.k = printf('%08x', d.k * 65537)
 LEFT JOIN plain p ON p.k = printf('%08x', d.k * 65537);
SELECT count(*), count(e.v) FROM plain p LEFT JOIN dense e ON e.k = 2 * CAST(substr(p.v, 2) AS INTEGER);
SELECT count(*) FROM hashed h JOIN plain p USING (k) WHERE h.v = p.v;
SELECT tbl, sum(value) FILTER (WHERE name = 'model_runs') AS runs,
 sum(value) FILTER (WHERE name = 'model_segments') > 0 AS model, sum(value) FILTER (WHERE name = 'filter_keys') AS keys
 FROM seerdb_stats WHERE tbl IN ('main.dense', 'main.hashed', 'main.plain') GROUP BY tbl ORDER BY tbl;
SELECT tbl, name, value > 0 FROM seerdb_stats WHERE tbl IN ('main.dense', 'main.hashed', 'main.plain')
 AND name IN ('model_negatives', 'filter_negatives', 'filter_memory') ORDER BY tbl, name;
SELECT CAST(8 * sum(value) FILTER (WHERE name = 'filter_memory') / sum(value) FILTER (WHERE name = 'filter_keys') AS INTEGER) AS bits
 FROM seerdb_stats('hashed');
SELECT seerdb('dense', 'verify') LIKE '%no damage', seerdb('hashed', 'verify') LIKE '%no damage', seerdb('plain', 'verify') LIKE '%no damage';
-- reopen
.nullvalue NULL
SELECT (SELECT length(v) FROM a), (SELECT length(v) FROM b), (SELECT length(v) FROM c), (SELECT count(*) FROM d);
SELECT * FROM p;
INSERT INTO c VALUES (1, 'replaced again');
SELECT * FROM c;
-- sh: ls -d "$DIR"/*seerdb "$DIR"/elsewhere
