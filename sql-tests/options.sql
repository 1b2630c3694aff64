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
-- reopen
.nullvalue NULL
SELECT (SELECT length(v) FROM a), (SELECT length(v) FROM b), (SELECT length(v) FROM c), (SELECT count(*) FROM d);
SELECT * FROM p;
INSERT INTO c VALUES (1, 'replaced again');
SELECT * FROM c;
-- sh: ls -d "$DIR"/*seerdb "$DIR"/elsewhere
