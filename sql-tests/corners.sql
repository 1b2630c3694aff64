-- Values and keys in every corner: every way of comparing every value with keys of every kind gives what an ordinary table of the
-- same declaration gives. The queries are made by SQL; only differences are shown, and how many rows agreed.
CREATE TABLE x(n INTEGER PRIMARY KEY, lit, v);
INSERT INTO x(lit) VALUES ('0'), ('1'), ('1.0'), ('-1'), ('5'), ('5.0'), ('5.5'), ('-0.0'), ('9007199254740991'), ('9007199254740992'),
  ('9007199254740993'), ('9007199254740992.0'), ('9007199254740994.0'), ('-9007199254740993'), ('9223372036854775807'),
  ('-9223372036854775808'), ('9223372036854775808.0'), ('-9223372036854775808.0'), ('9223372036854774784.0'), ('9e999'), ('-9e999'),
  ('1e-320'), ('NULL'), (''''''), (''' '''), ('''a'''), ('''A'''), ('''a '''), ('''ab'''), ('''B'''), ('''1'''), ('''1.0'''), ('''05'''),
  (''' 5'''), ('''5 '''), ('''5e0'''), ('''5.5'''), ('''9007199254740993'''), ('''9223372036854775807'''), ('''Inf'''), ('''-'''),
  ('char(0)'), ('char(228)'), ('''a''||char(0)||''b'''), ('''A''||char(0)||''B'''), ('''a''||char(0)'), ('CAST(x''80ff'' AS TEXT)'),
  ('CAST(x''c3'' AS TEXT)'), ('char(128512)'), ('x'''''), ('x''00'''), ('x''35'''), ('x''61'''), ('x''ff'''), ('x''0000''');
CREATE TABLE pair(p, columns, sql);
INSERT INTO pair VALUES
  ('ut', 'k', 'k PRIMARY KEY'), ('te', 'k', 'k TEXT PRIMARY KEY'), ('it', 'k', 'k INT PRIMARY KEY'), ('re', 'k', 'k REAL PRIMARY KEY'),
  ('nu', 'k', 'k NUMERIC PRIMARY KEY'), ('bl', 'k', 'k BLOB PRIMARY KEY'), ('nc', 'k', 'k TEXT COLLATE NOCASE PRIMARY KEY'),
  ('rt', 'k', 'k COLLATE RTRIM PRIMARY KEY'), ('ud', 'k', 'k, PRIMARY KEY(k DESC)'), ('td', 'k, n', 'k TEXT, n, PRIMARY KEY(k DESC, n)'),
  ('cn', 'n, k', 'n, k COLLATE NOCASE, PRIMARY KEY(n, k)'), ('cd', 'k, n', 'n INT, k, PRIMARY KEY(k, n DESC)'),
  ('ip', 'k', 'k INTEGER PRIMARY KEY'), ('rw', 'k, n', 'k, n');
-- Each query gives one column z; @ is the table.
CREATE TABLE op(op);
INSERT INTO op VALUES ('='), ('<'), ('<='), ('>'), ('>='), ('IS'), ('!='), ('IS NOT');
CREATE TABLE rhs(rhs, numeric);
INSERT INTO rhs VALUES ('x.v', 0), ('+x.v', 0), ('y.t', 0), ('y.b', 0), ('y.i', 1), ('y.r', 1), ('y.m', 1), ('CAST(x.v AS TEXT)', 0),
  ('CAST(x.v AS BLOB)', 0), ('CAST(x.v AS INTEGER)', 0), ('CAST(x.v AS REAL)', 0), ('(SELECT v FROM x o WHERE o.n = x.n)', 0),
  ('(SELECT t FROM y o WHERE o.n = x.n)', 0), ('CASE WHEN x.n > 0 THEN x.v END', 0), ('coalesce(y.t, 1)', 0);
CREATE TABLE q(i INTEGER PRIMARY KEY, sql);
-- Joins. Texts in columns of numeric affinity are documented not to meet every key by < and >.
INSERT INTO q(sql) SELECT 'SELECT x.n || ''='' || typeof(k) || hex(CAST(k AS BLOB)) AS z FROM x JOIN y USING (n) CROSS JOIN @ ON @.k ' || op || ' ' ||
  rhs || iif(numeric AND op NOT IN ('=', 'IS'), ' WHERE typeof(' || rhs || ') != ''text''', '') FROM op, rhs WHERE op NOT IN ('!=', 'IS NOT') OR rhs IN ('x.v', 'y.t', 'y.i');
INSERT INTO q(sql) SELECT 'SELECT x.n || typeof(k) || hex(CAST(k AS BLOB)) AS z FROM x JOIN y USING (n) CROSS JOIN @ ON ' || rhs || ' ' || op || ' @.k' ||
  iif(numeric AND op NOT IN ('=', 'IS'), ' WHERE typeof(' || rhs || ') != ''text''', '') FROM op, rhs WHERE op IN ('=', '<', '>=');
INSERT INTO q(sql) SELECT 'SELECT x.n || typeof(k) || hex(CAST(k AS BLOB)) AS z FROM @ LEFT JOIN (x JOIN y USING (n)) ON k = ' || rhs FROM rhs WHERE numeric;
-- Literals.
INSERT INTO q(sql) SELECT 'SELECT typeof(k) || hex(CAST(k AS BLOB)) AS z FROM @ WHERE k ' || op || ' ' || lit FROM op, x;
INSERT INTO q(sql) SELECT 'SELECT typeof(k) || hex(CAST(k AS BLOB)) AS z FROM @ WHERE ' || lit || ' ' || op || ' k' FROM op, x WHERE x.n % 3 = 0;
INSERT INTO q(sql) SELECT 'SELECT typeof(k) || hex(CAST(k AS BLOB)) AS z FROM @ WHERE k BETWEEN ' || x.lit || ' AND ' || y.lit FROM x, x y
  WHERE (x.n * 7 + y.n * 11) % 13 = 0;
INSERT INTO q(sql) SELECT 'SELECT typeof(k) || hex(CAST(k AS BLOB)) AS z FROM @ WHERE k IN (' || x.lit || ', ' || y.lit || ', ''b'', 7)' FROM x, x y
  WHERE (x.n * 5 + y.n * 3) % 17 = 0;
INSERT INTO q(sql) SELECT 'SELECT typeof(k) || hex(CAST(k AS BLOB)) AS z FROM @ WHERE k > ' || x.lit || ' OR k = ' || y.lit FROM x, x y
  WHERE (x.n * 3 + y.n) % 29 = 0;
INSERT INTO q(sql) SELECT 'SELECT CASE k WHEN ' || lit || ' THEN 1 ELSE 0 END || hex(CAST(k AS BLOB)) AS z FROM @' FROM x WHERE n % 4 = 1;
-- IN of columns, row values, subqueries, compound queries, order.
INSERT INTO q(sql) SELECT 'SELECT typeof(k) || hex(CAST(k AS BLOB)) AS z FROM @ WHERE k ' || v || ' (SELECT ' || c || ' FROM ' || t || ' WHERE n % ' || m || ' = 1)' FROM
  (SELECT 'v' AS c, 'x' AS t UNION ALL VALUES ('i', 'y'), ('t', 'y'), ('r', 'y'), ('m', 'y'), ('b', 'y'), ('+t', 'y'), ('+i', 'y')),
  (SELECT 'IN' AS v UNION ALL VALUES ('NOT IN')), (SELECT 1 AS m UNION ALL VALUES (2), (3), (5));
INSERT INTO q(sql) SELECT 'SELECT ' || c || ' IN (SELECT k FROM @) AS z FROM y' FROM (SELECT 'i' AS c UNION ALL VALUES ('t'), ('r'), ('m'), ('b'), ('u'));
INSERT INTO q(sql) SELECT 'SELECT n || coalesce(typeof(k) || hex(CAST(k AS BLOB)), '''') AS z FROM (SELECT n, (SELECT max(k) FROM @ WHERE k ' || op || ' v) AS k FROM x)' FROM op WHERE op IN ('<', '>');
INSERT INTO q(sql) SELECT 'SELECT x.n || hex(CAST(k AS BLOB)) AS z FROM x CROSS JOIN @ ON (k, 1) ' || op || ' (x.v, 1)' FROM op WHERE op NOT LIKE 'IS%';
INSERT INTO q(sql) VALUES
  ('SELECT typeof(z) || hex(CAST(z AS BLOB)) AS z FROM (SELECT k AS z FROM @ INTERSECT SELECT v FROM x)'),
  ('SELECT typeof(z) || hex(CAST(z AS BLOB)) AS z FROM (SELECT k AS z FROM @ EXCEPT SELECT t FROM y)'),
  ('SELECT hex(CAST(z AS BLOB)) AS z FROM (SELECT k AS z FROM @ UNION SELECT v FROM x) WHERE typeof(z) = ''text'''),
  ('SELECT typeof(k) || hex(CAST(k AS BLOB)) || count(*) AS z FROM @ GROUP BY k'), ('SELECT DISTINCT typeof(k) || hex(CAST(k AS BLOB)) AS z FROM @'),
  ('SELECT typeof(k) || hex(CAST(k AS BLOB)) || row_number() OVER (ORDER BY k) AS z FROM @ WHERE typeof(k) != ''null'''),
  ('SELECT hex(CAST(min(k) AS BLOB)) || hex(CAST(max(k) AS BLOB)) || count(k) || count(DISTINCT k) AS z FROM @'),
  ('SELECT a.k || b.k AS z FROM @ a JOIN @ b ON a.k = b.k'), ('SELECT hex(CAST(a.k AS BLOB)) || hex(CAST(b.k AS BLOB)) AS z FROM @ a JOIN @ b ON a.k > b.k'),
  ('SELECT typeof(k) || hex(CAST(k AS BLOB)) || (k IS NULL) || (k = 0) || (1 / k > 0) AS z FROM @ WHERE k BETWEEN -1 AND 1 OR k IS NULL');
CREATE TABLE result(p, i, rows, got, want);
.echo off
.mode list
.once setup.sql
SELECT 'UPDATE x SET v = ' || lit || ' WHERE n = ' || n || ';' FROM x
  UNION ALL SELECT 'CREATE TABLE y(n INTEGER PRIMARY KEY, i INT, t TEXT, r REAL, m NUMERIC, b BLOB, u); INSERT INTO y SELECT n, v, v, v, v, v, v FROM x;'
  UNION ALL SELECT 'CREATE VIRTUAL TABLE s_' || p || ' USING seerdb(' || sql || '); CREATE TABLE o_' || p || '(' || sql || ')' ||
    iif(p IN ('ip', 'rw'), '', ' WITHOUT ROWID') || ';' FROM pair
  UNION ALL SELECT 'INSERT OR IGNORE INTO ' || t || p || '(' || columns || ') SELECT ' || replace(replace(columns, 'k', 'v'), 'n', 'n % 3') || ' FROM x' ||
    iif(p = 'ip', ' WHERE typeof(v) IN (''integer'', ''null'') AND n < 15', '') || ' ORDER BY n;' FROM pair, (SELECT 'o_' AS t UNION ALL VALUES ('s_'));
.once run.sql
SELECT 'BEGIN;' UNION ALL
SELECT 'INSERT INTO result SELECT ''' || p || ''', ' || i || ', count(*), (SELECT group_concat(z) FROM (SELECT z FROM (' || replace(sql, '@', 's_' || p) ||
  ') ORDER BY z)), group_concat(z) FROM (SELECT z FROM (' || replace(sql, '@', 'o_' || p) || ') ORDER BY z);' FROM (SELECT p, i, q.sql FROM pair, q ORDER BY p, i)
  UNION ALL SELECT 'COMMIT;';
.once run16.sql
SELECT 'BEGIN;' UNION ALL
SELECT 'INSERT INTO result SELECT ''' || p || ''', ' || i || ', count(*), (SELECT group_concat(z) FROM (SELECT z FROM (' || replace(sql, '@', 's_' || p) ||
  ') ORDER BY z)), group_concat(z) FROM (SELECT z FROM (' || replace(sql, '@', 'o_' || p) || ') ORDER BY z);' FROM (SELECT p, i, q.sql FROM pair, q ORDER BY p, i)
  WHERE i % 3 = 0 UNION ALL SELECT 'COMMIT;';
.once sorted.sql
SELECT 'SELECT seerdb(''s_' || p || ''', ''flush'') IS NULL;' FROM pair UNION ALL
SELECT 'DELETE FROM result; BEGIN;' UNION ALL
SELECT 'INSERT INTO result SELECT ''' || p || ''', ' || i || ', count(*), (SELECT group_concat(z) FROM (SELECT z FROM (' || replace(sql, '@', 's_' || p) ||
  ') ORDER BY z)), group_concat(z) FROM (SELECT z FROM (' || replace(sql, '@', 'o_' || p) || ') ORDER BY z);' FROM (SELECT p, i, q.sql FROM pair, q ORDER BY p, i)
  WHERE i % 4 = 0 UNION ALL SELECT 'COMMIT;';
.read setup.sql
.read run.sql
.echo on
SELECT p, count(*), sum(rows) > 8000 FROM result GROUP BY p;
SELECT p, q.sql, substr(got, 1, 300), substr(want, 1, 300) FROM result JOIN q USING (i) WHERE got IS NOT want LIMIT 20;
SELECT count(*) FROM result WHERE got IS NOT want;
-- Some of it from sorted tables.
.echo off
.read sorted.sql
.echo on
SELECT count(*) FROM result;
SELECT count(*) FROM result WHERE got IS NOT want;
-- And in UTF-16.
-- sh: (echo ".dump x"; echo ".dump pair"; echo ".dump q") | $SESSION $DB > tables.sql; rm -rf $DB $DB-* $STORE; (echo "PRAGMA encoding = 'UTF-16be';"; cat tables.sql) | $SESSION $DB
PRAGMA encoding;
CREATE TABLE result(p, i, rows, got, want);
.echo off
.read setup.sql
.read run16.sql
.echo on
SELECT p, count(*), sum(rows) > 8000 FROM result GROUP BY p;
SELECT p, q.sql, substr(got, 1, 300), substr(want, 1, 300) FROM result JOIN q USING (i) WHERE got IS NOT want LIMIT 20;
SELECT count(*) FROM result WHERE got IS NOT want;
