/* Single mounts, for the parts that make a view. */
#ifndef MOUNTS_H
#define MOUNTS_H

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef O_PATH
#define O_PATH 010000000
#endif
enum { RECURSIVE = 0x8000 }; /* AT_RECURSIVE */
/* Flags of mount(2), which linux/mount.h does not have beside the C library's header. */
enum { AS_READ_ONLY = 1, AS_NOSUID = 2, AS_NODEV = 4, AS_NOEXEC = 8, AS_RECURSIVE = 1 << 14, AS_PRIVATE = 1 << 18 };

/* Makes a directory with just this mode, whatever the umask of the host is. */
INLINE long make_directory(long base, const char *name, unsigned mode) {
  long result = RAW3(__NR_mkdirat, base, name, 0700);
  return result < 0 ? result : RAW3(__NR_fchmodat, base, name, mode);
}

/* Changes attributes of a mount. */
INLINE long change(long fd, const char *path, unsigned flags, uint64_t set, uint64_t clear) {
  struct mount_attr attributes;
  zero(&attributes, sizeof attributes);
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  return RAW5(__NR_mount_setattr, fd, path, flags, &attributes, sizeof attributes);
}

/* Takes a copy of the mount at a path, with what is mounted below it. Returns its descriptor. */
INLINE long take(long from, const char *path) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | RECURSIVE | AT_SYMLINK_NOFOLLOW;
  if (*path == 0) flags |= AT_EMPTY_PATH;
  return RAW3(__NR_open_tree, from, path, flags);
}

/* Puts a mount to a path; an empty one is the very place that `to` is a descriptor of. */
INLINE long put_mount(long fd, const char *nothing, long to, const char *path) {
  unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*path == 0 ? MOVE_MOUNT_T_EMPTY_PATH : 0);
  return RAW5(__NR_move_mount, fd, nothing, to, path, flags);
}

#endif
