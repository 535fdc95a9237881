/* What the parts of the supervisor offer each other. */
#ifndef PARTS_H
#define PARTS_H

#include "include/supervisor.h"
#include "raw.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define HIDDEN __attribute__((visibility("hidden")))

enum { SECOND = 1000000000 }; /* nanoseconds, the unit of all times here */

/* The kernel's struct rlimit64; that of the C library depends on its options. */
struct fwsv_rlimit {
  uint64_t rlim_cur;
  uint64_t rlim_max;
};

/* An entry of a directory, as getdents64(2) gives it. */
struct entry {
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

/* A directory that is being read; the reader sets `fd`, and the other numbers to 0. */
struct directory {
  long fd, size, at;
  _Alignas(8) char buffer[1024];
};

/* Returns the next entry, or NULL after the last one and after an error. */
INLINE const struct entry *next_entry(struct directory *directory) {
  if (directory->at >= directory->size) {
    directory->at = 0;
    directory->size = RAW3(__NR_getdents64, directory->fd, directory->buffer, sizeof directory->buffer);
    if (directory->size <= 0) return (const struct entry *)0;
  }
  const struct entry *entry = (const struct entry *)(directory->buffer + directory->at);
  directory->at += entry->size;
  return entry;
}

/* Returns the number that a text begins with, or 0. */
INLINE int leading_number(const char *text) {
  int number = 0;
  for (; *text >= '0' && *text <= '9'; text++) number = number * 10 + (*text - '0');
  return number;
}

/* Writes a number, and returns where its text ends. */
INLINE char *put_number(char *at, uint64_t number) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  while (count > 0) *at++ = digits[--count];
  return at;
}

/* process.c: clocks, in nanoseconds, and signals. */
HIDDEN int64_t fwsv_monotonic(void);

/* A time so many nanoseconds later, which are not negative. What is too long never comes. */
INLINE int64_t later(int64_t time, int64_t nanoseconds) {
  return nanoseconds > INT64_MAX - time ? INT64_MAX : time + nanoseconds;
}
HIDDEN int64_t fwsv_wall(void);
/* Microseconds of processor time. */
HIDDEN int64_t fwsv_user_time(const struct rusage *usage);
HIDDEN int64_t fwsv_system_time(const struct rusage *usage);
/* Sets what a signal does. */
HIDDEN void fwsv_set_action(int signal, void *handler);
/* Sets every signal to its default, SIGCHLD to be ignored, and blocks all of them. Returns 0, or a negative errno if
 * they cannot be blocked. */
HIDDEN long fwsv_set_signals(void);

INLINE void watch_fd(struct pollfd *item, int fd) {
  item->fd = fd; /* poll(2) passes over a negative one */
  item->events = POLLIN;
  item->revents = 0;
}

/* message.c: sockets, and waiting for them. */

/* Waits until something is ready or the time is over; NULL waits without a limit. Returns false if the kernel cannot
 * look, because it has no memory or because RLIMIT_NOFILE is less than `count`. The call then takes a moment, and the
 * caller has to try each descriptor without waiting. */
HIDDEN bool fwsv_look_at(struct pollfd *items, unsigned count, const struct timespec *timeout);

/* Sends a message. While the kernel has no memory for it the call tries again, for some seconds, as long as the process
 * of the pidfd `host` lives (-1: in any case). Returns 0 or a negative errno. */
HIDDEN int fwsv_send(int fd, const struct msghdr *message, int host);

/* Sends a message, with descriptors or without, as fwsv_send() does. */
HIDDEN int fwsv_send_message(int fd, const void *bytes, size_t size, const int *fds, size_t count, int host);

/* Receives a message without waiting. Returns its size, 0 at the end of the connection, or a negative errno, which is
 * -EAGAIN if there is no message now. */
HIDDEN long fwsv_receive_message(int fd, struct msghdr *message);

/* launch.c: closes all descriptors except three, which are in ascending order; a negative number stands for none. */
HIDDEN void fwsv_close_all_but(const int *kept);

/* entry.c: clone(2) with a stack of the child's own. The child calls `body`, and ends with the status that `body`
 * returns. Returns the pid, or a negative errno. */
HIDDEN long fwsv_clone(unsigned long flags, void *stack_end, int (*body)(void *), void *argument);
/* The same, and the child begins in a control group of version 2, whose directory is given (clone3(2)). */
HIDDEN long fwsv_clone_into(int group, unsigned long flags, void *stack, void *stack_end, int (*body)(void *),
                            void *argument);

/* spawn.c */

/* The lists of a request's texts. */
enum { PATHS, DIRECT, STRINGS, ENVIRONMENT, LISTS };

/* The texts of a request, once they are checked. */
typedef struct {
  char **lists[LISTS];
  const fwsv_sandbox *sandbox; /* NULL for none */
} texts;

/* Checks the texts of a request, and finds what they have. Changes the offsets of `table` into pointers. */
HIDDEN bool fwsv_read_texts(const fwsv_request *request, uint64_t *table, texts *texts);

typedef struct sandbox sandbox; /* sandbox.h */

typedef struct groups groups; /* group.h */

/* Starts the command of a request, in a sandbox or without one (NULL), and in control groups or without (NULL). Returns
 * its pid, and its process group in `group`; or a negative errno, and `reply` says at which stage. */
HIDDEN int fwsv_spawn(const fwsv_request *request, const int *fds, const texts *texts, const sandbox *sandbox,
                      groups *groups, fwsv_reply *reply, int *group);

/* tree.c: the processes below this one. */
typedef struct tree tree;

/* Memory for a list of processes; NULL if there is none. */
HIDDEN tree *fwsv_tree_create(void);
HIDDEN void fwsv_tree_free(tree *tree);

/* Empties the list for another command. `session` is 0, or the command's session where orphans do not come to this
 * process; the processes of that session then count, too. `init` is 0, or process 1 of the command's sandbox. */
HIDDEN void fwsv_tree_clear(tree *tree, int session, int init);

/* Sends a signal to every process below this one that has not got it yet, or to the command's process group where /proc
 * cannot be read. Returns how many processes were found that this process may signal. */
HIDDEN int fwsv_tree_signal(tree *tree, int group, int signal);

/* Sends a signal that the host asked for once to every process that is below this one now, or to the command's process
 * group where /proc cannot be read. A process that is stopped stays so. */
HIDDEN void fwsv_tree_pass(tree *tree, int group, int signal);

/* Lists the processes below this one without sending a signal. Returns how many there are beside the main one. */
HIDDEN int fwsv_tree_look(tree *tree, int main);

/* Whether /proc could not be read when the list was made. */
HIDDEN bool fwsv_tree_is_blind(const tree *tree);

/* Signals the command's process group, if a child of this process is in it, so that the number is no other group's. */
HIDDEN bool fwsv_signal_group(int group, int signal);

/* Whether /proc shows the process namespace of this process. In another namespace the numbers are those of strangers.
 */
HIDDEN bool fwsv_is_proc_ours(int self);

/* Writes what is known of the processes into a reply. */
HIDDEN void fwsv_tree_tell(const tree *tree, int main, fwsv_reply *reply);

/* cleanup.c: sends a cleanup request, whose address is in the first bytes of its texts. */
HIDDEN void fwsv_carry_out(const char *texts, uint64_t size, uint64_t address);

/* monitor.c. `host` is a pidfd of the host, or -1 where only the channel tells that the host has gone. */
HIDDEN void fwsv_monitor(int channel, int host) __attribute__((noreturn));

/* supervisor.c */
HIDDEN void fwsv_supervisor(void) __attribute__((noreturn));

/* agent.c */
HIDDEN void fwsv_agent(char **arguments, char **environment) __attribute__((noreturn));

#endif
