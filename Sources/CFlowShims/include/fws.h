/*
 * What Swift cannot say: code that runs between clone and exec, wait-status macros,
 * pidfds, atomics, and system calls that Glibc's module does not show. Everything
 * here is private to the library.
 */
#ifndef FWS_H
#define FWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- spawn.c: the one place that starts a process ------------------------------- */

/* Where a spawn failed. */
enum {
  FWS_AT_NOWHERE = 0,
  FWS_AT_CLONE = 1,
  FWS_AT_STDIN = 2,
  FWS_AT_CHDIR = 3,
  FWS_AT_EXEC = 4,
};

typedef struct {
  const char *_Nonnull program; /* a path; it is not searched for */
  char *_Nullable const *_Nonnull argv;
  char *_Nullable const *_Nonnull envp;
  int rundir; /* descriptor of the working directory */
  int out;    /* what becomes descriptor 1; at least 3 */
  int err;    /* what becomes descriptor 2; at least 3 */
} fws_command;

typedef struct {
  pid_t pid;
  int pidfd;
  int stage; /* FWS_AT_... */
  int error; /* errno of a failed spawn, 0 of one that worked */
} fws_child;

/* Starts a command in a session of its own, with default signal dispositions, an
 * empty mask, standard input from /dev/null, and no descriptor but 0 to 2. Returns
 * when the program has been loaded, or could not be: then nothing is left of it. */
fws_child fws_spawn(const fws_command *_Nonnull command);

/* The host's environment, as exec takes it. */
char *_Nullable const *_Nonnull fws_environ(void);

/* --- reap.c: the one place that takes an exit status ---------------------------- */

typedef struct {
  bool known;    /* false: somebody else took the status */
  bool has_usage;
  int exit_code; /* -1 unless it exited */
  int signal;    /* 0 unless a signal ended it */
  double user;   /* seconds */
  double system; /* seconds */
} fws_status;

/* Takes the status of a child whose pidfd is readable. Where the host has taken it
 * first, the kernel is asked for it (Linux 6.15). */
fws_status fws_reap(int pidfd);

/* Whether a process, a process group or a session has this number. `fd` is any
 * descriptor of the caller's own. */
bool fws_number_in_use(int fd, pid_t number);

int fws_pidfd_open(pid_t pid);
int fws_pidfd_signal(int pidfd, int signal);

/* --- system.c -------------------------------------------------------------------- */

/* A pipe whose ends are close-on-exec and not among descriptors 0 to 2; reading it
 * does not block. Returns 0, or an errno. */
int fws_pipe(int *_Nonnull read_end, int *_Nonnull write_end);

/* Makes the pipe's buffer larger, if the system lets us. */
void fws_pipe_grow(int fd, int bytes);

/* Opens a directory to be worked in. Returns a descriptor of at least 3, or -errno. */
int fws_open_directory(const char *_Nonnull path);

/* The text of an errno, into a buffer of the caller's. */
void fws_error_text(int error, char *_Nonnull buffer, size_t size);

/* Fills a buffer with random bytes; false if the system has none. */
bool fws_random(void *_Nonnull buffer, size_t size);

/* Seconds: of the monotonic clock, and since 1970. */
double fws_monotonic(void);
double fws_wall(void);

/* --- pointers that threads share -------------------------------------------------- */

static inline void *_Nullable fws_load(void *_Nullable const *_Nonnull slot) {
  return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

/* Puts `fresh` into an empty slot. Returns what is in the slot afterwards. */
static inline void *_Nonnull fws_publish(void *_Nullable *_Nonnull slot, void *_Nonnull fresh) {
  void *expected = NULL;
  if (__atomic_compare_exchange_n(slot, &expected, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return fresh;
  return expected;
}

/* A pthread mutex, because sanitizers understand it. NULL if there is no memory. */
void *_Nullable fws_mutex_create(void);
void fws_mutex_lock(void *_Nonnull mutex);
void fws_mutex_unlock(void *_Nonnull mutex);
void fws_mutex_free(void *_Nonnull mutex);

#endif
