/*
 * The descriptors of a link. If one of them does not stand for what it did (fws_descriptor.h), the host has closed it,
 * and libcurl must not be called for the link any more. Even a clean end would use the number, because TLS sends a
 * message on the socket, and close it. So the memory of libcurl's handle is never freed, which happens once each time
 * that a host does this, and the descriptors that are still the library's are closed here.
 *
 * One descriptor is not known, because libcurl opens it for a moment and tells nobody: the writing end of the thread
 * that looks up a name.
 */
#define _GNU_SOURCE
#include "call.h"

#include "fws_readiness.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fws_http_socket **find(fws_http *link, int number) {
  struct fws_http_socket **slot = &link->sockets;
  while (*slot != NULL && (*slot)->fd.number != number) slot = &(*slot)->next;
  return slot;
}

static void forget(struct fws_http_socket **slot) {
  struct fws_http_socket *socket = *slot;
  *slot = socket->next;
  free(socket);
}

/* Records a descriptor. An old record of the same number is replaced, because the number stands for something else now.
 */
static bool know(fws_http *link, int number, bool is_opened) {
  struct fws_http_socket **slot = find(link, number);
  if (*slot == NULL) *slot = calloc(1, sizeof **slot);
  if (*slot == NULL) return false;
  (*slot)->fd = fws_fd_of(number);
  (*slot)->is_opened = is_opened;
  return true;
}

curl_socket_t fws_http_on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)purpose;
  int number = fws_above_standard(socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol));
  if (number < 0 || know(context, number, true)) return number;
  close(number);
  errno = ENOMEM;
  return CURL_SOCKET_BAD;
}

int fws_http_on_close(void *context, curl_socket_t number) {
  struct fws_http_socket **slot = find(context, number);
  if (*slot == NULL) return close(number);
  fws_fd_close(&(*slot)->fd);
  forget(slot);
  return 0;
}

void fws_http_watches(fws_http *link, int number) {
  if (*find(link, number) == NULL) know(link, number, false);
}

void fws_http_watches_not(fws_http *link, int number) {
  struct fws_http_socket **slot = find(link, number);
  if (*slot != NULL && !(*slot)->is_opened) forget(slot);
}

static bool is_unchanged(const fws_fd *fd) { return fd->number < 0 || fws_fd_is_ours(fd); }

static bool look(const fws_http *link) {
  if (!fws_fd_is_ours(&link->epoll) || !fws_fd_is_ours(&link->timer)) return false;
  if (!is_unchanged(&link->wakeup[0]) || !is_unchanged(&link->wakeup[1])) return false;
  for (const struct fws_http_socket *socket = link->sockets; socket != NULL; socket = socket->next)
    if (!fws_fd_is_ours(&socket->fd)) return false;
  return true;
}

/* Keeps a handle that is never used again, so that no checker of memory reports it as lost. */
static void keep_for_ever(CURLM *multi) {
  struct kept {
    struct kept *next;
    CURLM *multi;
  };
  static _Atomic(struct kept *) all;
  struct kept *kept = malloc(sizeof *kept);
  if (kept == NULL) return;
  kept->multi = multi;
  kept->next = atomic_load(&all);
  while (!atomic_compare_exchange_weak(&all, &kept->next, kept)) {
  }
}

bool fws_http_is_ours(fws_http *link) {
  if (link->multi == NULL) return false;
  if (look(link)) return true;
  keep_for_ever(link->multi);
  link->multi = NULL;
  for (fws_call *call = link->calls; call != NULL; call = call->next) call->easy = NULL;
  for (int at = 0; at < 2; at++) fws_fd_close(&link->wakeup[at]);
  for (struct fws_http_socket *socket = link->sockets; socket != NULL; socket = socket->next) fws_fd_close(&socket->fd);
  fws_http_close_descriptors(link);
  return false;
}

void fws_http_close_descriptors(fws_http *link) {
  while (link->sockets != NULL) forget(&link->sockets);
  /* A forked process may have a copy of the epoll descriptor, which would go on watching the timer. */
  if (fws_fd_is_ours(&link->epoll) && fws_fd_is_ours(&link->timer))
    fws_epoll_remove(link->epoll.number, link->timer.number);
  fws_fd_close(&link->timer);
  fws_fd_close(&link->epoll);
  link->timer = link->epoll = fws_fd_of(-1);
}
