/* Work that may raise SIGPIPE, of which the host must notice nothing. */
#ifndef FWS_QUIET_H
#define FWS_QUIET_H

#include <signal.h>
#include <stdbool.h>

typedef struct {
  sigset_t before;
  bool had_pipe;
} fws_quiet;

/* Blocks all signals in the calling thread, and in the threads that it starts, until fws_quiet_end(), which takes a
 * SIGPIPE away that was not pending before. No disposition changes. */
void fws_quiet_begin(fws_quiet *_Nonnull quiet);
void fws_quiet_end(fws_quiet *_Nonnull quiet);

#endif
