-- What SQLite does to a virtual table, fact by fact: shapes, writes, transactions. (Queries: facts_rows.sql.)
.nullvalue NULL
CREATE TABLE native(k TEXT PRIMARY KEY, v);
INSERT INTO native VALUES ('n', 1);
CREATE VIRTUAL TABLE i USING seerdb(k INTEGER PRIMARY KEY, v TEXT);
CREATE VIRTUAL TABLE s USING seerdb(k TEXT PRIMARY KEY, v);
CREATE VIRTUAL TABLE c USING seerdb(a TEXT, b INT, v, PRIMARY KEY (a, b DESC));
CREATE VIRTUAL TABLE h USING seerdb(v);
INSERT INTO i VALUES (1, 'one'), (2, 'two'); INSERT INTO s VALUES ('a', 1), ('b', 2); INSERT INTO c VALUES ('x', 1, 1), ('x', 2, 2); INSERT INTO h VALUES ('p'), ('q');
-- fact 1: a key that is not INTEGER is declared WITHOUT ROWID; integrity_check finds nothing wrong
SELECT name, wr FROM pragma_table_list WHERE type = 'virtual' AND schema = 'main' AND name IN ('i', 's', 'c', 'h') ORDER BY name;
PRAGMA integrity_check;
PRAGMA integrity_check(s);
PRAGMA quick_check;
-- fact 2: a composite key is one hidden column; UPDATE and DELETE find rows by it
SELECT name, type, pk, hidden FROM pragma_table_xinfo('c') WHERE hidden;
SELECT count(*), typeof(_key), count(DISTINCT _key) FROM c;
SELECT * FROM c;
UPDATE c SET v = 'by b' WHERE b = 1;
DELETE FROM c WHERE v = 2;
SELECT * FROM c;
INSERT INTO c(a, b, _key) VALUES ('y', 1, x'00');
UPDATE c SET _key = x'00';
DELETE FROM c WHERE _key = (SELECT _key FROM c);
SELECT count(*) FROM c;
-- fact 3: there is no rowid; an UPDATE that leaves the key alone keeps it
SELECT rowid FROM s;
SELECT rowid FROM c;
UPDATE s SET v = v + 10;
SELECT * FROM s;
-- fact 4: UPDATE ... SET pk and SET rowid, INSERT with either and with both
UPDATE i SET k = 5 WHERE k = 1;
UPDATE i SET rowid = 6 WHERE k = 5;
INSERT INTO i(rowid, v) VALUES (7, 'by rowid');
INSERT INTO i(rowid, k, v) VALUES (8, 8, 'both');
INSERT INTO i(k, v) VALUES (NULL, 'assigned');
SELECT rowid, * FROM i;
INSERT INTO h(rowid, v) VALUES (50, 'fifty');
UPDATE h SET rowid = rowid + 1 WHERE v = 'fifty';
SELECT rowid, * FROM h;
-- fact 5: shadow tables follow a rename, back, and a drop; SQLite refuses one that changes case alone
ALTER TABLE h RENAME TO H2;
ALTER TABLE H2 RENAME TO h2;
SELECT name FROM sqlite_schema WHERE name LIKE 'h%' ORDER BY name;
SELECT count(*) FROM h2;
ALTER TABLE h2 RENAME TO h;
-- fact 6: values come as they are; the module gives them the column's type
INSERT INTO i VALUES ('20', 5), (21.0, 1.5), ('22.0', x'41');
SELECT k, typeof(k), v, typeof(v) FROM i WHERE k >= 20;
INSERT INTO i VALUES ('20x', 1);
INSERT INTO i VALUES (1.5, 1);
INSERT INTO i VALUES (x'31', 1);
UPDATE i SET k = 'x' WHERE k = 20;
-- fact 7: a column that is left out comes as NULL (differs.sql)
-- fact 14: IGNORE, FAIL, ABORT, ROLLBACK are SQLite's, REPLACE is ours (ext/conflict_test.c)
INSERT OR IGNORE INTO s VALUES ('a', 0), ('new', 0);
SELECT changes();
-- fact 15: a write locks the database file for other writers; one to a temporary table does not
CREATE VIRTUAL TABLE temp.tt USING seerdb(k PRIMARY KEY);
-- sh: printf '.load %s\n' "$SEERDB" > load
CREATE VIRTUAL TABLE temp.tt USING seerdb(k PRIMARY KEY);
BEGIN;
INSERT INTO tt VALUES (1);
.connection 1
.open test.db
.read load
INSERT INTO s VALUES ('other', 1);
.connection 0
COMMIT;
BEGIN;
INSERT INTO s VALUES ('mine', 1);
.connection 1
INSERT INTO s VALUES ('busy', 1);
INSERT INTO native VALUES ('busy', 1);
.connection 0
COMMIT;
.connection 1
SELECT count(*) FROM s;
.connection 0
.connection close 1
-- fact 16, 17, 28: what can fail fails before SQLite's commit; BUSY may be tried again (ext/commit_test.c, ext/txn_test.c)
-- fact 18: a transaction that only creates, one that only reads, one whose write hits no row
BEGIN;
CREATE VIRTUAL TABLE made USING seerdb(k PRIMARY KEY);
COMMIT;
BEGIN;
SELECT count(*) FROM made;
COMMIT;
BEGIN;
DELETE FROM made WHERE k = 1;
UPDATE made SET k = 2 WHERE k = 1;
COMMIT;
BEGIN;
DELETE FROM made WHERE k = 1;
ROLLBACK;
SELECT count(*) FROM made;
-- fact 19: savepoints from before the first write, skipped, nested and released
SAVEPOINT a;
SAVEPOINT b;
SAVEPOINT c;
INSERT INTO made VALUES (1);
ROLLBACK TO b;
SELECT count(*) FROM made;
INSERT INTO made VALUES (2);
SAVEPOINT d;
INSERT INTO made VALUES (3), (4);
RELEASE b;
SELECT count(*) FROM made;
ROLLBACK TO a;
SELECT count(*) FROM made;
INSERT INTO made VALUES (5);
RELEASE a;
SELECT * FROM made;
-- fact 20: DROP and ROLLBACK, CREATE and ROLLBACK TO, the same name again
BEGIN;
DROP TABLE made;
ROLLBACK;
SELECT * FROM made;
BEGIN;
SAVEPOINT a;
CREATE VIRTUAL TABLE orphan USING seerdb(k PRIMARY KEY);
INSERT INTO orphan VALUES (1);
ROLLBACK TO a;
CREATE VIRTUAL TABLE orphan USING seerdb(k PRIMARY KEY, v);
INSERT INTO orphan VALUES (2, 'two');
COMMIT;
SELECT * FROM orphan;
-- fact 21: an open SELECT goes on after ROLLBACK (ext/txn_test.c)
-- fact 22: the library stays (loading.sql)
-- fact 23: the marker shows in no count
SELECT total_changes() AS before;
UPDATE made SET k = 6;
SELECT changes(), total_changes(), last_insert_rowid();
-- fact 24, 26: the level of syncs follows PRAGMA synchronous (ext/commit_test.c), power cuts (cuts.c)
-- fact 27: BEGIN, INSERT, DROP, COMMIT is refused at the DROP; ROLLBACK TO over a rename leaves one table
BEGIN;
INSERT INTO made VALUES (7);
DROP TABLE made;
COMMIT;
SELECT * FROM made;
BEGIN;
INSERT INTO made VALUES (8);
SAVEPOINT a;
ALTER TABLE made RENAME TO renamed;
INSERT INTO renamed VALUES (9);
ROLLBACK TO a;
INSERT INTO made VALUES (10);
COMMIT;
SELECT * FROM made;
-- reopen
.nullvalue NULL
SELECT * FROM made;
SELECT * FROM orphan;
SELECT rowid, * FROM i;
PRAGMA integrity_check;
