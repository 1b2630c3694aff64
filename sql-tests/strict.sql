-- strict = 1: values of the wrong type are errors, as in STRICT tables (ext/update_test.c compares with those).
.nullvalue NULL
CREATE VIRTUAL TABLE i USING seerdb(id INTEGER PRIMARY KEY, n INT, r REAL NOT NULL, t TEXT, b BLOB, a ANY, strict = 1);
CREATE VIRTUAL TABLE c USING seerdb(strict = 1, t TEXT COLLATE NOCASE, n INTEGER, v ANY DEFAULT 7, w INT NOT NULL DEFAULT 'none', PRIMARY KEY (n DESC, t));
CREATE VIRTUAL TABLE m USING seerdb(strict = 1);
CREATE VIRTUAL TABLE loose USING seerdb(k INT PRIMARY KEY, v ANY, strict = 0);
-- What can be converted without loss is.
INSERT INTO i VALUES ('1', '10', 5, 6, x'00', '7'), (2.0, 11.0, '5.5', 6.5, NULL, 7.0), (NULL, NULL, 1e3, 'x', x'', x'07');
SELECT id, typeof(n), typeof(r), typeof(t), typeof(b), quote(a) FROM i;
-- What cannot is refused, and the message says what it was and where it should have gone.
INSERT INTO i(n, r) VALUES ('ten', 1);
INSERT INTO i(n, r) VALUES (10.5, 1);
INSERT INTO i(n, r) VALUES (x'31', 1);
INSERT INTO i(r) VALUES ('one');
INSERT INTO i(r, t) VALUES (1, x'74');
INSERT INTO i(r, b) VALUES (1, 'text');
INSERT INTO i(r, b) VALUES (1, 5);
INSERT INTO i(id, r) VALUES ('one', 1);
INSERT INTO i(n) VALUES (1);
-- NOT NULL comes before types, types before the uniqueness of a key, after that of a rowid.
INSERT INTO i VALUES (1, 'ten', NULL, NULL, NULL, NULL);
INSERT INTO i VALUES (1, 'ten', 1, NULL, NULL, NULL);
INSERT INTO c VALUES ('k', 1, NULL, 1);
INSERT INTO c VALUES ('K', 1, NULL, 'x');
INSERT INTO c VALUES ('K', 1, NULL, 2);
-- Key columns, and a DEFAULT that does not fit: as in a STRICT table it fails when it is used.
INSERT INTO c VALUES (x'00', 2, NULL, 1);
INSERT INTO c VALUES ('k', 'two', NULL, 1);
INSERT INTO c VALUES (5, '6', NULL, 1);
INSERT INTO c(t, n) VALUES ('default', 3);
SELECT *, typeof(t), typeof(n) FROM c;
-- UPDATE, INSERT ... SELECT, a trigger: a statement that fails leaves nothing.
UPDATE i SET n = n + 0.5 WHERE id = 1;
UPDATE i SET n = n + 1.0 WHERE id = 1;
UPDATE i SET t = id, n = t WHERE id < 3;
SELECT id, n, t FROM i;
UPDATE c SET n = 'x' WHERE t = 'k';
INSERT INTO i(n, r, t) SELECT n, 1, t FROM c UNION ALL SELECT 'no', 1, 'x';
SELECT count(*) FROM i;
CREATE TABLE o(x);
CREATE TRIGGER o_ai AFTER INSERT ON o BEGIN INSERT INTO i(n, r) VALUES (new.x, 1); END;
INSERT INTO o VALUES (1), ('one');
SELECT count(*), (SELECT count(*) FROM i) FROM o;
-- ANY keeps each value and compares it as it is; without strict it means NUMERIC, as in SQLite.
INSERT INTO m VALUES ('5', '05'), (5, 5), (5.5, '5.5'), (x'35', x'35');
SELECT quote(key), quote(value) FROM m;
SELECT quote(key) FROM m WHERE key = '5';
SELECT quote(key) FROM m WHERE key = 5;
SELECT quote(key) FROM m WHERE value = '5';
SELECT quote(key) FROM m WHERE key > 5 AND key < x'';
INSERT INTO loose VALUES ('5', '05'), ('x', 5);
SELECT quote(k), quote(v) FROM loose;
SELECT quote(k) FROM loose WHERE v = '5';
-- reopen
.nullvalue NULL
INSERT INTO i(n, r) VALUES ('ten', 1);
UPDATE i SET b = 'text' WHERE id = 1;
SELECT quote(key), quote(value) FROM m WHERE key IN ('5', 5);
SELECT * FROM i;
SELECT * FROM c WHERE n = '6' AND t = 5;
