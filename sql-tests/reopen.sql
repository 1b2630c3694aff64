-- What was committed is there again: from the log, from tables, from both.  Traps 1, 3
-- and 4: a flush while newer writes live in the log, recovery that is interrupted,
-- numbers that go on after a reopen.
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 1000)
 INSERT INTO t SELECT x, 'first ' || x FROM n;
-- reopen
SELECT count(*), sum(k), min(v), max(v) FROM t;
SELECT * FROM t WHERE k = 500;
UPDATE t SET v = 'second ' || k WHERE k % 2 = 0;
SELECT seerdb('t', 'flush');
UPDATE t SET v = 'third ' || k WHERE k % 4 = 0;
DELETE FROM t WHERE k % 5 = 0;
-- reopen
SELECT substr(v, 1, 5), count(*), sum(k) FROM t GROUP BY 1 ORDER BY 1;
SELECT * FROM t WHERE k BETWEEN 496 AND 504;
-- Twice without a write in between, and then newer rows over older ones.
-- reopen
SELECT substr(v, 1, 5), count(*), sum(k) FROM t GROUP BY 1 ORDER BY 1;
INSERT OR REPLACE INTO t VALUES (500, 'fourth'), (501, 'fourth');
UPDATE t SET v = 'fourth' WHERE k = 502;
-- reopen
SELECT * FROM t WHERE k BETWEEN 496 AND 504;
SELECT seerdb('t', 'flush');
SELECT * FROM t WHERE k BETWEEN 496 AND 504;
-- reopen
SELECT * FROM t WHERE k BETWEEN 496 AND 504;
INSERT INTO t(v) VALUES ('next');
SELECT max(k) FROM t;
-- A writer that is killed: what it committed is there, what it did not is not.
-- sh: mkfifo in; (echo "INSERT INTO t VALUES (5000, 'committed'); BEGIN; INSERT INTO t VALUES (5001, 'lost'); SELECT 'ready';"; exec sleep 60) >in & echo $! >sleeper; "$SESSION" "$DB" <in >out 2>&1 & until grep -q ready out 2>/dev/null; do sleep 0.05; done; kill -9 $(cat "$STORE/LOCK") $(cat sleeper); wait; cat out
SELECT * FROM t WHERE k >= 5000;
INSERT INTO t VALUES (5001, 'after the crash');
-- sh: rm out; (echo "INSERT INTO t VALUES (5002, 'committed'); SELECT seerdb('t', 'flush'); INSERT INTO t VALUES (5003, 'committed'); SELECT 'ready';"; exec sleep 60) >in & echo $! >sleeper; "$SESSION" "$DB" <in >out 2>&1 & until grep -q ready out 2>/dev/null; do sleep 0.05; done; kill -9 $(cat "$STORE/LOCK") $(cat sleeper); wait; cat out
SELECT * FROM t WHERE k >= 5000;
SELECT seerdb('t', 'verify') LIKE '%no damage';
PRAGMA integrity_check;
