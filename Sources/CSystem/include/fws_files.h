/* Files: those of a storage volume, and those that the library makes for itself. */
#ifndef FWS_FILES_H
#define FWS_FILES_H

#include "fws_descriptor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- opening and writing ------------------------------------------------------------ */

/* open(2) of what exists, with O_CLOEXEC. A signal may interrupt the opening of a file of a network. It is then made
 * again, here and wherever the library opens a file. */
int fws_open(const char *_Nonnull path, int flags);

/* Opens a directory that a command is to run in. Returns a descriptor of at least 3, or a negative errno. */
int fws_open_directory(const char *_Nonnull path);

/* Creates a file for writing that only this user may read. Returns a descriptor, or a negative errno, also if the file
 * exists. */
int fws_create_file(const char *_Nonnull path);

/* Takes the lock of an open file (flock(2)) without waiting. Returns 0, or an errno: EWOULDBLOCK if another one has it.
 */
int fws_lock_file(int fd);

/* fsync(2). Returns 0 or an errno. */
int fws_synchronize(int fd);

/* write(2) without SIGXFSZ: a limit of file sizes that the host has is the error EFBIG. It is never EINTR. */
ssize_t fws_write_file(int fd, const void *_Nonnull bytes, size_t size);

/* Makes a file in memory that holds these bytes. Returns a descriptor, or a negative errno. */
int fws_memory_file(const void *_Nonnull bytes, size_t size);

/* Makes a file in memory that holds these bytes, to be read from its beginning. Nobody can change it. Returns a
 * descriptor, or a negative errno. */
int fws_input_file(const void *_Nullable bytes, size_t size);

/* --- the files of a storage volume -------------------------------------------------- */

/* O_PATH, which Swift does not see. */
enum { FWS_LOOK = 010000000 };

/* Opens a name beneath a directory like open(2). A name or a symbolic link that leads out of the directory is EXDEV.
 * Returns -1 and errno on failure. */
int fws_open_beneath(int base, const char *_Nonnull name, int flags, unsigned mode);

/* Makes a directory and its parents beneath `base`. Returns 0 or an errno. */
int fws_make_directories(int base, const char *_Nonnull name);

/* Makes a directory and its parents, wherever links lead. Returns 0 or an errno. */
int fws_make_path(const char *_Nonnull path);

typedef struct {
  int64_t size;
  unsigned mode;   /* the permissions, without the type */
  int64_t changed; /* when its content was changed; nanoseconds since 1970 */
  int64_t touched; /* when anything was changed, names and permissions too; no program can set this time */
  uint64_t device, inode;
  char kind; /* 'f' file, 'd' directory, 'l' symbolic link, 'p' named pipe, 's' socket, 'c' device */
} fws_file;
int fws_file_facts(int fd, fws_file *_Nonnull facts);

/* Opens a regular file for reading, wherever links lead. Returns a descriptor, or a negative errno. Nothing else is
 * opened, because that could wait, or do something to a device: `facts->kind` tells what is there, or is 0 where that
 * is not known. */
int fws_open_regular(const char *_Nonnull path, fws_file *_Nonnull facts);

/* Reads the target of a symbolic link like readlink(2). The descriptor stands for the link itself (FWS_LOOK and
 * O_NOFOLLOW). */
ssize_t fws_read_link(int fd, char *_Nonnull text, size_t size);

/* A file of a directory that is being written, and has no name yet, or a hidden one. */
typedef struct {
  int fd;
  fws_fd kept; /* the same descriptor, to be checked before each use */
  char name[48];
} fws_part;
/* Opens such a file. Returns 0 or an errno. */
int fws_part_open(int directory, fws_part *_Nonnull part);
/* Gives the file its name and mode, and replaces a file of that name. The descriptor stays open. Returns 0 or an errno.
 */
int fws_part_publish(int directory, fws_part *_Nonnull part, const char *_Nonnull name, unsigned mode);
/* Closes the file, and removes it if it was not published. */
void fws_part_close(int directory, fws_part *_Nonnull part);

/* Makes a symbolic link, and replaces a file or link of that name. Returns 0 or an errno. */
int fws_make_link(int directory, const char *_Nonnull name, const char *_Nonnull text);

/* Copies up to `size` bytes from an offset of one file to the position of another. Returns how many; 0 at the end; -1
 * and errno. */
ssize_t fws_copy_piece(int from, int64_t from_at, int to, size_t size);
/* Lets the file system share the whole content, if it can. */
bool fws_clone(int from, int to);

/* Calls `body` with each name in a directory: 'f' is a file, 'd' a directory, '?' has to be looked at. Closes the
 * descriptor. Returns 0 or an errno. */
int fws_list(int fd, void (*_Nonnull body)(void *_Nullable context, const char *_Nonnull name, int kind),
             void *_Nullable context);

/* Removes a file. Returns 0 or an errno. */
int fws_remove_file(int directory, const char *_Nonnull name);
/* Removes a file, or a directory with what is in it, `depth` levels deep. Passes over what cannot be removed, and
 * returns the errno of the first; 0 if nothing is left. */
int fws_remove_tree(int parent, const char *_Nonnull name, int depth);

#endif
