/*
 * Finding and signalling the processes below a monitor.
 *
 * The kernel lists the children of each thread (CONFIG_PROC_CHILDREN). It may miss a child while another one of the
 * list ends, so the monitor looks again until wait(2) says that there are none. A child of the monitor keeps its number
 * until the monitor has waited for it. A process further down is held by a pidfd, and looked at again, before it is
 * signalled.
 */
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { PROCESSES = 8192 };

typedef struct {
  int32_t pid;
  int32_t parent;
  int32_t sent;
  int32_t seen;    /* the last round in which it was found */
  int32_t entered; /* the last round in which its children were looked for */
  char name[16];
} process;

struct tree {
  int count;
  int round;
  int is_blind;
  int session; /* 0: orphans come to us */
  int init;    /* process 1 of the command's sandbox, which is entered and is none of its processes; 0: none */
  process processes[PROCESSES];
};

tree *fwsv_tree_create(void) {
  /* The kernel provides a page when it is first used. */
  long memory = RAW6(__NR_mmap, 0, sizeof(tree), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return is_error(memory) ? NULL : (tree *)memory;
}

void fwsv_tree_free(tree *tree) { RAW2(__NR_munmap, tree, sizeof *tree); }

void fwsv_tree_clear(tree *tree, int session, int init) {
  tree->session = session;
  tree->init = init;
  tree->count = 0;
  tree->round = 0;
  tree->is_blind = 0;
}

TEXT(path_proc, "/proc/");
TEXT(path_self, "/proc/self");
TEXT(path_task, "/task");
TEXT(path_children, "/children");
TEXT(path_stat, "/stat");

static char *put(char *at, const char *text) {
  while (*text != 0) *at++ = *text++;
  *at = 0;
  return at;
}

static int open_path(const char *path, int flags) {
  return (int)RAW4(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | flags, 0);
}

typedef struct {
  char name[16];
  char state;
  int parent;
  int session;
} facts;

static long take_number(const char *text, long at, long size, int *number) {
  *number = 0;
  while (at < size && text[at] == ' ') at++;
  for (; at < size && text[at] >= '0' && text[at] <= '9'; at++) *number = *number * 10 + (text[at] - '0');
  return at;
}

/* Reads what proc(5) has as `pid (name) state ppid pgrp session …`, where the name may contain any character. */
static bool read_stat(int pid, facts *facts) {
  char path[48];
  put(put_number(put(path, path_proc), (uint32_t)pid), path_stat);
  int fd = open_path(path, 0);
  if (fd < 0) return false;
  char text[256];
  long size = RAW3(__NR_read, fd, text, sizeof text);
  RAW1(__NR_close, fd);
  long open = 0;
  while (open < size && text[open] != '(') open++;
  long close = size - 1;
  while (close > open && text[close] != ')') close--;
  if (close <= open || close + 4 >= size) return false;
  int length = 0;
  for (long at = open + 1; at < close && length < 15; at++) facts->name[length++] = text[at];
  facts->name[length] = 0;
  facts->state = text[close + 2];
  int group;
  long at = take_number(text, close + 4, size, &facts->parent);
  at = take_number(text, at, size, &group);
  take_number(text, at, size, &facts->session);
  return true;
}

static void add(tree *tree, int pid, int parent) {
  for (int at = 0; at < tree->count; at++) {
    if (tree->processes[at].pid != pid) continue;
    tree->processes[at].parent = parent;
    tree->processes[at].seen = tree->round;
    return;
  }
  if (tree->count == PROCESSES) return;
  process *process = &tree->processes[tree->count++];
  process->pid = pid;
  process->parent = parent;
  process->sent = 0;
  process->seen = tree->round;
  process->entered = 0;
  process->name[0] = 0;
}

/* Adds the children in the list of one thread. Returns whether the list could be read to its end. */
static bool add_children(tree *tree, int pid, const char *path) {
  int fd = open_path(path, 0);
  if (fd < 0) return false;
  char text[1024];
  int number = 0;
  long size;
  while ((size = RAW3(__NR_read, fd, text, sizeof text)) != 0) {
    if (size == -EINTR) continue;
    if (size < 0) break;
    for (long at = 0; at < size; at++) {
      if (text[at] >= '0' && text[at] <= '9') {
        number = number * 10 + (text[at] - '0');
      } else if (number > 0) {
        add(tree, number, pid);
        number = 0;
      }
    }
  }
  RAW1(__NR_close, fd);
  return size == 0;
}

static bool add_children_of(tree *tree, int pid) {
  char path[64];
  char *end = put(put_number(put(path, path_proc), (uint32_t)pid), path_task);
  struct directory list;
  list.fd = open_path(path, O_DIRECTORY);
  if (list.fd < 0) return false;
  list.size = list.at = 0;
  *end++ = '/';
  bool is_read = false;
  for (const struct entry *entry; (entry = next_entry(&list)) != NULL;) {
    if (entry->name[0] < '0' || entry->name[0] > '9') continue;
    put(put(end, entry->name), path_children);
    if (add_children(tree, pid, path)) is_read = true;
  }
  RAW1(__NR_close, list.fd);
  return is_read;
}

bool fwsv_is_proc_ours(int self) {
  char link[16];
  char want[16];
  long size = RAW4(__NR_readlinkat, AT_FDCWD, path_self, link, sizeof link);
  long length = put_number(want, (uint32_t)self) - want;
  if (size != length) return false;
  for (long at = 0; at < size; at++) {
    if (link[at] != want[at]) return false;
  }
  return true;
}

/* Adds the processes of the session. No other session gets the number while a process is in this one, and the monitor
 * keeps the main process, which is in it, until the reply is complete. */
static void add_session(tree *tree) {
  struct directory list;
  list.fd = open_path(path_proc, O_DIRECTORY);
  if (list.fd < 0) return;
  list.size = list.at = 0;
  for (const struct entry *entry; (entry = next_entry(&list)) != NULL;) {
    if (entry->name[0] < '0' || entry->name[0] > '9') continue;
    int pid = leading_number(entry->name);
    facts facts;
    if (read_stat(pid, &facts) && facts.session == tree->session) add(tree, pid, facts.parent);
  }
  RAW1(__NR_close, list.fd);
}

/* Finds all processes below this one. Processes that have gone stay in the list. */
static void look(tree *tree) {
  tree->round++;
  int self = (int)RAW0(__NR_getpid);
  tree->is_blind = !fwsv_is_proc_ours(self) || !add_children_of(tree, self);
  if (tree->is_blind) return;
  if (tree->session != 0) add_session(tree);
  for (bool again = true; again;) {
    again = false;
    for (int at = 0; at < tree->count; at++) {
      process *process = &tree->processes[at];
      if (process->seen != tree->round || process->entered == tree->round) continue;
      process->entered = tree->round;
      add_children_of(tree, process->pid);
      again = true;
    }
  }
}

/* Whether a process of the list is alive, and is still below this one or in the session. */
static bool is_ours(const tree *tree, process *process, int self) {
  facts facts;
  if (process->pid == tree->init) return false;
  if (!read_stat(process->pid, &facts)) return false;
  if (facts.state == 'Z' || facts.state == 'X') return false;
  /* An orphan has come to this process, or to the init. */
  int heir = tree->init != 0 ? tree->init : self;
  bool is_below = facts.parent == process->parent || facts.parent == heir;
  if (!is_below && (tree->session == 0 || facts.session != tree->session)) return false;
  for (int at = 0; at < 16; at++) process->name[at] = facts.name[at];
  return true;
}

static long signal_one(const tree *tree, process *process, int self, int signal) {
  if (process->parent == self) return RAW2(__NR_kill, process->pid, signal);
  int fd = (int)RAW2(__NR_pidfd_open, process->pid, 0);
  if (fd < 0) return fd;
  long result = is_ours(tree, process, self) ? RAW4(__NR_pidfd_send_signal, fd, signal, 0, 0) : -ESRCH;
  RAW1(__NR_close, fd);
  return result;
}

bool fwsv_signal_group(int group, int signal) {
  char information[128];
  if (RAW5(__NR_waitid, P_PGID, group, information, WEXITED | WNOHANG | WNOWAIT, 0) < 0) return false;
  return RAW2(__NR_kill, -group, signal) == 0;
}

int fwsv_tree_signal(tree *tree, int group, int signal) {
  look(tree);
  int self = (int)RAW0(__NR_getpid);
  int reached = 0;
  for (int index = 0; index < tree->count; index++) {
    /* Without a subreaper, a process that has left the session is found only as long as its parent lives, and parents
     * stand before their children. */
    int at = tree->session == 0 ? index : tree->count - 1 - index;
    process *process = &tree->processes[at];
    if (process->seen != tree->round || !is_ours(tree, process, self)) continue;
    if (process->sent == signal && signal != SIGKILL) {
      reached++;
      continue;
    }
    if (signal_one(tree, process, self, signal) < 0) continue;
    process->sent = signal;
    reached++;
    /* A stopped process acts on a signal only when it continues. */
    if (signal != SIGKILL) signal_one(tree, process, self, SIGCONT);
  }
  if (tree->is_blind && fwsv_signal_group(group, signal)) reached++;
  return reached;
}

void fwsv_tree_pass(tree *tree, int group, int signal) {
  enum { ROUNDS = 50 };
  int self = (int)RAW0(__NR_getpid);
  /* A program may start processes in answer to a signal, and they must not get it. Nothing answers these two, so that a
   * process which was born between the look and the signal can get them in another round. */
  int rounds = signal == SIGKILL || signal == SIGSTOP ? ROUNDS : 1;
  for (bool again = true; again && rounds > 0; rounds--) {
    again = false;
    look(tree);
    for (int at = 0; at < tree->count; at++) {
      process *process = &tree->processes[at];
      if (process->seen != tree->round || process->sent == signal || !is_ours(tree, process, self)) continue;
      process->sent = signal;
      if (signal_one(tree, process, self, signal) == 0) again = true;
    }
  }
  if (tree->is_blind) fwsv_signal_group(group, signal);
}

int fwsv_tree_look(tree *tree, int main) {
  look(tree);
  int self = (int)RAW0(__NR_getpid);
  int others = 0;
  for (int at = 0; at < tree->count; at++) {
    process *process = &tree->processes[at];
    /* A process that has just ended was not left behind. */
    if (process->pid != main && process->seen == tree->round && is_ours(tree, process, self)) others++;
  }
  return others;
}

bool fwsv_tree_is_blind(const tree *tree) { return tree->is_blind; }

void fwsv_tree_tell(const tree *tree, int main, fwsv_reply *reply) {
  reply->is_blind = (uint32_t)tree->is_blind;
  uint32_t shown = 0;
  for (int at = 0; at < tree->count; at++) {
    const process *process = &tree->processes[at];
    if (process->pid == main) {
      reply->main_signal = process->sent;
      continue;
    }
    /* A process without a name had ended before it was looked at. */
    if (process->name[0] == 0) continue;
    reply->others++;
    if (shown == FWSV_SHOWN) continue;
    fwsv_process *out = &reply->processes[shown++];
    out->pid = process->pid;
    out->signal = process->sent;
    for (int byte = 0; byte < 16; byte++) out->name[byte] = process->name[byte];
  }
}
