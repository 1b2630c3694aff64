-- In memory, temporary, attached: each schema has its own tables and store.
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
INSERT INTO t VALUES (1, 'main');
CREATE VIRTUAL TABLE temp.t USING seerdb(k PRIMARY KEY, v);
INSERT INTO temp.t VALUES (1, 'temp');
CREATE VIRTUAL TABLE temp.only_temp USING seerdb(v);
INSERT INTO only_temp VALUES ('a'), ('b');
ATTACH 'other.db' AS other;
CREATE VIRTUAL TABLE other.t USING seerdb(k TEXT PRIMARY KEY, v);
INSERT INTO other.t VALUES ('1', 'other');
ATTACH ':memory:' AS mem;
CREATE VIRTUAL TABLE mem.t USING seerdb(k PRIMARY KEY, v);
INSERT INTO mem.t VALUES (1, 'mem');
SELECT * FROM t;
SELECT * FROM main.t UNION ALL SELECT * FROM temp.t UNION ALL SELECT * FROM other.t UNION ALL SELECT * FROM mem.t;
SELECT a.v, b.v, c.v FROM main.t a JOIN other.t b ON b.k = a.k JOIN mem.t c ON c.k = a.k;
SELECT seerdb('main.t', 'flush');
SELECT seerdb('temp.t', 'flush');
SELECT seerdb('other.t', 'flush');
SELECT seerdb('mem.t', 'flush');
SELECT seerdb('mem.t', 'verify') LIKE 'verified mem.t: 1 tables, %';
-- One transaction over all of them, taken back and then kept.
BEGIN;
INSERT INTO main.t VALUES (2, 'x');
INSERT INTO temp.t VALUES (2, 'x');
INSERT INTO other.t VALUES (2, 'x');
INSERT INTO mem.t VALUES (2, 'x');
SELECT (SELECT count(*) FROM main.t), (SELECT count(*) FROM temp.t), (SELECT count(*) FROM other.t), (SELECT count(*) FROM mem.t);
ROLLBACK;
SELECT (SELECT count(*) FROM main.t), (SELECT count(*) FROM temp.t), (SELECT count(*) FROM other.t), (SELECT count(*) FROM mem.t);
BEGIN;
INSERT INTO main.t VALUES (2, 'y');
INSERT INTO temp.t VALUES (2, 'y');
INSERT INTO other.t VALUES (2, 'y');
COMMIT;
UPDATE temp.t SET k = k + 1 WHERE k = 2;
SELECT group_concat(k) FROM temp.t;
DETACH mem;
SELECT * FROM mem.t;
DETACH other;
SELECT * FROM other.t;
ATTACH 'other.db' AS again;
SELECT * FROM again.t;
-- An ordinary trigger and a view reach seerdb tables.
CREATE TABLE o(k, v);
CREATE TRIGGER o_insert AFTER INSERT ON o BEGIN INSERT OR REPLACE INTO t VALUES (new.k, new.v); END;
INSERT INTO o VALUES (5, 'by trigger'), (1, 'by trigger');
CREATE VIEW both AS SELECT k, v FROM main.t UNION ALL SELECT k, v FROM o;
SELECT * FROM both;
CREATE TEMP TABLE copy AS SELECT * FROM main.t;
SELECT count(*) FROM copy;
-- sh: ls -d "$DIR"/*-seerdb
SELECT * FROM t;
SELECT * FROM temp.t;
SELECT * FROM only_temp;
ATTACH 'other.db' AS other;
SELECT * FROM other.t;
-- sh: echo "CREATE VIRTUAL TABLE m USING seerdb(k PRIMARY KEY); INSERT INTO m VALUES (1), (2); SELECT group_concat(k) FROM m; SELECT seerdb('m', 'flush'); SELECT sum(k) FROM m;" | $SESSION :memory:
-- sh: ls -A "$DIR"
