-- Names: of schemas and tables, with everything that a name may have, in commands and functions.
.nullvalue NULL
ATTACH 'a.b.db' AS "a.b";
ATTACH 'c.db' AS "c d";
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);
CREATE VIRTUAL TABLE "a.b".t USING seerdb(k PRIMARY KEY, v);
CREATE VIRTUAL TABLE "a.b"."c.d" USING seerdb(k PRIMARY KEY, v);
CREATE VIRTUAL TABLE "a.t" USING seerdb(k PRIMARY KEY, v);
CREATE VIRTUAL TABLE "c d"."it's ""quoted""" USING seerdb(k PRIMARY KEY, v);
CREATE VIRTUAL TABLE "Größe→" USING seerdb(k PRIMARY KEY, v);
CREATE VIRTUAL TABLE temp.t USING seerdb(k PRIMARY KEY, v);
INSERT INTO temp.t VALUES (1, 'temp');
INSERT INTO main.t VALUES (1, 'main'), (2, 'main');
INSERT INTO "a.b".t VALUES (1, 'a.b'), (2, 'a.b'), (3, 'a.b');
-- What SQLite would take: temp goes first.
SELECT seerdb('t', 'truncate');
SELECT (SELECT count(*) FROM temp.t), (SELECT count(*) FROM main.t), (SELECT count(*) FROM "a.b".t);
SELECT seerdb('main.t', 'flush');
SELECT seerdb('a.b.t', 'flush');
SELECT tbl, sum(records) FROM seerdb_levels GROUP BY tbl ORDER BY tbl;
SELECT DISTINCT tbl FROM seerdb_levels('a.b.t');
SELECT DISTINCT tbl FROM seerdb_files('a.b.t');
SELECT DISTINCT tbl FROM seerdb_options('a.b.c.d');
SELECT DISTINCT tbl FROM seerdb_stats('a.t');
SELECT DISTINCT tbl FROM seerdb_health('c d.it''s "quoted"');
SELECT DISTINCT tbl FROM seerdb_health('Größe→');
SELECT seerdb('c d.it''s "quoted"', 'set', 'insert', 'replace');
SELECT seerdb('c d.it''s "quoted"', 'delete_range', 1, 2);
SELECT seerdb('Größe→', 'flush'), seerdb('main.Größe→', 'verify') LIKE 'verified%', seerdb('MAIN.a.t', 'flush');
SELECT seerdb('temp.t', 'flush');
SELECT seerdb('a.b.c', 'flush');
SELECT seerdb('a.b.', 'flush');
SELECT seerdb('', 'flush');
SELECT DISTINCT tbl FROM seerdb_health ORDER BY tbl;
CREATE VIEW shown AS SELECT 1;
SELECT seerdb('shown', 'flush');
DETACH "a.b";
SELECT seerdb('a.b.t', 'flush');
-- Ranges are shown where they are.
INSERT INTO main.t SELECT value, 'x' FROM json_each('[3,4,5,6,7]');
SELECT seerdb('main.t', 'flush');
SELECT seerdb('main.t', 'delete_range', 4, 6);
SELECT value FROM seerdb_stats('main.t') WHERE name = 'memtable_ranges';
SELECT seerdb('main.t', 'flush');
SELECT sum(ranges) FROM seerdb_levels('main.t');
SELECT sum(ranges) FROM seerdb_files('main.t');
