/* The ruleset of Landlock. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>

#ifndef O_PATH
#define O_PATH 010000000
#endif

/* Not every linux/landlock.h has all of this. */
struct fwsv_ruleset {
  uint64_t fs, net, scope;
};
struct fwsv_path_rule {
  uint64_t access;
  int32_t fd;
} __attribute__((packed));
struct fwsv_port_rule {
  uint64_t access, port;
};
enum { GIVE_VERSION = 1 };
enum { RULE_PATH = 1, RULE_PORT = 2 };
enum {
  FS_EXECUTE = 1 << 0,
  FS_WRITE_FILE = 1 << 1,
  FS_READ_FILE = 1 << 2,
  FS_READ_DIR = 1 << 3,
  FS_MAKE_CHAR = 1 << 6,
  FS_MAKE_BLOCK = 1 << 11,
  FS_FIRST = (1 << 13) - 1, /* the rights of version 1 */
  FS_REFER = 1 << 13,
  FS_TRUNCATE = 1 << 14,
  FS_IOCTL_DEV = 1 << 15,
  FS_READ = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR,
  FS_DEVICE = FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
  FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,
  NET_CONNECT_TCP = 2,
  SCOPE_SOCKETS_AND_SIGNALS = 3,
};

TEXT(rule_proc, "/proc");
TEXT(rule_dev, "/dev");
TEXT(rule_shm, "/dev/shm");
TEXT(rule_tmp, "/tmp");
TEXT(rule_var_tmp, "/var/tmp");

/* A ruleset that is being made. */
typedef struct {
  long fd;
  uint64_t handled;
} rules;

static long add_fd(const rules *rules, long fd, uint64_t access) {
  struct fwsv_path_rule rule;
  rule.access = access & rules->handled;
  rule.fd = (int32_t)fd;
  return rule.access == 0 ? 0 : RAW4(__NR_landlock_add_rule, rules->fd, RULE_PATH, &rule, 0);
}

/* A place that need not be there. */
static long add_own(const rules *rules, long base, const char *path, uint64_t access) {
  if ((access & rules->handled) == 0) return 0;
  long fd = RAW4(__NR_openat, base, path, O_PATH | O_CLOEXEC, 0);
  if (fd < 0) return fd == -ENOENT || fd == -EACCES ? 0 : fd;
  long result = add_fd(rules, fd, access);
  RAW1(__NR_close, fd);
  return result;
}

/* What a path of the document gets, and the run directory. Devices cannot be made. */
static uint64_t access_of(bool is_writable) {
  return is_writable ? (FS_FIRST | FS_REFER | FS_TRUNCATE) & ~(FS_MAKE_CHAR | FS_MAKE_BLOCK) : FS_READ;
}

/* Adds a path whose descriptor is given, and sets the stage to the path's if it is to blame. */
static long add_place(const rules *rules, const sandbox *sandbox, long fd, int index, bool is_writable,
                      fwsv_reply *reply) {
  reply->stage = FWSV_AT_PATH;
  reply->path = index;
  /* In a view everything is read-only by now, and was looked at before. */
  long kind = fwsv_check_place(fd, index, is_writable && !has_namespaces(sandbox));
  if (kind < 0) return kind;
  reply->stage = FWSV_AT_RULE;
  /* Whoever names a directory of devices wants to use them. */
  uint64_t access = access_of(is_writable) | (is_writable && index >= 0 ? FS_IOCTL_DEV : 0);
  long result = add_fd(rules, fd, access & (kind == 1 ? ~0ull : FS_OF_FILES));
  /* The call is refused, whatever the path is. */
  if (result == -ENOSYS || result == -EPERM) reply->path = FWSV_PATH_NONE;
  return result;
}

static long add_paths(const rules *rules, const sandbox *sandbox, fwsv_reply *reply) {
  const fwsv_sandbox *block = sandbox->block;
  uint32_t count = block->writes + reads_of(block);
  for (uint32_t at = 0; at < count; at++) {
    if (!is_write(block, at) && (rules->handled & FS_READ) == 0) continue;
    long fd = fwsv_open_path(sandbox, at);
    if (fd < 0 && may_be_missing(block, at, fd)) continue;
    reply->stage = FWSV_AT_PATH;
    reply->path = (int32_t)at;
    if (fd < 0) return fd;
    long result = add_place(rules, sandbox, fd, (int)at, is_write(block, at), reply);
    RAW1(__NR_close, fd);
    if (result < 0) return result;
  }
  return 0;
}

static long add_devices(const rules *rules) {
  long dev = RAW4(__NR_openat, AT_FDCWD, rule_dev, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (dev < 0) return dev == -ENOENT || dev == -EACCES ? 0 : dev;
  long result = 0;
  for (const char *name = fwsv_next_device(NULL); result >= 0 && name != NULL; name = fwsv_next_device(name))
    result = add_own(rules, dev, name, FS_DEVICE);
  RAW1(__NR_close, dev);
  return result;
}

static long add_own_places(const rules *rules, const sandbox *sandbox) {
  long result;
  if (has_namespaces(sandbox)) {
    if ((result = add_own(rules, AT_FDCWD, rule_proc, FS_READ | FS_WRITE_FILE | FS_TRUNCATE)) < 0) return result;
    if ((result = add_own(rules, AT_FDCWD, rule_dev, FS_DEVICE | FS_READ_DIR)) < 0) return result;
    if ((result = add_own(rules, AT_FDCWD, rule_shm, access_of(true))) < 0) return result;
    if ((sandbox->layers & FWSV_LAYER_TMP) == 0) return 0;
    if ((result = add_own(rules, AT_FDCWD, rule_tmp, access_of(true))) < 0) return result;
    return add_own(rules, AT_FDCWD, rule_var_tmp, access_of(true));
  }
  /* No terminals: without a view they are all those of the user. */
  if ((result = add_devices(rules)) < 0) return result;
  return add_own(rules, AT_FDCWD, rule_proc, FS_READ);
}

static long add_ports(const rules *rules, const fwsv_sandbox *block) {
  const uint16_t *ports = block_at(block, block->ports);
  for (uint32_t at = 0; at < block->port_count; at++) {
    struct fwsv_port_rule rule;
    rule.access = NET_CONNECT_TCP;
    rule.port = ports[at];
    long result = RAW4(__NR_landlock_add_rule, rules->fd, RULE_PORT, &rule, 0);
    if (result < 0) return result;
  }
  return 0;
}

/* Asks for exactly what the kernel's version has, because a call with more is refused. */
static long create(const sandbox *sandbox, long version, rules *rules) {
  struct fwsv_ruleset wanted;
  zero(&wanted, sizeof wanted);
  wanted.fs =
      FS_FIRST | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0) | (version >= 5 ? FS_IOCTL_DEV : 0);
  if (sandbox->block->reads == FWSV_READ_ALL) wanted.fs &= ~(uint64_t)FS_READ;
  if (sandbox->block->has_ports && version >= 4) wanted.net = NET_CONNECT_TCP;
  if (version >= 6) wanted.scope = SCOPE_SOCKETS_AND_SIGNALS;
  rules->handled = wanted.fs;
  size_t size = version >= 6   ? sizeof wanted
                : version >= 4 ? offsetof(struct fwsv_ruleset, scope)
                               : offsetof(struct fwsv_ruleset, net);
  return rules->fd = RAW3(__NR_landlock_create_ruleset, &wanted, size, 0);
}

long fwsv_make_ruleset(sandbox *sandbox, int rundir, fwsv_reply *reply) {
  const fwsv_sandbox *block = sandbox->block;
  sandbox->ruleset = -1;
  sandbox->has_scope = false;
  if ((sandbox->layers & FWSV_LAYER_LANDLOCK) == 0) return 0;
  reply->stage = FWSV_AT_RULESET;
  long version = RAW3(__NR_landlock_create_ruleset, 0, 0, GIVE_VERSION);
  if (version < 0) return version;
  reply->landlock = (uint32_t)version;
  if (!block->is_optional && block->needed & FWSV_LAYER_LANDLOCK && (uint32_t)version < block->landlock)
    return -EOPNOTSUPP;
  rules rules;
  long result = create(sandbox, version, &rules);
  if (result < 0) return result;
  result = add_paths(&rules, sandbox, reply);
  if (result >= 0) result = add_place(&rules, sandbox, rundir, FWSV_PATH_RUNDIR, true, reply);
  if (result >= 0) {
    reply->stage = FWSV_AT_RULE;
    reply->path = FWSV_PATH_NONE;
    result = add_own_places(&rules, sandbox);
  }
  if (result >= 0 && block->has_ports && version >= 4) result = add_ports(&rules, block);
  if (result < 0) {
    RAW1(__NR_close, rules.fd);
    return result;
  }
  sandbox->ruleset = (int)rules.fd;
  sandbox->has_scope = version >= 6;
  return 0;
}
