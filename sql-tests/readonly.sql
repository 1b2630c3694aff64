-- A store and a database that may only be read, or not even that.
-- require: [ -r "$SEERDB.so" ] && $UNPRIVILEGED test -r "$SEERDB.so"
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);
INSERT INTO t VALUES (1, 'one');
SELECT seerdb('t', 'flush');
INSERT INTO t VALUES (2, 'two');
-- sh: chmod -R a+rX "$DIR"; chmod -R a-w "$DIR"
-- sh: echo "SELECT * FROM t; INSERT INTO t VALUES (3, 'three');" | $UNPRIVILEGED $SESSION "$DB"
-- sh: chmod a+w "$DIR" "$DB"; echo "SELECT * FROM t; INSERT INTO t VALUES (3, 'three'); SELECT * FROM t;" | $UNPRIVILEGED $SESSION "$DB"
-- sh: chmod -R a-rwx "$STORE"; echo "SELECT * FROM t; INSERT INTO t VALUES (3, 'three');" | $UNPRIVILEGED $SESSION "$DB"
-- sh: mkdir closed; chmod a-w closed; echo "CREATE VIRTUAL TABLE u USING seerdb(k, path = '$DIR/closed/store');" | $UNPRIVILEGED $SESSION "$DB"
-- sh: chmod -R u+rwX "$DIR"
SELECT * FROM t;
INSERT INTO t VALUES (3, 'three');
SELECT seerdb('t', 'verify') LIKE '%no damage';
SELECT * FROM t;
