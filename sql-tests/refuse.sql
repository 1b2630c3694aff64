-- What cannot be honoured is refused at CREATE by a message that names it.
CREATE VIRTUAL TABLE r USING seerdb(a INTEGER PRIMARY KEY, b UNIQUE);
CREATE VIRTUAL TABLE r USING seerdb(a, b, UNIQUE (a, b));
CREATE VIRTUAL TABLE r USING seerdb(a CHECK (a > 0));
CREATE VIRTUAL TABLE r USING seerdb(a, CHECK (a > 0));
CREATE VIRTUAL TABLE r USING seerdb(a REFERENCES other(id));
CREATE VIRTUAL TABLE r USING seerdb(a, FOREIGN KEY (a) REFERENCES other(id));
CREATE VIRTUAL TABLE r USING seerdb(a, b GENERATED ALWAYS AS (a + 1));
CREATE VIRTUAL TABLE r USING seerdb(a, b AS (a + 1));
CREATE VIRTUAL TABLE r USING seerdb(a INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE VIRTUAL TABLE r USING seerdb(a NOT NULL ON CONFLICT IGNORE);
CREATE VIRTUAL TABLE r USING seerdb(k PRIMARY KEY, n INTEGER MERGE add);
CREATE VIRTUAL TABLE r USING seerdb(a TEXT COLLATE UNICODE);
CREATE VIRTUAL TABLE r USING seerdb(a TEXT, PRIMARY KEY (a COLLATE NOCASE));
CREATE VIRTUAL TABLE r USING seerdb(a DEFAULT (1 + 1));
CREATE VIRTUAL TABLE r USING seerdb(a DEFAULT CURRENT_TIMESTAMP);
CREATE VIRTUAL TABLE r USING seerdb(a FLURB);
CREATE VIRTUAL TABLE r USING seerdb(a, b, A);
CREATE VIRTUAL TABLE r USING seerdb(a, "A");
CREATE VIRTUAL TABLE r USING seerdb(a PRIMARY KEY, b PRIMARY KEY);
CREATE VIRTUAL TABLE r USING seerdb(a PRIMARY KEY, b, PRIMARY KEY (b));
CREATE VIRTUAL TABLE r USING seerdb(a, PRIMARY KEY (nosuch));
CREATE VIRTUAL TABLE r USING seerdb(a, PRIMARY KEY (a, a));
CREATE VIRTUAL TABLE r USING seerdb(a, PRIMARY KEY ());
CREATE VIRTUAL TABLE r USING seerdb(_key, b);
CREATE VIRTUAL TABLE r USING seerdb(a, _op);
CREATE VIRTUAL TABLE r USING seerdb("", b);
CREATE VIRTUAL TABLE r USING seerdb(a TEXT TEXT NOT);
CREATE VIRTUAL TABLE r USING seerdb(a NOT);
CREATE VIRTUAL TABLE r USING seerdb(a VARCHAR(ten));
-- Options: unknown names, values out of range, and those that come later.
CREATE VIRTUAL TABLE r USING seerdb(a, colour = red);
CREATE VIRTUAL TABLE r USING seerdb(a, insert = maybe);
CREATE VIRTUAL TABLE r USING seerdb(a, insert = merge);
CREATE VIRTUAL TABLE r USING seerdb(a, sync = sometimes);
CREATE VIRTUAL TABLE r USING seerdb(a, compression = gzip);
CREATE VIRTUAL TABLE r USING seerdb(a, compression = 'zstd:99');
CREATE VIRTUAL TABLE r USING seerdb(a, compression = 'zstd:0');
CREATE VIRTUAL TABLE r USING seerdb(a, memory_limit = 12);
CREATE VIRTUAL TABLE r USING seerdb(a, memory_limit = lots);
CREATE VIRTUAL TABLE r USING seerdb(a, memory_limit = '-1MB');
CREATE VIRTUAL TABLE r USING seerdb(a, path = '');
CREATE VIRTUAL TABLE r USING seerdb(a, path = 'a' 'b');
CREATE VIRTUAL TABLE r USING seerdb(a, sync = full, sync = off);
CREATE VIRTUAL TABLE r USING seerdb(a, strict = 1);
CREATE VIRTUAL TABLE r USING seerdb(a, value_log = '4KB');
CREATE VIRTUAL TABLE r USING seerdb(a, compaction = never);
CREATE VIRTUAL TABLE r USING seerdb(a, compaction = adaptive);
CREATE VIRTUAL TABLE r USING seerdb(a, index = hash);
CREATE VIRTUAL TABLE r USING seerdb(a, filter_bits = 21);
CREATE VIRTUAL TABLE r USING seerdb(a, ttl = 'a + 86400');
CREATE VIRTUAL TABLE r USING seerdb(a, filter = 'a > 1');
CREATE VIRTUAL TABLE r USING seerdb(a, history = forever);
CREATE VIRTUAL TABLE r USING seerdb(a, mmap = 2);
CREATE VIRTUAL TABLE r USING seerdb(a, cold_path = '/cold');
CREATE VIRTUAL TABLE r USING seerdb(a, cold_level = 2);
-- Nothing is left of all these.
SELECT count(*) FROM sqlite_schema;
-- sh: ls -A "$DIR" | sed 's/^/left: /'
-- Commands.
CREATE VIRTUAL TABLE t USING seerdb(k PRIMARY KEY);
SELECT seerdb('t', 'frobnicate');
SELECT seerdb('t', 'compact');
SELECT seerdb('t');
SELECT seerdb(NULL, 'flush');
SELECT seerdb('nosuch', 'flush');
SELECT seerdb('nosuch.t', 'flush');
CREATE TABLE ordinary(a);
SELECT seerdb('ordinary', 'flush');
-- A command from the schema of a hostile database does not run.
CREATE VIEW hostile AS SELECT seerdb('t', 'flush');
SELECT * FROM hostile;
-- What SQLite allows on no virtual table.
INSERT INTO t VALUES (1) ON CONFLICT (k) DO NOTHING;
CREATE INDEX i ON t(k);
CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END;
ALTER TABLE t ADD COLUMN c;
ALTER TABLE t RENAME COLUMN k TO j;
DELETE FROM t RETURNING k;
INSERT INTO t(k, _key) VALUES (1, x'00');
-- The hidden key of a composite table is made of the key columns; it is read, never given.
CREATE VIRTUAL TABLE c USING seerdb(a, b, PRIMARY KEY (a, b));
INSERT INTO c VALUES (1, 'x'), (2, 'y');
INSERT INTO c(a, b, _key) VALUES (3, 'z', x'00');
UPDATE c SET _key = x'00';
SELECT a, b FROM c WHERE _key = (SELECT _key FROM c WHERE a = 2);
SELECT typeof(_key), length(_key) > 0 FROM c;
SELECT * FROM c;
