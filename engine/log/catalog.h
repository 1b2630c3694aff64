/* SPDX-License-Identifier: Apache-2.0
 *
 * catalog -- what a store consists of, and the edits that change it.
 *
 * The *catalog* is plain data, no file handles: trees, their tables, ceilings of the
 * numbers handed out.  An *edit* is a change to it, in the bytes that the manifest
 * keeps.  No locks; whoever owns one takes care.  FORMAT.md, "Manifest". */
#ifndef SDB_LOG_CATALOG_H
#define SDB_LOG_CATALOG_H

#include "log/snapshots.h"
#include "table/segments.h"

/* Incompatible-feature bits: a store or tree that has one unknown here is refused. */
#define SDB_FEATURES_KNOWN UINT64_C(0)
/* Of a tree: its commits count as far as an outside marker says. */
#define SDB_TREE_MARKED UINT64_C(1)
/* It may hold merge records, of an operator with a name. */
#define SDB_TREE_MERGES UINT64_C(2)
/* Its records may have segments in the value log. */
#define SDB_TREE_SEGMENTS       UINT64_C(4)
#define SDB_TREE_FEATURES_KNOWN (SDB_TREE_MARKED | SDB_TREE_MERGES | SDB_TREE_SEGMENTS)

/* Of a table's flags. */
#define SDB_TABLE_OPEN_END UINT64_C(1)

struct sdb_table_desc {
    uint64_t file; /* number: "<number>.tbl" */
    seerdb_uuid id;
    uint64_t size; /* bytes of the file */
    uint32_t level;
    uint32_t backend; /* 0: the store's directory */
    uint64_t commit;  /* of a spilled table: its commit number; 0: not one */
    uint64_t run; /* the sorted run it is part of; of one level the higher is newer */
    uint64_t records, tombstones, key_bytes, value_bytes; /* records: all of them */
    uint64_t superseded; /* of the records: those with a newer one of their key here */
    uint64_t ranges;     /* range tombstones */
    uint64_t min_number, max_number;  /* of records and ranges */
    struct sdb_buf smallest, largest; /* owned: user keys, all is between them */
    bool open_end; /* largest is the end of a range, and no key of the table */
    struct sdb_vlog_ref *vlogs; /* owned */
    size_t nvlogs;
    struct sdb_held *held; /* owned: what it has for named snapshots; numbers rise */
    size_t nheld;
    bool pending;          /* of an undecided commit: no table of the tree yet */
    uint64_t first_expiry; /* of its rows, microseconds since 1970; 0: none expires */
    uint64_t expiry_due;   /* when enough have expired for a compaction; UINT64_MAX:
                              never */
    uint64_t last_expiry;  /* when all that it holds has expired, for good; 0: not known
                            */
};

/* A file that holds a tree's commits in place of the log; all zeros: there is none. */
struct sdb_aside_desc {
    uint64_t file, size; /* number: "<number>.side"; bytes */
    uint64_t covered;    /* commits up to it are there, or in tables */
};

struct sdb_tree_desc {
    uint64_t id; /* the store's short name for it, used in the log; from 1 */
    seerdb_uuid uuid, owner;
    uint64_t created;  /* the commit-number counter when it was made */
    uint64_t features; /* incompatible-feature bits of this tree */
    uint32_t key_format, value_format;
    uint32_t compression, compaction;
    uint32_t filter_bits, index; /* of tables written from now on */
    uint64_t value_log; /* values from this size on go to the value log; 0: none */
    struct sdb_buf name, app; /* owned */
    struct sdb_buf merge; /* owned: the operator's name; empty: it takes no merges */
    bool drop_intended;
    uint64_t flushed; /* commits up to this number are in tables */
    uint64_t
        last_commit;     /* the newest number known to be in the tree when last noted */
    uint64_t fold_floor; /* reads below this number may miss folded versions */
    struct sdb_table_desc *tables; /* owned; in order of arrival, newest last; the
                                      pending ones among them */
    size_t ntables;
    struct sdb_aside_desc aside;     /* its side file */
    struct sdb_snapshots *snapshots; /* counted: the named ones; NULL: none */
    uint64_t max_file; /* the largest file number that tables had; not on disk */
};

/* Where the owner of trees was last; opaque to the engine. */
struct sdb_owner_desc {
    seerdb_uuid owner;
    uint64_t device, inode, store_device, store_inode;
    struct sdb_buf path; /* owned */
};

struct sdb_catalog {
    seerdb_uuid store;
    uint64_t features;
    uint64_t number_ceiling;     /* commit numbers below it may have been used */
    uint64_t file_ceiling;       /* file numbers below it may have been used */
    uint64_t log_floor;          /* log files below it are not needed */
    uint64_t next_tree;          /* tree ids below it were used */
    struct sdb_tree_desc *trees; /* owned; in order of creation */
    size_t ntrees;
    struct sdb_owner_desc *owners; /* owned */
    size_t nowners;
};

enum sdb_edit_kind {                        /* tags on disk */
                     SDB_EDIT_STORE = 1,    /* uuid, features */
                     SDB_EDIT_CEILINGS = 2, /* number_ceiling, file_ceiling */
                     SDB_EDIT_LOG_FLOOR = 3,
                     SDB_EDIT_TREE = 4,        /* a new tree */
                     SDB_EDIT_TREE_INTENT = 5, /* drop intended */
                     SDB_EDIT_TREE_DROP = 6,
                     SDB_EDIT_TREE_NUMBERS = 7, /* flushed, last_commit, fold_floor */
                     SDB_EDIT_TABLE_ADD = 8,
                     SDB_EDIT_TABLE_REMOVE = 9,
                     SDB_EDIT_NEXT_TREE = 10, /* next_tree; in snapshots: ids of dropped
                                                trees stay used */
                     SDB_EDIT_TABLE_PENDING = 11, /* of a commit that is not decided */
                     SDB_EDIT_TREE_ASIDE = 12,
                     SDB_EDIT_SNAPSHOT_ADD = 13,
                     SDB_EDIT_SNAPSHOT_DROP = 14,
                     SDB_EDIT_TABLE_HELD = 15, /* with the table that it is of */
                     SDB_EDIT_OWNER = 16,      /* where an owner is */
                     SDB_EDIT_TREE_MERGE =
                         17, /* operator of a tree that takes merges */
                     SDB_EDIT_TABLE_EXPIRY = 18, /* with the table that it is of */
                     SDB_EDIT_TABLE_LAST = 19,   /* with its expiry */
                     SDB_EDIT_TREE_VALUES = 20   /* it gets a value log */
};

/* Apply an edit to a catalog.  CORRUPT, naming `where`, when it is malformed or
 * contradicts the catalog (an unknown tree, a table twice, a number that falls); NEWER
 * for an unknown tag or feature.  On failure the catalog is no longer usable. */
int sdb_catalog_apply(struct sdb_catalog *c, seerdb_slice edit, const char *where,
                      seerdb_err *err) SDB_MUST_CHECK;
void sdb_catalog_fini(struct sdb_catalog *c);
struct sdb_tree_desc *sdb_catalog_tree(struct sdb_catalog *c,
                                       uint64_t id); /* or NULL */
/* The tree's side file; all zeros also when there is no such tree. */
struct sdb_aside_desc sdb_catalog_aside(const struct sdb_catalog *c, uint64_t tree);
const struct sdb_owner_desc *sdb_catalog_owner(const struct sdb_catalog *c,
                                               const seerdb_uuid *owner); /* or NULL */

int sdb_table_desc_copy(struct sdb_table_desc *to, const struct sdb_table_desc *from,
                        seerdb_err *err) SDB_MUST_CHECK;
void sdb_table_desc_fini(struct sdb_table_desc *t);
void sdb_tree_desc_fini(struct sdb_tree_desc *t);

#endif
