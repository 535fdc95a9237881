/*
 * Commands are children of the supervisor, and so have the supervisor's user, limits, umask and so on, which are those
 * of the thread that started the supervisor. A host may change them later, or threads may differ. Then their identity
 * differs, and another supervisor is started. The identity is computed before each step, or once for all steps that a
 * workflow starts in one go. It takes about 30 us of a step's 700; half of that is spent only in a host that may change
 * namespaces. Linux tells the umask only through /proc.
 *
 * The identity leaves out the IPC namespace, the security label, the keyrings, the timer slack, the I/O priority and
 * the score of the out-of-memory killer (oom_score_adj).
 */
#define _GNU_SOURCE
#include "fws_identity.h"

#include "fws_descriptor.h"
#include "fws_fork.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/types.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* FNV-1a over words of 64 bits, twice with different constants, and with a shift that lets high bits reach low ones.
 * The hash need not resist an attack: an identity is the host's own. */
static const uint64_t LOW_BEGIN = 0xcbf29ce484222325, LOW_FACTOR = 0x100000001b3;
static const uint64_t HIGH_BEGIN = 0x84222325cbf29ce4, HIGH_FACTOR = 0x9e3779b97f4a7c15;

static void mix(fws_identity *identity, const void *bytes, size_t size) {
  for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
    uint64_t word = 0;
    size_t left = size - at;
    memcpy(&word, (const char *)bytes + at, left < sizeof word ? left : sizeof word);
    identity->low = (identity->low ^ word) * LOW_FACTOR;
    identity->low ^= identity->low >> 32;
    identity->high = (identity->high ^ ~word) * HIGH_FACTOR;
    identity->high ^= identity->high >> 29;
  }
}

static size_t read_file(int directory, const char *path, char *text, size_t size) {
  int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t count = read(fd, text, size - 1);
  close(fd);
  if (count < 0) count = 0;
  text[count] = 0;
  return (size_t)count;
}

/* Mixes in users, groups, umask, capabilities, seccomp, processors and memory nodes. Returns whether the thread may
 * change its namespaces. */
static bool mix_status(fws_identity *identity, int proc) {
  /* The lines are in the order of the file, which proc(5) has never changed. */
  static const char capabilities[] = "\nCapEff:";
  static const char *const lines[] = {
      "\nUmask:",  "\nUid:",    "\nGid:",        "\nGroups:", "\nCapInh:",  "\nCapPrm:",       capabilities,
      "\nCapBnd:", "\nCapAmb:", "\nNoNewPrivs:", "\nSeccomp", "\nSeccomp_", "\nCpus_allowed:", "\nMems_allowed:"};
  char text[16384];
  read_file(proc, "status", text, sizeof text);
  bool is_privileged = true;
  const char *at = text;
  for (size_t line = 0; line < sizeof lines / sizeof *lines; line++) {
    const char *found = strstr(at, lines[line]);
    if (found == NULL) continue;
    at = found + 1 + strcspn(found + 1, "\n");
    mix(identity, found, (size_t)(at - found));
    if (lines[line] == capabilities) {
      uint64_t set = strtoull(found + strlen(capabilities), NULL, 16);
      is_privileged = (set >> CAP_SYS_ADMIN & 1) != 0;
    }
  }
  return is_privileged;
}

/* struct pidfd_info of linux/pidfd.h, in the size that Linux 6.13 had. */
typedef struct {
  __u64 mask, cgroup;
  __u32 pid, tgid, ids[9];
  __s32 exit_code;
} pidfd_info;

enum { CGROUP_IS_TOLD = 1 << 2 };            /* PIDFD_INFO_CGROUPID */
#define GET_INFO _IOWR(0xFF, 11, pidfd_info) /* PIDFD_GET_INFO */

static bool ask(int fd, pidfd_info *info) {
  memset(info, 0, sizeof *info);
  info->mask = CGROUP_IS_TOLD;
  return fd >= 0 && ioctl(fd, GET_INFO, info) == 0;
}

/* Asks a pidfd of this process, which is kept. The answer shows whether the number still stands for it, because the
 * host may have closed it and opened something else. Returns false if the kernel does not know the question. */
static bool ask_self(pidfd_info *info) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static fws_fd kept = {.number = -1};
  static bool is_unknown;
  pid_t self = getpid();
  pthread_mutex_lock(&lock);
  bool is_told = !is_unknown && ask(kept.number, info) && info->tgid == (__u32)self;
  if (!is_told && !is_unknown) {
    fws_use();
    fws_fd_close(&kept);
    kept = fws_fd_of(fws_above_standard((int)syscall(SYS_pidfd_open, self, 0)));
    is_told = ask(kept.number, info);
    is_unknown = !is_told && kept.number >= 0 && (errno == ENOTTY || errno == EINVAL);
    if (!is_told) {
      fws_fd_close(&kept);
      kept.number = -1;
    }
  }
  pthread_mutex_unlock(&lock);
  return is_told;
}

static void mix_cgroup(fws_identity *identity, int proc) {
  pidfd_info info;
  if (ask_self(&info) && (info.mask & CGROUP_IS_TOLD) != 0 && info.cgroup != 0) {
    mix(identity, &info.cgroup, sizeof info.cgroup);
    return;
  }
  char text[4096];
  mix(identity, text, read_file(proc, "cgroup", text, sizeof text));
}

static int compute(fws_identity *out) {
  fws_identity identity = {.low = LOW_BEGIN, .high = HIGH_BEGIN};
  int proc = open("/proc/thread-self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  /* A host without descriptors has none for another supervisor either. */
  if (proc < 0 && (errno == EMFILE || errno == ENFILE)) return errno;
  bool is_privileged = mix_status(&identity, proc);
  mix_cgroup(&identity, proc);

  /* The C library would call prlimit, which takes three times as long. */
  uint64_t limits[RLIM_NLIMITS][2];
  memset(limits, 0, sizeof limits);
  for (int resource = 0; resource < RLIM_NLIMITS; resource++) syscall(SYS_getrlimit, resource, limits[resource]);
  mix(&identity, limits, sizeof limits);
  int nice = getpriority(PRIO_PROCESS, 0);
  int policy = sched_getscheduler(0);
  mix(&identity, &nice, sizeof nice);
  mix(&identity, &policy, sizeof policy);
  struct sched_param priority;
  if (sched_getparam(0, &priority) == 0) mix(&identity, &priority.sched_priority, sizeof priority.sched_priority);
  enum { ASK_ONLY = -1 }; /* personality(2) changes nothing then */
  int personality_now = personality((unsigned long)(unsigned)ASK_ONLY);
  mix(&identity, &personality_now, sizeof personality_now);

  /* The name of the node, which is what can be seen of the UTS namespace. */
  struct utsname name;
  if (uname(&name) == 0) mix(&identity, name.nodename, strlen(name.nodename));

  /* The root directory, and its mount, which stands for the mount namespace. */
  struct statx root;
  enum {
    MOUNT_WANTED = 0x1000,
    MOUNT_OFFSET = 0x90
  }; /* STATX_MNT_ID and stx_mnt_id, which older headers do not have */
  if (statx(AT_FDCWD, "/", 0, STATX_INO | MOUNT_WANTED, &root) == 0) {
    mix(&identity, &root.stx_ino, sizeof root.stx_ino);
    mix(&identity, &root.stx_dev_major, sizeof root.stx_dev_major);
    mix(&identity, &root.stx_dev_minor, sizeof root.stx_dev_minor);
    uint64_t mount = 0;
    memcpy(&mount, (const char *)&root + MOUNT_OFFSET, sizeof mount);
    mix(&identity, &mount, sizeof mount);
  }
  /* A thread that has no right to change its namespaces now cannot have had it without a change that is seen above. */
  if (is_privileged) {
    static const char *const names[] = {"net", "pid_for_children", "user"};
    int spaces = openat(proc, "ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
      char link[64];
      ssize_t size = readlinkat(spaces, names[at], link, sizeof link);
      if (size > 0) mix(&identity, link, (size_t)size);
    }
    if (spaces >= 0) close(spaces);
  }
  if (proc >= 0) close(proc);
  *out = identity;
  return 0;
}

/* What the thread holds. */
static _Thread_local struct {
  bool is_held, is_known;
  fws_identity identity;
} held;

void fws_identity_hold(void) { held.is_held = true; }

void fws_identity_let_go(void) { held.is_held = held.is_known = false; }

int fws_identity_now(fws_identity *out) {
  if (!held.is_known) {
    int error = compute(&held.identity);
    if (error != 0) return error;
    held.is_known = held.is_held;
  }
  *out = held.identity;
  return 0;
}
