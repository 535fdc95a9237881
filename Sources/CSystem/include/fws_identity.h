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

/* From fws_identity_hold() to fws_identity_let_go(), the calling thread's identity is computed once, at its first use.
 * Whoever starts many steps in one go computes it once for all of them. No code of the host may run between the two
 * that is expected to change what commands inherit. */
void fws_identity_hold(void);
void fws_identity_let_go(void);

#endif
