-- Large texts and blobs lie in the value log: what a row shows is the same.
-- twin
.nullvalue NULL
CREATE VIRTUAL TABLE d USING seerdb(id INTEGER PRIMARY KEY, title TEXT, body BLOB, note TEXT);
INSERT INTO d VALUES (1, 'a', zeroblob(10000), 'n1');
INSERT INTO d VALUES (2, 'b', CAST(printf('%.*c', 100000, 'b') AS BLOB), printf('%.*c', 5000, 'n'));
INSERT INTO d VALUES (3, printf('%.*c', 4096, 't'), x'00', NULL), (4, NULL, NULL, '');
SELECT id, length(title), length(body), length(note), typeof(body), typeof(note) FROM d;
SELECT id, title FROM d WHERE length(title) < 10;
-- An UPDATE of another column leaves them alone; one of theirs does not.
UPDATE d SET title = title || '+' WHERE id <= 2;
SELECT id, title, length(body), substr(body, 1, 3) = 'bbb', substr(note, 4999) FROM d WHERE id = 2;
UPDATE d SET note = 'short' WHERE id = 2;
UPDATE d SET body = CAST(printf('%.*c', 6000, 'c') AS BLOB) WHERE id = 1;
UPDATE d SET id = id + 10 WHERE id > 2;
SELECT id, length(title), length(body), length(note) FROM d;
-- Within a transaction, and undone.
BEGIN;
INSERT INTO d VALUES (5, 'e', zeroblob(20000), 'e');
SAVEPOINT s;
UPDATE d SET title = 'all', note = printf('%.*c', 7000, 'x');
SELECT id, title, length(body), length(note) FROM d ORDER BY id DESC;
ROLLBACK TO s;
UPDATE d SET body = body || 'z' WHERE id = 5;
COMMIT;
SELECT id, length(title), length(body), length(note) FROM d;
DELETE FROM d WHERE id = 1;
INSERT OR REPLACE INTO d VALUES (2, 'r', printf('%.*c', 9000, 'r'), 'r');
SELECT id, length(title), length(body), typeof(body), note FROM d;
SELECT count(*), sum(length(body)), max(body) = (SELECT body FROM d WHERE id = 2) FROM d;
-- Joins, comparisons and copies see whole values.
CREATE TABLE plain (id INTEGER PRIMARY KEY, title TEXT, body BLOB, note TEXT);
INSERT INTO plain SELECT * FROM d;
SELECT count(*) FROM d JOIN plain USING (id) WHERE d.body IS plain.body AND d.title IS plain.title AND d.note IS plain.note;
SELECT a.id, b.id FROM d a JOIN d b ON a.body = b.body;
-- reopen
SELECT id, length(title), length(body), note FROM d;
