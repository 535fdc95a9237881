/*
 * Files. Those of a storage volume are looked up beneath the volume's directory: no name, and no symbolic link in the
 * volume, leads out of it.
 */
#define _GNU_SOURCE
#include "fws_files.h"

#include "fws_process.h"
#include "fws_thread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* --- opening and writing ------------------------------------------------------------ */

/* Whether the host has a limit of file sizes, or may have. Then only fws_write_file() writes without a signal. */
static bool has_size_limit(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY;
}

int fws_open(const char *path, int flags) { return TEMP_FAILURE_RETRY(open(path, flags | O_CLOEXEC)); }

int fws_open_directory(const char *path) {
  int fd = fws_above_standard(fws_open_from_home(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  return fd < 0 ? -errno : fd;
}

int fws_create_file(const char *path) {
  int fd = fws_above_standard(TEMP_FAILURE_RETRY(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)));
  return fd < 0 ? -errno : fd;
}

int fws_lock_file(int fd) { return TEMP_FAILURE_RETRY(flock(fd, LOCK_EX | LOCK_NB)) < 0 ? errno : 0; }

int fws_synchronize(int fd) { return TEMP_FAILURE_RETRY(fsync(fd)) < 0 ? errno : 0; }

ssize_t fws_write_file(int fd, const void *bytes, size_t size) {
  if (!has_size_limit()) return TEMP_FAILURE_RETRY(write(fd, bytes, size));
  sigset_t signal, before, pending;
  sigemptyset(&signal);
  sigaddset(&signal, SIGXFSZ);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &signal, &before);
  ssize_t count = TEMP_FAILURE_RETRY(write(fd, bytes, size));
  int error = errno;
  /* The kernel sends SIGXFSZ to this thread, so the signal is ours unless one was pending before. */
  if (count < 0 && error == EFBIG && !sigismember(&pending, SIGXFSZ)) {
    sigtimedwait(&signal, NULL, &(struct timespec){.tv_sec = 0});
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return count;
}

static int memory_file(const void *bytes, size_t size, unsigned flags) {
  int file = fws_above_standard(memfd_create("flowworker", MFD_CLOEXEC | flags));
  if (file < 0) return -errno;
  for (size_t at = 0; at < size;) {
    ssize_t count = fws_write_file(file, (const char *)bytes + at, size - at);
    if (count > 0) {
      at += (size_t)count;
    } else if (errno != EINTR) {
      int error = errno;
      close(file);
      return -error;
    }
  }
  return file;
}

int fws_memory_file(const void *bytes, size_t size) { return memory_file(bytes, size, 0); }

int fws_input_file(const void *bytes, size_t size) {
  int file = memory_file(bytes, size, MFD_ALLOW_SEALING);
  if (file < 0) return file;
  if (fcntl(file, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0 ||
      lseek(file, 0, SEEK_SET) < 0) {
    int error = errno;
    close(file);
    return -error;
  }
  return file;
}

/* --- beneath a directory ------------------------------------------------------------ */

_Static_assert(FWS_LOOK == O_PATH, "the flag for Swift");

/* Does the same as openat2(2) before Linux 5.6: opens each part of the name by itself, and follows no symbolic link. */
static int open_parts(int base, const char *name, int flags, mode_t mode) {
  char part[NAME_MAX + 1];
  int at = base;
  for (;;) {
    const char *end = strchrnul(name, '/');
    size_t size = (size_t)(end - name);
    int error = 0;
    if (size > NAME_MAX) error = ENAMETOOLONG;
    if (size == 2 && memcmp(name, "..", 2) == 0) error = EXDEV;
    int next = -1;
    if (error == 0) {
      memcpy(part, size == 0 ? "." : name, size == 0 ? 1 : size);
      part[size == 0 ? 1 : size] = 0;
      int how = *end == 0 ? flags | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
      next = TEMP_FAILURE_RETRY(openat(at, part, how, mode));
      error = next < 0 ? errno : 0;
    }
    if (at != base) close(at);
    if (error != 0) {
      errno = error;
      return -1;
    }
    if (*end == 0) return next;
    at = next;
    name = end + 1;
  }
}

int fws_open_beneath(int base, const char *name, int flags, unsigned mode) {
  struct open_how how = {
      .flags = (uint64_t)(flags | O_CLOEXEC),
      .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
  };
  for (int tries = 0;; tries++) {
    long fd = TEMP_FAILURE_RETRY(syscall(SYS_openat2, base, name, &how, sizeof how));
    /* During a rename on the way the kernel cannot be sure, and asks to try again. */
    if (fd < 0 && errno == EAGAIN && tries < 100) continue;
    if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == E2BIG))
      return fws_above_standard(open_parts(base, name, flags | O_CLOEXEC, mode));
    return fws_above_standard((int)fd);
  }
}

int fws_make_directories(int base, const char *name) {
  char path[PATH_MAX];
  size_t size = strlen(name);
  if (size >= sizeof path) return ENAMETOOLONG;
  memcpy(path, name, size + 1);
  int parent = base;
  int error = 0;
  for (char *part = path; *part != 0 && error == 0;) {
    char *end = strchrnul(part, '/');
    bool is_last = *end == 0;
    *end = 0;
    if (*part != 0) {
      /* A part that exists may be a link, which is followed as long as it stays beneath the base. */
      int here = fws_open_beneath(base, path, O_PATH | O_DIRECTORY, 0);
      if (here < 0 && errno == ENOENT) {
        if (mkdirat(parent, part, 0777) < 0 && errno != EEXIST)
          error = errno;
        else
          here = fws_open_beneath(base, path, O_PATH | O_DIRECTORY, 0);
      }
      if (here < 0 && error == 0) error = errno;
      if (parent != base) close(parent);
      parent = here;
      if (here < 0) return error;
    }
    if (is_last) break;
    *end = '/';
    part = end + 1;
  }
  if (parent != base && parent >= 0) close(parent);
  return error;
}

int fws_make_path(const char *path) {
  char copy[PATH_MAX];
  size_t size = strlen(path);
  if (size >= sizeof copy) return ENAMETOOLONG;
  memcpy(copy, path, size + 1);
  for (char *at = copy + 1; size > 0 && at <= copy + size; at++) {
    if (*at != '/' && *at != 0) continue;
    char end = *at;
    *at = 0;
    if (mkdir(copy, 0777) < 0 && errno != EEXIST && errno != EISDIR) return errno;
    *at = end;
  }
  return 0;
}

static char file_kind(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return 'f';
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFIFO: return 'p';
    case S_IFSOCK: return 's';
    default: return 'c';
  }
}

ssize_t fws_read_link(int fd, char *text, size_t size) { return readlinkat(fd, "", text, size); }

int fws_file_facts(int fd, fws_file *facts) {
  struct stat stat;
  if (fstat(fd, &stat) < 0) return errno;
  *facts = (fws_file){
      .size = stat.st_size,
      .mode = stat.st_mode & 07777,
      .changed = (int64_t)stat.st_mtim.tv_sec * 1000000000 + stat.st_mtim.tv_nsec,
      .touched = (int64_t)stat.st_ctim.tv_sec * 1000000000 + stat.st_ctim.tv_nsec,
      .device = stat.st_dev,
      .inode = stat.st_ino,
      .kind = file_kind(stat.st_mode),
  };
  return 0;
}

int fws_open_regular(const char *path, fws_file *facts) {
  *facts = (fws_file){0};
  /* This looks at what is there without opening it. */
  int look = fws_open(path, O_PATH);
  if (look < 0) return -errno;
  int error = fws_file_facts(look, facts);
  close(look);
  if (error != 0 || facts->kind != 'f') return error != 0 ? -error : -EINVAL;
  /* Another file may be there now, whose opening must not wait. */
  int file = fws_above_standard(fws_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (file < 0) return -errno;
  error = fws_file_facts(file, facts);
  if (error == 0 && facts->kind == 'f' && fcntl(file, F_SETFL, 0) == 0) return file;
  if (error == 0) error = facts->kind == 'f' ? errno : EINVAL;
  close(file);
  return -error;
}

/* --- a file that is written aside ------------------------------------------------- */

static void part_name(char *name, size_t size) {
  uint64_t number;
  /* Nothing depends on the number but that hardly any other file has it: no file is made where one is. */
  if (!fws_random(&number, sizeof number)) number = (uint64_t)getpid() << 40 ^ (uint64_t)(fws_monotonic() * 1e9);
  snprintf(name, size, ".flowworker-%016llx.part", (unsigned long long)number);
}

/* The path of a descriptor, by which a file without a name gets one. */
static void own_path(char *path, size_t size, int fd) { snprintf(path, size, "/proc/self/fd/%d", fd); }

int fws_part_open(int directory, fws_part *part) {
  part->name[0] = 0;
  int flags = O_RDWR | O_CLOEXEC;
  part->fd = fws_above_standard(TEMP_FAILURE_RETRY(openat(directory, ".", flags | O_TMPFILE, 0600)));
  part->kept = fws_fd_of(part->fd);
  char self[32];
  own_path(self, sizeof self, part->fd);
  if (part->fd >= 0 && access(self, F_OK) == 0) return 0;
  /* Not every file system has files without a name, and without /proc they could never get one. */
  fws_fd_close(&part->kept);
  part_name(part->name, sizeof part->name);
  part->fd = fws_above_standard(TEMP_FAILURE_RETRY(openat(directory, part->name, flags | O_CREAT | O_EXCL, 0600)));
  if (part->fd < 0) {
    part->name[0] = 0;
    return errno;
  }
  part->kept = fws_fd_of(part->fd);
  return 0;
}

int fws_part_publish(int directory, fws_part *part, const char *name, unsigned mode) {
  if (!fws_fd_is_ours(&part->kept)) return EBADF;
  if (fchmod(part->fd, mode) < 0) return errno;
  /* A network file system may report only at a close that there was no space. A close that was interrupted has closed
   * the descriptor and tells nothing. */
  int result;
  do {
    int copy = fcntl(part->fd, F_DUPFD_CLOEXEC, 3);
    result = copy < 0 ? -1 : close(copy);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return errno;
  if (part->name[0] == 0) {
    char self[32];
    own_path(self, sizeof self, part->fd);
    /* A link gives a name that is free. A name that is taken can be replaced only by a rename. */
    if (linkat(AT_FDCWD, self, directory, name, AT_SYMLINK_FOLLOW) == 0) return 0;
    if (errno != EEXIST) return errno;
    part_name(part->name, sizeof part->name);
    if (linkat(AT_FDCWD, self, directory, part->name, AT_SYMLINK_FOLLOW) < 0) {
      int error = errno;
      part->name[0] = 0;
      return error;
    }
  }
  if (renameat(directory, part->name, directory, name) < 0) return errno;
  part->name[0] = 0;
  return 0;
}

int fws_make_link(int directory, const char *name, const char *text) {
  char part[48];
  part_name(part, sizeof part);
  if (symlinkat(text, directory, part) < 0) return errno;
  if (renameat(directory, part, directory, name) == 0) return 0;
  int error = errno;
  unlinkat(directory, part, 0);
  return error;
}

void fws_part_close(int directory, fws_part *part) {
  if (part->name[0] != 0) unlinkat(directory, part->name, 0);
  fws_fd_close(&part->kept);
  part->name[0] = 0;
  part->fd = part->kept.number = -1;
}

ssize_t fws_copy_piece(int from, int64_t from_at, int to, size_t size) {
  loff_t at = from_at;
  ssize_t count = -1;
  if (has_size_limit())
    errno = EXDEV;
  else
    count = TEMP_FAILURE_RETRY(copy_file_range(from, &at, to, NULL, size, 0));
  if (count >= 0 ||
      (errno != ENOSYS && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != EPERM && errno != EBADF))
    return count;
  enum { LARGEST = 256 * 1024 };
  char *buffer = malloc(LARGEST);
  if (buffer == NULL) return -1;
  count = TEMP_FAILURE_RETRY(pread(from, buffer, size < LARGEST ? size : LARGEST, from_at));
  for (ssize_t done = 0; done < count;) {
    ssize_t written = fws_write_file(to, buffer + done, (size_t)(count - done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      count = -1;
    else
      done += written;
  }
  int error = errno;
  free(buffer);
  errno = error;
  return count;
}

bool fws_clone(int from, int to) { return !has_size_limit() && ioctl(to, FICLONE, from) == 0; }

/* --- what is in a directory --------------------------------------------------------- */

int fws_list(int fd, void (*body)(void *context, const char *name, int kind), void *context) {
  DIR *directory = fdopendir(fd);
  if (directory == NULL) {
    int error = errno;
    close(fd);
    return error;
  }
  struct dirent *entry;
  for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    int kind = entry->d_type == DT_REG ? 'f' : entry->d_type == DT_DIR ? 'd' : '?';
    body(context, name, kind);
  }
  int error = errno;
  closedir(directory);
  return error;
}

int fws_remove_file(int directory, const char *name) { return unlinkat(directory, name, 0) < 0 ? errno : 0; }

/* The names of a directory. They are collected before anything is removed, because removing may disturb the reading. */
typedef struct {
  char *text;
  size_t size;
  int error;
} names;

static void keep_name(void *context, const char *name, int kind) {
  (void)kind;
  names *all = context;
  size_t length = strlen(name) + 1;
  char *larger = realloc(all->text, all->size + length);
  if (larger == NULL) {
    all->error = ENOMEM;
    return;
  }
  memcpy(larger + all->size, name, length);
  all->text = larger;
  all->size += length;
}

/* Removes as much as it can, and returns 0 or the errno of what it could not. */
static int remove_tree(int parent, const char *name, int depth) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return 0;
  /* Of a directory, unlink(2) says only that it is one. */
  if (errno != EISDIR && errno != EPERM) return errno;
  if (depth <= 0) return ENAMETOOLONG;
  int fd = TEMP_FAILURE_RETRY(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd < 0) return errno;
  names all = {0};
  int listed = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  int error = listed < 0 ? errno : fws_list(listed, keep_name, &all);
  if (error == 0) error = all.error;
  for (size_t at = 0; at < all.size; at += strlen(all.text + at) + 1) {
    int failed = remove_tree(fd, all.text + at, depth - 1);
    if (error == 0) error = failed;
  }
  free(all.text);
  close(fd);
  int removed = unlinkat(parent, name, AT_REMOVEDIR);
  return removed < 0 && error == 0 ? errno : removed < 0 ? error : 0;
}

int fws_remove_tree(int parent, const char *name, int depth) {
  int error = 0;
  /* A lack of descriptors or memory may be over when it is tried again. */
  for (int tries = 0; tries < 3 && (tries == 0 || error != 0); tries++) error = remove_tree(parent, name, depth);
  return error;
}
