/* SPDX-License-Identifier: Apache-2.0 */
#include "wish.h"

void svt_wish_fini(struct svt_wish *w)
{
    sqlite3_free(w->memory_limit_by);
    sqlite3_free(w->history_by);
    sqlite3_free(w->sync_by);
}

/* Does the other table have the say about an option of the store?  What was changed
 * goes before what was declared. */
static bool outweighs(const struct svt_options *other, const struct svt_options *own,
                      int setting)
{
    unsigned bit = svt_settings_bit(setting);
    if (own->set & bit)
        return false;
    return (other->set & bit) || ((other->given & bit) && !(own->given & bit));
}

static int note_by(char **by, const char *who)
{
    sqlite3_free(*by);
    *by = sqlite3_mprintf("%s", who);
    return *by != NULL ? SQLITE_OK : SQLITE_NOMEM;
}

int svt_wish_hear(struct svt_wish *wish, const struct svt_options *o, const char *who)
{
    unsigned heard = 0;
    int rc = SQLITE_OK;
    if (outweighs(o, &wish->options, SVT_SETTING_MEMORY_LIMIT)) {
        wish->options.memory_limit = o->memory_limit;
        heard |= svt_settings_bit(SVT_SETTING_MEMORY_LIMIT);
        rc = note_by(&wish->memory_limit_by, who);
    }
    if (rc == SQLITE_OK && outweighs(o, &wish->options, SVT_SETTING_HISTORY)) {
        wish->options.history_ms = o->history_ms;
        heard |= svt_settings_bit(SVT_SETTING_HISTORY);
        rc = note_by(&wish->history_by, who);
    }
    if (rc == SQLITE_OK && outweighs(o, &wish->options, SVT_SETTING_SYNC)) {
        wish->options.sync = o->sync;
        wish->options.sync_given = true;
        heard |= svt_settings_bit(SVT_SETTING_SYNC);
        rc = note_by(&wish->sync_by, who);
    }
    wish->options.given |= o->given & heard;
    wish->options.set |= o->set & heard;
    return rc;
}
