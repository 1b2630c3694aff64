/* SPDX-License-Identifier: Apache-2.0
 *
 * A file is needed if the manifest names it, or it is the manifest in use, CURRENT or
 * LOCK, or a log file from the manifest's floor on.  Files of the value log that no
 * table names may be named by the log: those are few, each tree goes on in one of its
 * own. */
#include "soak.h"

#include "log/manifest.h"
#include "os/file.h"

#include <stdio.h>
#include <string.h>

struct files {
    const struct soak *soak;
    const struct sdb_catalog *catalog;
    uint64_t manifest, bytes;
    unsigned unnamed; /* of the value log */
};

enum { UNNAMED_MOST = 24 };

static bool is_table(const struct sdb_catalog *c, uint64_t number)
{
    for (size_t i = 0; i < c->ntrees; i++)
        for (size_t k = 0; k < c->trees[i].ntables; k++)
            if (c->trees[i].tables[k].file == number)
                return true;
    return false;
}

static bool is_side(const struct sdb_catalog *c, uint64_t number)
{
    for (size_t i = 0; i < c->ntrees; i++)
        if (c->trees[i].aside.file == number)
            return true;
    return false;
}

static bool has_values(const struct sdb_catalog *c, uint64_t number)
{
    for (size_t i = 0; i < c->ntrees; i++)
        for (size_t k = 0; k < c->trees[i].ntables; k++)
            for (size_t j = 0; j < c->trees[i].tables[k].nvlogs; j++)
                if (c->trees[i].tables[k].vlogs[j].file == number)
                    return true;
    return false;
}

static bool is_needed(struct files *f, const char *name)
{
    uint64_t number;
    if (strcmp(name, "LOCK") == 0 || strcmp(name, "CURRENT") == 0)
        return true;
    if (sdb_numbered_parse(name, ".man", &number))
        return number == f->manifest;
    if (sdb_numbered_parse(name, ".tbl", &number))
        return is_table(f->catalog, number);
    if (sdb_numbered_parse(name, ".side", &number))
        return is_side(f->catalog, number);
    if (sdb_numbered_parse(name, ".vlg", &number))
        return has_values(f->catalog, number) || ++f->unnamed <= UNNAMED_MOST;
    if (sdb_numbered_parse(name, ".log", &number))
        return number >= f->catalog->log_floor;
    return sdb_numbered_parse(name, ".free", &number); /* goes with the next open */
}

static void look_at(void *ctx, const char *name)
{
    struct files *f = ctx;
    char path[1200];
    uint64_t size = 0;
    snprintf(path, sizeof path, "%s/%s", f->soak->store, name);
    if (!is_needed(f, name))
        soak_fail(path, "nobody needs this file, and it is there");
    if (sdb_fs_stat(sdb_fs_local(), path, NULL, &size, NULL) == 0)
        f->bytes += size;
}

uint64_t soak_check_files(const struct soak *s)
{
    struct sdb_manifest *m = NULL;
    struct files f = {.soak = s};
    seerdb_err err = {0};
    if (sdb_manifest_load(sdb_fs_local(), s->store, &m, &err) != 0)
        soak_fail(s->store, err.msg);
    f.catalog = sdb_manifest_catalog(m);
    f.manifest = sdb_manifest_file(m);
    if (sdb_fs_list(sdb_fs_local(), s->store, look_at, &f, &err) != 0)
        soak_fail(s->store, err.msg);
    sdb_manifest_close(m);
    return f.bytes;
}
