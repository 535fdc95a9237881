/*
 * An own /dev: null, zero, full, random and urandom of the host, as far as it has them, links to the descriptors of the
 * process, terminals of its own and a directory for shared memory. There is no terminal of the host, and no kmsg.
 */
#include "mounts.h"

/* Each name ends with a zero, and the list with an empty name. */
TEXT(device_names, "null\\000zero\\000full\\000random\\000urandom\\000");
TEXT(name_fd, "fd");
TEXT(link_fd, "/proc/self/fd");
TEXT(name_in, "stdin");
TEXT(link_in, "/proc/self/fd/0");
TEXT(name_out, "stdout");
TEXT(link_out, "/proc/self/fd/1");
TEXT(name_err, "stderr");
TEXT(link_err, "/proc/self/fd/2");
TEXT(name_ptmx, "ptmx");
TEXT(link_ptmx, "pts/ptmx");
TEXT(name_pts, "pts");
TEXT(path_pts, "/dev/pts");
TEXT(type_devpts, "devpts");
TEXT(data_devpts, "newinstance,ptmxmode=0666,mode=620");
TEXT(name_shm, "shm");
TEXT(device_itself, "");

const char *fwsv_next_device(const char *name) {
  if (name == NULL) return device_names;
  while (*name != 0) name++;
  name++;
  return *name == 0 ? NULL : name;
}

static long add_device(long old, long dev, const char *name) {
  long copy = take(old, name);
  if (copy == -ENOENT) return 0;
  if (copy < 0) return copy;
  long result = RAW4(__NR_openat, dev, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
  if (result >= 0) {
    RAW1(__NR_close, result);
    result = change(copy, device_itself, AT_EMPTY_PATH, 0, MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY);
  }
  if (result >= 0) result = put_mount(copy, device_itself, dev, name);
  RAW1(__NR_close, copy);
  return result;
}

static long add_shared_memory(long dev, long base) {
  long result = make_directory(dev, name_shm, 0755);
  if (result < 0) return result;
  long copy = take(base, name_shm);
  if (copy < 0) return copy;
  result = put_mount(copy, device_itself, dev, name_shm);
  RAW1(__NR_close, copy);
  return result;
}

long fwsv_make_devices(long old, long dev, long base) {
  long result;
  for (const char *name = fwsv_next_device(NULL); name != NULL; name = fwsv_next_device(name)) {
    if ((result = add_device(old, dev, name)) < 0) return result;
  }
  if ((result = RAW3(__NR_symlinkat, link_fd, dev, name_fd)) < 0) return result;
  if ((result = RAW3(__NR_symlinkat, link_in, dev, name_in)) < 0) return result;
  if ((result = RAW3(__NR_symlinkat, link_out, dev, name_out)) < 0) return result;
  if ((result = RAW3(__NR_symlinkat, link_err, dev, name_err)) < 0) return result;
  if ((result = RAW3(__NR_symlinkat, link_ptmx, dev, name_ptmx)) < 0) return result;
  if ((result = make_directory(dev, name_pts, 0755)) < 0) return result;
  result = RAW5(__NR_mount, type_devpts, path_pts, type_devpts, AS_NOSUID | AS_NOEXEC, data_devpts);
  return result < 0 ? result : add_shared_memory(dev, base);
}
