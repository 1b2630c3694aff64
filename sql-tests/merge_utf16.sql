-- MERGE columns of a database in UTF-16.
PRAGMA encoding = 'UTF-16le';
.nullvalue NULL
.mode quote
CREATE VIRTUAL TABLE t USING seerdb(k TEXT PRIMARY KEY, ap TEXT MERGE append(' – '), lo TEXT COLLATE NOCASE MERGE min, hi TEXT MERGE max, n MERGE add, x TEXT MERGE (old || '|' || new), d TEXT NOT NULL DEFAULT 'dé' MERGE append, insert = merge);
INSERT INTO t VALUES ('é', 'ä', 'Ä', 'b', '5', 'p', 'q'), ('é', '𝄞', 'a', '𝄞', '6 €', 'ö', 'r');
INSERT INTO t(k) VALUES ('ß');
INSERT INTO t(k, ap, d, n) VALUES ('ß', 5, 'ß', 1.5);
SELECT * FROM t;
SELECT seerdb('t', 'compact');
INSERT INTO t(k, ap, x) VALUES ('é', 'end', '𝄞');
SELECT * FROM t;
