-- Merges that take the short way and those that cannot say the same: two tables for
-- each kind of key, of which the second has a column that forbids the short way.
CREATE VIRTUAL TABLE short_b USING seerdb(k BLOB PRIMARY KEY, a INTEGER MERGE add, b MERGE max, c NUMERIC MERGE min, d INT NOT NULL DEFAULT 5 MERGE bit_or, e REAL MERGE add, f INTEGER MERGE bit_and);
CREATE VIRTUAL TABLE long_b USING seerdb(k BLOB PRIMARY KEY, a INTEGER MERGE add, b MERGE max, c NUMERIC MERGE min, d INT NOT NULL DEFAULT 5 MERGE bit_or, e REAL MERGE add, f INTEGER MERGE bit_and, x TEXT NOT NULL DEFAULT 'long');
CREATE VIRTUAL TABLE short_t USING seerdb(a INTEGER MERGE add, b MERGE max, k TEXT PRIMARY KEY, c NUMERIC MERGE min, d INT NOT NULL DEFAULT 5 MERGE bit_or, e REAL MERGE add, f INTEGER MERGE bit_and);
CREATE VIRTUAL TABLE long_t USING seerdb(a INTEGER MERGE add, b MERGE max, k TEXT PRIMARY KEY, c NUMERIC MERGE min, d INT NOT NULL DEFAULT 5 MERGE bit_or, e REAL MERGE add, f INTEGER MERGE bit_and, x TEXT NOT NULL DEFAULT 'long');
CREATE VIRTUAL TABLE short_i USING seerdb(a INTEGER MERGE add, k INTEGER PRIMARY KEY, b MERGE max, c NUMERIC MERGE min, d INT NOT NULL DEFAULT 5 MERGE bit_or, e REAL MERGE add, f INTEGER MERGE bit_and);
CREATE VIRTUAL TABLE long_i USING seerdb(a INTEGER MERGE add, k INTEGER PRIMARY KEY, b MERGE max, c NUMERIC MERGE min, d INT NOT NULL DEFAULT 5 MERGE bit_or, e REAL MERGE add, f INTEGER MERGE bit_and, x TEXT NOT NULL DEFAULT 'long');
CREATE TEMP TABLE v(i INTEGER PRIMARY KEY, v);
INSERT INTO v(v) VALUES (0), (1), (-1), (127), (128), (-129), (40000), (9223372036854775807), (-9223372036854775808),
  (NULL), ('7'), (' 8 '), ('nine'), (1.5), (2.0), (x'31'), (''), (x''), (70000), (16777216), (1099511627776);
CREATE TEMP TABLE keys(k);
INSERT INTO keys VALUES (1), ('1'), (x'31'), ('one'), (''), (x''), (-5), ('a' || char(0) || 'b'), (x'6100ff'), (1099511627776);
CREATE TEMP TABLE work AS SELECT keys.k AS k, p.v AS a, q.v AS b, (p.i * 7 + q.i) % 3 AS way, p.i * 100 + q.i AS n
  FROM keys, v AS p, v AS q WHERE (p.i + q.i * 3 + keys.rowid) % 5 = 0;

-- d is left out now and then by giving 3; NULL would be refused where there is a default.
INSERT INTO short_b(k, a, b, c, d, e, f, _op) SELECT k, a, b, a, 3, CASE way WHEN 0 THEN a END, CASE way WHEN 1 THEN b END, 'merge' FROM work WHERE typeof(k) <> 'null' ORDER BY n;
INSERT INTO long_b(k, a, b, c, d, e, f, _op) SELECT k, a, b, a, 3, CASE way WHEN 0 THEN a END, CASE way WHEN 1 THEN b END, 'merge' FROM work WHERE typeof(k) <> 'null' ORDER BY n;
INSERT INTO short_t(k, a, b, c, d, e, f, _op) SELECT k, a, b, a, 3, CASE way WHEN 0 THEN a END, CASE way WHEN 1 THEN b END, 'merge' FROM work ORDER BY n;
INSERT INTO long_t(k, a, b, c, d, e, f, _op) SELECT k, a, b, a, 3, CASE way WHEN 0 THEN a END, CASE way WHEN 1 THEN b END, 'merge' FROM work ORDER BY n;
INSERT INTO short_i(k, a, b, c, d, e, f, _op) SELECT k, a, b, a, 3, CASE way WHEN 0 THEN a END, CASE way WHEN 1 THEN b END, 'merge' FROM work WHERE typeof(k) = 'integer' OR k = '1' ORDER BY n;
INSERT INTO long_i(k, a, b, c, d, e, f, _op) SELECT k, a, b, a, 3, CASE way WHEN 0 THEN a END, CASE way WHEN 1 THEN b END, 'merge' FROM work WHERE typeof(k) = 'integer' OR k = '1' ORDER BY n;

CREATE TEMP VIEW sb AS SELECT quote(k), quote(a), quote(b), quote(c), quote(d), quote(e), quote(f) FROM short_b;
CREATE TEMP VIEW lb AS SELECT quote(k), quote(a), quote(b), quote(c), quote(d), quote(e), quote(f) FROM long_b;
CREATE TEMP VIEW st AS SELECT quote(k), quote(a), quote(b), quote(c), quote(d), quote(e), quote(f) FROM short_t;
CREATE TEMP VIEW lt AS SELECT quote(k), quote(a), quote(b), quote(c), quote(d), quote(e), quote(f) FROM long_t;
CREATE TEMP VIEW si AS SELECT quote(k), quote(a), quote(b), quote(c), quote(d), quote(e), quote(f) FROM short_i;
CREATE TEMP VIEW li AS SELECT quote(k), quote(a), quote(b), quote(c), quote(d), quote(e), quote(f) FROM long_i;
SELECT 'rows', (SELECT count(*) FROM sb), (SELECT count(*) FROM st), (SELECT count(*) FROM si), (SELECT count(*) FROM work) > 500;
SELECT 'blob', * FROM (SELECT * FROM sb EXCEPT SELECT * FROM lb) UNION ALL SELECT 'blob', * FROM (SELECT * FROM lb EXCEPT SELECT * FROM sb);
SELECT 'text', * FROM (SELECT * FROM st EXCEPT SELECT * FROM lt) UNION ALL SELECT 'text', * FROM (SELECT * FROM lt EXCEPT SELECT * FROM st);
SELECT 'integer', * FROM (SELECT * FROM si EXCEPT SELECT * FROM li) UNION ALL SELECT 'integer', * FROM (SELECT * FROM li EXCEPT SELECT * FROM si);
SELECT * FROM si;

-- What the long way refuses is refused, and the rowid is told.
INSERT INTO short_b(k, a, d, _op) VALUES (NULL, 1, 1, 'merge');
INSERT INTO short_i(k, a, d, _op) VALUES ('x', 1, 1, 'merge');
INSERT INTO short_b(k, a, d, _op) VALUES (zeroblob(2000), 1, 1, 'merge');
INSERT INTO short_i(k, a, d, _op) VALUES (77, 1, 1, 'merge');
SELECT last_insert_rowid();
INSERT INTO short_i(a, d, _op) VALUES (1, 1, 'merge');
SELECT last_insert_rowid();
BEGIN;
INSERT INTO short_i(k, a, d, _op) VALUES (77, 1, 1, 'merge');
SAVEPOINT s;
INSERT INTO short_i(k, a, d, _op) VALUES (77, 10, 2, 'merge'), (79, 1, 1, 'merge');
SELECT k, a, d FROM short_i WHERE k > 50 AND k < 100;
ROLLBACK TO s;
INSERT INTO short_i(k, a, d, _op) VALUES (77, 100, 4, 'merge');
INSERT INTO short_i(k, a, d, _op) VALUES (77, 1000, 8, 'merge');
COMMIT;
SELECT k, a, d FROM short_i WHERE k > 50 AND k < 100;
