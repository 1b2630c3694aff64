-- Loading, and databases whose schema is not to be trusted.
.nullvalue NULL
-- sh: nm -D --defined-only "$SEERDB.so" | awk '{ print $3 }' | sort
-- A second load into one connection, by either name, changes nothing.
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
INSERT INTO t VALUES (1, 'one');
-- sh: printf '.load %s\n.load %s sqlite3_seerdb_init\n' "$SEERDB" "$SEERDB" > load
.read load
SELECT * FROM t;
-- The library stays in the process after the connection that loaded it is closed: threads run in it.
.connection 1
.open test.db
.read load
SELECT * FROM t;
.connection 0
.connection close 1
SELECT * FROM t;
-- seerdb() is for statements of the user alone: not for views, triggers and defaults (constraints: ext/direct_test.c).
CREATE VIEW hostile AS SELECT seerdb('t', 'truncate');
SELECT * FROM hostile;
CREATE TABLE bait(x);
CREATE TRIGGER bait_ai AFTER INSERT ON bait BEGIN SELECT seerdb('t', 'truncate'); END;
INSERT INTO bait VALUES (1);
CREATE TABLE bait3(x DEFAULT (seerdb('t', 'truncate')));
INSERT INTO bait3 DEFAULT VALUES;
SELECT count(*) FROM bait;
SELECT * FROM t;
DROP TRIGGER bait_ai;
-- Nor for temporary ones: only a statement's own text counts.
CREATE TEMP VIEW mine AS SELECT seerdb('t', 'flush');
SELECT * FROM mine;
CREATE TEMP TABLE result AS SELECT seerdb('t', 'verify') AS said;
SELECT said LIKE '%no damage' FROM result;
-- What only looks is for views of a trusted schema, and so are the tables.
CREATE VIEW looks AS SELECT name FROM seerdb_stats('t') WHERE name = 'tables';
SELECT * FROM looks;
-- With trusted_schema off neither, as with any virtual table that does not call itself harmless.
PRAGMA trusted_schema = off;
SELECT * FROM looks;
CREATE VIEW reads AS SELECT * FROM t;
SELECT * FROM reads;
SELECT * FROM t;
CREATE TEMP VIEW mine2 AS SELECT * FROM t;
SELECT * FROM mine2;
PRAGMA trusted_schema = on;
CREATE TRIGGER bait_ai AFTER INSERT ON bait BEGIN INSERT INTO t VALUES (100 + new.x, 'by trigger'); END;
INSERT INTO bait VALUES (1);
SELECT * FROM reads;
DELETE FROM t WHERE k > 100;
-- Shadow tables: whoever writes into one by hand breaks the table, and it says so; .dbconfig defensive forbids it.
SELECT name, type, schema FROM pragma_table_list WHERE name LIKE 't%' ORDER BY name;
.dbconfig defensive on
UPDATE t_seerdb SET state = x'00';
DELETE FROM t_seerdb;
DROP TABLE t_seerdb;
ALTER TABLE t_seerdb RENAME TO stolen;
CREATE VIRTUAL TABLE x USING seerdb(k PRIMARY KEY);
INSERT INTO x VALUES (1);
INSERT INTO t VALUES (2, 'two');
ALTER TABLE x RENAME TO y;
SELECT * FROM y;
DROP TABLE y;
SELECT * FROM t;
PRAGMA writable_schema = on;
UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE t USING seerdb(other)' WHERE name = 't';
PRAGMA writable_schema = off;
.dbconfig defensive off
-- A name that is taken for the shadow table.
CREATE TABLE z_seerdb(a);
CREATE VIRTUAL TABLE z USING seerdb(k PRIMARY KEY);
SELECT name FROM sqlite_schema WHERE name LIKE 'z%';
DROP TABLE z_seerdb;
-- The row of a shadow table, damaged by hand: every use says so, and putting it back is enough.
CREATE TABLE saved_row AS SELECT * FROM t_seerdb;
UPDATE t_seerdb SET state = x'00';
-- reopen
SELECT * FROM t;
INSERT INTO t VALUES (3, 'three');
SELECT seerdb('t', 'flush');
DELETE FROM t_seerdb;
SELECT * FROM t;
INSERT INTO t_seerdb SELECT id, 'text' FROM saved_row;
SELECT * FROM t;
UPDATE t_seerdb SET state = (SELECT state FROM saved_row);
SELECT * FROM t;
-- query_only: nothing is written, everything is read.
PRAGMA query_only = on;
INSERT INTO t VALUES (3, 'three');
DELETE FROM t;
CREATE VIRTUAL TABLE q USING seerdb(k);
SELECT seerdb('t', 'truncate');
SELECT seerdb('t', 'delete_range', 1, 2);
SELECT * FROM t;
SELECT seerdb('t', 'verify') LIKE '%no damage';
PRAGMA query_only = off;
-- writable_schema: our row of the schema in other words. Reads say what does not fit, and nothing is lost.
PRAGMA writable_schema = on;
CREATE TABLE saved AS SELECT * FROM sqlite_schema WHERE name = 't';
UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, w NOT NULL)' WHERE name = 't';
-- reopen
SELECT * FROM t;
INSERT INTO t VALUES (3, 'three', 'w');
SELECT * FROM t;
PRAGMA writable_schema = on;
UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, v)' WHERE name = 't';
-- reopen
SELECT * FROM t;
UPDATE t SET v = 1;
DELETE FROM t;
SELECT seerdb('t', 'verify') LIKE '%no damage';
PRAGMA writable_schema = on;
UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE t USING seerdb(gibberish (' WHERE name = 't';
-- reopen
SELECT * FROM t;
PRAGMA integrity_check;
SELECT seerdb('t', 'flush');
PRAGMA writable_schema = on;
UPDATE sqlite_schema SET sql = (SELECT sql FROM saved) WHERE name = 't';
-- reopen
SELECT * FROM t;
PRAGMA integrity_check;
-- A schema row for a table that has no shadow table; a shadow table without its table.
PRAGMA writable_schema = on;
INSERT INTO sqlite_schema(type, name, tbl_name, rootpage, sql) VALUES ('table', 'ghost', 'ghost', 0, 'CREATE VIRTUAL TABLE ghost USING seerdb(k PRIMARY KEY, v)');
-- reopen
SELECT * FROM ghost;
INSERT INTO ghost VALUES (1, 2);
SELECT seerdb('ghost', 'flush');
DROP TABLE ghost;
SELECT name FROM sqlite_schema WHERE name LIKE 'ghost%';
PRAGMA writable_schema = on;
DELETE FROM sqlite_schema WHERE name = 't';
-- reopen
SELECT name FROM sqlite_schema WHERE name LIKE 't%';
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
DROP TABLE t_seerdb;
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
SELECT * FROM t;
PRAGMA integrity_check;
-- A schema that points its table at another directory: nothing is made there and nothing removed.
INSERT INTO t VALUES (0, 'zero');
INSERT INTO t VALUES (1, 'one');
-- sh: mkdir victim; echo precious > victim/file; mkdir empty
PRAGMA writable_schema = on;
UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, path = ''victim'')' WHERE name = 't';
-- reopen
SELECT * FROM t;
INSERT INTO t VALUES (2, 'two');
SELECT seerdb('t', 'flush');
PRAGMA writable_schema = on;
UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, path = ''empty'')' WHERE name = 't';
-- reopen
SELECT * FROM t;
INSERT INTO t VALUES (2, 'two');
PRAGMA writable_schema = on;
UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, path = ''absent'')' WHERE name = 't';
-- reopen
SELECT * FROM t;
DROP TABLE t;
-- sh: ls -A victim empty; test -e absent || echo no absent; test -f "$STORE"/CURRENT && echo the store stays
-- A directory that holds something else becomes no store.
-- sh: echo x > plainfile
CREATE VIRTUAL TABLE a USING seerdb(k, path = 'victim');
CREATE VIRTUAL TABLE a USING seerdb(k, path = 'plainfile');
CREATE VIRTUAL TABLE a USING seerdb(k, path = 'no/such/parent');
CREATE VIRTUAL TABLE a USING seerdb(k, path = 'empty');
-- sh: ls -A victim; test -f empty/CURRENT && echo a store
