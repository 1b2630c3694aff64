/* SPDX-License-Identifier: Apache-2.0
 *
 * segments -- a value of which parts lie in the value log.
 *
 * The *whole* value is what a caller put.  Its record keeps the bytes that lie between
 * segments (*inline* ones), and of each segment where it begins in the whole value, how
 * long it is, and its address.  Pure; no I/O.  FORMAT.md, "Records", kind 5. */
#ifndef SDB_TABLE_SEGMENTS_H
#define SDB_TABLE_SEGMENTS_H

#include "base/coding.h"
#include "table/key.h"

struct sdb_segment {
    uint64_t offset; /* in the whole value */
    uint64_t size;   /* at least 1 */
    uint64_t file;   /* of the value log; not 0 */
    uint64_t slot;   /* in the file */
    uint64_t stored; /* bytes there, packed; 0: as they are */
    uint64_t check;  /* of the stored bytes */
};

/* Bytes that the segment has in its file. */
static inline uint64_t sdb_segment_stored(const struct sdb_segment *s)
{
    return s->stored != 0 ? s->stored : s->size;
}

struct sdb_segments {
    struct sdb_reader rest; /* the segments not read yet */
    uint64_t left;          /* how many those are */
    uint64_t end;           /* of the one read last, in the whole value */
    seerdb_slice inlined;   /* borrowed */
    uint64_t whole;         /* size of the whole value */
    uint64_t count;
};

/* Begin a record's value: count, then each segment, then the inline bytes. */
void sdb_segments_begin(struct sdb_buf *b, uint64_t count);
void sdb_segments_add(struct sdb_buf *b, const struct sdb_segment *s);

/* Read the value of a record.  All of it is checked: CORRUPT when it is malformed. */
int sdb_segments_open(struct sdb_segments *s, seerdb_slice value, seerdb_err *err)
    SDB_MUST_CHECK;
/* False: there are no more.  In the order of their offsets. */
bool sdb_segments_next(struct sdb_segments *s, struct sdb_segment *out);

/* What one who holds values has of one file. */
struct sdb_vlog_ref {
    uint64_t file, bytes, values; /* bytes that the values take there */
};

/* The same of all files; rising. */
struct sdb_vlog_refs {
    struct sdb_vlog_ref *all; /* owned */
    size_t n, capacity;
};
/* Count what the value of a record names. */
int sdb_vlog_refs_count(struct sdb_vlog_refs *r, seerdb_slice value, seerdb_err *err)
    SDB_MUST_CHECK;
void sdb_vlog_refs_put(const struct sdb_vlog_ref *refs, size_t n, struct sdb_buf *b);
void sdb_vlog_refs_fini(struct sdb_vlog_refs *r);

/* What all segments of a record take in their files; 0: it has none. */
uint64_t sdb_segments_add_up(const struct sdb_record *r);
static inline uint64_t sdb_segments_stored(const struct sdb_record *r)
{
    return SDB_RARELY(r->kind == SDB_KIND_SEGMENTS) ? sdb_segments_add_up(r) : 0;
}

/* Bytes of the segment's entry in its file. */
static inline uint64_t sdb_segment_entry(const struct sdb_segment *s)
{
    return 32 + ((sdb_segment_stored(s) + 7) & ~UINT64_C(7));
}

#endif
