-- Where a seerdb table differs from an ordinary one: both, one after the other.
.nullvalue NULL
CREATE VIRTUAL TABLE t USING seerdb(k INT PRIMARY KEY, v);
CREATE TABLE o(k INT PRIMARY KEY, v) WITHOUT ROWID;
-- differs: UPDATE OR REPLACE over rows whose new keys collide
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO o SELECT * FROM t;
UPDATE OR REPLACE t SET k = k + 1;
UPDATE OR REPLACE o SET k = k + 1;
SELECT * FROM t;
SELECT * FROM o;
-- differs: UPDATE ... FROM that fails on a later row, in a transaction
DELETE FROM t; DELETE FROM o;
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO o SELECT * FROM t;
CREATE TABLE s(old, new);
INSERT INTO s VALUES (1, 10), (2, 3);
BEGIN;
UPDATE t SET k = s.new FROM s WHERE s.old = t.k;
SELECT group_concat(k) FROM t;
ROLLBACK;
BEGIN;
SAVEPOINT sp;
UPDATE t SET k = s.new FROM s WHERE s.old = t.k;
ROLLBACK TO sp;
SELECT group_concat(k) FROM t;
COMMIT;
BEGIN;
UPDATE o SET k = s.new FROM s WHERE s.old = o.k;
SELECT group_concat(k) FROM o;
ROLLBACK;
UPDATE t SET k = s.new FROM s WHERE s.old = t.k;
SELECT group_concat(k) FROM t;
-- differs: UPDATE ... FROM with several matches of a row
INSERT INTO s VALUES (1, 11), (1, 12);
UPDATE t SET v = s.new FROM s WHERE s.old = t.k AND t.k = 1;
SELECT changes(), (SELECT v FROM t WHERE k = 1);
UPDATE o SET v = s.new FROM s WHERE s.old = o.k AND o.k = 1;
SELECT changes();
-- differs: what a statement sees of its own triggers' writes to a table that it reads
DELETE FROM t; DELETE FROM o;
INSERT INTO t VALUES (1, 'a'), (2, 'b');
INSERT INTO o SELECT * FROM t;
PRAGMA recursive_triggers = on;
CREATE TABLE log(k PRIMARY KEY, v);
INSERT INTO log VALUES (1, 0), (2, 0), (3, 0), (4, 0);
CREATE TRIGGER log_t AFTER DELETE ON log BEGIN INSERT OR REPLACE INTO t VALUES (old.k + 1, 'new'); INSERT OR REPLACE INTO o VALUES (old.k + 1, 'new'); END;
BEGIN;
INSERT OR REPLACE INTO log SELECT k, 'new' FROM t;
SELECT group_concat(k) FROM log WHERE v = 'new';
ROLLBACK;
INSERT OR REPLACE INTO log SELECT k, 'new' FROM o;
SELECT group_concat(k) FROM log WHERE v = 'new';
PRAGMA recursive_triggers = off;
-- differs: after the largest rowid
CREATE VIRTUAL TABLE big USING seerdb(k INTEGER PRIMARY KEY, v);
CREATE TABLE obig(k INTEGER PRIMARY KEY, v);
INSERT INTO big VALUES (9223372036854775807, 'last');
INSERT INTO obig VALUES (9223372036854775807, 'last');
INSERT INTO big(v) VALUES ('next');
INSERT INTO obig(v) VALUES ('next');
SELECT count(*) FROM big;
SELECT count(*) FROM obig;
-- differs: DEFAULT
CREATE VIRTUAL TABLE d USING seerdb(k INTEGER PRIMARY KEY, a DEFAULT 7, b NOT NULL DEFAULT 8, c TEXT NOT NULL DEFAULT 9);
CREATE TABLE od(k INTEGER PRIMARY KEY, a DEFAULT 7, b NOT NULL DEFAULT 8, c TEXT NOT NULL DEFAULT 9);
INSERT INTO d(k) VALUES (1);
INSERT INTO od(k) VALUES (1);
SELECT *, typeof(c) FROM d UNION ALL SELECT *, typeof(c) FROM od;
INSERT INTO d VALUES (2, NULL, NULL, NULL);
INSERT INTO od VALUES (2, NULL, NULL, NULL);
SELECT * FROM d WHERE k = 2;
INSERT INTO d DEFAULT VALUES;
INSERT INTO od DEFAULT VALUES;
SELECT * FROM d WHERE k = last_insert_rowid() UNION ALL SELECT * FROM od WHERE k = last_insert_rowid();
UPDATE d SET b = NULL;
UPDATE OR REPLACE d SET b = NULL;
SELECT * FROM d;
INSERT OR REPLACE INTO d VALUES (1, NULL, NULL, 'c');
SELECT * FROM d WHERE k = 1;
SELECT name, dflt_value FROM pragma_table_info('d');
CREATE VIRTUAL TABLE lit USING seerdb(k INTEGER PRIMARY KEY, a NOT NULL DEFAULT -5, b NOT NULL DEFAULT +1.5e3, c NOT NULL DEFAULT 0x10, d NOT NULL DEFAULT 'it''s',
 e NOT NULL DEFAULT x'00ff', f NOT NULL DEFAULT TRUE, g NOT NULL DEFAULT false, h DEFAULT NULL, i INTEGER NOT NULL DEFAULT '42', j TEXT NOT NULL DEFAULT 42, l REAL NOT NULL DEFAULT 1);
INSERT INTO lit DEFAULT VALUES;
SELECT quote(a), quote(b), quote(c), quote(d), quote(e), quote(f), quote(g), quote(h), quote(i), quote(j), quote(l) FROM lit;
CREATE VIRTUAL TABLE bad USING seerdb(k, a DEFAULT (1 + 1));
CREATE VIRTUAL TABLE bad USING seerdb(k, a DEFAULT CURRENT_TIMESTAMP);
CREATE VIRTUAL TABLE bad USING seerdb(k, a DEFAULT word);
CREATE VIRTUAL TABLE bad USING seerdb(k, a DEFAULT "word");
CREATE VIRTUAL TABLE bad USING seerdb(k, a DEFAULT -'text');
CREATE VIRTUAL TABLE bad USING seerdb(k, a DEFAULT);
CREATE VIRTUAL TABLE bad USING seerdb(k, a DEFAULT 1 DEFAULT 2);
CREATE VIRTUAL TABLE bad USING seerdb(k, a DEFAULT x'0');
CREATE VIRTUAL TABLE bad USING seerdb(k, a DEFAULT 9e999, b NOT NULL DEFAULT NULL);
INSERT INTO bad(k) VALUES (1);
-- differs: a NULL in the key of a table with several key columns or a key that is not INTEGER
CREATE TABLE onull(k TEXT PRIMARY KEY);
CREATE VIRTUAL TABLE tnull USING seerdb(k TEXT PRIMARY KEY);
INSERT INTO onull VALUES (NULL);
INSERT INTO tnull VALUES (NULL);
CREATE TABLE onull2(k TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO onull2 VALUES (NULL);
-- differs: strict = 1, a wrong type with OR IGNORE and OR ROLLBACK
CREATE TABLE ost(k INT PRIMARY KEY, v TEXT) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE st USING seerdb(k INT PRIMARY KEY, v TEXT, strict = 1);
INSERT OR IGNORE INTO ost VALUES (1, 'x'), (2, x'00');
INSERT OR IGNORE INTO st VALUES (1, 'x'), (2, x'00');
BEGIN;
INSERT OR ROLLBACK INTO ost VALUES (2, x'00');
COMMIT;
BEGIN;
INSERT OR ROLLBACK INTO st VALUES (2, x'00');
COMMIT;
