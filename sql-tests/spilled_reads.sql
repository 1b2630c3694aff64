-- Scans in both directions, lookups and ranges read spilled transactions right, wherever their rows lie.
CREATE VIRTUAL TABLE t USING seerdb(id INTEGER PRIMARY KEY, v TEXT, memory_limit = '1MB');
CREATE TABLE o(id INTEGER PRIMARY KEY, v TEXT);
CREATE TABLE p(id INTEGER PRIMARY KEY);
INSERT INTO p WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT i FROM n;
CREATE VIEW forward AS SELECT (SELECT group_concat(id || v) FROM (SELECT * FROM t ORDER BY id)) IS (SELECT group_concat(id || v) FROM (SELECT * FROM o ORDER BY id)) AS ok;
CREATE VIEW backward AS SELECT (SELECT group_concat(id || v) FROM (SELECT * FROM t ORDER BY id DESC)) IS (SELECT group_concat(id || v) FROM (SELECT * FROM o ORDER BY id DESC)) AS ok;
CREATE VIEW lookups AS SELECT sum((SELECT v FROM t WHERE t.id = p.id) IS (SELECT v FROM o WHERE o.id = p.id)) = count(*) AS ok FROM p;
CREATE VIEW ranges AS SELECT sum((SELECT sum(id * length(v)) FROM t WHERE t.id BETWEEN p.id - 5 AND p.id + 60) IS (SELECT sum(id * length(v)) FROM o WHERE o.id BETWEEN p.id - 5 AND p.id + 60)) = count(*) AS ok FROM p WHERE id % 101 = 0;
CREATE VIEW ends AS SELECT (SELECT min(id) || ' ' || max(id) FROM t) IS (SELECT min(id) || ' ' || max(id) FROM o) AND (SELECT id FROM t WHERE id < 15000 ORDER BY id DESC LIMIT 1) IS (SELECT max(id) FROM o WHERE id < 15000) AND (SELECT count(*) FROM t) IS (SELECT count(*) FROM o) AS ok;
CREATE VIEW same AS SELECT forward.ok AS forward, backward.ok AS backward, lookups.ok AS lookups, ranges.ok AS ranges, ends.ok AS ends FROM forward, backward, lookups, ranges, ends;
INSERT INTO o SELECT id, printf('old %d', id) FROM p WHERE id % 3 > 0;
INSERT INTO t SELECT * FROM o;
SELECT seerdb('t', 'flush');
SELECT * FROM same;
-- Own writes: over the first rows, over each other, and in memory above both.
BEGIN;
INSERT OR REPLACE INTO t SELECT id, printf('one %032x', id) FROM p WHERE id % 2 = 0;
INSERT OR REPLACE INTO o SELECT id, printf('one %032x', id) FROM p WHERE id % 2 = 0;
SELECT seerdb('t', 'spill');
DELETE FROM t WHERE id BETWEEN 4000 AND 7000 OR id % 7 = 0;
DELETE FROM o WHERE id BETWEEN 4000 AND 7000 OR id % 7 = 0;
INSERT OR REPLACE INTO t SELECT id, printf('two %032x', id) FROM p WHERE id % 14 = 0 OR id BETWEEN 20000 AND 23000;
INSERT OR REPLACE INTO o SELECT id, printf('two %032x', id) FROM p WHERE id % 14 = 0 OR id BETWEEN 20000 AND 23000;
SELECT seerdb('t', 'spill');
SELECT * FROM same;
UPDATE t SET v = 'in memory' WHERE id % 50 = 1;
UPDATE o SET v = 'in memory' WHERE id % 50 = 1;
DELETE FROM t WHERE id % 50 = 2;
DELETE FROM o WHERE id % 50 = 2;
SELECT * FROM same;
-- What is rolled back is gone for all of them, spilled or not.
SAVEPOINT a;
UPDATE t SET v = 'undone';
SELECT seerdb('t', 'spill');
DELETE FROM t WHERE id % 2 = 0;
SELECT count(*), min(v), max(v) FROM t;
ROLLBACK TO a;
SELECT * FROM same;
COMMIT;
-- The tables of the commit wait to be listed, or are listed by now.
SELECT * FROM same;
BEGIN;
UPDATE t SET v = 'above' WHERE id % 40 = 3;
UPDATE o SET v = 'above' WHERE id % 40 = 3;
DELETE FROM t WHERE id % 40 = 4 OR id BETWEEN 20500 AND 20600;
DELETE FROM o WHERE id % 40 = 4 OR id BETWEEN 20500 AND 20600;
INSERT OR REPLACE INTO t VALUES (4500, 'between'), (31000, 'behind'), (-5, 'before');
INSERT OR REPLACE INTO o VALUES (4500, 'between'), (31000, 'behind'), (-5, 'before');
SELECT * FROM same;
COMMIT;
SELECT * FROM same;
-- reopen
SELECT * FROM same;
SELECT seerdb('t', 'flush');
SELECT * FROM same;
-- A spilled commit on top of the memtable's rows, and rows above it again.
UPDATE t SET v = 'soon old' WHERE id % 60 = 11;
BEGIN;
UPDATE t SET v = v || '!' WHERE id % 60 <> 11;
UPDATE o SET v = v || '!' WHERE id % 60 <> 11;
UPDATE t SET v = 'new' WHERE id % 60 = 11;
UPDATE o SET v = 'new' WHERE id % 60 = 11;
SELECT seerdb('t', 'spill');
COMMIT;
UPDATE t SET v = 'newest' WHERE id % 120 = 11;
UPDATE o SET v = 'newest' WHERE id % 120 = 11;
SELECT * FROM same;
SELECT seerdb('t', 'compact');
SELECT * FROM same;
-- reopen
SELECT * FROM same;
UPDATE t SET v = 'last' WHERE id % 33 = 0;
UPDATE o SET v = 'last' WHERE id % 33 = 0;
SELECT * FROM same;
SELECT seerdb('t', 'verify') LIKE '%no damage';
