-- Keys of all types sort as SQLite sorts values: NULL < numbers < text < blob.
.mode quote
CREATE VIRTUAL TABLE s USING seerdb(k PRIMARY KEY, n);
CREATE TABLE o(k PRIMARY KEY, n) WITHOUT ROWID;
INSERT INTO o VALUES
 (0, 1), (-1, 2), (1, 3), (0.5, 4), (-0.5, 5), (9007199254740992, 6), (9007199254740993, 7),
 (9007199254740994.0, 8), (9223372036854775807, 9), (-9223372036854775808, 10),
 (9223372036854775808.0, 11), (1e308, 12), (-1e308, 13), (9e999, 14), (-9e999, 15), (1e-320, 16),
 ('', 17), ('a', 18), ('A', 19), ('ab', 20), ('a ', 21), ('1', 22), ('key1', 23), ('key10', 24),
 (x'', 25), (x'00', 26), (x'0000', 27), (x'61', 28), (x'ff', 29), (x'ff00', 30),
 (char(228), 31), (char(128512), 32), (CAST(x'6100' AS TEXT), 33), (CAST(x'610062' AS TEXT), 34);
INSERT INTO s SELECT * FROM o ORDER BY n;
SELECT k, n FROM s;
-- Nothing in the order of keys, nothing in the values differs from the ordinary table.
SELECT count(*) FROM (SELECT k, n, row_number() OVER () AS p FROM s) a
 JOIN (SELECT k, n, row_number() OVER () AS p FROM o) b USING (p)
 WHERE a.k IS b.k AND typeof(a.k) = typeof(b.k) AND a.n = b.n;
SELECT group_concat(n) FROM (SELECT n FROM s ORDER BY k DESC);
-- Every key is found by its value, and by nothing else.
SELECT count(*) FROM o JOIN s ON s.k = o.k WHERE s.n = o.n;
SELECT count(*) FROM o JOIN s ON s.k = o.k;
SELECT n FROM s WHERE k = 9007199254740993;
SELECT n FROM s WHERE k = 9007199254740994;
SELECT n FROM s WHERE k = 9007199254740992.0;
SELECT n FROM s WHERE k > 9007199254740992 AND k < 9007199254740994;
SELECT n FROM s WHERE k >= 9223372036854775807;
SELECT n FROM s WHERE k = 1.0;
SELECT n FROM s WHERE k = '1';
SELECT n FROM s WHERE k = x'31';
-- -0.0 is 0.
SELECT n FROM s WHERE k = -0.0;
-- Trap 14: "key1" does not hide "key10", nor the other way round.
SELECT k, n FROM s WHERE k = 'key1';
SELECT k, n FROM s WHERE k = 'key10';
SELECT k, n FROM s WHERE k >= 'key1' AND k < 'key2';
DELETE FROM s WHERE k = 'key1';
SELECT k, n FROM s WHERE k >= 'key' AND k < 'kez';
INSERT INTO s VALUES ('key1', 123);
SELECT k, n FROM s WHERE k >= 'key' AND k < 'kez';
SELECT seerdb('s', 'flush');
SELECT k, n FROM s WHERE k = 'key10';
SELECT k, n FROM s WHERE k = 'key1';
SELECT count(*) FROM o JOIN s ON s.k = o.k WHERE typeof(s.k) = typeof(o.k);
-- 1 and 1.0 are one key; what comes back has the type that was stored.
INSERT INTO s VALUES (1.0, 'again');
INSERT OR REPLACE INTO s VALUES (1.0, 'again');
SELECT k, n FROM s WHERE k = 1;
UPDATE s SET k = 1 WHERE k = 1.0;
SELECT k, n FROM s WHERE k = 1.0;
-- A key column of a WITHOUT ROWID table has no NULLs; NULL finds nothing.
INSERT INTO s VALUES (NULL, 0);
SELECT n FROM s WHERE k = NULL;
SELECT n FROM s WHERE k IS NULL;
SELECT count(*) FROM s WHERE k IS NOT NULL;
SELECT n FROM s WHERE k > NULL;
SELECT n FROM s WHERE k IN (NULL, 1, 'a', x'ff');
-- In the key of a rowid table NULL means the next number.
CREATE VIRTUAL TABLE i USING seerdb(k INTEGER PRIMARY KEY, n);
INSERT INTO i VALUES (NULL, 1), (NULL, 2), (-5, 3), (NULL, 4);
INSERT INTO i VALUES ('7', 5), (8.0, 6), (' 9 ', 7);
SELECT * FROM i;
INSERT INTO i VALUES ('x', 8);
INSERT INTO i VALUES (1.5, 9);
INSERT INTO i VALUES (x'31', 10);
INSERT INTO i VALUES (9223372036854775807, 11), (-9223372036854775808, 12);
SELECT * FROM i;
SELECT n FROM i WHERE k = '7';
SELECT n FROM i WHERE k = 7.0;
SELECT n FROM i WHERE k = 7.5;
SELECT n FROM i WHERE k > 7.5;
SELECT n FROM i WHERE k < -4.5;
SELECT n FROM i WHERE k >= 9223372036854775807;
SELECT n FROM i WHERE k > 9223372036854775807;
SELECT n FROM i WHERE k < 9e999 AND k > 1e18;
SELECT n FROM i WHERE k < -9223372036854775807;
SELECT n FROM i WHERE k < 'text' AND k > 8;
SELECT n FROM i WHERE k > 'text';
-- A key longer than 64 KiB is refused, a long one is not.
INSERT INTO s VALUES (zeroblob(70000), 'long');
INSERT INTO s VALUES (printf('%.65537c', 'x'), 'long');
INSERT INTO s VALUES (printf('%.60000c', 'x'), 'long');
SELECT length(k), n FROM s WHERE n = 'long';
SELECT length(k), n FROM s WHERE k = printf('%.60000c', 'x');
-- reopen
.mode quote
SELECT length(k), n FROM s WHERE k = printf('%.60000c', 'x');
SELECT count(*) FROM o JOIN s ON s.k = o.k WHERE typeof(s.k) = typeof(o.k);
SELECT group_concat(n) FROM (SELECT n FROM s ORDER BY k DESC);
SELECT * FROM i;
