/*
 * The paths of the document, and the run directory. A path is opened as it is written, following links, on the machine
 * where the command runs. What counts is what the descriptor leads to.
 */
#include "sandbox.h"

#include <asm/statfs.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { READ_ONLY = 1 /* ST_RDONLY */ };

TEXT(place_root, "/");

/* Whether a file system is the kernel's own, by which it is told what to do: that of /proc or /sys, or of a directory
 * below these. The numbers are those of linux/magic.h. */
static bool is_kernels(unsigned long type) {
  return type == 0x9fa0 /* proc */ || type == 0x62656572 /* sysfs */ || type == 0x27e0eb /* cgroup */ ||
         type == 0x63677270 /* cgroup2 */ || type == 0x64626720 /* debugfs */ || type == 0x74726163 /* tracefs */ ||
         type == 0x73636673 /* securityfs */ || type == 0xcafe4a11 /* bpf */ || type == 0x62656570 /* configfs */ ||
         type == 0x6165676c /* pstore */ || type == 0xde5e81e4 /* efivarfs */ || type == 0x42494e4d /* binfmt_misc */ ||
         type == 0x65735543 /* fusectl */ || type == 0xf97cff8c /* selinux */ || type == 0x43415d53 /* smack */;
}

static long is_root(const struct stat *status) {
  struct stat root;
  long result = RAW4(__NR_newfstatat, AT_FDCWD, place_root, &root, 0);
  return result < 0 ? result : root.st_ino == status->st_ino && root.st_dev == status->st_dev;
}

long fwsv_check_place(long fd, int index, bool is_writable) {
  /* The C library's struct stat is the kernel's on 64-bit machines. */
  struct stat status;
  long result = RAW2(__NR_fstat, fd, &status);
  if (result < 0) return result;
  bool is_directory = S_ISDIR(status.st_mode);
  if (!is_directory && !S_ISREG(status.st_mode)) return -EINVAL;
  if (status.st_nlink == 0) return -ENOENT; /* it was removed */
  if (!is_writable) return is_directory;
  struct statfs system;
  if ((result = RAW2(__NR_fstatfs, fd, &system)) < 0) return result;
  if (system.f_flags & READ_ONLY) return -EROFS;
  if (is_kernels((unsigned long)system.f_type)) return -EINVAL;
  if (!is_directory) return 0;
  if ((result = is_root(&status)) < 0) return result;
  if (result == 1) return index == FWSV_PATH_RUNDIR ? -EINVAL : -EISDIR;
  return 1;
}
