/* SPDX-License-Identifier: Apache-2.0
 *
 * catalog_rig -- for the tests of catalogs and edits: one edit of each kind, and the
 * bytes that FORMAT.md gives it. */
#ifndef SDB_LOG_CATALOG_RIG_H
#define SDB_LOG_CATALOG_RIG_H

#include "test.h"

#include "log/edit.h"

static const seerdb_uuid uuid = {{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
                                  0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};
static const seerdb_uuid owner = {{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8,
                                   0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf}};

static inline struct sdb_buf text(const char *s)
{
    struct sdb_buf b = {0};
    sdb_buf_append(&b, s, strlen(s));
    assert_false(b.failed);
    return b;
}

/* The caller finishes them. */
static inline struct sdb_tree_desc example_tree(void)
{
    return (struct sdb_tree_desc){.id = 3,
                                  .uuid = uuid,
                                  .owner = owner,
                                  .created = 300,
                                  .key_format = 1,
                                  .value_format = 2,
                                  .compression = 3,
                                  .filter_bits = 10,
                                  .index = 1,
                                  .name = text("t"),
                                  .app = text("abc")};
}

static inline struct sdb_table_desc example_table(void)
{
    return (struct sdb_table_desc){.file = 17,
                                   .id = uuid,
                                   .size = 4096,
                                   .level = 1,
                                   .records = 200,
                                   .tombstones = 5,
                                   .key_bytes = 1000,
                                   .value_bytes = 2000,
                                   .min_number = 7,
                                   .max_number = 130,
                                   .smallest = text("a"),
                                   .largest = text("zz")};
}

/* ---- bytes ---------------------------------------------------------------- */

enum example {
    STORE,
    CEILINGS,
    FLOOR,
    TREE,
    INTENT,
    DROP,
    NUMBERS,
    ADD,
    REMOVE,
    NEXT,
    ASIDE, /* of a marked tree, which the example's is not */
    OWNER,
    PENDING,
    NAMED,
    MERGE,
    UNNAMED,
    HELD,
    N
};

static inline void build(struct sdb_edit *e, enum example which)
{
    struct sdb_tree_desc t = example_tree();
    struct sdb_table_desc d = example_table();
    switch (which) {
    case STORE:
        sdb_edit_store(e, &uuid, 0);
        break;
    case CEILINGS:
        sdb_edit_ceilings(e, 1000, 50);
        break;
    case FLOOR:
        sdb_edit_log_floor(e, 12);
        break;
    case TREE:
        sdb_edit_tree(e, &t);
        break;
    case INTENT:
        sdb_edit_tree_intent(e, 3);
        break;
    case DROP:
        sdb_edit_tree_drop(e, 3);
        break;
    case NUMBERS:
        sdb_edit_tree_numbers(e, 3, 130, 131, 7);
        break;
    case ADD:
        sdb_edit_table_add(e, 3, &d);
        break;
    case REMOVE:
        sdb_edit_table_remove(e, 3, 17);
        break;
    case NEXT:
        sdb_edit_next_tree(e, 9);
        break;
    case ASIDE:
        sdb_edit_tree_aside(e, 3, &(struct sdb_aside_desc){18, 4096, 131});
        break;
    case OWNER: {
        struct sdb_owner_desc o = {.owner = owner,
                                   .device = 2049,
                                   .inode = 1311,
                                   .store_device = 2049,
                                   .store_inode = 70000};
        sdb_buf_append(&o.path, "/d/a.db", 7);
        sdb_edit_owner(e, &o);
        sdb_buf_fini(&o.path);
        break;
    }
    case NAMED:
        sdb_edit_snapshot_add(
            e, 3,
            &(struct sdb_snapshot){.number = 131,
                                   .time_us = UINT64_C(1700000000) * 1000000,
                                   .name = test_slice("monday")});
        break;
    case MERGE:
        sdb_edit_tree_merge(e, 3, test_slice("max"));
        break;
    case UNNAMED:
        sdb_edit_snapshot_drop(e, 3, test_slice("monday"));
        break;
    case HELD: { /* it comes with the table: cut that off */
        struct sdb_held held[] = {{90, 20, 300, 23, 0}, {131, 4, 60, 4, 0}};
        size_t before = e->bytes.size;
        sdb_edit_table_add(e, 3, &d);
        size_t table = e->bytes.size - before;
        e->bytes.size = before;
        d.held = held;
        d.nheld = 2;
        sdb_edit_table_add(e, 3, &d);
        memmove(e->bytes.data + before, e->bytes.data + before + table,
                e->bytes.size - before - table);
        e->bytes.size -= table;
        d.held = NULL;
        d.nheld = 0;
        break;
    }
    case PENDING:
        d.file = 18;
        d.level = 0;
        d.min_number = d.max_number = 0;
        d.ranges = 2;
        d.open_end = true;
        d.pending = true;
        sdb_edit_table_add(e, 3, &d);
        break;
    default:
        fail();
    }
    sdb_table_desc_fini(&d);
    sdb_tree_desc_fini(&t);
}

/* FORMAT.md, "Manifest": the examples. */
static const char *const examples[N] = {
    [STORE] = "01 18 00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff"
              "00 00 00 00 00 00 00 00",
    [CEILINGS] = "02 03 e8 07 32",
    [FLOOR] = "03 01 0c",
    [TREE] = "04 37 03 00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff"
             "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af"
             "ac 02 00 00 00 00 00 00 00 00 01 02 03 01 74 03 61 62 63 0a 01 00",
    [INTENT] = "05 01 03",
    [DROP] = "06 01 03",
    [NUMBERS] = "07 06 03 82 01 83 01 07",
    [ADD] =
        "08 2b 03 11 00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff"
        "80 20 01 00 00 00 c8 01 05 e8 07 d0 0f 07 82 01 01 61 02 7a 7a 00 00 00 00",
    [REMOVE] = "09 02 03 11",
    [NEXT] = "0a 01 09",
    [ASIDE] = "0c 06 03 12 80 20 83 01",
    [OWNER] = "10 21 a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af 81 10 9f 0a 81 10"
              "f0 a2 04 07 2f 64 2f 61 2e 64 62",
    [PENDING] =
        "0b 2a 03 12 00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff"
        "80 20 00 00 00 00 c8 01 05 e8 07 d0 0f 00 00 01 61 02 7a 7a 00 00 02 01",
    [NAMED] = "0d 12 03 83 01 80 80 f9 c0 c1 c4 82 03 06 6d 6f 6e 64 61 79",
    [MERGE] = "11 05 03 03 6d 61 78",
    [UNNAMED] = "0e 08 03 06 6d 6f 6e 64 61 79",
    [HELD] = "0f 0f 03 11 02 5a 14 ac 02 17 00 83 01 04 3c 04 00",
};

#endif
