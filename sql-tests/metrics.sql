-- what was done, how often, and how long it took
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
CREATE VIRTUAL TABLE u USING seerdb(k INTEGER PRIMARY KEY, v);
INSERT INTO t SELECT value, 'row ' || value FROM generate_series(1, 1000);
DELETE FROM t WHERE k <= 10;
SELECT name, value, unit FROM seerdb_stats('t') WHERE name IN ('put_count', 'delete_count', 'commit_count');
SELECT name, value FROM seerdb_stats('u') WHERE name IN ('put_count', 'commit_count');
SELECT sum(v = 'row ' || k) FROM t;
SELECT (SELECT value FROM seerdb_stats('t') WHERE name = 'scan_rows') >= 990;
SELECT name, value, unit FROM seerdb_stats('t') WHERE name IN ('flush_count', 'flush_max', 'tables', 'table_runs');
SELECT seerdb('t', 'flush');
SELECT name, value > 0, unit FROM seerdb_stats('t') WHERE name IN ('flush_count', 'flush_max', 'tables', 'table_runs');
-- percentiles rise
SELECT count(*), min(ok) FROM (SELECT value >= lag(value, 1, 0) OVER () AS ok FROM seerdb_stats('t') WHERE name IN ('put_p50', 'put_p90', 'put_p99', 'put_p999', 'put_max'));
-- a byte written is a byte of a file
SELECT (SELECT value FROM seerdb_stats('t') WHERE name = 'flush_written') = (SELECT sum(bytes) FROM seerdb_files('t'));
SELECT (SELECT value FROM seerdb_stats('t') WHERE name = 'tree_flush_written') = (SELECT sum(bytes) FROM seerdb_files('t'));
SELECT abs((SELECT value FROM seerdb_stats('t') WHERE name = 'table_write_amplification') - (SELECT sum(bytes) FROM seerdb_files('t')) / (SELECT value FROM seerdb_stats('t') WHERE name = 'written_bytes')) < 1e-9;
SELECT name, value >= 1, value <= 2 FROM seerdb_stats('t') WHERE name IN ('space_amplification', 'read_amplification');
-- what is not known is not there twice
SELECT count(*) > 120, count(DISTINCT name) = count(*), min(length(meaning)) > 5 FROM seerdb_stats('t');
