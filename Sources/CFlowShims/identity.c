/*
 * What a command inherits from the thread that starts it, as one number.
 *
 * Commands are children of the keeper, and so have the keeper's user, limits, umask and so on,
 * which are those of the thread that started it. A host may change them later, or have them
 * differ by thread: then the number differs, and another keeper is started. This is asked before
 * each step (about 25 us of some 700; Linux tells the umask only through /proc).
 *
 * Not looked at: the security label, the keyrings, the timer slack, the I/O priority and the score of
 * the out-of-memory killer (oom_score_adj).
 */
#define _GNU_SOURCE
#include "fws.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* FNV-1a, twice with different beginnings. */
static void mix(fws_identity *identity, const void *bytes, size_t size) {
  for (size_t at = 0; at < size; at++) {
    uint8_t byte = ((const uint8_t *)bytes)[at];
    identity->low = (identity->low ^ byte) * 0x100000001b3ull;
    identity->high = (identity->high ^ (byte + 0x5bu)) * 0x100000001b3ull;
  }
}

static size_t read_file(const char *path, char *text, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t count = read(fd, text, size - 1);
  close(fd);
  if (count < 0) count = 0;
  text[count] = 0;
  return (size_t)count;
}

/* Users, groups, umask, capabilities, seccomp, processors and memory nodes, line by line. */
static bool mix_status(fws_identity *identity) {
  static const char *const lines[] = {"Umask:",      "Uid:",    "Gid:",             "Groups:",       "CapInh:",
                                      "CapPrm:",     "CapEff:", "CapBnd:",          "CapAmb:",       "NoNewPrivs:",
                                      "Seccomp",     "Cpus_allowed:", "Mems_allowed:"};
  char text[16384];
  read_file("/proc/thread-self/status", text, sizeof text);
  bool is_privileged = true;
  char *rest = text;
  for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
    for (size_t at = 0; at < sizeof lines / sizeof *lines; at++) {
      if (strncmp(line, lines[at], strlen(lines[at])) != 0) continue;
      mix(identity, line, strlen(line) + 1);
      unsigned long long effective;
      /* CAP_SYS_ADMIN */
      if (sscanf(line, "CapEff: %llx", &effective) == 1) is_privileged = (effective >> 21 & 1) != 0;
      break;
    }
  }
  return is_privileged;
}

static void mix_cgroup(fws_identity *identity, int self) {
  /* From linux/pidfd.h of Linux 6.13, in its first published size. */
  struct {
    __u64 mask, cgroup;
    __u32 ids[11];
    __s32 exit_code;
  } info;
  memset(&info, 0, sizeof info);
  info.mask = 1 << 2;
  if (self >= 0 && ioctl(self, _IOWR(0xFF, 11, info), &info) == 0 && (info.mask & (1 << 2)) != 0 && info.cgroup != 0) {
    mix(identity, &info.cgroup, sizeof info.cgroup);
    return;
  }
  char text[4096];
  mix(identity, text, read_file("/proc/thread-self/cgroup", text, sizeof text));
}

fws_identity fws_identity_now(int self) {
  fws_identity identity = {.low = 0xcbf29ce484222325ull, .high = 0x84222325cbf29ce4ull};
  bool is_privileged = mix_status(&identity);
  mix_cgroup(&identity, self);

  for (int resource = 0; resource < 16; resource++) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0) mix(&identity, &limit, sizeof limit);
  }
  int nice = getpriority(PRIO_PROCESS, 0);
  int policy = sched_getscheduler(0);
  mix(&identity, &nice, sizeof nice);
  mix(&identity, &policy, sizeof policy);
  struct sched_param priority;
  if (sched_getparam(0, &priority) == 0) mix(&identity, &priority.sched_priority, sizeof priority.sched_priority);
  int personality_now = personality(0xffffffff);
  mix(&identity, &personality_now, sizeof personality_now);

  /* The root, and with its mount the mount namespace. */
  struct statx root;
  if (statx(AT_FDCWD, "/", 0, STATX_INO | 0x1000 /* STATX_MNT_ID */, &root) == 0) {
    mix(&identity, &root.stx_ino, sizeof root.stx_ino);
    mix(&identity, &root.stx_dev_major, sizeof root.stx_dev_major);
    mix(&identity, &root.stx_dev_minor, sizeof root.stx_dev_minor);
    uint64_t mount = 0;
    /* stx_mnt_id, which older headers do not name, is the third of the spare words. */
    memcpy(&mount, (const char *)&root + 0x90, sizeof mount);
    mix(&identity, &mount, sizeof mount);
  }
  /* Who has no right to change them now did not get one without a change that is seen above. */
  if (is_privileged) {
    static const char *const names[] = {"net", "pid_for_children", "uts", "ipc", "user"};
    for (size_t at = 0; at < sizeof names / sizeof *names; at++) {
      char path[64];
      char link[64];
      snprintf(path, sizeof path, "/proc/thread-self/ns/%s", names[at]);
      ssize_t size = readlink(path, link, sizeof link);
      if (size > 0) mix(&identity, link, (size_t)size);
    }
  }
  return identity;
}
