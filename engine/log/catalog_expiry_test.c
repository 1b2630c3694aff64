/* SPDX-License-Identifier: Apache-2.0
 *
 * What the catalog knows of when the rows of tables expire: FORMAT.md, "Manifest", tags
 * 18 and 19. */
#include "log/edit.h"

#include "base/mem.h"
#include "test.h"

static struct sdb_table_desc table(uint64_t file)
{
    struct sdb_table_desc d = {.file = file,
                               .size = 4096,
                               .level = 1,
                               .run = file,
                               .records = 200,
                               .min_number = 7,
                               .max_number = 130,
                               .first_expiry = UINT64_C(1700000000000000),
                               .expiry_due = UINT64_C(1700000000000256)};
    d.id.bytes[0] = (uint8_t)file;
    sdb_buf_append(&d.smallest, "a", 1);
    sdb_buf_append(&d.largest, "zz", 2);
    return d;
}

/* A catalog with tree 3. */
static void start(struct sdb_catalog *c)
{
    struct sdb_edit e = {{0}};
    seerdb_err err = {0};
    struct sdb_tree_desc t = {.id = 3, .uuid = {{3}}};
    memset(c, 0, sizeof *c);
    sdb_edit_store(&e, &(seerdb_uuid){{1}}, 0);
    sdb_edit_ceilings(&e, 1000, 1000);
    sdb_edit_next_tree(&e, 3);
    sdb_edit_tree(&e, &t);
    test_ok(sdb_catalog_apply(c, sdb_buf_slice(&e.bytes), "here", &err), &err);
    sdb_edit_fini(&e);
}

static void a_table_and_its_expiry_come_back_as_they_were(void **state)
{
    (void)state;
    struct sdb_catalog c, again = {.ntrees = 0};
    struct sdb_edit e = {{0}}, all = {{0}};
    struct sdb_table_desc d = table(17), plain = table(18), whole = table(19);
    seerdb_err err = {0};
    start(&c);
    sdb_edit_table_add(&e, 3, &d);
    static const char bytes[] = "12 12 03 11 80 80 f9 c0 c1 c4 82 03"
                                "80 82 f9 c0 c1 c4 82 03";
    test_hex_equal((seerdb_slice){e.bytes.data + e.bytes.size - 20, 20}, bytes);
    plain.first_expiry = plain.expiry_due = 0;
    sdb_edit_table_add(&e, 3, &plain);
    whole.last_expiry = UINT64_C(1700000000000512);
    sdb_edit_table_add(&e, 3, &whole);
    test_hex_equal((seerdb_slice){e.bytes.data + e.bytes.size - 12, 12},
                   "13 0a 03 13 80 84 f9 c0 c1 c4 82 03");
    test_ok(sdb_catalog_apply(&c, sdb_buf_slice(&e.bytes), "here", &err), &err);
    sdb_edit_snapshot(&all, &c);
    test_ok(sdb_catalog_apply(&again, sdb_buf_slice(&all.bytes), "here", &err), &err);
    const struct sdb_table_desc *t = sdb_catalog_tree(&again, 3)->tables;
    assert_int_equal(t[0].first_expiry, d.first_expiry);
    assert_int_equal(t[0].expiry_due, d.expiry_due);
    assert_int_equal(t[0].last_expiry, 0);
    assert_int_equal(t[1].first_expiry, 0);
    assert_int_equal(t[2].first_expiry, d.first_expiry);
    assert_int_equal(t[2].last_expiry, whole.last_expiry);
    sdb_edit_fini(&e);
    sdb_edit_fini(&all);
    sdb_table_desc_fini(&d);
    sdb_table_desc_fini(&plain);
    sdb_table_desc_fini(&whole);
    sdb_catalog_fini(&c);
    sdb_catalog_fini(&again);
}

static void an_expiry_that_cannot_be_is_corrupt(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[20];
        size_t n;
        bool has; /* the table has one already */
    } cases[] = {
        {{18, 4, 3, 17, 5, 4}, 6, false},                   /* due before the first */
        {{18, 4, 3, 17, 0, 4}, 6, false},                   /* no first */
        {{18, 4, 3, 16, 4, 5}, 6, false},                   /* no such table */
        {{18, 4, 4, 17, 4, 5}, 6, false},                   /* no such tree */
        {{18, 5, 3, 17, 4, 5, 0}, 7, false},                /* too long */
        {{18, 3, 3, 17, 4}, 5, false},                      /* too short */
        {{18, 4, 3, 17, 4, 5}, 6, true},                    /* told twice */
        {{19, 3, 3, 17, 9}, 5, false},                      /* of no first */
        {{18, 4, 3, 17, 5, 9, 19, 3, 3, 17, 4}, 11, false}, /* before that */
        {{18, 4, 3, 17, 5, 9, 19, 3, 3, 16, 7}, 11, false}, /* no such table */
        {{18, 4, 3, 17, 5, 9, 19, 3, 4, 17, 7}, 11, false}, /* no such tree */
        {{18, 4, 3, 17, 5, 9, 19, 4, 3, 17, 7, 0}, 12, false},
        {{18, 4, 3, 17, 5, 9, 19, 2, 3, 17}, 10, false},
        {{18, 4, 3, 17, 5, 9, 19, 3, 3, 17, 7, 19, 3, 3, 17, 7}, 16, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sdb_catalog c;
        struct sdb_edit e = {{0}};
        struct sdb_table_desc d = table(17);
        seerdb_err err = {0};
        start(&c);
        if (!cases[i].has)
            d.first_expiry = 0;
        sdb_edit_table_add(&e, 3, &d);
        test_ok(sdb_catalog_apply(&c, sdb_buf_slice(&e.bytes), "here", &err), &err);
        assert_int_equal(sdb_catalog_apply(&c,
                                           (seerdb_slice){cases[i].bytes, cases[i].n},
                                           "here", &err),
                         SEERDB_CORRUPT);
        sdb_edit_fini(&e);
        sdb_table_desc_fini(&d);
        sdb_catalog_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_and_its_expiry_come_back_as_they_were),
        cmocka_unit_test(an_expiry_that_cannot_be_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
