/*
 * A handle of libcurl, and the descriptors that it opens.
 *
 * libcurl makes a pair of sockets for curl_multi_wakeup(). Old versions, such as 7.88, leave them open for every
 * program that the host starts later, and no call tells their numbers. But the kernel gives out the lowest free
 * numbers, so the numbers can be guessed beforehand. Waking libcurl up proves the guess, so that nothing of the host's
 * is touched if the host opens descriptors at the same moment.
 */
#define _GNU_SOURCE
#include "library.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* The two lowest free numbers. */
static bool next_numbers(int *low, int *high) {
  *low = eventfd(0, EFD_CLOEXEC);
  *high = eventfd(0, EFD_CLOEXEC);
  if (*low >= 0) close(*low);
  if (*high >= 0) close(*high);
  return *low >= 0 && *high >= 0;
}

static bool is_inherited_socket(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return fcntl(fd, F_GETFD) == 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

/* How many bytes are on the way from the writer to the reader, if both sides agree; -1 otherwise. */
static int on_the_way(int reader, int writer) {
  int received = 0, sent = 0;
  if (ioctl(reader, FIONREAD, &received) < 0 || ioctl(writer, SIOCOUTQ, &sent) < 0) return -1;
  return (received > 0) == (sent > 0) ? received : -1;
}

static bool is_wakeup_pair(CURLM *multi, int reader, int writer) {
  if (!is_inherited_socket(reader) || !is_inherited_socket(writer) || on_the_way(reader, writer) != 0) return false;
  if (fws_curl.curl_multi_wakeup(multi) != CURLM_OK || on_the_way(reader, writer) != 1) return false;
  char byte;
  return recv(reader, &byte, 1, MSG_DONTWAIT) == 1 && on_the_way(reader, writer) == 0;
}

CURLM *fws_http_multi(fws_fd wakeup[2]) {
  wakeup[0] = wakeup[1] = fws_fd_of(-1);
  int reader, writer;
  bool are_known = next_numbers(&reader, &writer);
  CURLM *multi = fws_curl.curl_multi_init();
  if (multi != NULL && are_known && is_wakeup_pair(multi, reader, writer)) {
    fcntl(reader, F_SETFD, FD_CLOEXEC);
    fcntl(writer, F_SETFD, FD_CLOEXEC);
    wakeup[0] = fws_fd_of(reader);
    wakeup[1] = fws_fd_of(writer);
  }
  return multi;
}
