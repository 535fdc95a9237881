/* Threads for functions of the host, and the working directory that each of them has. */
#define _GNU_SOURCE
#include "fws_thread.h"

#include "fws_descriptor.h"
#include "fws_files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void *run(void *argument) {
  const fws_thread_job job = *(fws_thread_job *)argument;
  free(argument);
  /* The thread can be cancelled while the function of the host runs, and at no other time. */
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  /* From here on the thread has a working directory, an umask and a root of its own. The kernel has them for each
   * thread, and the C library makes all threads of a process share them. The seccomp profiles of container engines
   * refuse this call. */
  int refusal = 0, error = 0;
  if (unshare(CLONE_FS) < 0) {
    refusal = errno;
  } else if (fchdir(job.directory) < 0) {
    error = errno;
  }
  if (job.begin(job.context, refusal, error)) {
    fws_call_function(job.function, job.context, job.payload, job.ended, job.context);
  } else {
    job.ended(job.context, FWS_HOST_RETURNED, NULL, NULL);
  }
  return NULL;
}

int fws_thread_start(const fws_thread_job *job) {
  fws_thread_job *argument = malloc(sizeof *argument);
  if (argument == NULL) return ENOMEM;
  *argument = *job;
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error == 0) {
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* The new thread inherits this mask, so that it takes no signal of the host. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_t thread;
    error = pthread_create(&thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
  }
  if (error != 0) free(argument);
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

/* --- the process's directory ---------------------------------------------------------
 *
 * Where threads cannot have directories of their own, one call at a time holds that of the process. A function may run
 * a step itself, whose function takes the directory over and gives it back. So the calls that hold it are a stack. */

typedef struct holder {
  struct holder *below;
  uint64_t ticket;
  /* The directory that the process had before, which is restored. */
  int before;
} holder;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static holder *top;
static uint64_t last_ticket;
/* The ticket of the call that runs in this thread. */
static _Thread_local uint64_t own;

uint64_t fws_directory_own(void) { return own; }

static void wait_until_free(uint64_t parent, bool (*is_over)(void *), void *context) {
  while (top != NULL && (parent == 0 || top->ticket != parent) && !is_over(context)) pthread_cond_wait(&changed, &lock);
}

int fws_directory_take(uint64_t *ticket, uint64_t parent, int directory, bool (*is_over)(void *), void *context) {
  holder *fresh = malloc(sizeof *fresh);
  if (fresh == NULL) return ENOMEM;
  int error = 0;
  pthread_mutex_lock(&lock);
  wait_until_free(parent, is_over, context);
  if (is_over(context)) {
    error = ECANCELED;
  } else if ((fresh->before = fws_above_standard(fws_open(".", O_PATH | O_DIRECTORY))) < 0) {
    error = errno;
  } else if (fchdir(directory) < 0) {
    error = errno;
    close(fresh->before);
  } else {
    fresh->ticket = own = *ticket = ++last_ticket;
    fresh->below = top;
    top = fresh;
  }
  pthread_mutex_unlock(&lock);
  if (error != 0) free(fresh);
  return error;
}

void fws_directory_give(uint64_t ticket) {
  pthread_mutex_lock(&lock);
  holder *above = NULL, *found = top;
  while (found != NULL && found->ticket != ticket) {
    above = found;
    found = found->below;
  }
  if (found != NULL) {
    if (above == NULL) {
      /* If the directory cannot be entered any more, the process stays where it is. */
      if (fchdir(found->before) < 0) errno = 0;
      top = found->below;
      close(found->before);
    } else {
      /* The call is given up while a step that it runs still holds the directory. That step will restore what was there
       * before both. */
      close(above->before);
      above->before = found->before;
      above->below = found->below;
    }
    free(found);
  }
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

void fws_directory_wake(void) {
  pthread_mutex_lock(&lock);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

int fws_open_from_home(const char *path, int flags) {
  /* A relative path of a call that holds the directory begins there, and any other path at the host's own directory. */
  pthread_mutex_lock(&lock);
  const holder *found = top, *bottom = NULL;
  for (; found != NULL && (own == 0 || found->ticket != own); found = found->below) bottom = found;
  int from = found == NULL && bottom != NULL ? bottom->before : AT_FDCWD;
  int fd = TEMP_FAILURE_RETRY(openat(from, path, flags));
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return fd;
}
