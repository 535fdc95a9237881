/*
 * Calls whose connection the server takes over once it has answered. libcurl sends the request and reads the answer,
 * and what follows the request is sent here, on libcurl's socket. libcurl sends nothing on it after the request.
 */
#define _GNU_SOURCE
#include "call.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

int fws_http_watch_socket(fws_http *link, int fd, int what, bool for_room) {
  struct epoll_event event = {.data.fd = fd};
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT || for_room) event.events |= EPOLLOUT;
  int epoll = link->epoll.number;
  if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void fws_http_watch_call(fws_call *call) {
  int error = fws_http_watch_socket(call->link, call->fd, call->what, call->awaits_room);
  if (error == 0) return;
  /* Nobody would notice what comes on it, so the call ends. That must not happen here: libcurl may be at work. */
  call->unwatched = error;
  fws_http_wake(call->link);
}

void fws_http_take_over(fws_call *call) { fws_curl.curl_easy_setopt(call->easy, CURLOPT_FORBID_REUSE, 1L); }

/* Whether the call still has a connection that is the library's. */
static bool is_connected(fws_call *call) { return fws_http_is_ours(call->link) && call->fd >= 0; }

int64_t fws_http_send(fws_call *call, const void *bytes, size_t size) {
  if (!is_connected(call)) return -EPIPE;
  ssize_t count;
  do count = send(call->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  if (count < 0 && (errno == ECONNRESET || errno == ENOTCONN)) return -EPIPE;
  if (count >= 0) return count;
  return errno == EAGAIN ? 0 : -errno;
}

void fws_http_await_room(fws_call *call) {
  if (!is_connected(call) || call->awaits_room) return;
  call->awaits_room = true;
  fws_http_watch_call(call);
}

void fws_http_end_sending(fws_call *call) {
  if (is_connected(call)) shutdown(call->fd, SHUT_WR);
}

void fws_http_see_room(fws_call *call, uint32_t events) {
  if (!call->awaits_room || !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
  call->awaits_room = false;
  call->has_room = true;
  fws_http_watch_call(call);
}
