-- The store is not where it should be.
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);
CREATE TABLE o(a);
INSERT INTO t VALUES (1, 'one');
INSERT INTO o VALUES ('ordinary');
-- sh: mv "$STORE" away
SELECT * FROM t;
INSERT INTO t VALUES (2, 'two');
SELECT seerdb('t', 'flush');
SELECT tbl, name, meaning FROM seerdb_stats('t');
-- Ordinary tables are as always.
SELECT * FROM o;
BEGIN;
INSERT INTO o VALUES ('more');
INSERT INTO t VALUES (3, 'three');
COMMIT;
SELECT * FROM o;
-- A new table makes a new store in that place, which is not taken for the lost one.
CREATE VIRTUAL TABLE u USING seerdb(k PRIMARY KEY);
INSERT INTO u VALUES ('u');
SELECT * FROM u;
SELECT * FROM t;
-- The lost one comes back: nothing is lost; now the new table has no store.
-- sh: mv "$STORE" new; mv away "$STORE"
SELECT * FROM t;
SELECT * FROM u;
DROP TABLE u;
-- sh: rm -r "$STORE"
-- A file in its place.
-- sh: echo garbage > "$STORE"
SELECT * FROM t;
CREATE VIRTUAL TABLE w USING seerdb(k PRIMARY KEY);
-- sh: cat "$STORE"; rm "$STORE"; mkdir "$STORE"; echo letter > "$STORE/letter"
-- A directory with other things in it.
SELECT * FROM t;
CREATE VIRTUAL TABLE w USING seerdb(k PRIMARY KEY);
-- sh: ls -A "$STORE"; rm -r "$STORE"; mkdir "$STORE"
-- An empty directory.
SELECT * FROM t;
-- sh: ls -A "$STORE"
-- The store of another database.
-- sh: rm -r "$STORE"; echo "CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY); INSERT INTO t VALUES ('stranger');" | $SESSION "$DIR/stranger.db"; mv "$DIR/stranger.db-seerdb" "$STORE"
SELECT * FROM t;
INSERT INTO t VALUES (4, 'four');
-- A table whose store is lost can be dropped.
-- sh: rm -r "$STORE"
DROP TABLE t;
SELECT name FROM sqlite_schema;
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);
SELECT count(*) FROM t;
