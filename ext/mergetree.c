/* SPDX-License-Identifier: Apache-2.0 */
#include "mergetree.h"

#include "errmap.h"
#include "mergerow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The operator of a table; all zeros if it has no MERGE columns. */
static int make(const struct svt_schema *s, const char *who, seerdb_merge_operator *out,
                char **message)
{
    struct svt_merger *m = NULL;
    char *why = NULL;
    *out = (seerdb_merge_operator){.name = NULL};
    if (s->nmerge == 0)
        return SQLITE_OK;
    int rc = svt_merger_new(s, &m, &why);
    if (rc == SQLITE_OK)
        *out = svt_merger_operator(m);
    else if (why != NULL)
        svt_fail(message, rc, "%s: %s", who, why);
    sqlite3_free(why);
    return rc;
}

int svt_mergetree_create(const struct svt_schema *s, const char *who, seerdb *db,
                         seerdb_tree_options *options, seerdb_tree **out,
                         char **message)
{
    seerdb_merge_operator op;
    seerdb_err err = {0};
    int rc = make(s, who, &op, message);
    if (rc != SQLITE_OK)
        return rc;
    options->merge = op.name != NULL ? &op : NULL;
    rc = seerdb_tree_create(db, options, out, &err);
    options->merge = NULL;
    if (rc != SEERDB_OK && op.name != NULL)
        op.release(op.ctx);
    return svt_errmap_message(message, who, rc, &err);
}

static int has_others(const char *who, const char *own, const char *have,
                      char **message)
{
    return svt_fail(message, SQLITE_ERROR,
                    "%s: its MERGE operators are not those that its rows were written "
                    "under: declared is \"%s\", the store has \"%s\"",
                    who, own != NULL ? own : "none", have != NULL ? have : "none");
}

int svt_mergetree_give(const struct svt_schema *s, const char *who, seerdb_tree *tree,
                       char **message)
{
    seerdb_merge_operator op;
    seerdb_err err = {0};
    const char *have = seerdb_tree_merge_name(tree);
    int rc = make(s, who, &op, message);
    if (rc != SQLITE_OK)
        return rc;
    if (op.name == NULL)
        return have == NULL ? SQLITE_OK : has_others(who, NULL, have, message);
    rc = seerdb_tree_merges_with(tree, &op, &err);
    if (rc == SEERDB_OK)
        return SQLITE_OK;
    int code = rc == SEERDB_MISMATCH ? has_others(who, op.name, have, message)
                                     : svt_errmap_message(message, who, rc, &err);
    op.release(op.ctx);
    return code;
}

int svt_mergetree_unread(struct svt_table *t, int rc, const seerdb_err *err)
{
    static const char before[] = ", key x'", behind[] = "': ";
    const char *key = strstr(err->msg, before), *why = NULL;
    bool rowid = t->schema.shape == SVT_SHAPE_IPK || t->schema.shape == SVT_SHAPE_ROWID;
    char name[64];
    if (strncmp(err->msg, "merge operator ", 15) == 0 && key != NULL)
        why = strstr(key, behind);
    if (why == NULL || (rc != SEERDB_MISMATCH && rc != SEERDB_TOOBIG))
        return svt_table_fail(t, rc, err);
    key += sizeof before - 1;
    if (rowid && why - key == 16) /* eight bytes that sort as numbers do */
        snprintf(name, sizeof name, "%lld",
                 (long long)(strtoull(key, NULL, 16) ^ UINT64_C(1) << 63));
    else
        snprintf(name, sizeof name, "with the key x'%.*s'",
                 why - key > 40 ? 40 : (int)(why - key), key);
    return svt_fail(&t->base.zErrMsg, svt_errmap_code(rc),
                    "%s: the row %s cannot be read: %s; INSERT it with _op = 'put', or "
                    "'delete', to "
                    "get over it",
                    t->who, name, why + sizeof behind - 1);
}
