-- Every shape of table that can be declared, and what SQLite is told about it.
.mode quote
-- No columns at all: any SQL value as key, any as value.
CREATE VIRTUAL TABLE bare USING seerdb;
SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo('bare');
INSERT INTO bare VALUES (1, 'one'), ('1', 'text'), (x'31', 'blob'), (1.5, NULL);
SELECT * FROM bare;
SELECT value FROM bare WHERE key = '1';
CREATE VIRTUAL TABLE bare2 USING seerdb();
INSERT INTO bare2(key, value) VALUES ('k', 'v');
SELECT * FROM bare2;
-- INTEGER PRIMARY KEY is the rowid.
CREATE VIRTUAL TABLE ipk USING seerdb(id INTEGER PRIMARY KEY, name TEXT);
SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo('ipk');
INSERT INTO ipk VALUES (10, 'ten'), (NULL, 'next');
INSERT INTO ipk(name) VALUES ('and next');
SELECT last_insert_rowid();
SELECT rowid, id, name FROM ipk;
-- The same as a table constraint; in any place; DESC there means nothing, as in SQLite.
CREATE VIRTUAL TABLE ipk2 USING seerdb(name TEXT, id integer, PRIMARY KEY (id DESC));
INSERT INTO ipk2(name, id) VALUES ('b', 2), ('a', 1);
SELECT rowid, * FROM ipk2;
-- One column as key, of another type: no rowid.
CREATE VIRTUAL TABLE single USING seerdb(k TEXT PRIMARY KEY, v);
SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo('single');
INSERT INTO single VALUES ('b', 1), ('a', 2);
SELECT * FROM single;
SELECT rowid FROM single;
CREATE VIRTUAL TABLE single2 USING seerdb(v, k INT, PRIMARY KEY (k DESC));
INSERT INTO single2 VALUES ('one', 1), ('two', 2), ('minus', -1);
SELECT * FROM single2;
-- INTEGER PRIMARY KEY DESC in the column is not the rowid in SQLite either.
CREATE VIRTUAL TABLE single3 USING seerdb(k INTEGER PRIMARY KEY DESC, v);
INSERT INTO single3 VALUES (1, 'one'), (2, 'two');
INSERT INTO single3 VALUES (NULL, 'null');
SELECT * FROM single3;
SELECT rowid FROM single3;
-- A composite key.
CREATE VIRTUAL TABLE composite USING seerdb(a TEXT, b INT, c, PRIMARY KEY (a, b DESC));
SELECT name, type, pk, hidden FROM pragma_table_xinfo('composite');
INSERT INTO composite VALUES ('x', 1, 'x1'), ('x', 2, 'x2'), ('w', 1, 'w1');
SELECT * FROM composite;
SELECT rowid FROM composite;
-- No key: a hidden rowid, assigned in rising order.
CREATE VIRTUAL TABLE keyless USING seerdb(a, b);
INSERT INTO keyless VALUES ('p', 1), ('q', 2), ('p', 1);
SELECT rowid, * FROM keyless;
INSERT INTO keyless(rowid, a) VALUES (100, 'far');
INSERT INTO keyless(a) VALUES ('after');
SELECT rowid, a FROM keyless;
-- Constraints on columns, in any order; names in every kind of quotes.
CREATE VIRTUAL TABLE quoted USING seerdb("the key" TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
  [a column] VARCHAR(10) NOT NULL, `tick` DECIMAL(10, 2), "say ""hi""" DATETIME);
SELECT name, type, "notnull", pk FROM pragma_table_xinfo('quoted');
INSERT INTO quoted VALUES ('K', 'v', '1.50', 'now');
SELECT * FROM quoted WHERE "the key" = 'k';
CREATE VIRTUAL TABLE IF NOT EXISTS quoted USING seerdb(other);
CREATE VIRTUAL TABLE quoted USING seerdb(other);
CREATE VIRTUAL TABLE main."odd name" USING seerdb(k PRIMARY KEY);
INSERT INTO "odd name" VALUES (1);
SELECT * FROM main."odd name";
-- DEFAULT counts where NULL can only mean that the column was left out.
CREATE VIRTUAL TABLE defaults USING seerdb(k INTEGER PRIMARY KEY,
  a NOT NULL DEFAULT 7, b TEXT NOT NULL DEFAULT 'x y', c NOT NULL DEFAULT -1.5,
  d NOT NULL DEFAULT x'00ff', e INTEGER NOT NULL DEFAULT TRUE);
INSERT INTO defaults(k) VALUES (1);
SELECT * FROM defaults;
-- Each table has a shadow table, which SQLite keeps in the database file.
SELECT name FROM sqlite_schema WHERE name LIKE 'bare%' ORDER BY name;
PRAGMA integrity_check;
-- reopen
.mode quote
SELECT * FROM bare;
SELECT rowid, id, name FROM ipk;
SELECT * FROM single2;
SELECT * FROM composite;
SELECT rowid, * FROM keyless;
SELECT * FROM quoted;
SELECT * FROM defaults;
PRAGMA integrity_check;
