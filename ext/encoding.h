/* SPDX-License-Identifier: Apache-2.0
 *
 * encoding -- the text encoding of a connection's databases.
 *
 * Text is kept as SQLite keeps it, in the database's encoding, byte for byte: so
 * nothing is lost, and BINARY keys sort as SQLite sorts them, by memcmp.  UTF-8 is
 * needed only for keys of the collations NOCASE and RTRIM, which SQLite defines on
 * UTF-8. */
#ifndef SVT_ENCODING_H
#define SVT_ENCODING_H

#include "bytes.h"
#include "sqlite.h"

enum svt_encoding { SVT_UTF8, SVT_UTF16LE, SVT_UTF16BE };

/* SQLite's number and name of it. */
int svt_encoding_code(enum svt_encoding e);
const char *svt_encoding_name(enum svt_encoding e);

/* The encoding of all databases of the connection.  It does not change any more once a
 * table was made or read.  SQLITE_OK or a failure of SQLite's. */
int svt_encoding_find(sqlite3 *db, enum svt_encoding *out);

/* Append a UTF-8 text as the connection's databases would keep it. */
int svt_encoding_convert(sqlite3 *db, seerdb_slice text, struct svt_bytes *out);

/* Append a text of encoding e, not UTF-8, as UTF-8.  Where surrogates do not make a
 * pair the result is what SQLite makes of them.  An odd byte at the end is left out. */
void svt_encoding_to_utf8(struct svt_bytes *out, seerdb_slice text,
                          enum svt_encoding e);

/* The first character of a text, if it is one of ASCII, else 0x80; 0: the text is
 * empty, or begins so. */
uint8_t svt_encoding_first(seerdb_slice text, enum svt_encoding e);

#endif
