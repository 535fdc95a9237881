/* The control groups of a command (group.h): their files, from the first to the last. */
#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

enum { ATTEMPTS = 100 }; /* of a removal with a moment of 10 ms between them */

TEXT(name_processes, "cgroup.procs");
TEXT(name_kill, "cgroup.kill");
TEXT(name_memory2, "memory.max");
TEXT(name_swap2, "memory.swap.max");
TEXT(name_together2, "memory.oom.group");
TEXT(name_cpus2, "cpu.max");
TEXT(name_pids, "pids.max");
TEXT(name_memory1, "memory.limit_in_bytes");
TEXT(name_swap1, "memory.memsw.limit_in_bytes");
TEXT(name_period1, "cpu.cfs_period_us");
TEXT(name_quota1, "cpu.cfs_quota_us");
TEXT(name_events2, "memory.events");
TEXT(name_events1, "memory.oom_control");
TEXT(name_peak2, "memory.peak");
TEXT(name_peak1, "memory.max_usage_in_bytes");
TEXT(name_time2, "cpu.stat");
TEXT(key_killed, "oom_kill");
TEXT(key_user, "user_usec");
TEXT(key_system, "system_usec");
TEXT(at_itself, ".");
TEXT(path_namespace, "/proc/self/ns/pid");

/* --- files ------------------------------------------------------------------------------- */

/* Writes a whole text at once, as these files want it. */
static long write_whole(long fd, const char *text, long size) {
  long result = 0;
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    result = RAW3(__NR_write, fd, text, size);
    if (result == size || (result < 0 && result != -EINTR)) return result;
  }
  return result < 0 ? result : -EIO;
}

static long write_number(int directory, const char *name, uint64_t number, bool has_period) {
  char text[48];
  char *at = put_number(text, number);
  if (has_period) {
    *at++ = ' ';
    at = put_number(at, FWSV_PERIOD);
  }
  long fd = RAW4(__NR_openat, directory, name, O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  long result = write_whole(fd, text, at - text);
  RAW1(__NR_close, fd);
  return result < 0 ? result : 0;
}

static uint64_t number_at(const char *text) {
  uint64_t number = 0;
  for (; *text >= '0' && *text <= '9'; text++) number = number * 10 + (uint64_t)(*text - '0');
  return number;
}

/* Whether a text begins with a word. Returns what is behind the word, or NULL. */
static const char *behind(const char *text, const char *word) {
  for (; *word != 0; word++, text++)
    if (*text != *word) return NULL;
  return text;
}

/* Reads a number from a file: the one of a line that begins with the key, or without a key the only one. */
static bool read_number(int directory, const char *name, const char *key, uint64_t *number) {
  char text[2048];
  long fd = RAW4(__NR_openat, directory, name, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return false;
  long size = RAW3(__NR_read, fd, text, sizeof text - 1);
  RAW1(__NR_close, fd);
  if (size <= 0) return false;
  text[size] = 0;
  if (key == NULL) {
    *number = number_at(text);
    return true;
  }
  for (const char *line = text; *line != 0;) {
    const char *rest = behind(line, key);
    if (rest != NULL && *rest == ' ') {
      *number = number_at(rest + 1);
      return true;
    }
    while (*line != 0 && *line++ != '\n') {
    }
  }
  return false;
}

/* --- names ------------------------------------------------------------------------------- */

static char *put_prefix(char *at) {
  *at++ = 'f';
  *at++ = 'w';
  *at++ = '-';
  return at;
}

/* The number of this process's namespace, in which its pid is what it is. */
static uint64_t namespace_number(void) {
  struct statx information;
  zero(&information, sizeof information);
  RAW5(__NR_statx, AT_FDCWD, path_namespace, 0, STATX_INO, &information);
  return information.stx_ino;
}

/* The name is fw-NAMESPACE-PID-NUMBER. */
static void set_name(groups *groups) {
  char *at = put_number(put_prefix(groups->name), namespace_number());
  *at++ = '-';
  at = put_number(at, (uint64_t)RAW0(__NR_getpid));
  *at++ = '-';
  at = put_number(at, groups->number++);
  *at = 0;
}

/* Removes the groups of monitors that have been killed. One that has processes stays, because the kernel refuses. */
static void sweep(int parent) {
  char prefix[GROUP_NAME];
  char *end = put_number(put_prefix(prefix), namespace_number());
  *end++ = '-';
  *end = 0;
  struct directory directory;
  directory.fd = RAW4(__NR_openat, parent, at_itself, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  directory.size = directory.at = 0;
  if (directory.fd < 0) return;
  const struct entry *entry;
  while ((entry = next_entry(&directory)) != NULL) {
    const char *pid = behind(entry->name, prefix);
    if (pid != NULL && RAW2(__NR_kill, leading_number(pid), 0) == -ESRCH)
      RAW3(__NR_unlinkat, parent, entry->name, AT_REMOVEDIR);
  }
  RAW1(__NR_close, directory.fd);
}

/* --- making ------------------------------------------------------------------------------ */

static bool has_limit(const struct group *group, int limit) { return (group->limits >> limit & 1) != 0; }

static long limit_memory(const struct group *group, uint64_t value) {
  if (!group->is_second) {
    long result = write_number(group->directory, name_memory1, value, false);
    /* Memory and swap together, where the kernel counts swap. */
    if (result >= 0) write_number(group->directory, name_swap1, value, false);
    return result;
  }
  long result = write_number(group->directory, name_memory2, value, false);
  if (result < 0) return result;
  write_number(group->directory, name_swap2, 0, false);
  /* Half of a command is of no use: all processes end together. */
  write_number(group->directory, name_together2, 1, false);
  return 0;
}

static long limit_cpus(const struct group *group, uint64_t value) {
  if (group->is_second) return write_number(group->directory, name_cpus2, value, true);
  long result = write_number(group->directory, name_period1, FWSV_PERIOD, false);
  if (result >= 0) result = write_number(group->directory, name_quota1, value, false);
  /* A group above has less, which is a limit of this one as well. */
  return result == -EINVAL ? 0 : result;
}

static long write_limits(const struct group *group, const uint64_t *values, int *limit) {
  for (*limit = 0; *limit < FWSV_TREE_LIMITS; ++*limit) {
    long result = 0;
    if (!has_limit(group, *limit)) continue;
    if (*limit == FWSV_TREE_MEMORY) result = limit_memory(group, values[*limit]);
    if (*limit == FWSV_TREE_CPUS) result = limit_cpus(group, values[*limit]);
    if (*limit == FWSV_TREE_PROCESSES) result = write_number(group->directory, name_pids, values[*limit], false);
    if (result < 0) return result;
  }
  return 0;
}

static int first_limit(const struct group *group) {
  int limit = 0;
  while (limit < FWSV_TREE_LIMITS && !has_limit(group, limit)) limit++;
  return limit;
}

static long make_directory(const groups *groups, struct group *group) {
  long result = RAW3(__NR_mkdirat, group->parent, groups->name, 0755);
  if (result == -EEXIST) {
    /* That of a monitor that was killed, and whose pid this one has now. */
    RAW3(__NR_unlinkat, group->parent, groups->name, AT_REMOVEDIR);
    result = RAW3(__NR_mkdirat, group->parent, groups->name, 0755);
  }
  if (result < 0) return result;
  result = RAW4(__NR_openat, group->parent, groups->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (result < 0) return result;
  group->directory = (int)result;
  result = RAW4(__NR_openat, group->directory, name_processes, O_WRONLY | O_CLOEXEC, 0);
  if (result >= 0) group->processes = (int)result;
  return result;
}

static void close_group(struct group *group) {
  if (group->processes >= 0) RAW1(__NR_close, group->processes);
  if (group->directory >= 0) RAW1(__NR_close, group->directory);
  group->processes = group->directory = -1;
}

static long remove_group(const groups *groups, struct group *group) {
  close_group(group);
  for (int attempt = 0;; attempt++) {
    long result = RAW3(__NR_unlinkat, group->parent, groups->name, AT_REMOVEDIR);
    if (result == -ENOENT) return 0;
    if (result != -EBUSY || attempt == ATTEMPTS) return result;
    struct timespec moment;
    moment.tv_sec = 0;
    moment.tv_nsec = SECOND / 100;
    RAW2(__NR_nanosleep, &moment, 0);
  }
}

/* Notes what keeps the limits of a group. */
static void note_kept(groups *groups, const struct group *group, uint32_t by) {
  for (int limit = 0; limit < FWSV_TREE_LIMITS; limit++)
    if (has_limit(group, limit)) groups->kept[limit] = by;
}

static bool is_required(const groups *groups) { return groups->request->tree == FWSV_TREE_REQUIRED; }

/* Makes the group of one directory. Whatever fails there, the limits are not kept by it. */
static long make(groups *groups, int parent, const fwsv_group *asked, int *limit) {
  struct group *group = &groups->all[groups->count];
  group->parent = parent;
  group->directory = group->processes = -1;
  group->limits = asked->limits;
  group->is_second = asked->version == 2;
  *limit = first_limit(group);
  long result = make_directory(groups, group);
  if (result >= 0) result = write_limits(group, groups->request->tree_limits, limit);
  if (result < 0) {
    remove_group(groups, group);
    return group->limits != 0 ? result : 0; /* one without limits is dispensable */
  }
  note_kept(groups, group, group->is_second ? FWSV_KEPT_BY_GROUP2 : FWSV_KEPT_BY_GROUP1);
  groups->count++;
  return 0;
}

long fwsv_groups_make(groups *groups, const fwsv_request *request, const int *fds, fwsv_reply *reply) {
  groups->request = request;
  groups->count = 0;
  zero(groups->kept, sizeof groups->kept);
  set_name(groups);
  reply->stage = FWSV_AT_GROUP;
  for (uint32_t at = 0; at < request->groups && at < FWSV_GROUPS; at++) {
    if (!groups->has_swept) sweep(fds[FWSV_FD_GROUP + at]);
    long result = make(groups, fds[FWSV_FD_GROUP + at], &request->group[at], &reply->limit);
    if (result < 0 && is_required(groups)) return result;
  }
  groups->has_swept = request->groups > 0;
  for (int limit = 0; limit < FWSV_TREE_LIMITS && is_required(groups); limit++) {
    reply->limit = limit;
    if (request->tree_limits[limit] != FWSV_NO_LIMIT && groups->kept[limit] == FWSV_KEPT_BY_NOTHING) return -EOPNOTSUPP;
  }
  return 0;
}

/* --- the command's process --------------------------------------------------------------- */

int fwsv_groups_into(const groups *groups) {
  for (uint32_t at = 0; at < groups->count; at++)
    if (groups->all[at].is_second) return groups->all[at].directory;
  return -1;
}

long fwsv_groups_enter(groups *groups, bool is_inside, volatile int *limit) {
  for (uint32_t at = 0; at < groups->count; at++) {
    const struct group *group = &groups->all[at];
    if (is_inside && group->is_second) continue;
    const char itself = '0';
    long result = write_whole(group->processes, &itself, 1);
    if (result >= 0) continue;
    *limit = first_limit(group);
    if (is_required(groups) && group->limits != 0) return result;
    note_kept(groups, group, FWSV_KEPT_BY_NOTHING);
  }
  return 0;
}

/* Whether the limit of a resource is not above a value already. A process may not raise it. */
static bool is_below(int resource, uint64_t value) {
  struct fwsv_rlimit present;
  return RAW4(__NR_prlimit64, 0, resource, 0, &present) >= 0 && present.rlim_max <= value;
}

/* Has a limit of the single process stand for one of the tree. */
static void stand_in(groups *groups, int limit, uint64_t *single, int resource) {
  uint64_t value = groups->request->tree_limits[limit];
  if (value == FWSV_NO_LIMIT || groups->kept[limit] != FWSV_KEPT_BY_NOTHING) return;
  if (value < *single && !is_below(resource, value)) *single = value;
  groups->kept[limit] = FWSV_KEPT_BY_RLIMIT;
}

const uint64_t *fwsv_groups_fall_back(groups *groups, const uint64_t *limits, uint64_t *more) {
  for (int limit = 0; limit < FWSV_LIMITS; limit++) more[limit] = limits[limit];
  stand_in(groups, FWSV_TREE_MEMORY, &more[FWSV_LIMIT_MEMORY], RLIMIT_AS);
  /* The kernel does not limit the processes of root. */
  if (RAW0(__NR_getuid) != 0) stand_in(groups, FWSV_TREE_PROCESSES, &more[FWSV_LIMIT_PROCESSES], RLIMIT_NPROC);
  return more;
}

/* --- telling and ending ------------------------------------------------------------------ */

void fwsv_groups_tell_kept(const groups *groups, fwsv_reply *reply) {
  for (int limit = 0; limit < FWSV_TREE_LIMITS; limit++) reply->kept[limit] = groups->kept[limit];
}

void fwsv_groups_kill(const groups *groups) {
  int directory = fwsv_groups_into(groups);
  if (directory >= 0) write_number(directory, name_kill, 1, false);
}

void fwsv_groups_tell(const groups *groups, fwsv_reply *reply) {
  for (uint32_t at = 0; at < groups->count; at++) {
    const struct group *group = &groups->all[at];
    uint64_t number;
    if (has_limit(group, FWSV_TREE_MEMORY)) {
      const char *events = group->is_second ? name_events2 : name_events1;
      if (read_number(group->directory, events, key_killed, &number)) reply->is_oom = number > 0;
      const char *peak = group->is_second ? name_peak2 : name_peak1;
      if (read_number(group->directory, peak, NULL, &number)) reply->tree_peak = (int64_t)number;
    }
    uint64_t system;
    if (!group->is_second || reply->has_tree || !read_number(group->directory, name_time2, key_user, &number) ||
        !read_number(group->directory, name_time2, key_system, &system))
      continue;
    reply->has_tree = 1;
    reply->tree_user = (int64_t)number;
    reply->tree_system = (int64_t)system;
  }
}

long fwsv_groups_remove(groups *groups) {
  long error = 0;
  for (uint32_t at = 0; at < groups->count; at++) {
    long result = remove_group(groups, &groups->all[at]);
    if (result < 0) error = result;
  }
  groups->count = 0;
  return error;
}
