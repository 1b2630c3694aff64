-- A copied database file must not write into the store of the original.
CREATE TABLE o(a);
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v, path = 'store');
INSERT INTO o VALUES ('ordinary');
INSERT INTO t VALUES (1, 'one');
-- sh: cp "$DB" copy.db
-- sh: echo "SELECT * FROM o; SELECT * FROM t; INSERT INTO t VALUES (2, 'two');" | $SESSION copy.db
INSERT INTO t VALUES (2, 'two');
SELECT * FROM t;
-- The copy takes over, if it is told to; then the original is the copy.
-- sh: echo "SELECT seerdb('t', 'accept'); INSERT INTO t VALUES (3, 'three'); SELECT * FROM t;" | $SESSION copy.db
SELECT * FROM t;
INSERT INTO t VALUES (4, 'four');
SELECT * FROM o;
-- Once that one is gone, this one may use the store again; with what it has itself, or
-- with everything that is there.
-- sh: rm copy.db
SELECT * FROM t;
SELECT seerdb('t', 'accept');
SELECT * FROM t;
-- A database that moved is no copy.
-- sh: mkdir elsewhere; mv "$DB" elsewhere/; echo "INSERT INTO t VALUES (5, 'five'); SELECT count(*) FROM t;" | $SESSION elsewhere/test.db
-- sh: mv elsewhere/test.db "$DB"
SELECT count(*) FROM t;
-- What a copy that took over wrote, and that is only in the log, goes with the copy when
-- the original writes again: that is told.
-- sh: cp "$DB" copy.db
-- sh: echo "SELECT seerdb('t', 'accept'); INSERT INTO t VALUES (6, 'six'); SELECT count(*) FROM t;" | $SESSION copy.db
-- sh: rm copy.db
.log stdout
SELECT count(*) FROM t;
INSERT INTO t VALUES (7, 'seven');
SELECT count(*) FROM t WHERE k = 6;
INSERT INTO t VALUES (8, 'eight');
-- So it is of an older copy of the database, put back.
-- sh: cp "$DB" older.db
INSERT INTO t VALUES (9, 'nine');
INSERT INTO t VALUES (10, 'ten');
-- sh: mv older.db "$DB"
.log stdout
DELETE FROM t WHERE k = 1;
SELECT k FROM t;
-- A copy that took over and wrote nothing leaves nothing to tell of.
-- sh: cp "$DB" copy.db
-- sh: echo "SELECT seerdb('t', 'accept');" | $SESSION copy.db
-- sh: rm copy.db
.log stdout
DELETE FROM t WHERE k = 2;
SELECT k FROM t;
