-- Tables read through memory maps.
CREATE VIRTUAL TABLE t USING seerdb(id INTEGER PRIMARY KEY, v TEXT, compression = none, mmap = 1);
CREATE VIRTUAL TABLE z USING seerdb(id INTEGER PRIMARY KEY, v TEXT, mmap = '1');
CREATE VIRTUAL TABLE n USING seerdb(id INTEGER PRIMARY KEY, v TEXT, compression = none, mmap = 0);
CREATE TABLE o(id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO o WITH r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 20000) SELECT i, printf('%064x', i * 7919) FROM r;
INSERT INTO t SELECT * FROM o;
INSERT INTO z SELECT * FROM o;
INSERT INTO n SELECT * FROM o;
CREATE VIEW differ AS SELECT (SELECT count(*) FROM (SELECT * FROM t EXCEPT SELECT * FROM o)) + (SELECT count(*) FROM (SELECT * FROM o EXCEPT SELECT * FROM t)) AS t, (SELECT count(*) FROM (SELECT * FROM z EXCEPT SELECT * FROM o)) + (SELECT count(*) FROM (SELECT * FROM o EXCEPT SELECT * FROM z)) AS z, (SELECT count(*) FROM (SELECT * FROM n EXCEPT SELECT * FROM o)) + (SELECT count(*) FROM (SELECT * FROM o EXCEPT SELECT * FROM n)) AS n;
CREATE VIEW mapped AS SELECT (SELECT (SELECT value FROM seerdb_stats('t') WHERE name = 'mapped_bytes') = (SELECT value FROM seerdb_stats('t') WHERE name = 'table_bytes')) AS t, (SELECT (SELECT value FROM seerdb_stats('z') WHERE name = 'mapped_bytes') = (SELECT value FROM seerdb_stats('z') WHERE name = 'table_bytes')) AS z, (SELECT value FROM seerdb_stats('n') WHERE name = 'mapped_bytes') AS n;
SELECT seerdb('t', 'compact');
SELECT seerdb('z', 'compact');
SELECT seerdb('n', 'compact');
SELECT * FROM mapped;
SELECT * FROM differ;
SELECT v FROM t WHERE id = 12345;
-- It holds for what is there when the file is opened again.
-- reopen
SELECT * FROM differ;
SELECT * FROM mapped;
-- A statement that reads while what it reads is written, flushed and compacted away.
UPDATE t SET v = 'new' || v WHERE id % 3 = 0;
UPDATE o SET v = 'new' || v WHERE id % 3 = 0;
SELECT count(*), sum(length(v)), count(CASE WHEN id % 5000 = 0 THEN seerdb('t', 'flush') END), count(CASE WHEN id = 12000 THEN seerdb('t', 'compact') END) FROM t WHERE id > 0;
UPDATE z SET v = (SELECT v FROM o WHERE o.id = z.id);
UPDATE n SET v = (SELECT v FROM o WHERE o.id = n.id);
SELECT * FROM differ;
SELECT * FROM mapped;
SELECT seerdb('t', 'verify') LIKE '%no damage', seerdb('z', 'verify') LIKE '%no damage';
-- Deleted and made again.
DROP TABLE t;
CREATE VIRTUAL TABLE t USING seerdb(id INTEGER PRIMARY KEY, v TEXT, mmap = 1);
INSERT INTO t SELECT * FROM o;
SELECT seerdb('t', 'flush');
SELECT * FROM differ;
-- In memory there is nothing to map.
CREATE VIRTUAL TABLE temp.m USING seerdb(id INTEGER PRIMARY KEY, v TEXT, mmap = 1);
INSERT INTO m SELECT * FROM o;
SELECT seerdb('temp.m', 'flush');
SELECT count(*), sum(length(v)) = (SELECT sum(length(v)) FROM o) FROM m;
SELECT value FROM seerdb_stats('temp.m') WHERE name = 'mapped_bytes';
-- Damage is an error, of the statement that meets it.
CREATE VIRTUAL TABLE d USING seerdb(id INTEGER PRIMARY KEY, v TEXT, path = 'damaged', compression = none, mmap = 1);
INSERT INTO d SELECT * FROM o WHERE id <= 1000;
SELECT seerdb('d', 'compact');
-- sh: f=$(ls damaged/*.tbl); printf 'XYXYX' | dd of=$f bs=1 seek=20000 conv=notrunc status=none; mv $f damaged/x; mv damaged/x $f
SELECT count(*) FROM d WHERE id < 100;
SELECT sum(length(v)) FROM d;
SELECT sum(length(v)) FROM d;
SELECT count(*) FROM d WHERE id > 900;
