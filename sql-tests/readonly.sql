-- A store and a database that may only be read, or not even that.
-- require: [ -r "$SEERDB.so" ] && $UNPRIVILEGED test -r "$SEERDB.so"
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);
INSERT INTO t VALUES (1, 'one');
SELECT seerdb('t', 'flush');
INSERT INTO t VALUES (2, 'two');
-- sh: chmod -R a+rX "$DIR"; chmod -R a-w "$DIR"; ls -lR --time-style=full-iso "$DIR" >../before
-- sh: printf '%s;\n' "SELECT * FROM t" "INSERT INTO t VALUES (3, 'three')" | $UNPRIVILEGED $SESSION "$DB"
-- All that reads works, also beside another reader, and no file changes.
-- sh: printf '%s;\n' "SELECT * FROM t WHERE k >= 2" "SELECT count(*), max(v) FROM t" "SELECT seerdb('t', 'verify') LIKE '%no damage'" "SELECT value FROM seerdb_stats WHERE name = 'read_only'" "SELECT count(*) FROM seerdb_files('t')" | $UNPRIVILEGED $SESSION "$DB"
-- sh: printf '%s\n' "SELECT * FROM t;" ".shell echo 'SELECT count(*) FROM t;' | $SESSION $DB" | $UNPRIVILEGED $SESSION "$DB"
-- sh: for command in flush compact pause continue spill truncate accept; do echo "SELECT seerdb('t', '$command');"; done | $UNPRIVILEGED $SESSION "$DB"
-- sh: printf '%s;\n' "CREATE VIRTUAL TABLE u USING seerdb(k)" "DROP TABLE t" "CREATE VIRTUAL TABLE temp.u USING seerdb(k, v)" "INSERT INTO u SELECT * FROM t" "SELECT * FROM u JOIN t USING (k)" "SELECT seerdb('u', 'flush')" | $UNPRIVILEGED $SESSION "$DB"
-- sh: ls -lR --time-style=full-iso "$DIR" | diff - ../before && echo nothing has changed
-- A database that may be written, and a store that may not.
-- sh: chmod a+w "$DIR" "$DB"; printf '%s;\n' "SELECT * FROM t" "INSERT INTO t VALUES (3, 'three')" "SELECT * FROM t" "CREATE VIRTUAL TABLE u USING seerdb(k)" "SELECT seerdb('t', 'flush')" "CREATE TABLE o AS SELECT * FROM t" "SELECT count(*) FROM o" | $UNPRIVILEGED $SESSION "$DB"
-- A store of which something may not be read.
-- sh: chmod a-r "$STORE"/LOCK; echo "SELECT * FROM t;" | $UNPRIVILEGED $SESSION "$DB"
-- sh: chmod a+r "$STORE"/LOCK; chmod a-r "$STORE"/*.log; echo "SELECT * FROM t;" | $UNPRIVILEGED $SESSION "$DB" 2>&1 | sed 's/[0-9]*\.log/NUMBER.log/'
-- sh: chmod -R a-rwx "$STORE"; printf '%s;\n' "SELECT * FROM t" "INSERT INTO t VALUES (3, 'three')" | $UNPRIVILEGED $SESSION "$DB"
-- sh: mkdir closed; chmod a-w closed; echo "CREATE VIRTUAL TABLE u USING seerdb(k, path = '$DIR/closed/store');" | $UNPRIVILEGED $SESSION "$DB"
-- sh: chmod -R u+rwX "$DIR"
SELECT * FROM t;
INSERT INTO t VALUES (3, 'three');
SELECT seerdb('t', 'verify') LIKE '%no damage';
SELECT * FROM t;
