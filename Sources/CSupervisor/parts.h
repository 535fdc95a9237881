/* The parts of the supervisor, to each other. */
#ifndef PARTS_H
#define PARTS_H

#include "include/supervisor.h"
#include "raw.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

#define HIDDEN __attribute__((visibility("hidden")))

enum { SECOND = 1000000000 }; /* in nanoseconds, in which all times are */

/* What getdents64 gives. */
struct entry { /* of getdents64 */
  uint64_t inode;
  int64_t offset;
  uint16_t size;
  uint8_t type;
  char name[];
};

/* supervisor.c */
extern const char name_monitor[] HIDDEN, name_agent[] HIDDEN, name_null[] HIDDEN;
HIDDEN int64_t monotonic(void);
HIDDEN int64_t wall(void);
/* Sets what a signal does; default dispositions and a full mask. */
HIDDEN void set_action(int signal, void *handler);
HIDDEN void set_signals(void);

INLINE void watch_fd(struct pollfd *item, int fd) {
  item->fd = fd; /* a negative one is passed over */
  item->events = POLLIN;
  item->revents = 0;
}

/* message.c: sockets, and waiting for them. */

/* Waits until something is ready, or the time is over; NULL: for ever. False: the kernel does not look (there is no
 * memory for it, or RLIMIT_NOFILE is less than `count`). After a moment nothing is known then, and whoever can ask
 * without waiting does. */
HIDDEN bool look_at(struct pollfd *items, unsigned count, const struct timespec *timeout);

/* Sends a message, with descriptors or none. The kernel may have no memory for it at the moment: it is sent
 * again for some seconds, as long as the process of the pidfd `host` lives (-1: whatever happens). Gives 0 or a
 * negative errno. */
HIDDEN int send_message(int fd, const void *bytes, size_t size, const int *fds, size_t count, int host);

/* Takes a message, without waiting for one. Gives its size, 0 at the end of the connection, or a negative
 * errno: -EAGAIN says that there is none. */
HIDDEN long receive_message(int fd, struct msghdr *message);

/* entry.c: clone(2) onto a stack of the child's own; the child calls `body` and ends with what that
 * returns. Gives the pid, or a negative errno. */
HIDDEN long fwsv_clone(unsigned long flags, void *stack_end, int (*body)(void *), void *argument);

/* spawn.c: starts the command of a request. Gives its pid, and its process group, or a negative errno, and then
 * `reply` says where. Changes the offsets of `table` into pointers. */
HIDDEN int spawn(const fwsv_request *request, const int *fds, uint64_t *table, fwsv_reply *reply, int *group);

/* tree.c: the processes below this one. */
typedef struct tree tree;

/* Memory to look at processes with; NULL: there is none. Given back by the end of the monitor. */
HIDDEN tree *tree_create(void);

/* Begins with a command. `session` is 0, or the command's where orphans do not come to this process: then all
 * processes of that session are looked for, too. */
HIDDEN void tree_clear(tree *tree, int session);

/* Sends a signal to all processes below this one that have not had it yet: all at once where
 * /proc can be read, the command's process group otherwise. Gives how many it has found that
 * may be sent it. */
HIDDEN int tree_signal(tree *tree, int group, int signal);

/* Notes the processes below this one without a signal. Gives how many there are beside the main one. */
HIDDEN int tree_look(tree *tree, int main);

/* Whether /proc could not be read when the processes were looked for last. */
HIDDEN bool tree_is_blind(const tree *tree);

/* Signals the command's group, if it is there: a process of ours holds its number. */
HIDDEN bool signal_group(int group, int signal);

/* Whether /proc is that of our own process namespace: in another one our numbers are those of strangers. */
HIDDEN bool is_proc_ours(int self);

/* Says what is known of the processes. */
HIDDEN void tree_tell(const tree *tree, int main, fwsv_reply *reply);

/* monitor.c: with a pidfd of the host; -1: there is the channel alone. */
HIDDEN void monitor(int channel, int host) __attribute__((noreturn));

/* agent.c */
HIDDEN void agent(char **arguments, char **environment) __attribute__((noreturn));

#endif
