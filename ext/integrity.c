/* SPDX-License-Identifier: Apache-2.0 */
#include "integrity.h"

#include "table.h"

enum { QUICK = 1 };

/* What fails for these reasons says nothing about the bytes. */
static bool is_passing(int code)
{
    return (code & 0xff) == SQLITE_NOMEM || (code & 0xff) == SQLITE_INTERRUPT ||
           (code & 0xff) == SQLITE_BUSY;
}

/* A failure becomes the problem found. */
static int report(struct svt_table *t, int code, char **problem)
{
    if (code == SQLITE_OK || is_passing(code))
        return code;
    *problem = t->base.zErrMsg != NULL
                   ? sqlite3_mprintf("%s", t->base.zErrMsg)
                   : sqlite3_mprintf("%s: %s", t->who, sqlite3_errstr(code));
    sqlite3_free(t->base.zErrMsg);
    t->base.zErrMsg = NULL;
    return *problem != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

static int check_marker(struct svt_table *t)
{
    struct svt_shadow row;
    seerdb_condition now;
    seerdb_err err = {0};
    struct svt_place place = svt_table_place(t);
    int rc = svt_shadow_read(&place, &row, &t->base.zErrMsg);
    if (rc == SQLITE_OK)
        rc = svt_table_fail(t, seerdb_look(t->ks->store->db, t->ks->tree, &now, &err),
                            &err);
    if (rc == SQLITE_OK && row.marker > now.last_commit)
        rc =
            svt_fail(&t->base.zErrMsg, SQLITE_CORRUPT_VTAB,
                     "%s: the store has lost the commits behind %llu, of %llu that the "
                     "database knows",
                     t->who, (unsigned long long)now.last_commit,
                     (unsigned long long)row.marker);
    return rc;
}

int svt_integrity(sqlite3_vtab *base, const char *schema, const char *name, int flags,
                  char **problem)
{
    struct svt_table *t = (struct svt_table *)base;
    seerdb_verify_report r = {0};
    seerdb_err err = {0};
    struct svt_interrupt_span span;
    (void)schema;
    (void)name;
    *problem = NULL;
    int rc = svt_interrupt_begin(&t->conn->interrupt, &span);
    if (rc != SQLITE_OK)
        return rc;
    rc = svt_table_open(t);
    if (rc == SQLITE_OK)
        rc = check_marker(t);
    if (rc == SQLITE_OK && !(flags & QUICK))
        rc = svt_table_fail(t, seerdb_verify(t->ks->store->db, t->ks->tree, &r, &err),
                            &err);
    svt_interrupt_end(&span);
    return report(t, rc, problem);
}
