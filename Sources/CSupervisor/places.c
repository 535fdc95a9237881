/*
 * The paths of the document, and the run directory. A path is opened as it is written, following links, on the machine
 * where the command runs. What counts is what the descriptor leads to.
 *
 * No link is followed that lies where commands of the worker can write: in the run directory, in a path to write, or
 * below these. A command could have turned it, and the next one would write where it leads. So a path is walked here,
 * name by name. Whatever a command does, such a walk does not leave the places that it could write before.
 */
#include "sandbox.h"

#include <asm/statfs.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef O_PATH
#define O_PATH 010000000
#endif
enum { READ_ONLY = 1 /* ST_RDONLY */ };
enum { FOLLOWED_MOST = 40 /* links of one path, as the kernel has it */, TEXT_ROOM = 2 * 4096 };

TEXT(place_root, "/");
TEXT(place_above, "..");
TEXT(place_here, ".");

/* --- what is at a place -------------------------------------------------------------- */

/* Whether a file system is the kernel's own, by which it is told what to do: that of /proc or /sys, or of a directory
 * below these. The numbers are those of linux/magic.h, and of the file systems that it does not have. */
static bool is_kernels(unsigned long type) {
  return type == 0x9fa0 /* proc */ || type == 0x62656572 /* sysfs */ || type == 0x27e0eb /* cgroup */ ||
         type == 0x63677270 /* cgroup2 */ || type == 0x64626720 /* debugfs */ || type == 0x74726163 /* tracefs */ ||
         type == 0x73636673 /* securityfs */ || type == 0xcafe4a11 /* bpf */ || type == 0x62656570 /* configfs */ ||
         type == 0x6165676c /* pstore */ || type == 0xde5e81e4 /* efivarfs */ || type == 0x42494e4d /* binfmt_misc */ ||
         type == 0x65735543 /* fusectl */ || type == 0xf97cff8c /* selinux */ || type == 0x43415d53 /* smack */ ||
         type == 0x6e667364 /* nfsd */ || type == 0x67596969 /* rpc_pipefs */ || type == 0x7655821 /* resctrl */;
}

static void identity_of(const struct stat *status, identity *identity) {
  identity->device = status->st_dev;
  identity->inode = status->st_ino;
}

long fwsv_identify(long fd, identity *identity) {
  /* The C library's struct stat is the kernel's on 64-bit machines. */
  struct stat status;
  long result = RAW2(__NR_fstat, fd, &status);
  if (result >= 0) identity_of(&status, identity);
  return result;
}

static long is_root(const identity *what) {
  struct stat status;
  identity root;
  long result = RAW4(__NR_newfstatat, AT_FDCWD, place_root, &status, 0);
  if (result < 0) return result;
  identity_of(&status, &root);
  return is_same(what, &root);
}

/* Whether a directory without links was removed. Some file systems count no links; and the kernel lists no directory
 * that was removed. */
static bool is_removed(long fd) {
  char entries[512];
  long directory = RAW4(__NR_openat, fd, place_here, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (directory < 0) return directory == -ENOENT;
  long result = RAW3(__NR_getdents64, directory, entries, sizeof entries);
  RAW1(__NR_close, directory);
  return result == -ENOENT;
}

long fwsv_check_place(long fd, int index, bool is_writable) {
  struct stat status;
  long result = RAW2(__NR_fstat, fd, &status);
  if (result < 0) return result;
  bool is_directory = S_ISDIR(status.st_mode);
  if (!is_directory && !S_ISREG(status.st_mode)) return -EINVAL;
  if (status.st_nlink == 0 && is_directory && is_removed(fd)) return -ENOENT;
  if (!is_writable) return is_directory;
  struct statfs system;
  if ((result = RAW2(__NR_fstatfs, fd, &system)) < 0) return result;
  if (system.f_flags & READ_ONLY) return -EROFS;
  if (is_kernels((unsigned long)system.f_type)) return -EINVAL;
  if (!is_directory) return 0;
  identity what;
  identity_of(&status, &what);
  if ((result = is_root(&what)) < 0) return result;
  if (result == 1) return index == FWSV_PATH_RUNDIR ? -EINVAL : -EISDIR;
  return 1;
}

/* --- the way there ------------------------------------------------------------------- */

static bool is_place(const sandbox *sandbox, const identity *what) {
  for (uint32_t at = 0; at <= sandbox->block->writes; at++) {
    if (sandbox->places[at].inode != 0 && is_same(what, &sandbox->places[at])) return true;
  }
  return false;
}

/* Whether a directory is one of the places that commands can write, or lies below one. */
static long is_in_place(const sandbox *sandbox, long directory) {
  identity what, above;
  long at = directory;
  long result = fwsv_identify(at, &what);
  while (result >= 0) {
    if ((result = is_place(sandbox, &what)) != 0) break;
    long up = RAW4(__NR_openat, at, place_above, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (at != directory) RAW1(__NR_close, at);
    if (up < 0) return up;
    at = up;
    result = fwsv_identify(at, &above);
    if (result >= 0 && is_same(&what, &above)) break; /* the root */
    what.device = above.device;
    what.inode = above.inode;
  }
  if (at != directory) RAW1(__NR_close, at);
  return result;
}

/* Whether a link may be followed: 0, or a negative errno. `is_free` says that it may lie anywhere. */
static long may_follow(const sandbox *sandbox, bool is_free, long directory, const char *name, bool is_last) {
  if (!is_free) {
    long result = is_in_place(sandbox, directory);
    if (result < 0) return result;
    if (result == 1) return -EMLINK;
  }
  if (!is_last) return 0;
  /* The kernel has rules of its own for links at the end of a path (fs.protected_symlinks). */
  long fd = RAW4(__NR_openat, directory, name, O_PATH | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  RAW1(__NR_close, fd);
  return 0;
}

static long open_root(void) { return RAW4(__NR_openat, AT_FDCWD, place_root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0); }

/* Walks an absolute path. What is left of it is at the end of a text, and the target of a link is put before it. */
static long walk(const sandbox *sandbox, const char *path, bool is_free) {
  char text[TEXT_ROOM];
  size_t length = 0;
  while (path[length] != 0) length++;
  if (length >= TEXT_ROOM / 2) return -ENAMETOOLONG;
  char *left = text + TEXT_ROOM - 1 - length;
  for (size_t at = 0; at <= length; at++) ((volatile char *)left)[at] = path[at];
  int links = 0;
  long directory = open_root();
  while (directory >= 0) {
    while (*left == '/') left++;
    if (*left == 0) return directory;
    char *end = left;
    while (*end != 0 && *end != '/') end++;
    bool is_last = *end == 0;
    *end = 0;
    long result, room = left - text;
    long size = RAW4(__NR_readlinkat, directory, left, text, room);
    if (size == -EINVAL) {
      /* No link. If it has become one since, it is not opened as a directory, or is no file. */
      result = RAW4(__NR_openat, directory, left, O_PATH | O_NOFOLLOW | O_CLOEXEC | (is_last ? 0 : O_DIRECTORY), 0);
      RAW1(__NR_close, directory);
      if (is_last) return result;
      directory = result;
      left = end + 1;
      continue;
    }
    result = size < 0                  ? size
             : size == 0               ? -ENOENT
             : size >= room            ? -ENAMETOOLONG
             : ++links > FOLLOWED_MOST ? -ELOOP
                                       : may_follow(sandbox, is_free, directory, left, is_last);
    if (result >= 0 && text[0] == '/') {
      RAW1(__NR_close, directory);
      directory = result = open_root();
      if (result < 0) return result;
    }
    if (result < 0) {
      RAW1(__NR_close, directory);
      return result;
    }
    if (!is_last) *end = '/';
    left = end - size;
    for (long at = size - 1; at >= 0; at--) ((volatile char *)left)[at] = text[at];
  }
  return directory;
}

long fwsv_open_path(const sandbox *sandbox, uint32_t index) {
  return walk(sandbox, path_of(sandbox->block, index), false);
}

/* --- the places ---------------------------------------------------------------------- */

/* The root is no place: it is refused later, and every link is below it. */
static long note(identity *place, long fd) {
  long result = fwsv_identify(fd, place);
  if (result >= 0) result = is_root(place);
  if (result == 1) place->inode = 0;
  return result;
}

static size_t room_of(const sandbox *sandbox) { return ((size_t)sandbox->block->writes + 1) * sizeof(identity); }

long fwsv_note_places(sandbox *sandbox, int rundir, fwsv_reply *reply) {
  reply->stage = FWSV_AT_PATH;
  reply->path = FWSV_PATH_RUNDIR;
  sandbox->places = sandbox->few;
  /* A mapping takes longer than all other calls of a sandbox without namespaces, but those of the filter. */
  if (room_of(sandbox) > sizeof sandbox->few) {
    long memory = RAW6(__NR_mmap, 0, room_of(sandbox), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (is_error(memory)) return memory;
    sandbox->places = (identity *)memory;
  }
  long result = note(place_of(sandbox, FWSV_PATH_RUNDIR), rundir);
  for (uint32_t at = 0; result >= 0 && at < sandbox->block->writes; at++) {
    /* By a link that a command has made it may be anywhere. Such a link is in another place, so that is told later. */
    reply->path = (int32_t)at;
    long fd = result = walk(sandbox, path_of(sandbox->block, at), true);
    if (fd < 0) break;
    result = note(place_of(sandbox, (int)at), fd);
    RAW1(__NR_close, fd);
  }
  if (result < 0) {
    fwsv_forget_places(sandbox);
  } else {
    reply->path = FWSV_PATH_NONE;
  }
  return result;
}

void fwsv_forget_places(sandbox *sandbox) {
  if (sandbox->places != sandbox->few) RAW2(__NR_munmap, sandbox->places, room_of(sandbox));
  sandbox->places = NULL;
}
