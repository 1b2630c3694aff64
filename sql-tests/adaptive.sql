-- compaction = 'adaptive' looks with each flush at what was done with the table
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v, compaction = 'Adaptive', insert = 'replace', memory_limit = '1MB', compression = 'none');
SELECT option, value FROM seerdb_options('t') WHERE option = 'compaction';
-- nothing but writes: soon several runs per level
INSERT INTO t SELECT (value * 7919) % 100003, printf('%0120d', value) FROM generate_series(1, 40000);
INSERT INTO t SELECT (value * 104729) % 100003, printf('%0120d', value) FROM generate_series(1, 40000);
INSERT INTO t SELECT (value * 1299709) % 100003, printf('%0120d', value) FROM generate_series(1, 40000);
SELECT seerdb('t', 'flush');
SELECT substr(detail, 1, instr(detail, ':')) FROM seerdb_events('t') WHERE event = 'adapted';
-- then scans, and a few writes: one run per level
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT sum((SELECT count(v) FROM t WHERE k < 20000 + n.i)) > 0 FROM n;
INSERT INTO t VALUES (1, 1);
SELECT seerdb('t', 'flush');
INSERT INTO t VALUES (2, 2);
SELECT seerdb('t', 'flush');
SELECT substr(detail, 1, instr(detail, ':')) FROM seerdb_events('t') WHERE event = 'adapted';
SELECT count(*) FROM seerdb_events('t') WHERE event = 'adapted' AND detail GLOB '*ns an operation, by * writes, * lookups, * scans of * rows';
-- it may be told otherwise
-- reopen
SELECT count(*), sum(length(v)) FROM t;
SELECT seerdb('t', 'set', 'compaction', 'lazy');
SELECT option, value FROM seerdb_options('t') WHERE option = 'compaction';
SELECT seerdb('t', 'set', 'compaction', 'adaptive');
SELECT seerdb('t', 'compact');
SELECT seerdb('t', 'verify') LIKE '%no damage';
