-- Statements as object-relational mappers make them: they do the same to an ordinary table.
-- twin
.nullvalue NULL
PRAGMA foreign_keys = ON;
PRAGMA journal_mode = wal;
PRAGMA busy_timeout = 5000;
CREATE VIRTUAL TABLE "people" USING seerdb("id" integer NOT NULL PRIMARY KEY, "name" varchar(30) NOT NULL, "score" float, "born" datetime, "active" boolean NOT NULL);
CREATE VIRTUAL TABLE "address" USING seerdb("person_id" bigint, "kind" varchar(255), "street" text, "order" integer, PRIMARY KEY ("person_id", "kind"));
-- A flush of new objects, in one transaction, parents first.
BEGIN;
INSERT INTO "people" ("name", "score", "born", "active") VALUES ('Ada', 1.5, '1815-12-10 00:00:00.000000', 1);
SELECT last_insert_rowid();
INSERT INTO "people" ("name", "score", "born", "active") VALUES ('Grace', NULL, NULL, 1), ('Edsger', NULL, '1930-05-11', 0), ('Barbara', '3', NULL, TRUE);
SELECT last_insert_rowid(), changes();
INSERT INTO "people" ("name", "score", "born", "active") SELECT 'b0', 0, NULL, 1 UNION ALL SELECT 'b1', 1, NULL, 1 UNION ALL SELECT 'b2', 2, NULL, 0;
INSERT INTO "address" ("person_id", "kind", "street") VALUES (1, 'home', 'x street');
INSERT INTO "address" ("person_id", "kind", "street") VALUES (1, 'work', 'y street'), (2, 'home', 'z street');
COMMIT;
-- Parameters: by position, by name, one statement with many sets.
.parameter init
.parameter set ?1 2
.parameter set ?2 1
.parameter set :name "'Grace'"
SELECT "people"."id", "people"."name" FROM "people" ORDER BY "people"."id" ASC LIMIT ?1 OFFSET ?2;
SELECT people.id AS people_id, people.name AS people_name FROM people WHERE people.name = :name LIMIT 1;
SELECT "people".* FROM "people" WHERE "people"."id" = ?1 LIMIT 1;
SELECT 1 AS one FROM "people" WHERE "people"."id" = ?1 LIMIT 1;
UPDATE "people" SET "name" = :name, "score" = ?1 WHERE "people"."id" = ?2;
SELECT changes();
-- Nested transactions: savepoints, also with names that need quotes.
BEGIN IMMEDIATE;
SAVEPOINT "s140108587343936_x1";
INSERT INTO "people" ("id", "name", "active") VALUES (1, 'dup', 1);
ROLLBACK TO SAVEPOINT "s140108587343936_x1";
RELEASE SAVEPOINT "s140108587343936_x1";
SAVEPOINT active_record_1;
UPDATE "people" SET "score" = COALESCE("score", 0) + 1 WHERE "people"."id" = 2;
RELEASE SAVEPOINT active_record_1;
SAVEPOINT sp1;
DELETE FROM "address" WHERE "address"."person_id" = 1;
ROLLBACK TO sp1;
COMMIT;
SELECT count(*) FROM "address";
-- Insert if missing, replace, update many.
INSERT OR IGNORE INTO "people" ("id", "name", "active") SELECT 1, 'ignored', 1;
SELECT changes();
INSERT OR REPLACE INTO "address" ("person_id", "kind", "street", "order") VALUES (1, 'home', 'new street', 7), (3, 'home', 'w street', 8);
UPDATE "people" SET "score" = CASE WHEN ("people"."id" = 2) THEN 50 WHEN ("people"."id" = 3) THEN 60 ELSE NULL END WHERE "people"."id" IN (2, 3);
UPDATE "people" SET "active" = NOT "active", "name" = UPPER("name") WHERE ("people"."score" IS NOT NULL AND NOT ("people"."id" IN (SELECT U0."person_id" FROM "address" U0 WHERE U0."kind" = 'work')));
SELECT changes();
SELECT * FROM "people" ORDER BY "people"."id";
-- Look-ups, pages, joins, counts.
SELECT "people"."id", "people"."name" FROM "people" WHERE ("people"."score" >= 2 AND "people"."name" LIKE 'B%' ESCAPE '\') ORDER BY "people"."id" DESC LIMIT 2 OFFSET 1;
SELECT COUNT(*) AS "__count" FROM "address" INNER JOIN "people" ON ("address"."person_id" = "people"."id") WHERE "people"."active" = 1;
SELECT COUNT(*) FROM (SELECT 1 AS one FROM "people" WHERE "people"."active" = 1 LIMIT 3 OFFSET 1) subquery_for_count;
SELECT people.id AS people_id, address_1.kind AS address_1_kind FROM people LEFT OUTER JOIN address AS address_1 ON people.id = address_1.person_id ORDER BY people.id, address_1.kind LIMIT 4;
SELECT "address".* FROM "address" WHERE "address"."person_id" IN (1, 2, 3, 99) ORDER BY "address"."person_id", "address"."kind";
SELECT "address".* FROM "address" WHERE ("address"."person_id", "address"."kind") IN (VALUES (1, 'home'), (2, 'work'), (2, 'home')) ORDER BY 1;
SELECT "address".* FROM "address" WHERE "address"."person_id" = 1 AND "address"."kind" = 'home' OR "address"."person_id" = 3 AND "address"."kind" = 'home';
SELECT people.id FROM people WHERE EXISTS (SELECT 1 FROM address WHERE address.person_id = people.id AND address."order" > 7);
SELECT anon_1.n, count(*) FROM (SELECT count(address.kind) AS n FROM people LEFT JOIN address ON address.person_id = people.id GROUP BY people.id) AS anon_1 GROUP BY anon_1.n ORDER BY 1;
SELECT DISTINCT "people"."active" FROM "people" ORDER BY 1;
SELECT SUM("people"."score") AS "score__sum", MAX("people"."id") AS "id__max", ROUND(AVG(length("people"."name")), 3) FROM "people";
SELECT "people"."id" FROM "people" WHERE "people"."born" BETWEEN '1800-01-01' AND '1899-12-31 23:59:59.999999';
SELECT "people"."id" FROM "people" WHERE 0 = 1;
SELECT "people"."id", ROW_NUMBER() OVER (PARTITION BY "people"."active" ORDER BY "people"."id") AS rn FROM "people" ORDER BY 1 LIMIT 3;
WITH "page" AS (SELECT "id" FROM "people" WHERE "id" > 2 ORDER BY "id" LIMIT 2) SELECT "people"."name" FROM "people" INNER JOIN "page" ON "page"."id" = "people"."id";
-- Find in batches: the next ids after the last one.
SELECT "people"."id" FROM "people" WHERE "people"."id" > 0 ORDER BY "people"."id" ASC LIMIT 3;
SELECT "people"."id" FROM "people" WHERE "people"."id" > 3 ORDER BY "people"."id" ASC LIMIT 3;
SELECT "people"."id" FROM "people" WHERE "people"."id" > 6 ORDER BY "people"."id" ASC LIMIT 3;
-- Optimistic locking, counters, destroy with dependants.
UPDATE "address" SET "street" = 'locked', "order" = 9 WHERE "address"."person_id" = 1 AND "address"."kind" = 'home' AND "address"."order" = 7;
SELECT changes();
UPDATE "address" SET "street" = 'stale' WHERE "address"."person_id" = 1 AND "address"."kind" = 'home' AND "address"."order" = 7;
SELECT changes();
BEGIN TRANSACTION;
DELETE FROM "address" WHERE "address"."person_id" IN (1, 2);
DELETE FROM "people" WHERE "people"."id" IN (SELECT "id" FROM "people" WHERE "id" < 3 ORDER BY "id" LIMIT 10);
SELECT changes();
COMMIT TRANSACTION;
SELECT (SELECT count(*) FROM "people"), (SELECT count(*) FROM "address");
-- What they read out of an error.
INSERT INTO "people" ("name") VALUES ('no active');
INSERT INTO "people" ("id", "name", "active") VALUES (3, 'taken', 1);
INSERT INTO "people" ("id", "name", "active") VALUES ('three', 'no number', 1);
INSERT INTO "address" ("person_id", "kind") VALUES (3, 'home');
SELECT "people"."nosuch" FROM "people";
SELECT * FROM "nosuch";
PRAGMA foreign_key_check;
