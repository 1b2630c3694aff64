-- A key equal to another by its collation or as a number is one key; which spelling is read back is as in an ordinary table.
CREATE TABLE log(step, t, k, kind, n, v);
CREATE TABLE steps(i INTEGER PRIMARY KEY, sql);
CREATE TABLE decl(d, sql);
INSERT INTO decl VALUES ('nc', 'k TEXT COLLATE NOCASE, n, v, PRIMARY KEY(k)'), ('rt', 'k TEXT COLLATE RTRIM, n, v, PRIMARY KEY(k)'),
  ('ut', 'k, n, v, PRIMARY KEY(k)'), ('un', 'k COLLATE NOCASE, n, v, PRIMARY KEY(k DESC)'), ('re', 'k REAL, n, v, PRIMARY KEY(k)'),
  ('cn', 'k COLLATE NOCASE, n, v, PRIMARY KEY(k, n)'), ('dr', 'n, k COLLATE RTRIM, v, PRIMARY KEY(n DESC, k DESC)');
INSERT INTO steps(sql) VALUES
  ('INSERT INTO @(k, n, v) VALUES (''Apple'', 1, ''v1''), (''b '', 1, ''v2''), (1, 1, ''v3''), (2.0, 1, ''v4''), (-0.0, 1, ''v5''), (''Z'' || char(0) || ''z'', 1, ''v6'')'),
  ('INSERT OR IGNORE INTO @(k, n, v) VALUES (''APPLE'', 1, ''w1''), (''b'', 1, ''w2''), (1.0, 1, ''w3''), (2, 1, ''w4''), (0, 1, ''w5''), (''z'' || char(0) || ''a'', 1, ''w6'')'),
  ('UPDATE @ SET v = v || ''+'''),
  ('UPDATE @ SET v = v || ''='', k = k WHERE v != ''x'''),
  ('REPLACE INTO @(k, n, v) VALUES (''aPPLE'', 1, ''r1''), (''b  '', 1, ''r2''), (1.0, 1, ''r3''), (2, 1, ''r4''), (0.0, 1, ''r5'')'),
  ('UPDATE @ SET k = ''APPLe'' WHERE k = ''apple'' AND v = ''r1'''),
  ('UPDATE @ SET k = ''B'' WHERE k = ''b'''),
  ('UPDATE @ SET k = 1 WHERE k = 1 AND typeof(k) = ''real'''),
  ('UPDATE @ SET k = upper(k) WHERE typeof(k) = ''text'' AND k < ''c'''),
  ('UPDATE @ SET k = k || '' '' WHERE k = ''APPLE'''),
  ('UPDATE @ SET n = n + 10 WHERE k > 0'),
  ('UPDATE OR REPLACE @ SET k = ''z'', n = 1 WHERE k = ''B'''),
  ('UPDATE OR IGNORE @ SET k = 2, n = 11 WHERE k = 1'),
  ('DELETE FROM @ WHERE k = ''apple'''),
  ('INSERT INTO @(k, n, v) VALUES (''apple'', 1, ''again'')'),
  ('DELETE FROM @ WHERE k = 2 AND typeof(k) = ''integer'''),
  ('INSERT OR REPLACE INTO @(k, n, v) SELECT k || ''  '', n, v || ''c'' FROM @ WHERE typeof(k) = ''text'''),
  ('INSERT OR REPLACE INTO @(k, n, v) SELECT upper(k), n, v || ''u'' FROM @ WHERE typeof(k) = ''text''');
.echo off
.mode list
.once run.sql
SELECT 'CREATE VIRTUAL TABLE s_' || d || ' USING seerdb(' || sql || '); CREATE TABLE o_' || d || '(' || sql || ') WITHOUT ROWID;' FROM decl UNION ALL
SELECT z FROM (SELECT replace(steps.sql, '@', t || d) || '; INSERT INTO log SELECT ' || i || ', ''' || t || d || ''', hex(CAST(k AS BLOB)), typeof(k), n, v FROM ' || t || d || ';' AS z
  FROM decl, steps, (SELECT 's_' AS t UNION ALL VALUES ('o_')) ORDER BY i, d, t);
.read run.sql
.echo on
SELECT t, count(*) FROM log GROUP BY t ORDER BY substr(t, 3), t;
SELECT count(DISTINCT k) FROM log;
SELECT * FROM (SELECT step, substr(t, 3), k, kind, n, v FROM log WHERE t LIKE 's%' EXCEPT SELECT step, substr(t, 3), k, kind, n, v FROM log WHERE t LIKE 'o%');
SELECT * FROM (SELECT step, substr(t, 3), k, kind, n, v FROM log WHERE t LIKE 'o%' EXCEPT SELECT step, substr(t, 3), k, kind, n, v FROM log WHERE t LIKE 's%');
SELECT step, k, kind, n, v FROM log WHERE t = 's_nc' AND step IN (1, 5, 18);
SELECT quote(k), n, v FROM s_nc;
SELECT seerdb('s_nc', 'flush');
-- reopen
SELECT quote(k), n, v FROM s_nc;
SELECT quote(k), n, v FROM s_rt WHERE k <= 'b' AND k > 1;
