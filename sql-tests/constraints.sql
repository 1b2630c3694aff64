-- NOT NULL and uniqueness: SQLite's messages, codes and effects.
.mode list
.nullvalue NULL
CREATE VIRTUAL TABLE s USING seerdb(k TEXT PRIMARY KEY, v NOT NULL, w);
CREATE VIRTUAL TABLE c USING seerdb(a, b COLLATE NOCASE, v, PRIMARY KEY (b, a));
CREATE VIRTUAL TABLE i USING seerdb(id INTEGER PRIMARY KEY, v NOT NULL);
CREATE VIRTUAL TABLE h USING seerdb(v NOT NULL);
INSERT INTO s VALUES ('a', 1, 2);
INSERT INTO s VALUES ('b', NULL, 2);
INSERT INTO s VALUES (NULL, 1, 2);
INSERT INTO s(k) VALUES ('c');
INSERT INTO s VALUES ('a', 3, 4);
INSERT INTO c VALUES (1, 'x', 'first');
INSERT INTO c VALUES (1, 'X', 'second');
INSERT INTO c VALUES (NULL, 'y', 'third');
INSERT INTO c VALUES (1, NULL, 'fourth');
INSERT INTO i VALUES (1, 'one');
INSERT INTO i VALUES (1, 'again');
INSERT INTO i(rowid, v) VALUES (1, 'again');
INSERT INTO i VALUES (2, NULL);
INSERT INTO h VALUES (NULL);
INSERT INTO h(rowid, v) VALUES (1, 'one');
INSERT INTO h(rowid, v) VALUES (1, 'two');
UPDATE s SET v = NULL;
UPDATE s SET k = NULL;
UPDATE i SET id = 'x';
UPDATE i SET id = NULL;
INSERT INTO i VALUES (5, 'five');
UPDATE i SET id = 1 WHERE id = 5;
UPDATE i SET rowid = 1 WHERE id = 5;
UPDATE i SET id = id;
UPDATE i SET rowid = 6 WHERE id = 5;
SELECT * FROM s;
SELECT * FROM c;
SELECT * FROM i;
SELECT rowid, * FROM h;
-- A statement that fails half way leaves nothing.
INSERT INTO s VALUES ('m', 1, 1), ('n', 1, 1), ('a', 1, 1), ('o', 1, 1);
INSERT INTO s VALUES ('m', 1, 1), ('n', NULL, 1);
INSERT INTO s VALUES ('m', 1, 1), ('m', 2, 2);
SELECT * FROM s;
BEGIN;
INSERT INTO s VALUES ('p', 1, 1);
INSERT INTO s VALUES ('q', 1, 1), ('r', 1, 1), ('p', 1, 1);
SELECT * FROM s;
COMMIT;
SELECT * FROM s;
-- insert = replace: a plain INSERT puts without looking.
CREATE VIRTUAL TABLE put USING seerdb(k PRIMARY KEY, v NOT NULL, insert = replace);
INSERT INTO put VALUES (1, 'a'), (2, 'b'), (1, 'c');
INSERT INTO put VALUES (2, 'd');
INSERT INTO put VALUES (3, NULL);
SELECT * FROM put;
