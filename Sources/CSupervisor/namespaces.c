/* What a new user namespace and a new network namespace need before they are of use. */
#include "sandbox.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/sockios.h>

TEXT(path_groups, "/proc/self/setgroups");
TEXT(path_user_map, "/proc/self/uid_map");
TEXT(path_group_map, "/proc/self/gid_map");
TEXT(word_deny, "deny");

static long write_file(const char *path, const char *bytes, long size) {
  long fd = RAW4(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  long result = RAW3(__NR_write, fd, bytes, size);
  RAW1(__NR_close, fd);
  return result;
}

/* Writes the line `id id 1`. */
static long write_map(const char *path, uint32_t id) {
  char line[32];
  char *at = line;
  for (int times = 0; times < 2; times++) {
    at = put_number(at, id);
    *at++ = ' ';
  }
  *at++ = '1';
  *at++ = '\n';
  return write_file(path, line, at - line);
}

/* The kernel wants groups to be denied before a process may write the map of its own group. */
long fwsv_write_maps(const sandbox *sandbox) {
  long result = write_file(path_groups, word_deny, 4);
  if (result >= 0) result = write_map(path_user_map, sandbox->user);
  if (result >= 0) result = write_map(path_group_map, sandbox->group);
  return result;
}

long fwsv_bring_up_loopback(void) {
  long fd = RAW3(__NR_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fd;
  struct ifreq request;
  zero(&request, sizeof request);
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  long result = RAW3(__NR_ioctl, fd, SIOCSIFFLAGS, &request);
  RAW1(__NR_close, fd);
  return result;
}
