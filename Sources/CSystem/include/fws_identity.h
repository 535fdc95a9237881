/* What a command inherits from the thread that starts it. */
#ifndef FWS_IDENTITY_H
#define FWS_IDENTITY_H

#include <stdint.h>

/* A number that stands for the user, the limits, the umask and so on (identity.c) of one thread. */
typedef struct {
  uint64_t low, high;
} fws_identity;

/* Computes the identity of the calling thread. Returns 0, or an errno if there is no descriptor left to look with. */
int fws_identity_now(fws_identity *_Nonnull identity);

#endif
