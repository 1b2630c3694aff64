-- With trusted_schema off triggers do not write into seerdb tables.  SQLite before 3.40 lets them.
-- require: $SQLITE3 :memory: "SELECT sqlite_version()" | grep -Evq "^3\.3[89]\."
CREATE VIRTUAL TABLE t USING seerdb(k INTEGER PRIMARY KEY, v);
CREATE TABLE bait(x);
CREATE TRIGGER bait_ai AFTER INSERT ON bait BEGIN INSERT INTO t VALUES (100 + new.x, 'by trigger'); END;
PRAGMA trusted_schema = off;
INSERT INTO bait VALUES (1);
SELECT * FROM t;
PRAGMA trusted_schema = on;
INSERT INTO bait VALUES (1);
SELECT * FROM t;
