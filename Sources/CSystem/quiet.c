#define _GNU_SOURCE
#include "fws_quiet.h"

#include <pthread.h>
#include <time.h>

void fws_quiet_begin(fws_quiet *quiet) {
  sigset_t all, pending;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &quiet->before);
  /* A signal that the thread does not block cannot have been pending. */
  quiet->had_pipe =
      sigismember(&quiet->before, SIGPIPE) == 1 && sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void fws_quiet_end(fws_quiet *quiet) {
  sigset_t pending;
  if (!quiet->had_pipe && sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1) {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigtimedwait(&pipe, NULL, &(struct timespec){.tv_sec = 0});
  }
  pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}
