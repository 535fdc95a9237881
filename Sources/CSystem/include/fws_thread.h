/* Threads for functions of the host, and the working directory that each of them has. */
#ifndef FWS_THREAD_H
#define FWS_THREAD_H

#include <stdbool.h>
#include <stdint.h>

/* Calls `body` on a new detached thread with all signals blocked. The thread has a working directory of its own, which
 * is what the descriptor `directory` stands for; `error` is the errno if that directory could not be entered. Where the
 * system refuses the thread a directory of its own, `refusal` is the errno of unshare(2), and the thread shares the
 * directory of the process. Returns 0 or an errno. */
int fws_thread_start(void (*_Nonnull body)(void *_Nullable context, int refusal, int error), void *_Nullable context,
                     int directory);

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
