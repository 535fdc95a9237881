/* Threads for functions of the host. */
#define _GNU_SOURCE
#include "fws.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct {
  void (*body)(void *context, int error);
  void *context;
  int directory;
} job;

static void *run(void *given) {
  job mine = *(job *)given;
  free(given);
  /* The working directory is the thread's own from now on, with its umask and root: the kernel has them for each
   * thread, and the C library lets all of a process share them. */
  int error = 0;
  if (unshare(CLONE_FS) < 0 || fchdir(mine.directory) < 0) error = errno;
  mine.body(mine.context, error);
  return NULL;
}

int fws_thread_start(void (*body)(void *, int), void *context, int directory) {
  job *given = malloc(sizeof *given);
  if (given == NULL) return ENOMEM;
  *given = (job){.body = body, .context = context, .directory = directory};
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error == 0) {
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* It takes no signal of the host's: a thread is born with the mask of the one that makes it. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_t thread;
    error = pthread_create(&thread, &attributes, run, given);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
  }
  if (error != 0) free(given);
  return error;
}

fws_usage fws_thread_usage(void) {
  struct rusage usage = {0};
  getrusage(RUSAGE_THREAD, &usage);
  return (fws_usage){
      .user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6,
      .system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6,
  };
}
