-- The affinity of a column is applied on the way in and to what it is compared with.
.mode quote
CREATE VIRTUAL TABLE s USING seerdb(n INTEGER PRIMARY KEY,
  i INT, t TEXT, r REAL, m NUMERIC, b BLOB, u, v VARCHAR(5), d DATETIME);
CREATE TABLE o(n INTEGER PRIMARY KEY, i INT, t TEXT, r REAL, m NUMERIC, b BLOB, u, v VARCHAR(5), d DATETIME);
CREATE TABLE x(v);
INSERT INTO x VALUES (1), (1.0), (1.5), ('1'), ('1.0'), ('1e2'), (' 7 '), ('abc'), ('0x10'), (x'31'),
  (NULL), (9223372036854775807), ('9223372036854775808'), (1e300), (-0.0), ('');
INSERT INTO o SELECT NULL, v, v, v, v, v, v, v, v FROM x;
INSERT INTO s SELECT NULL, v, v, v, v, v, v, v, v FROM x;
SELECT * FROM s;
SELECT count(*) FROM s JOIN o USING (n) WHERE s.i IS o.i AND typeof(s.i) = typeof(o.i)
  AND s.t IS o.t AND typeof(s.t) = typeof(o.t) AND s.r IS o.r AND typeof(s.r) = typeof(o.r)
  AND s.m IS o.m AND typeof(s.m) = typeof(o.m) AND s.b IS o.b AND typeof(s.b) = typeof(o.b)
  AND s.u IS o.u AND typeof(s.u) = typeof(o.u) AND s.v IS o.v AND typeof(s.v) = typeof(o.v)
  AND s.d IS o.d AND typeof(s.d) = typeof(o.d);
-- As keys.
CREATE VIRTUAL TABLE ki USING seerdb(k INT PRIMARY KEY);
CREATE VIRTUAL TABLE kt USING seerdb(k TEXT PRIMARY KEY);
CREATE VIRTUAL TABLE kr USING seerdb(k REAL PRIMARY KEY);
CREATE VIRTUAL TABLE km USING seerdb(k NUMERIC PRIMARY KEY);
CREATE VIRTUAL TABLE kb USING seerdb(k BLOB PRIMARY KEY);
INSERT OR IGNORE INTO ki SELECT v FROM x;
INSERT OR IGNORE INTO kt SELECT v FROM x;
INSERT OR IGNORE INTO kr SELECT v FROM x;
INSERT OR IGNORE INTO km SELECT v FROM x;
INSERT OR IGNORE INTO kb SELECT v FROM x;
SELECT * FROM ki;
SELECT * FROM kt;
SELECT * FROM kr;
SELECT * FROM km;
SELECT * FROM kb;
-- A number in a text is a number for a numeric column, and not for others.
SELECT * FROM ki WHERE k = '1';
SELECT * FROM ki WHERE k > '1' AND k < '200';
SELECT * FROM km WHERE k IN ('1', '1.5', 'abc');
SELECT * FROM kr WHERE k = '1.5';
SELECT * FROM kb WHERE k = 1;
SELECT * FROM kb WHERE k = '1';
SELECT * FROM kt WHERE k = 1;
SELECT * FROM kt WHERE k = 1.0;
SELECT * FROM kt WHERE k < 2;
SELECT * FROM kt WHERE k IN (1, 1.5);
-- A text key and a numeric column meet as numbers.
CREATE TABLE n(i INT, r REAL, t TEXT, u);
INSERT INTO n VALUES (1, 1.0, '1', 1), (100, 100, '1e2', '1e2'), (7, 7, '7', ' 7 ');
SELECT n.i, kt.k FROM n JOIN kt ON kt.k = n.i;
SELECT n.r, kt.k FROM n JOIN kt ON kt.k = n.r;
SELECT n.t, kt.k FROM n JOIN kt ON kt.k = n.t;
SELECT n.u, kt.k FROM n JOIN kt ON kt.k = n.u;
SELECT n.t, ki.k FROM n JOIN ki ON ki.k = n.t;
SELECT n.u, ki.k FROM n JOIN ki ON ki.k = n.u;
SELECT n.t, kb.k FROM n JOIN kb ON kb.k = n.t;
SELECT n.i, kb.k FROM n JOIN kb ON kb.k = n.i;
SELECT n.u, kb.k FROM n JOIN kb ON kb.k = n.u;
SELECT k FROM kt WHERE k IN (SELECT i FROM n);
SELECT k FROM kt WHERE k IN (SELECT t FROM n);
SELECT k FROM kb WHERE k IN (SELECT i FROM n);
SELECT k FROM ki WHERE k IN (SELECT t FROM n);
-- Parameters have no affinity of their own.
.parameter set ?1 1
SELECT * FROM kt WHERE k = ?1;
SELECT * FROM kb WHERE k = ?1;
.parameter set ?1 "'1'"
SELECT * FROM ki WHERE k = ?1;
SELECT * FROM kb WHERE k = ?1;
SELECT * FROM kr WHERE k >= ?1 AND k < 2;
