/*
 * The child of a fork has the host's memory but not its threads, which may hold locks of the library, and it shares the
 * descriptors of its parent. So the child must not touch anything of a running step. A process that has not run a step
 * yet, such as a daemon that goes into the background, may fork as it likes.
 */
#include "fws_fork.h"

#include <pthread.h>

int fws_forked;
int fws_in_use;

static void set_forked(void) { fws_forked = fws_in_use; }

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, set_forked); }
