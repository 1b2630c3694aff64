-- After a power cut at synchronous = NORMAL the store may have lost the end of its log,
-- which SQLite kept.  An older copy of the store is what that looks like.
PRAGMA journal_mode = WAL;
CREATE TABLE o(k INTEGER PRIMARY KEY, v);
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
CREATE VIRTUAL TABLE untouched USING seerdb(k INTEGER PRIMARY KEY, v);
BEGIN;
INSERT INTO o VALUES (1, 'one');
INSERT INTO t VALUES (1, 'one');
INSERT INTO untouched VALUES (1, 'one');
COMMIT;
-- sh: cp -r "$STORE" older
BEGIN;
INSERT INTO o VALUES (2, 'two');
INSERT INTO t VALUES (2, 'two'), (3, 'three');
COMMIT;
UPDATE t SET v = 'lost' WHERE k = 1;
-- sh: rm -r "$STORE"; mv older "$STORE"
.log stdout
-- Reading works, and says nothing: a reader decides nothing.
SELECT * FROM t;
SELECT * FROM o;
SELECT * FROM untouched;
-- The first writer is told, with the numbers, and goes on.
BEGIN;
INSERT INTO t VALUES (4, 'four');
INSERT INTO o VALUES (4, 'four');
INSERT INTO untouched VALUES (4, 'four');
COMMIT;
INSERT INTO t VALUES (5, 'five');
SELECT * FROM t;
SELECT seerdb('t', 'flush');
SELECT * FROM t;
-- reopen
.log stdout
UPDATE t SET v = upper(v);
SELECT * FROM t;
-- Told once, too, if a flush is what meets it first, and if nothing is written then.
-- sh: cp -r "$STORE" older
INSERT INTO t VALUES (6, 'six');
-- sh: rm -r "$STORE"; mv older "$STORE"
.log stdout
SELECT seerdb('t', 'flush');
SELECT seerdb('t', 'flush');
-- reopen
.log stdout
SELECT seerdb('t', 'flush');
DELETE FROM t WHERE k = 6;
SELECT * FROM t;
