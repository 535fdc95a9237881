/*
 * What Swift cannot say: the messages to the supervisor, atomics,
 * and system calls that Glibc's module does not show. Everything
 * here is private to the library.
 */
#ifndef FWS_H
#define FWS_H

#include "agent.h"
#include "supervisor.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- descriptor.c: descriptors that are kept --------------------------------------- */

/* A descriptor of ours, with what it stands for. A host may close all that it finds (daemons do), and put other things in
 * their places: then the number is the host's, and must be neither used nor closed. */
typedef struct {
  int number; /* negative: none */
  int mark;
  uint64_t device, inode;
} fws_fd;

/* Remembers what a descriptor stands for that was just made. */
fws_fd fws_fd_of(int number);

/* Whether it is still that. */
bool fws_fd_is_ours(const fws_fd *_Nonnull fd);

/* Marks one that has no inode of its own; -1 becomes a negative errno. */
int fws_marked(int number);

/* Closes it, if it is. */
void fws_fd_close(const fws_fd *_Nonnull fd);

/* --- start.c and channel.c: the supervisor, seen from the host (supervisor.h) --------------- */

/* What commands inherit, of the calling thread (identity.c). Gives 0, or an errno where there is no descriptor to look
 * with. */
typedef struct {
  uint64_t low, high;
} fws_identity;
int fws_identity_now(fws_identity *_Nonnull identity);

/* Starts a supervisor that has the calling thread's user, limits and so on. Gives 0 and the host's
 * end of its control socket, or an errno and the call that failed. From now on the process is in use: one that
 * is forked from it is not. */
int fws_supervisor_start(fws_fd *_Nonnull control, const char *_Nullable *_Nonnull call);

/* The program of the supervisor and of the agent, as an executable file holds it. */
size_t fws_program_size(void);
void fws_program_copy(void *_Nonnull room);

/* Asks for a monitor. Gives 0 and the channel to it, or an errno and the call that failed. */
int fws_channel_open(int control, int *_Nonnull channel, const char *_Nullable *_Nonnull call);

/* Sends FWSV_RUN with the texts of the request and the streams of the command. `rundir` is -1 where the
 * monitor has kept that of the command before. Gives 0, or an errno and the call that failed. */
int fws_channel_run(int channel, const fwsv_request *_Nonnull request, const void *_Nonnull texts, int out, int err,
                    int rundir, const char *_Nullable *_Nonnull call);

/* Sends FWSV_LIMIT: nanoseconds; a negative timeout is none. */
int fws_channel_limit(int channel, int64_t timeout, int64_t grace);

/* Sends FWSV_STOP. */
int fws_channel_stop(int channel);

/* Where a server listens, as connect(2) takes it. */
typedef struct {
  size_t size;
  _Alignas(8) unsigned char bytes[128];
} fws_address;

/* Of a Unix socket's path, and of the other end of a connection. Give 0 or an errno. */
int fws_address_of_socket(const char *_Nonnull path, fws_address *_Nonnull address);
int fws_address_of_peer(int fd, fws_address *_Nonnull address);

/* Sends FWSV_CLEANUP: what goes to a server when this process is gone. */
int fws_channel_cleanup(int channel, const fws_address *_Nonnull address, const char *_Nonnull text, size_t size);

/* Takes a message if there is one: 1. 0: there is none; -1: none comes any more. */
int fws_channel_receive(int channel, fwsv_reply *_Nonnull reply);

/* Whether a message waits there: what a monitor, or a supervisor that has none, has said before its end. */
bool fws_channel_has_message(int channel);

/* Takes bytes, or a message, if there are some. 0: there are none; -1 and errno: none come any more (0: the other end has
 * gone). */
ssize_t fws_receive(int fd, void *_Nonnull room, size_t size);

int fws_socket_pair(int ends[_Nonnull 2]);

/* A connection of bytes, for a program of ours that runs as a command. */
int fws_stream_pair(int ends[_Nonnull 2]);

/* Sends bytes with at most FWSV_FDS descriptors. Gives 0 or an errno: ETIMEDOUT where fws_stream_send_within has been
 * called, and the other end has not read for that time. */
int fws_stream_send(int fd, const void *_Nonnull bytes, size_t size, const int *_Nullable fds, size_t fd_count);
int fws_stream_send_within(int fd, int seconds);

/* Sends as many bytes as can go now; -1: none. */
ssize_t fws_link_send(int fd, const void *_Nonnull bytes, size_t size);

/* A file in memory that holds these bytes; a negative errno if there is none. */
int fws_memory_file(const void *_Nonnull bytes, size_t size);

/* The host's environment, as exec takes it. */
char *_Nullable const *_Nonnull fws_environ(void);

/* --- system.c -------------------------------------------------------------------- */

/* A descriptor that is not among 0 to 2, in place of one that may be; -1 stays. */
int fws_above_standard(int fd);

/* A pipe whose ends are close-on-exec and not among descriptors 0 to 2; reading it
 * does not block. Returns 0, or an errno. */
int fws_pipe(int *_Nonnull read_end, int *_Nonnull write_end);

/* Makes the pipe's buffer larger, if the system lets us. */
void fws_pipe_grow(int fd, int bytes);

/* Opens a directory to be worked in. Returns a descriptor of at least 3, or -errno. */
int fws_open_directory(const char *_Nonnull path);

/* Makes a file for writing that only this user may read. Gives a negative errno if it exists. */
int fws_create_file(const char *_Nonnull path);

/* write(2), but SIGXFSZ does not come: where the host has a limit of file sizes, that is an error (EFBIG). */
ssize_t fws_write_file(int fd, const void *_Nonnull bytes, size_t size);

/* Of this process: what getrlimit gives; the most that it can be: there is none. */
uint64_t fws_limit_of_processes(void);
uint64_t fws_limit_of_descriptors(void);

/* poll(2) with seconds; negative: for ever. Nothing is ready after an interruption. Gives whether what it
 * says is ready is so, or may be. */
enum { FWS_KNOWN, FWS_GUESSED };
int fws_poll(struct pollfd *_Nonnull items, unsigned count, double seconds);

/* Gives a descriptor, or a negative errno. */
int fws_epoll(void);
/* False: the system cannot watch one more. */
bool fws_epoll_add(int epoll, int fd);
void fws_epoll_remove(int epoll, int fd);

/* Whether being able to write to a descriptor counts, too. */
bool fws_epoll_write(int epoll, int fd, bool counts);

/* A new descriptor that can be read at any time, or a negative errno. */
int fws_readable(void);

/* A descriptor that can be read from fws_wake to fws_wake_taken; any thread may call both. Or a negative errno. */
int fws_waker(void);
void fws_wake(int waker);
void fws_wake_taken(int waker);

/* A descriptor that can be read when the seconds have passed, or a negative errno. */
int fws_timer(double seconds);
bool fws_timer_is_over(int timer);
bool fws_timer_set(int timer, double seconds);

/* The text of an errno, into a buffer of the caller's. */
void fws_error_text(int error, char *_Nonnull buffer, size_t size);

/* Where some bytes are among others; -1: nowhere. */
ssize_t fws_find(const void *_Nonnull bytes, size_t size, const void *_Nonnull part, size_t part_size);

/* How many bytes can be read from a pipe or a socket. Where the system does not tell, the most that there can be. */
size_t fws_waiting_bytes(int fd);

/* Whether there are bytes to be read at the moment; true where the system does not tell. */
bool fws_has_bytes(int fd);

/* Fills a buffer with random bytes; false if the system has none. */
bool fws_random(void *_Nonnull buffer, size_t size);

/* Seconds: of the monotonic clock, and since 1970. */
double fws_monotonic(void);
double fws_wall(void);

/* --- files.c: the files of a storage volume ---------------------------------------- */

/* O_PATH, which Swift does not see. */
enum { FWS_LOOK = 010000000 };

/* open(2) of a name beneath a directory: nothing in the name, and no link, leads out of it (EXDEV). Gives -1 and errno. */
int fws_open_beneath(int base, const char *_Nonnull name, int flags, unsigned mode);

/* Makes a directory and those above it, beneath `base`. Gives 0 or an errno. */
int fws_make_directories(int base, const char *_Nonnull name);

/* Makes a directory and those above it, wherever links lead. Gives 0 or an errno. */
int fws_make_path(const char *_Nonnull path);

typedef struct {
  int64_t size;
  unsigned mode;    /* without its type */
  int64_t changed;  /* its content; nanoseconds since 1970 */
  int64_t touched;  /* anything of it, its names and permissions too: no program can set this time */
  uint64_t device, inode;
  char kind;        /* 'f' a file, 'd' a directory, 'l' a symbolic link, 'p' a pipe with a name, 's' a socket, 'c' a device */
} fws_file;
int fws_file_facts(int fd, fws_file *_Nonnull facts);

/* Where a symbolic link leads, as readlink(2) has it; the descriptor stands for the link itself (FWS_LOOK and O_NOFOLLOW). */
ssize_t fws_read_link(int fd, char *_Nonnull text, size_t size);

/* A file of a directory that has no name yet, or a hidden one. Give 0 or an errno. */
typedef struct {
  int fd;
  fws_fd kept; /* the same, to be looked at before each use */
  char name[48];
} fws_part;
int fws_part_open(int directory, fws_part *_Nonnull part);
/* Gives it its name and mode, in place of a file that may have it. The descriptor stays open. */
int fws_part_publish(int directory, fws_part *_Nonnull part, const char *_Nonnull name, unsigned mode);
/* Makes a symbolic link, in place of a file or link that may have its name. Gives 0 or an errno. */
int fws_make_link(int directory, const char *_Nonnull name, const char *_Nonnull text);
/* What was not published is gone. */
void fws_part_close(int directory, fws_part *_Nonnull part);

/* Copies up to `size` bytes from a place of a file to where the other one stands; 0: there are no more; -1 and errno. */
ssize_t fws_copy_piece(int from, int64_t from_at, int to, size_t size);
/* Lets the file system share the whole content, if it can. */
bool fws_clone(int from, int to);

/* Tells the names in a directory, whose descriptor it closes: 'f' a file, 'd' a directory, '?' look at it. Gives 0 or an errno. */
int fws_list(int fd, void (*_Nonnull body)(void *_Nullable context, const char *_Nonnull name, int kind), void *_Nullable context);

int fws_remove_file(int directory, const char *_Nonnull name);
/* A file, or a directory with all that is in it, as far as that goes. */
void fws_remove_tree(int parent, const char *_Nonnull name, int depth);

/* --- thread.c -------------------------------------------------------------------- */

/* Calls `body` on a new thread that nobody joins and that takes no signals. Its working directory is its own: what the
 * descriptor `directory` stands for, or `error` says why not. Where the system refuses it a directory of its own, the
 * thread shares that of the process, and `refusal` is the errno of unshare. Gives 0 or an errno. */
int fws_thread_start(void (*_Nonnull body)(void *_Nullable context, int refusal, int error), void *_Nullable context,
                     int directory);

/* Waits until no call has the working directory of the process, but `parent` (0: none), and takes it for the one that
 * runs in this thread. Gives 0 and a ticket, ECANCELED as soon as `is_over` says so (which is asked again at each
 * fws_directory_wake), or an errno. */
int fws_directory_take(uint64_t *_Nonnull ticket, uint64_t parent, int directory, bool (*_Nonnull is_over)(void *_Nullable),
                       void *_Nullable context);
/* Puts the directory back that was there before; a second time it does nothing. Any thread may call it. */
void fws_directory_give(uint64_t ticket);
void fws_directory_wake(void);
/* The ticket of the call that runs in this thread; 0: none. */
uint64_t fws_directory_own(void);
/* open(2), where a relative path begins at the host's own directory, also while a call has that of the process. */
int fws_open_from_home(const char *_Nonnull path, int flags);

/* Seconds of processor time of the calling thread. */
typedef struct {
  double user, system;
} fws_usage;
fws_usage fws_thread_usage(void);

/* --- runner.c: the program of Python interpreters --------------------------------- */

typedef struct {
  const char *_Nullable name; /* of the module; NULL: behind the last */
  const char *_Nullable text;
  size_t size;
} fws_runner_file;
extern const fws_runner_file *_Nonnull const fws_runner_files;

/* What an interpreter is started with: C text. */
extern const char *_Nonnull const fws_runner_boot;

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

/* A pthread mutex, because sanitizers understand it, and a condition that goes with it. NULL if
 * there is no memory. */
void *_Nullable fws_lock_create(void);
void fws_lock(void *_Nonnull lock);
void fws_unlock(void *_Nonnull lock);
/* Unlocks, waits until fws_wake_all or the time (fws_monotonic) has come, and locks. */
void fws_wait(void *_Nonnull lock, double until);
void fws_wake_all(void *_Nonnull lock);
void fws_lock_free(void *_Nonnull lock);

/* --- fork ------------------------------------------------------------------------- */

/* Whether this process was forked from one that had run steps with the library. */
extern int fws_forked;
/* Set by what makes something that only this process may use: a supervisor, a connection. */
extern int fws_in_use;
static inline void fws_use(void) { fws_in_use = 1; }
static inline bool fws_is_forked(void) { return __builtin_expect(fws_forked != 0, 0); }

#endif
