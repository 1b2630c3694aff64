-- What mappers and tools ask about a table.
.nullvalue NULL
CREATE VIRTUAL TABLE people USING seerdb(id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(30) NOT NULL DEFAULT 'nobody', score FLOAT, born DATETIME);
CREATE VIRTUAL TABLE address USING seerdb(person_id BIGINT, kind VARCHAR COLLATE NOCASE, street TEXT, PRIMARY KEY (person_id, kind DESC));
CREATE VIRTUAL TABLE word USING seerdb(w TEXT PRIMARY KEY, n);
CREATE VIRTUAL TABLE note USING seerdb(txt);
CREATE VIRTUAL TABLE typed USING seerdb(k INTEGER PRIMARY KEY, a ANY, t TEXT, strict = 1);
PRAGMA table_list(people);
SELECT type, ncol, wr, strict FROM pragma_table_list WHERE name NOT LIKE 'sqlite%' AND schema = 'main' ORDER BY name;
-- A key of several columns shows only in the hidden column _key, which table_info leaves out.
PRAGMA table_info(people);
PRAGMA table_info(address);
PRAGMA table_xinfo(address);
PRAGMA table_info("word");
PRAGMA table_xinfo(note);
PRAGMA table_xinfo(typed);
-- There are no indexes and no foreign keys. (The key of a table without rowid shows as one of SQLite's own.)
PRAGMA index_list(people);
PRAGMA index_list(address);
SELECT name, "unique", origin FROM pragma_index_list('word');
PRAGMA foreign_key_list(people);
SELECT name, type, tbl_name FROM sqlite_schema ORDER BY name;
SELECT sql FROM sqlite_schema WHERE name = 'people' AND type = 'table';
-- How Rails, Django and SQLAlchemy list tables: shadow tables must be left out by their suffix.
SELECT name FROM sqlite_schema WHERE name <> 'sqlite_sequence' AND type IN ('table') AND sql LIKE 'CREATE VIRTUAL %';
SELECT name FROM sqlite_master WHERE type in ('table', 'view') AND NOT name='sqlite_sequence' AND name NOT LIKE '%\_seerdb' ESCAPE '\' ORDER BY name;
-- In .schema, .tables and .dump.
.schema people
.tables people%
INSERT INTO people(name) VALUES ('Ada');
-- sh: echo ".dump people" | $SESSION "$DB" | sed "s/X'[0-9a-f]*'/X'...'/"
.nullvalue NULL
-- The statement's description: names, declared types, origins.
SELECT p.id AS key, p.name, a.street FROM people p LEFT JOIN address a ON a.person_id = p.id;
CREATE TABLE made AS SELECT * FROM address;
PRAGMA table_info(made);
CREATE TABLE made2 AS SELECT * FROM people;
SELECT name, type FROM pragma_table_info('made2');
-- INSERT ... RETURNING shows a key that is assigned as NULL and a default as NULL: ask last_insert_rowid().
INSERT INTO people(score) VALUES ('2.5') RETURNING id, name, score;
SELECT id, name, score FROM people WHERE id = last_insert_rowid();
INSERT INTO people(id, name, score) VALUES (7, 'given', '2.5') RETURNING *;
INSERT INTO word VALUES (1, 'x') RETURNING w, typeof(w);
