-- named snapshots and time travel
CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v);
INSERT INTO t VALUES ('a', 1), ('b', 1), ('c', 1);
SELECT seerdb('t', 'snapshot', 'monday');
UPDATE t SET v = 2 WHERE k = 'a';
DELETE FROM t WHERE k = 'b';
INSERT INTO t VALUES ('d', 2);
-- the present, and then
SELECT * FROM t;
SELECT * FROM t WHERE _snapshot = 'monday';
SELECT k, _snapshot FROM t;
SELECT k, _snapshot FROM t WHERE _snapshot = 'monday' ORDER BY k DESC;
SELECT v FROM t WHERE k = 'a' AND _snapshot = 'monday';
SELECT v FROM t WHERE _snapshot = 'monday' AND k IN ('a', 'b', 'd');
SELECT count(*), sum(v), max(k) FROM t WHERE _snapshot = 'monday';
SELECT name FROM pragma_table_info('t');
-- the plan
EXPLAIN QUERY PLAN SELECT * FROM t WHERE _snapshot = 'monday' AND k >= 'b' ORDER BY k DESC;
-- what changed since
SELECT 'new', n.* FROM t AS n LEFT JOIN t AS o ON o.k = n.k AND o._snapshot = 'monday' WHERE o.k IS NULL;
SELECT 'gone or changed', o.* FROM t AS o LEFT JOIN t AS n ON n.k = o.k WHERE o._snapshot = 'monday' AND n.v IS NOT o.v;
-- two snapshots
SELECT seerdb('t', 'snapshot', 'tuesday');
INSERT INTO t VALUES ('e', 3);
SELECT a.k, a.v, b.v FROM t AS a JOIN t AS b ON a.k = b.k WHERE a._snapshot = 'monday' AND b._snapshot = 'tuesday';
SELECT k FROM t WHERE _snapshot = 'tuesday' EXCEPT SELECT k FROM t WHERE _snapshot = 'monday';
SELECT _snapshot, count(*) FROM t WHERE _snapshot IN ('monday', 'tuesday') GROUP BY 1 ORDER BY 1;
CREATE TEMP TABLE x(name);
INSERT INTO x VALUES ('monday'), (NULL), ('tuesday');
SELECT x.name, t.k FROM x JOIN t ON t._snapshot = x.name;
SELECT name, (SELECT count(*) FROM t WHERE _snapshot = name) FROM x;
.param init
.param set :s tuesday
SELECT count(*) FROM t WHERE _snapshot = :s;
.param set :s monday
SELECT count(*) FROM t WHERE _snapshot = :s;
-- by commit number
SELECT group_concat(k) FROM t WHERE _snapshot = (SELECT number FROM seerdb_snapshots('t') WHERE name = 'monday');
SELECT group_concat(k) FROM t WHERE _snapshot = (SELECT number + 1 FROM seerdb_snapshots('t') WHERE name = 'monday');
SELECT count(*) FROM t WHERE _snapshot = 0;
SELECT count(*) FROM t WHERE _snapshot = NULL;
SELECT count(*) FROM t WHERE _snapshot IS NULL;
-- what is refused
SELECT count(*) FROM t WHERE _snapshot = 1.5;
SELECT count(*) FROM t WHERE _snapshot = x'00';
SELECT count(*) FROM t WHERE _snapshot > 'a';
SELECT count(*) FROM t WHERE _snapshot LIKE 'mon%';
SELECT count(*) FROM t WHERE _snapshot IS 'monday';
SELECT count(*) FROM t WHERE _snapshot = -1;
SELECT seerdb('t', 'snapshot');
SELECT seerdb('t', 'snapshot', NULL);
SELECT seerdb('t', 'snapshot', '');
SELECT seerdb('t', 'snapshot', 5);
SELECT seerdb('t', 'drop_snapshot', NULL);
-- nothing but the present is written
DELETE FROM t WHERE _snapshot = 'monday';
DELETE FROM t WHERE _snapshot = 'monday' AND k = 'a';
UPDATE t SET v = 9 WHERE _snapshot = 'monday';
UPDATE t SET v = 9 WHERE _snapshot = 'monday' AND k = 'a';
UPDATE t SET _snapshot = 'monday';
UPDATE t SET k = 'z', _snapshot = 'monday' WHERE k = 'a';
INSERT INTO t (k, v, _snapshot) VALUES ('z', 1, 'monday');
REPLACE INTO t (k, v, _snapshot) VALUES ('z', 1, 'monday');
SELECT * FROM t;
-- but a snapshot may say what to write
UPDATE t SET v = (SELECT o.v FROM t AS o WHERE o._snapshot = 'monday' AND o.k = t.k) WHERE k = 'a';
SELECT * FROM t;
DELETE FROM t WHERE k NOT IN (SELECT k FROM t WHERE _snapshot = 'monday');
SELECT * FROM t;
REPLACE INTO t SELECT * FROM t WHERE _snapshot = 'monday';
SELECT * FROM t;
SELECT * FROM t EXCEPT SELECT * FROM t WHERE _snapshot = 'monday';
-- in a transaction: a snapshot is of what is committed
BEGIN;
SELECT seerdb('t', 'snapshot', 'within') LIKE 'snapshot ''within'' of main.t: %';
INSERT INTO t VALUES ('own', 4);
SELECT count(*) FROM t;
SELECT count(*) FROM t WHERE _snapshot = 'within';
SELECT seerdb('t', 'snapshot', 'too late');
ROLLBACK;
SELECT count(*) FROM t WHERE _snapshot = 'within';
SELECT seerdb('t', 'drop_snapshot', 'within');
SELECT count(*) FROM t WHERE _snapshot = 'within';
-- they outlive what becomes of the tables
SELECT seerdb('t', 'truncate');
INSERT INTO t VALUES ('f', 5);
SELECT seerdb('t', 'compact');
SELECT * FROM t WHERE _snapshot = 'monday';
SELECT * FROM t WHERE _snapshot = 'tuesday';
SELECT tbl, name, created > 1600000000, pinned_records, pinned_bytes > 0 FROM seerdb_snapshots('t');
-- reopen
-- sh: echo "SELECT * FROM t WHERE _snapshot = 'monday'; SELECT seerdb('t', 'snapshot', 'no');" | $SESSION -readonly $DB
SELECT * FROM t WHERE _snapshot = 'monday';
SELECT name FROM seerdb_snapshots;
SELECT seerdb('t', 'snapshot', 'monday');
SELECT seerdb('t', 'drop_snapshot', 'monday');
SELECT seerdb('t', 'drop_snapshot', 'monday');
SELECT seerdb('t', 'compact');
SELECT * FROM t WHERE _snapshot = 'tuesday';
SELECT * FROM t;
-- other shapes of keys
CREATE VIRTUAL TABLE i USING seerdb(id INTEGER PRIMARY KEY, v);
CREATE VIRTUAL TABLE c USING seerdb(a, b, v, PRIMARY KEY (a, b DESC));
CREATE VIRTUAL TABLE r USING seerdb(v, w, PRIMARY KEY (v));
CREATE VIRTUAL TABLE n USING seerdb(v, insert = replace);
INSERT INTO i(v) VALUES ('one'), ('two');
INSERT INTO c VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, 'z');
SELECT seerdb('i', 'snapshot', 's'), seerdb('c', 'snapshot', 's');
DELETE FROM i WHERE id = 1;
DELETE FROM c WHERE a = 1;
SELECT * FROM i WHERE _snapshot = 's' AND id = 1;
SELECT id, v, _snapshot FROM i WHERE _snapshot = 's' ORDER BY id DESC;
SELECT * FROM c WHERE _snapshot = 's' AND a = 1;
SELECT * FROM c WHERE _snapshot = 's' AND a = 1 AND b = 2;
UPDATE c SET v = 'changed' WHERE _snapshot = 's' AND a = 2 AND b = 1;
DELETE FROM c WHERE _snapshot = 's' AND a = 2;
SELECT * FROM c;
-- a snapshot is its table's
SELECT count(*) FROM i WHERE _snapshot = 'tuesday';
ALTER TABLE i RENAME TO j;
SELECT count(*) FROM j WHERE _snapshot = 's';
DROP TABLE j;
CREATE VIRTUAL TABLE i USING seerdb(id INTEGER PRIMARY KEY, v);
SELECT count(*) FROM i WHERE _snapshot = 's';
-- attached and in memory
ATTACH 'other.db' AS o;
CREATE VIRTUAL TABLE o.t USING seerdb(k, v, PRIMARY KEY (k));
INSERT INTO o.t VALUES (1, 'o');
SELECT seerdb('o.t', 'snapshot', 'monday');
DELETE FROM o.t;
SELECT * FROM o.t WHERE _snapshot = 'monday';
SELECT tbl, name FROM seerdb_snapshots;
ATTACH ':memory:' AS m;
CREATE VIRTUAL TABLE m.t USING seerdb(k, v, PRIMARY KEY (k));
INSERT INTO m.t VALUES (1, 'm');
SELECT seerdb('m.t', 'snapshot', 'monday') LIKE 'snapshot ''monday'' of m.t: %';
UPDATE m.t SET v = 'n';
SELECT seerdb('m.t', 'flush');
SELECT * FROM m.t WHERE _snapshot = 'monday';
SELECT * FROM m.t;
-- what they take, where there is no history that keeps it as well
ATTACH 'h.db' AS h;
CREATE VIRTUAL TABLE h.t USING seerdb(k INTEGER PRIMARY KEY, v, history = 0);
INSERT INTO h.t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i, 'text ' || i FROM n;
SELECT seerdb('h.t', 'snapshot', 'full') LIKE 'snapshot%';
SELECT "check", state, detail FROM seerdb_health('h.t') WHERE "check" = 'snapshots';
UPDATE h.t SET v = 'other';
-- sh: sleep 0.1
ATTACH 'h.db' AS h;
SELECT seerdb('h.t', 'truncate');
-- sh: sleep 0.1
ATTACH 'h.db' AS h;
SELECT seerdb('h.t', 'compact');
SELECT pinned_records, pinned_bytes > 10000 FROM seerdb_snapshots('h.t');
SELECT "check", state, remedy FROM seerdb_health('h.t') WHERE "check" = 'snapshots';
SELECT count(*), count(DISTINCT v) FROM h.t WHERE _snapshot = 'full';
SELECT seerdb('h.t', 'drop_snapshot', 'full');
SELECT seerdb('h.t', 'compact');
SELECT value FROM seerdb_stats('h.t') WHERE name = 'table_records';
