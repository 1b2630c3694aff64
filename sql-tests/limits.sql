-- What SQLite does not allow on virtual tables: its words, and what to do instead.
.nullvalue NULL
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v TEXT, n INT);
INSERT INTO t VALUES (1, 'one', 10), (2, 'two', 20), (3, 'three', 30);
-- limit: INSERT ... ON CONFLICT DO UPDATE
INSERT INTO t VALUES (1, 'uno', 1) ON CONFLICT (k) DO UPDATE SET v = excluded.v;
INSERT INTO t VALUES (1, 'uno', 1) ON CONFLICT DO NOTHING;
-- instead: OR REPLACE for the whole row, OR IGNORE for DO NOTHING
INSERT OR REPLACE INTO t VALUES (1, 'uno', 1);
INSERT OR IGNORE INTO t VALUES (1, 'ignored', 1);
SELECT * FROM t WHERE k = 1;
-- instead: UPDATE, then INSERT what is not there
BEGIN;
UPDATE t SET n = n + 5 WHERE k = 4;
INSERT INTO t SELECT 4, 'four', 5 WHERE changes() = 0;
UPDATE t SET n = n + 5 WHERE k = 4;
INSERT INTO t SELECT 4, 'four', 5 WHERE changes() = 0;
COMMIT;
SELECT * FROM t WHERE k = 4;
-- instead: one statement, the old row joined in
INSERT OR REPLACE INTO t SELECT new.k, new.v, coalesce(t.n, 0) + new.n
 FROM (SELECT 4 AS k, 'vier' AS v, 100 AS n UNION ALL SELECT 5, 'fuenf', 100) AS new LEFT JOIN t USING (k);
SELECT * FROM t WHERE k >= 4;
-- limit: CREATE INDEX, and so UNIQUE on other columns
CREATE INDEX i ON t(v);
CREATE UNIQUE INDEX i ON t(v);
-- instead: a second table with the other key, written in the same transaction
CREATE VIRTUAL TABLE t_by_v USING seerdb(v TEXT, k INT, PRIMARY KEY (v, k));
INSERT INTO t_by_v SELECT v, k FROM t;
BEGIN;
INSERT INTO t VALUES (6, 'six', 60);
INSERT INTO t_by_v VALUES ('six', 6);
COMMIT;
SELECT t.* FROM t_by_v CROSS JOIN t USING (k) WHERE t_by_v.v = 'six';
EXPLAIN QUERY PLAN SELECT t.* FROM t_by_v CROSS JOIN t USING (k) WHERE t_by_v.v = 'six';
-- limit: CREATE TRIGGER on it
CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END;
CREATE TRIGGER tr BEFORE DELETE ON t BEGIN SELECT 1; END;
CREATE TRIGGER tr INSTEAD OF INSERT ON t BEGIN SELECT 1; END;
CREATE TEMP TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END;
-- instead: INSTEAD OF triggers on a view over it
CREATE TABLE log(what);
CREATE VIEW tv AS SELECT k, v, n FROM t;
CREATE TRIGGER tv_insert INSTEAD OF INSERT ON tv BEGIN
 INSERT INTO t VALUES (new.k, new.v, new.n); INSERT INTO t_by_v VALUES (new.v, new.k); INSERT INTO log VALUES ('insert ' || new.k); END;
CREATE TRIGGER tv_update INSTEAD OF UPDATE ON tv BEGIN
 DELETE FROM t_by_v WHERE v = old.v AND k = old.k; UPDATE t SET v = new.v, n = new.n WHERE k = old.k;
 INSERT INTO t_by_v VALUES (new.v, old.k); INSERT INTO log VALUES ('update ' || old.k); END;
CREATE TRIGGER tv_delete INSTEAD OF DELETE ON tv BEGIN
 DELETE FROM t WHERE k = old.k; DELETE FROM t_by_v WHERE v = old.v AND k = old.k; INSERT INTO log VALUES ('delete ' || old.k); END;
INSERT INTO tv VALUES (7, 'seven', 70);
UPDATE tv SET v = 'sieben' WHERE k = 7;
DELETE FROM tv WHERE n = 60;
SELECT * FROM log;
SELECT * FROM t WHERE k > 5;
SELECT * FROM t_by_v WHERE k > 5;
-- limit: UPDATE and DELETE ... RETURNING
UPDATE t SET n = 0 WHERE k = 1 RETURNING *;
DELETE FROM t WHERE k = 1 RETURNING *;
-- instead: SELECT in the same transaction
BEGIN;
SELECT * FROM t WHERE k = 1;
DELETE FROM t WHERE k = 1;
COMMIT;
-- INSERT ... RETURNING works, but a key that is assigned and a DEFAULT are NULL there, and the rowid -1
INSERT INTO t(v, n) VALUES ('assigned', '8') RETURNING rowid, k, v, n, typeof(n);
SELECT last_insert_rowid(), typeof(n) FROM t WHERE k = last_insert_rowid();
-- limit: ALTER TABLE ADD, DROP and RENAME COLUMN
ALTER TABLE t ADD COLUMN c;
ALTER TABLE t DROP COLUMN n;
ALTER TABLE t RENAME COLUMN n TO m;
-- instead: a new table
BEGIN;
CREATE VIRTUAL TABLE t_new USING seerdb(k INTEGER PRIMARY KEY, v TEXT, m INT, c DEFAULT 'none');
INSERT INTO t_new SELECT k, v, n, 'none' FROM t;
COMMIT;
DROP VIEW tv;
DROP TABLE t;
ALTER TABLE t_new RENAME TO t;
SELECT * FROM t;
-- limit: the parent of a foreign key
PRAGMA foreign_keys = on;
CREATE TABLE child(id INTEGER PRIMARY KEY, t_k REFERENCES t(k));
INSERT INTO child VALUES (1, 2);
DROP TABLE child;
-- of a table without rowid SQLite's words sound worse than it is: nothing is damaged
CREATE TABLE child(v REFERENCES t_by_k(w));
CREATE VIRTUAL TABLE t_by_k USING seerdb(w TEXT PRIMARY KEY);
INSERT INTO child VALUES ('x');
DROP TABLE child;
DROP TABLE t_by_k;
-- instead: triggers on the child
CREATE TABLE child(id INTEGER PRIMARY KEY, t_k);
CREATE TRIGGER child_insert BEFORE INSERT ON child WHEN new.t_k IS NOT NULL BEGIN
 SELECT RAISE(ABORT, 'FOREIGN KEY constraint failed') WHERE NOT EXISTS (SELECT 1 FROM t WHERE k = new.t_k); END;
INSERT INTO child VALUES (1, 2), (2, NULL);
INSERT INTO child VALUES (3, 99);
SELECT * FROM child;
-- limit: foreign keys of its own
CREATE VIRTUAL TABLE c USING seerdb(id INTEGER PRIMARY KEY, t_k REFERENCES t(k));
-- limit: INDEXED BY. NOT INDEXED is allowed
SELECT * FROM t INDEXED BY i WHERE k = 2;
SELECT * FROM t NOT INDEXED WHERE k = 2;
-- limit: CHECK and GENERATED
CREATE VIRTUAL TABLE c USING seerdb(k PRIMARY KEY, n CHECK (n > 0));
CREATE VIRTUAL TABLE c USING seerdb(k PRIMARY KEY, n, m AS (n * 2));
-- instead: a view that computes and checks
CREATE VIEW tw AS SELECT k, v, m, m * 2 AS twice FROM t;
CREATE TRIGGER tw_insert INSTEAD OF INSERT ON tw BEGIN
 SELECT RAISE(ABORT, 'CHECK constraint failed: m > 0') WHERE new.m <= 0;
 INSERT INTO t(k, v, m) VALUES (new.k, new.v, new.m); END;
INSERT INTO tw(k, v, m) VALUES (20, 'checked', 5);
INSERT INTO tw(k, v, m) VALUES (21, 'checked', 0);
SELECT * FROM tw WHERE k >= 20;
-- limit: REINDEX, ANALYZE do nothing; incremental blob I/O is refused
ANALYZE;
ANALYZE t;
REINDEX t;
SELECT count(*) FROM sqlite_stat1 WHERE tbl = 't';
VACUUM;
PRAGMA integrity_check;
PRAGMA foreign_key_check;
CREATE TABLE copied AS SELECT * FROM t;
SELECT count(*) = (SELECT count(*) FROM t) FROM copied;
