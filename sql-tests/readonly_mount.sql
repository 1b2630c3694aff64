-- A directory on a medium that takes no writes, not even from root.
-- require: [ "$(id -u)" = 0 ] && unshare -m mount --bind "$DIR" "$DIR"
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY, v);
INSERT INTO t VALUES (1, 'one');
SELECT seerdb('t', 'flush');
INSERT INTO t VALUES (2, 'two');
-- sh: printf '%s;\n' "SELECT * FROM t" "INSERT INTO t VALUES (3, 'three')" "SELECT seerdb('t', 'verify') LIKE '%no damage'" >in; echo 'mount --bind "$DIR" "$DIR" && mount -o remount,ro,bind "$DIR" && "$SESSION" "$DB" <in' >mounted
-- sh: unshare -m sh mounted
-- There nobody else writes either, so the lock is not needed.
-- sh: rm "$STORE/LOCK"; $SESSION "file:$DB?mode=ro" <in
-- sh: unshare -m sh mounted
-- What was written to a write-ahead log that nobody may open is SQLite's to refuse.
PRAGMA journal_mode = wal;
INSERT INTO t VALUES (4, 'four');
-- sh: unshare -m sh mounted 2>&1 | sed 's|^.*unable|unable|'; ls
-- sh: sed -i 's/"$DB"/"file:$DB?immutable=1"/' mounted; unshare -m sh mounted
SELECT * FROM t;
INSERT INTO t VALUES (5, 'five');
