/* Whether this process is a fork of one that uses the library. */
#ifndef FWS_FORK_H
#define FWS_FORK_H

#include "fws_descriptor.h"

#include <stdbool.h>

/* Set in a process that was forked from one whose fws_in_use was set. */
extern int fws_forked;

/* Set before the library makes something that only this process may use: a supervisor, or a connection. */
extern int fws_in_use;

static inline void fws_use(void) { fws_in_use = 1; }
static inline bool fws_is_forked(void) { return __builtin_expect(fws_forked != 0, 0); }

/* A descriptor that a child of fork(2) closes at once. */
typedef struct fws_parents_own fws_parents_own;

/* Adds a descriptor. Returns NULL if there is no memory for it, and then a child keeps it. */
fws_parents_own *_Nullable fws_parents_own_add(const fws_fd *_Nonnull fd);

/* Has to be called before the descriptor is closed. */
void fws_parents_own_remove(fws_parents_own *_Nullable own);

#endif
