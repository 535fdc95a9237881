/* Threads for functions of the host, and the working directory that each of them has. */
#ifndef FWS_THREAD_H
#define FWS_THREAD_H

#include "fws_host_call.h"

#include <stdbool.h>
#include <stdint.h>

/* A call of a function of the host on a thread of its own. */
typedef struct {
  /* Returns whether the function is to be called. `error` is the errno if the thread could not enter the directory.
   * Where the system refuses the thread a directory of its own, `refusal` is the errno of unshare(2), and the thread
   * shares the directory of the process. */
  bool (*_Nonnull begin)(void *_Nonnull context, int refusal, int error);
  void (*_Nonnull function)(struct fw_call *_Nullable call, void *_Nullable payload);
  void *_Nullable payload;
  /* Is called last on the thread, whatever the function has done. */
  fws_host_ended _Nonnull ended;
  /* The context is also the `call` of the function. */
  void *_Nonnull context;
  /* The descriptor of the directory that becomes the working directory of the thread. */
  int directory;
} fws_thread_job;

/* Starts a detached thread with all signals blocked. Returns 0 or an errno. */
int fws_thread_start(const fws_thread_job *_Nonnull job);

/* Waits until no call but `parent` (0: none) holds the working directory of the process, and takes it for the call that
 * runs in this thread. Returns 0 and a ticket, or an errno: ECANCELED as soon as `is_over` returns true, which is asked
 * again after each fws_directory_wake(). */
int fws_directory_take(uint64_t *_Nonnull ticket, uint64_t parent, int directory,
                       bool (*_Nonnull is_over)(void *_Nullable), void *_Nullable context);

/* Restores the directory that the process had before. A second call for the same ticket has no effect. Any thread may
 * call it. */
void fws_directory_give(uint64_t ticket);
void fws_directory_wake(void);

/* The ticket of the call that runs in this thread; 0 if there is none. */
uint64_t fws_directory_own(void);

/* Opens a path like open(2). A relative path begins at the host's own directory, even while a call holds that of the
 * process. */
int fws_open_from_home(const char *_Nonnull path, int flags);

/* Seconds of processor time of the calling thread. */
typedef struct {
  double user, system;
} fws_usage;
fws_usage fws_thread_usage(void);

#endif
