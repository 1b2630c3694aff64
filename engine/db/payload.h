/* SPDX-License-Identifier: Apache-2.0
 *
 * payload -- the content of a commit in the log, written by batches, read by commit and
 * by recovery alike.  FORMAT.md, "Commit log". */
#ifndef SDB_DB_PAYLOAD_H
#define SDB_DB_PAYLOAD_H

#include "base/coding.h"
#include "table/key.h"

/* Writing: begin, per part: part, records, end; sticky in b.  The number and every prev
 * are written as zeros and set afterwards, when the commit takes its place in the log.
 */
void sdb_payload_begin(struct sdb_buf *b, uint64_t nparts);
/* Returns the offset for sdb_payload_set_prev.  `vlogs`: the files of the value log
 * that its records name, and perhaps others. */
size_t sdb_payload_part(struct sdb_buf *b, uint64_t tree, const uint64_t *vlogs,
                        size_t n);
/* The same for a part of which these tables hold more. */
size_t sdb_payload_spilled_part(struct sdb_buf *b, uint64_t tree, const uint64_t *files,
                                size_t n);
/* Range tombstones first: rising, disjoint. */
void sdb_payload_record(struct sdb_buf *b, const struct sdb_record *r);
void sdb_payload_end_part(struct sdb_buf *b);
void sdb_payload_set_number(struct sdb_buf *b, uint64_t number);
void sdb_payload_set_prev(struct sdb_buf *b, size_t part, uint64_t prev);

/* Reading: open, then parts; within each part every record before the next part.
 * CORRUPT with `where` in the message, which is borrowed. */
struct sdb_payload_reader {
    struct sdb_reader r;
    const char *where;
    uint64_t number, parts_left;
    struct sdb_reader files; /* of the part: numbers of its pending tables */
    uint64_t files_left;
    struct sdb_reader vlogs; /* of the part: numbers of files of the value log */
    uint64_t vlogs_left;
    bool any_range, any_record; /* met in the part, */
    seerdb_slice range_end;     /* and where the last of those ends */
};

int sdb_payload_open(struct sdb_payload_reader *p, seerdb_slice bytes,
                     const char *where, seerdb_err *err) SDB_MUST_CHECK;
/* The next part's tree and prev; NOTFOUND after the last. */
int sdb_payload_next_part(struct sdb_payload_reader *p, uint64_t *tree, uint64_t *prev,
                          seerdb_err *err) SDB_MUST_CHECK;
/* The next file number of the part's pending tables; false after the last. */
bool sdb_payload_next_file(struct sdb_payload_reader *p, uint64_t *file);
/* The next number of a file of the value log that the part names. */
bool sdb_payload_next_vlog(struct sdb_payload_reader *p, uint64_t *file);
/* The next record of the part, number filled in, bytes borrowed; NOTFOUND at its end.
 */
int sdb_payload_next_record(struct sdb_payload_reader *p, struct sdb_record *r,
                            seerdb_err *err) SDB_MUST_CHECK;
/* Past the records of the part that are left; checks them as next_record does. */
int sdb_payload_skip_part(struct sdb_payload_reader *p, seerdb_err *err) SDB_MUST_CHECK;

#endif
