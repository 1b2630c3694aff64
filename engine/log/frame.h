/* SPDX-License-Identifier: Apache-2.0
 *
 * frame -- checksummed records; shared by the commit log and the manifest.
 *
 * A frame's checksum is seeded by its file (store and file number) and its offset, so
 * that neither the tail of a recycled file nor a frame moved elsewhere can pass.
 * Bytes that were synced are never in one sector with bytes written later: a power cut
 * may garble a sector that is being written.  So a frame may begin at the next sector
 * instead of right behind the one before, and then says how much it skipped.
 * FORMAT.md, "Frame". */
#ifndef SDB_LOG_FRAME_H
#define SDB_LOG_FRAME_H

#include "base/buf.h"
#include "os/file.h"

#define SDB_FRAME_HEADER    40
#define SDB_FRAME_ALIGN     8
#define SDB_LOG_FILE_HEADER 64
#define SDB_LOG_SECTOR      512

enum sdb_file_kind { SDB_FILE_LOG = 1, SDB_FILE_MANIFEST = 2, SDB_FILE_SIDE = 3 };

enum sdb_outcome {
    SDB_OUTCOME_NONE = 0,
    SDB_OUTCOME_COMMITTED = 1,
    SDB_OUTCOME_ABORTED = 2
};

struct sdb_frame {
    uint8_t type;          /* the file kind's own */
    uint8_t outcome;       /* enum sdb_outcome of the frame before that needed one */
    uint16_t skip;         /* bytes left out between the frame before and this one */
    uint64_t timestamp_us; /* wall clock when it was written */
    uint64_t synced;       /* log position known to be on stable storage */
    seerdb_slice payload;
};

/* The checksum seed of a file. */
uint64_t sdb_frame_seed(const seerdb_uuid *store, enum sdb_file_kind kind,
                        uint64_t number);

/* Bytes that a frame with this payload takes, padding included. */
uint64_t sdb_frame_size(uint64_t payload_size);

/* Append the frame to out as it must stand at file offset `off`.  Sticky in out.
 * Requires: payload at most UINT32_MAX bytes. */
void sdb_frame_encode(struct sdb_buf *out, uint64_t seed, uint64_t off,
                      const struct sdb_frame *f);

/* Decode the frame at bytes[0..] that stands at file offset `off`; payload is borrowed
 * from bytes.  0 and its size.  NOTFOUND: there is no valid frame.  NEWER: there is
 * one, with fields unknown here.  No message: the caller knows the file. */
int sdb_frame_decode(seerdb_slice bytes, uint64_t seed, uint64_t off,
                     struct sdb_frame *f, uint64_t *size) SDB_MUST_CHECK;

/* Decode the frame that continues bytes, the whole file, where the one before ended at
 * `off`: there or, when it says that it skipped so much, at the next sector.  0, *at
 * where it stands and its size; NOTFOUND; NEWER. */
int sdb_frame_next(seerdb_slice bytes, uint64_t seed, uint64_t off, struct sdb_frame *f,
                   uint64_t *at, uint64_t *size) SDB_MUST_CHECK;

/* The first sector boundary at or behind off. */
static inline uint64_t sdb_log_sector_up(uint64_t off)
{
    return (off + SDB_LOG_SECTOR - 1) / SDB_LOG_SECTOR * SDB_LOG_SECTOR;
}

/* The first offset >= off, a multiple of 8, at which a valid frame stands: 0 (or NEWER)
 * and *at, or NOTFOUND.  `bytes` is the whole file.  For telling a torn tail from
 * damage. Takes time linear in the size of the file. */
int sdb_frame_resync(seerdb_slice bytes, uint64_t seed, uint64_t off, uint64_t *at,
                     struct sdb_frame *f) SDB_MUST_CHECK;

/* True when the header of a frame stands intact at bytes[0..], its payload perhaps not:
 * the start of a frame that was being written.  *size is what the frame would take. */
bool sdb_frame_begun(seerdb_slice bytes, uint64_t seed, uint64_t off, uint64_t *size);

/* The 64 bytes at the start of a log or manifest file. */
struct sdb_log_header {
    enum sdb_file_kind kind;
    seerdb_uuid store;
    uint64_t number;       /* of this file */
    uint64_t previous;     /* of the file before it in the same log; 0: none */
    uint64_t previous_end; /* offset at which that file's content ends; manifest: 0 */
};
void sdb_log_header_encode(struct sdb_buf *out, const struct sdb_log_header *h);
/* CORRUPT or NEWER, naming `path`. */
int sdb_log_header_decode(seerdb_slice bytes, const char *path,
                          struct sdb_log_header *h, seerdb_err *err) SDB_MUST_CHECK;

/* "dir/000012.log" for the suffix ".log"; the caller frees.  NULL: no memory. */
char *sdb_numbered_path(const char *dir, uint64_t number, const char *suffix);
/* True, and the number, when name is that of such a file. */
bool sdb_numbered_parse(const char *name, const char *suffix, uint64_t *number);
/* The numbers of those in dir, rising; *out is the caller's to free. */
int sdb_numbered_list(struct sdb_fs *fs, const char *dir, const char *suffix,
                      uint64_t **out, size_t *n, seerdb_err *err) EXCLUDES(LK_DB)
    SDB_MUST_CHECK;

#endif
