/*
 * What a sandboxed command sees of the file system. The layout is the host's: everything is there and read-only, and a
 * few mounts on top are not. There is no second tree and no pivot_root.
 *
 *   /            read-only, nosuid, nodev, with every mount below it
 *   /proc        own, and read-only for uid 0
 *   /dev         own (devices.c)
 *   /tmp, /var/tmp, /run   empty, and in one file system; /run is read-only
 *   the run directory, and `write` paths   writable
 *
 * One tmpfs serves all of it, because a file system costs ten times what a copy of one of its directories costs.
 *
 * What a descriptor of a path leads to is copied (open_tree) and put over the very same place (move_mount to the
 * descriptor). A path is opened more than once, because no descriptor is kept of a thousand paths: what was checked has
 * to be the very same that is shown. What lies below a covered directory is found again by its name: from a descriptor
 * of that directory, and through no link. Nothing is created outside of the tmpfs.
 */
#include "mounts.h"

#include <linux/openat2.h>
#include <sys/mman.h>

enum { PATH_ROOM = 4096 };

TEXT(at_root, "/");
TEXT(at_here, ".");
TEXT(at_itself, "");
TEXT(at_proc, "/proc");
TEXT(at_dev, "/dev");
TEXT(at_tmp, "/tmp");
TEXT(at_var_tmp, "/var/tmp");
TEXT(at_run, "/run");
TEXT(at_var_run, "/var/run");
TEXT(at_fds, "/proc/self/fd/");
TEXT(type_proc, "proc");
TEXT(type_tmpfs, "tmpfs");
TEXT(data_tmpfs, "mode=755");
TEXT(sub_tmp, "tmp");
TEXT(sub_var_tmp, "var");
TEXT(sub_run, "run");
TEXT(sub_shm, "shm");
TEXT(sub_dev, "dev");

/* --- covered directories ---------------------------------------------------------- */

enum { COVER_DEV, COVER_RUN, COVER_VAR_RUN, COVER_TMP, COVER_VAR_TMP, COVERS };

typedef struct {
  long old;  /* what was there; -1 where nothing is covered */
  long ours; /* the mount that covers it */
  long back; /* a copy of what was there, which a path of the document puts back; or -1 */
  char path[PATH_ROOM];
} cover;

/* A path below a cover, which is shown once the covers are laid. */
typedef struct {
  cover *cover;
  int index;
  identity what;
  char name[PATH_ROOM];
} place;

/* In memory that is there once it is used. */
typedef struct view {
  const sandbox *sandbox;
  fwsv_reply *reply;
  long rundir; /* a descriptor of its mount, or -1 as long as there is none */
  cover covers[COVERS];
  uint32_t count;
  place places[];
} view;

/* Returns what follows the cover's path and a slash: an empty text for the path itself, NULL for one elsewhere. */
static const char *below(const char *cover, const char *path) {
  while (*cover != 0 && *cover == *path) cover++, path++;
  if (*cover != 0) return NULL;
  if (*path == 0) return path;
  return *path == '/' ? path + 1 : NULL;
}

static cover *cover_of(view *view, const char *path) {
  for (int at = 0; at < COVERS; at++) {
    if (view->covers[at].old >= 0 && below(view->covers[at].path, path) != NULL) return &view->covers[at];
  }
  return NULL;
}

/* Opens what has this name, where there is no link in it. */
static long open_name(long base, const char *name, uint64_t more) {
  struct open_how how;
  zero(&how, sizeof how);
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | more;
  return RAW4(__NR_openat2, base, name, &how, sizeof how);
}

/* Where a descriptor leads. */
static long name_of(long fd, char *name) {
  char path[32];
  char *at = path;
  for (const char *text = at_fds; *text != 0;) *at++ = *text++;
  *put_number(at, (uint32_t)fd) = 0;
  long size = RAW4(__NR_readlinkat, AT_FDCWD, path, name, PATH_ROOM - 1);
  if (size < 0) return size;
  if (size == PATH_ROOM - 1) return -ENAMETOOLONG;
  name[size] = 0;
  return name[0] == '/' ? 0 : -ENOENT;
}

/* Opens what is at a path now. Where nothing is, there is nothing to cover, and a link may lead to what is covered
 * anyway. */
static long look_under(view *view, int which, const char *path) {
  cover *cover = &view->covers[which];
  long fd = RAW4(__NR_openat, AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) return fd == -ENOENT ? 0 : fd;
  long result = name_of(fd, cover->path);
  if (result >= 0 && cover_of(view, cover->path) == NULL) {
    cover->old = fd;
  } else {
    RAW1(__NR_close, fd);
  }
  return result;
}

static long look_under_all(view *view) {
  for (int at = 0; at < COVERS; at++) view->covers[at].old = view->covers[at].ours = view->covers[at].back = -1;
  view->reply->stage = FWSV_AT_COVER;
  long result;
  if ((result = look_under(view, COVER_DEV, at_dev)) < 0) return result;
  if ((result = look_under(view, COVER_RUN, at_run)) < 0) return result;
  if ((result = look_under(view, COVER_VAR_RUN, at_var_run)) < 0) return result;
  if ((view->sandbox->layers & FWSV_LAYER_TMP) == 0) return 0;
  if ((result = look_under(view, COVER_TMP, at_tmp)) < 0) return result;
  return look_under(view, COVER_VAR_TMP, at_var_tmp);
}

/* A place above may have been shown since the cover's directory was opened, and a cover has to be on top of it. */
static long put_on_top(const cover *cover, long mount) {
  long now = open_name(AT_FDCWD, cover->path, 0);
  if (now < 0) return now;
  long result = put_mount(mount, at_itself, now, at_itself);
  RAW1(__NR_close, now);
  return result;
}

static long lay(cover *cover, long base, const char *sub) {
  if (cover->old < 0) return 0;
  cover->ours = take(base, sub);
  if (cover->ours < 0) return cover->ours;
  long result = put_on_top(cover, cover->ours);
  return result >= 0 && cover->back >= 0 ? put_on_top(cover, cover->back) : result;
}

static long lay_all(view *view) {
  cover *covers = view->covers;
  view->reply->stage = FWSV_AT_DEVICES;
  /* Without a /dev there is no place for the tmpfs. */
  if (covers[COVER_DEV].old < 0) return -ENOENT;
  long result = RAW5(__NR_mount, type_tmpfs, at_dev, type_tmpfs, AS_NOSUID | AS_NODEV, data_tmpfs);
  if (result < 0) return result;
  long base = RAW4(__NR_openat, AT_FDCWD, at_dev, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
  if (base < 0) return base;
  if ((result = make_directory(base, sub_dev, 0755)) < 0) return result;
  if ((result = make_directory(base, sub_shm, 01777)) < 0) return result;
  if ((result = lay(&covers[COVER_DEV], base, sub_dev)) < 0) return result;
  if ((result = fwsv_make_devices(covers[COVER_DEV].old, covers[COVER_DEV].ours, base)) < 0) return result;
  view->reply->stage = FWSV_AT_COVER;
  if ((result = make_directory(base, sub_run, 0755)) < 0) return result;
  if ((result = make_directory(base, sub_tmp, 01777)) < 0) return result;
  if ((result = make_directory(base, sub_var_tmp, 01777)) < 0) return result;
  if ((result = lay(&covers[COVER_RUN], base, sub_run)) < 0) return result;
  if ((result = lay(&covers[COVER_VAR_RUN], base, sub_run)) < 0) return result;
  if ((result = lay(&covers[COVER_TMP], base, sub_tmp)) < 0) return result;
  if ((result = lay(&covers[COVER_VAR_TMP], base, sub_var_tmp)) < 0) return result;
  RAW1(__NR_close, base);
  return 0;
}

/* Makes the covers read-only that nothing is to be written to, and closes all. */
static long finish_covers(view *view) {
  long result = 0;
  for (int at = 0; at < COVERS; at++) {
    cover *cover = &view->covers[at];
    bool is_open = at == COVER_TMP || at == COVER_VAR_TMP;
    if (cover->ours >= 0 && !is_open && result >= 0)
      result = change(cover->ours, at_itself, AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0);
    if (cover->old >= 0) RAW1(__NR_close, cover->old);
    if (cover->ours >= 0) RAW1(__NR_close, cover->ours);
    if (cover->back >= 0) RAW1(__NR_close, cover->back);
  }
  return result;
}

/* --- the run directory, and paths ---------------------------------------------------- */

static long open_place(const view *view, int index) {
  if (index != FWSV_PATH_RUNDIR) return fwsv_open_path(view->sandbox, (uint32_t)index);
  return RAW4(__NR_openat, AT_FDCWD, at_here, O_PATH | O_CLOEXEC, 0);
}

static bool is_writable(const view *view, int index) {
  return index == FWSV_PATH_RUNDIR || is_write(view->sandbox->block, (uint32_t)index);
}

/* Puts a copy of the place that `fd` leads to over what `to` leads to. The descriptor of the run directory's mount
 * stays. */
static long show(view *view, int index, long fd, long to) {
  view->reply->stage = FWSV_AT_VIEW; /* what fails here is not the path's fault */
  long copy = take(fd, at_itself);
  long result = copy;
  if (copy >= 0 && is_writable(view, index)) result = change(copy, at_itself, AT_EMPTY_PATH, 0, MOUNT_ATTR_RDONLY);
  if (result >= 0) result = put_mount(copy, at_itself, to, at_itself);
  if (result >= 0 && index == FWSV_PATH_RUNDIR) {
    view->rundir = copy;
  } else if (copy >= 0) {
    RAW1(__NR_close, copy);
  }
  return result;
}

/* A place that is all of a cover. It is copied before the cover is laid, because a copy has what is mounted on it. */
static long put_back(view *view, int index, long fd, cover *cover) {
  if (cover == &view->covers[COVER_TMP] || cover == &view->covers[COVER_VAR_TMP]) return -EBUSY;
  view->reply->stage = FWSV_AT_VIEW;
  if (cover->back < 0) cover->back = take(fd, at_itself);
  if (cover->back < 0) return cover->back;
  if (!is_writable(view, index)) return 0;
  long result = change(cover->back, at_itself, AT_EMPTY_PATH, 0, MOUNT_ATTR_RDONLY);
  if (result < 0 || index != FWSV_PATH_RUNDIR) return result;
  return view->rundir = RAW3(__NR_fcntl, cover->back, F_DUPFD_CLOEXEC, 0);
}

/* Shows a place before there are covers, or notes it for later. */
static long show_first(view *view, int index) {
  view->reply->stage = FWSV_AT_PATH;
  view->reply->path = index;
  long fd = open_place(view, index);
  if (fd < 0) return index >= 0 && may_be_missing(view->sandbox->block, (uint32_t)index, fd) ? 0 : fd;
  long result = fwsv_check_place(fd, index, false);
  place *place = &view->places[view->count];
  if (result >= 0) result = fwsv_identify(fd, &place->what);
  if (result >= 0 && is_writable(view, index) && !is_same(&place->what, place_of(view->sandbox, index)))
    result = -ESTALE;
  if (result >= 0) result = name_of(fd, place->name);
  if (result >= 0 && (place->cover = cover_of(view, place->name)) != NULL) {
    bool is_all = *below(place->cover->path, place->name) == 0;
    /* The host's devices cannot be used in a view, so the own ones stay. */
    if (is_all && place->cover != &view->covers[COVER_DEV]) {
      result = put_back(view, index, fd, place->cover);
    } else {
      place->index = index;
      view->count++;
    }
  } else if (result >= 0 && is_writable(view, index)) {
    result = show(view, index, fd, fd);
  }
  RAW1(__NR_close, fd);
  return result;
}

/* Makes the directories above a path that lies below a cover, and the last name as what it is, in our tmpfs. */
static long make_way(cover *cover, const char *rest, bool is_directory) {
  char path[PATH_ROOM];
  size_t at = 0;
  for (; rest[at] != 0; at++) {
    if (rest[at] == '/') {
      path[at] = 0;
      long result = make_directory(cover->ours, path, 0755);
      if (result < 0 && result != -EEXIST) return result;
    }
    path[at] = rest[at];
  }
  path[at] = 0;
  long result;
  if (is_directory) {
    result = make_directory(cover->ours, path, 0755);
  } else {
    result = RAW4(__NR_openat, cover->ours, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (result >= 0) RAW1(__NR_close, result);
  }
  return result < 0 && result != -EEXIST ? result : 0;
}

/* Opens where a place below a cover is to be shown: it is there if a place above it was shown before. */
static long open_way(const place *place, bool is_directory) {
  const char *rest = below(place->cover->path, place->name);
  long fd = open_name(AT_FDCWD, place->name, 0);
  if (fd != -ENOENT) return fd;
  long result = make_way(place->cover, rest, is_directory);
  return result < 0 ? result : open_name(AT_FDCWD, place->name, 0);
}

/* Shows a place that lies below a cover. */
static long show_again(view *view, place *place) {
  view->reply->stage = FWSV_AT_PATH;
  view->reply->path = place->index;
  const char *rest = below(place->cover->path, place->name);
  long fd = *rest == 0 ? RAW3(__NR_fcntl, place->cover->old, F_DUPFD_CLOEXEC, 0)
                       : open_name(place->cover->old, rest, RESOLVE_BENEATH);
  /* A call that is refused is no fault of the path. */
  if (fd == -ENOSYS || fd == -EPERM) view->reply->stage = FWSV_AT_COVER;
  if (fd < 0) return fd;
  identity what;
  long kind = fwsv_check_place(fd, place->index, false);
  long result = kind < 0 ? kind : fwsv_identify(fd, &what);
  if (result >= 0 && !is_same(&what, &place->what)) result = -ESTALE;
  long to = result < 0 ? result : open_way(place, kind == 1);
  result = to < 0 ? to : show(view, place->index, fd, to);
  if (to >= 0) RAW1(__NR_close, to);
  RAW1(__NR_close, fd);
  return result;
}

/* --- all of it -------------------------------------------------------------------- */

/* In a chroot the root is no mount. Then a copy of it becomes one, and the root of this process. */
static long make_root(void) {
  long result = RAW5(__NR_mount, 0, at_root, 0, AS_PRIVATE | AS_RECURSIVE, 0);
  if (result != -EINVAL) return result;
  long copy = take(AT_FDCWD, at_root);
  if (copy < 0) return copy;
  long here = RAW4(__NR_openat, AT_FDCWD, at_here, O_PATH | O_CLOEXEC, 0);
  char name[PATH_ROOM];
  result = here < 0 ? here : name_of(here, name);
  if (result >= 0) result = put_mount(copy, at_itself, AT_FDCWD, at_root);
  if (result >= 0) result = RAW1(__NR_fchdir, copy);
  if (result >= 0) result = RAW1(__NR_chroot, at_here);
  if (result >= 0) result = RAW5(__NR_mount, 0, at_root, 0, AS_PRIVATE | AS_RECURSIVE, 0);
  if (result >= 0) result = RAW1(__NR_chdir, name);
  RAW1(__NR_close, copy);
  if (here >= 0) RAW1(__NR_close, here);
  return result;
}

/* What the host has read-only stays so. This has to be known before the view is read-only. Only what was checked here
 * is shown later. */
static long check_writable(view *view, int index) {
  view->reply->stage = FWSV_AT_PATH;
  view->reply->path = index;
  long fd = open_place(view, index);
  if (fd < 0) return fd;
  long result = fwsv_check_place(fd, index, true);
  if (result >= 0) result = fwsv_identify(fd, place_of(view->sandbox, index));
  RAW1(__NR_close, fd);
  return result;
}

static long make_read_only(view *view) {
  const uint32_t writes = view->sandbox->block->writes;
  view->reply->stage = FWSV_AT_VIEW;
  long result = make_root();
  if (result < 0 || (result = check_writable(view, FWSV_PATH_RUNDIR)) < 0) return result;
  for (uint32_t at = 0; at < writes; at++) {
    if ((result = check_writable(view, (int)at)) < 0) return result;
  }
  view->reply->path = FWSV_PATH_NONE;
  view->reply->stage = FWSV_AT_VIEW;
  result = change(AT_FDCWD, at_root, RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0);
  if (result < 0) return result;
  /* Early, because names are read from it. The owner of a kernel's file may write to it, and uid 0 is the owner there
   * even without any capability: sysctls, sysrq-trigger, irq. So for uid 0 all of /proc is read-only. */
  view->reply->stage = FWSV_AT_PROC;
  int flags = AS_NOSUID | AS_NODEV | AS_NOEXEC | (view->sandbox->user == 0 ? AS_READ_ONLY : 0);
  return RAW5(__NR_mount, type_proc, at_proc, type_proc, flags, 0);
}

static long show_places(view *view) {
  const fwsv_sandbox *block = view->sandbox->block;
  const uint32_t all = block->writes + reads_of(block);
  long result;
  /* Reads come first: what is in both is writable, and a write may be inside of a read. */
  for (uint32_t at = block->writes; at < all; at++) {
    if ((result = show_first(view, (int)at)) < 0) return result;
  }
  for (uint32_t at = 0; at < block->writes; at++) {
    if ((result = show_first(view, (int)at)) < 0) return result;
  }
  if ((result = show_first(view, FWSV_PATH_RUNDIR)) < 0) return result;
  view->reply->path = FWSV_PATH_NONE;
  if ((result = lay_all(view)) < 0) return result;
  for (uint32_t at = 0; at < view->count; at++) {
    if ((result = show_again(view, &view->places[at])) < 0) return result;
  }
  view->reply->path = FWSV_PATH_NONE;
  view->reply->stage = FWSV_AT_COVER;
  return finish_covers(view);
}

long fwsv_make_view(const sandbox *sandbox, fwsv_reply *reply) {
  reply->stage = FWSV_AT_VIEW;
  size_t count = (size_t)sandbox->block->writes + reads_of(sandbox->block) + 1;
  size_t room = sizeof(view) + count * sizeof(place);
  long memory = RAW6(__NR_mmap, 0, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (is_error(memory)) return memory;
  view *view = (struct view *)memory;
  view->sandbox = sandbox;
  view->reply = reply;
  view->count = 0;
  view->rundir = -1;
  long result;
  if ((result = make_read_only(view)) < 0) return result;
  if ((result = look_under_all(view)) < 0) return result;
  if ((result = show_places(view)) < 0) return result;
  /* The descriptor is of the new mount, so there is no name in between. */
  reply->stage = FWSV_AT_PATH;
  reply->path = FWSV_PATH_RUNDIR;
  if ((result = RAW1(__NR_fchdir, view->rundir)) < 0) return result;
  reply->path = FWSV_PATH_NONE;
  RAW1(__NR_close, view->rundir);
  RAW2(__NR_munmap, view, room);
  return 0;
}
