-- Another process holds the store: an error names it, and it goes on unharmed.
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);
CREATE TABLE o(a);
INSERT INTO t VALUES (1, 'one');
-- sh: mkfifo in; (echo "INSERT INTO t VALUES (2, 'holder'); SELECT 'ready';"; exec sleep 60) >in & echo $! >sleeper; "$SESSION" "$DB" <in >out 2>&1 & echo $! >pid; until grep -q ready out 2>/dev/null; do sleep 0.05; done; cmp "$STORE/LOCK" pid && cat out
SELECT * FROM t;
INSERT INTO t VALUES (3, 'three');
SELECT seerdb('t', 'flush');
CREATE VIRTUAL TABLE u USING seerdb(k);
-- Nothing else is held.
INSERT INTO o VALUES ('ordinary tables work');
SELECT * FROM o;
CREATE VIRTUAL TABLE temp.m USING seerdb(k);
INSERT INTO m VALUES ('in memory too');
SELECT * FROM m;
-- The holder ends, and leaves what it wrote.
-- sh: kill $(cat sleeper); while kill -0 $(cat pid) 2>/dev/null; do sleep 0.05; done
SELECT * FROM t;
INSERT INTO t VALUES (3, 'three');
SELECT * FROM t;
