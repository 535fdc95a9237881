/* Links, and calls over them (fws_http.h). */
#define _GNU_SOURCE
#include "call.h"

#include "fws_process.h"
#include "fws_quiet.h"
#include "fws_readiness.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/*
 * libcurl is told not to touch signals (NOSIGNAL), so a TLS library that it uses may raise SIGPIPE. It may also start a
 * thread that looks up a name. The host must notice neither, so each call of libcurl is quiet (fws_quiet.h), and the
 * threads inherit the mask.
 */

/* --- what libcurl asks for --------------------------------------------------------- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *of_socket) {
  fws_http *link = context;
  char *of_easy = NULL;
  fws_curl.curl_easy_getinfo(easy, CURLINFO_PRIVATE, &of_easy);
  fws_call *call = (fws_call *)(void *)of_easy;
  /* A connection that libcurl is closing has no call. */
  if (call != NULL) {
    call->fd = what == CURL_POLL_REMOVE ? -1 : fd;
    call->what = what;
  }
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(link->epoll.number, EPOLL_CTL_DEL, fd, NULL);
    fws_http_watches_not(link, fd);
    return 0;
  }
  fws_http_watches(link, fd);
  (void)of_socket;
  if (call != NULL) {
    fws_http_watch_call(call);
  } else {
    fws_http_watch_socket(link, fd, what, false);
  }
  return 0;
}

static double earlier(double one, double other) { return one < other ? one : other; }
static double later(double one, double other) { return one > other ? one : other; }

/* Sets the timer unless it fires early enough already. A timer that fires too early costs less than setting it at each
 * change. */
static void arm(fws_http *link, double at) {
  if (at >= link->armed || link->multi == NULL) return;
  link->armed = at;
  fws_timer_set(link->timer.number, later(at - fws_monotonic(), 0));
}

static int on_timer(CURLM *multi, long milliseconds, void *context) {
  (void)multi;
  fws_http *link = context;
  /* libcurl must not be called from here, so the time is only noted. */
  link->curl_at = milliseconds < 0 ? INFINITY : fws_monotonic() + (double)milliseconds / 1000;
  arm(link, link->curl_at);
  return 0;
}

/* The time at which a limit passes. */
static double after(double now, double seconds) { return seconds > 0 ? now + seconds : INFINITY; }

/* The most bytes before a body, interim answers included. */
static const size_t LONGEST_HEAD = 1 << 20;

size_t fws_http_on_header(char *text, size_t unit, size_t count, void *context) {
  fws_call *call = context;
  size_t size = unit * count;
  size_t length = size;
  call->head_size += size;
  if (call->head_size > LONGEST_HEAD) {
    call->own_code = FWS_HTTP_TOO_LONG;
    call->late = "the header of its answer is larger than 1 MiB";
    return 0;
  }
  if (call->is_upload && call->at >= call->size && call->limits.whole <= 0) {
    /* An upload may take any time, but an answer that has begun behind it may not. */
    call->limits.whole = call->limits.silence;
    call->whole_until = after(fws_monotonic(), call->limits.whole);
    arm(call->link, call->whole_until);
  }
  while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r')) length--;
  if (length > 0) {
    call->handlers->line(call->owner, text, length);
    return size;
  }
  long status = 0;
  fws_curl.curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
  /* Answers 1xx come before the final one. 101 would be final, but no call asks for another protocol. */
  if (status >= 200) {
    call->status = (int)status;
    call->has_head = true;
    /* The body of an error is short, even where that of a success would be an endless stream. */
    if (status >= 300 && call->whole_until == INFINITY) call->whole_until = call->head_until;
    call->head_until = INFINITY;
  }
  return size;
}

static void tell_head(fws_call *call) {
  call->has_head = false;
  call->handlers->head(call->owner, call->status);
}

static void tell_room(fws_call *call) {
  call->has_room = false;
  call->handlers->room(call->owner);
}

static size_t on_data(char *bytes, size_t unit, size_t count, void *context) {
  fws_call *call = context;
  return fws_http_tell_data(call, call->status, bytes, unit * count) ? unit * count : 0;
}

bool fws_http_tell_data(fws_call *call, int status, const void *bytes, size_t size) {
  if (call->handlers->data(call->owner, status, bytes, size)) return true;
  call->own_code = FWS_HTTP_TOO_LONG;
  call->late = "its answer is larger than the limit";
  return false;
}

/* --- links ------------------------------------------------------------------------- */

fws_http *fws_http_open(const char *socket, const char *ca, const char *cert, const char *key, long connections) {
  fws_http *link = calloc(1, sizeof *link);
  if (link == NULL) return NULL;
  link->socket = socket;
  link->ca = ca;
  link->cert = cert;
  link->key = key;
  link->taken = -1;
  link->armed = link->curl_at = INFINITY;
  int epoll = fws_epoll();
  int error = epoll < 0 ? -epoll : 0;
  int timer = fws_marked(fws_above_standard(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)));
  if (timer < 0 && error == 0) error = -timer;
  link->epoll = fws_fd_of(epoll);
  link->timer = fws_fd_of(timer);
  link->multi = fws_http_multi(link->wakeup);
  if (link->multi == NULL && error == 0) error = errno == 0 ? ENOMEM : errno;
  /* Without its timer a link would never notice that its time has passed. */
  if (error == 0 && !fws_epoll_add(epoll, timer)) error = errno;
  if (error != 0) {
    fws_http_close(link);
    errno = error;
    return NULL;
  }
  fws_curl.curl_multi_setopt(link->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  fws_curl.curl_multi_setopt(link->multi, CURLMOPT_SOCKETDATA, link);
  fws_curl.curl_multi_setopt(link->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  fws_curl.curl_multi_setopt(link->multi, CURLMOPT_TIMERDATA, link);
  fws_curl.curl_multi_setopt(link->multi, CURLMOPT_MAXCONNECTS, connections);
  return link;
}

void fws_http_close(fws_http *link) {
  while (link->calls != NULL) fws_http_drop(link->calls);
  fws_quiet quiet;
  fws_quiet_begin(&quiet);
  if (fws_http_is_ours(link)) fws_curl.curl_multi_cleanup(link->multi);
  fws_quiet_end(&quiet);
  fws_http_close_descriptors(link);
  free(link);
}

int fws_http_fd(fws_http *link) { return fws_http_is_ours(link) ? link->epoll.number : -1; }

/* --- calls ------------------------------------------------------------------------- */

static void unlink_call(fws_call *call) {
  *call->slot = call->next;
  if (call->next != NULL) call->next->slot = call->slot;
}

void fws_http_free_call(fws_call *call) {
  if (call->easy != NULL) fws_curl.curl_easy_cleanup(call->easy);
  fws_curl.curl_slist_free_all(call->headers);
  free(call->body);
  free(call);
}

bool fws_http_add_header(fws_call *call, const char *line) {
  if (line == NULL) return true;
  struct curl_slist *headers = fws_curl.curl_slist_append(call->headers, line);
  if (headers != NULL) call->headers = headers;
  return headers != NULL;
}

void fws_http_set_common(fws_call *call, const char *url) {
  fws_http *link = call->link;
  CURL *easy = call->easy;
  fws_curl.curl_easy_setopt(easy, CURLOPT_URL, url);
  fws_curl.curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
  fws_curl.curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
  fws_curl.curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  fws_curl.curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  /* In seconds. The limits of the call are for what comes after the connection. */
  fws_curl.curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 10L);
  fws_curl.curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, fws_http_on_open);
  fws_curl.curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, link);
  fws_curl.curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, fws_http_on_close);
  fws_curl.curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, link);
  /* A proxy that the environment names is for the web, not for an engine. */
  fws_curl.curl_easy_setopt(easy, CURLOPT_PROXY, "");
  if (link->socket != NULL) {
    fws_curl.curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, link->socket);
  } else {
    /* A server that has vanished is noticed after 60 + 4 * 15 seconds. */
    fws_curl.curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    fws_curl.curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 60L);
    fws_curl.curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 15L);
  }
  if (link->ca != NULL) fws_curl.curl_easy_setopt(easy, CURLOPT_CAINFO, link->ca);
  if (link->cert != NULL) fws_curl.curl_easy_setopt(easy, CURLOPT_SSLCERT, link->cert);
  if (link->key != NULL) fws_curl.curl_easy_setopt(easy, CURLOPT_SSLKEY, link->key);
}

static bool set_request(fws_call *call, const char *method, const char *content, const char *header, const void *body,
                        size_t size) {
  CURL *easy = call->easy;
  fws_curl.curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, fws_http_on_header);
  fws_curl.curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
  fws_curl.curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
  fws_curl.curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
  if (strcmp(method, "GET") == 0) {
    fws_curl.curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else {
    if (size > 0) {
      call->body = malloc(size);
      if (call->body == NULL) return false;
      memcpy(call->body, body, size);
    }
    /* An empty body is sent as such, because engines refuse a request that does not say how long its body is. */
    if (strcmp(method, "POST") == 0 || size > 0) {
      fws_curl.curl_easy_setopt(easy, CURLOPT_POST, 1L);
      fws_curl.curl_easy_setopt(easy, CURLOPT_POSTFIELDS, size > 0 ? call->body : "");
      fws_curl.curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    }
    fws_curl.curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
  }
  /* Without this header libcurl would ask the engine whether it accepts a longer body, and wait for the answer. */
  bool has_headers =
      fws_http_add_header(call, "Expect:") && fws_http_add_header(call, content) && fws_http_add_header(call, header);
  fws_curl.curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
  return has_headers;
}

fws_call *fws_http_make_call(fws_http *link, const fws_http_handlers *handlers, void *owner) {
  fws_call *call = calloc(1, sizeof *call);
  if (call == NULL) return NULL;
  call->link = link;
  call->handlers = handlers;
  call->owner = owner;
  call->fd = -1;
  call->easy = fws_curl.curl_easy_init();
  if (call->easy != NULL) return call;
  free(call);
  return NULL;
}

void fws_http_wake(fws_http *link) {
  if (fws_http_is_ours(link)) on_timer(link->multi, 0, link);
}

/* The time at which the first limit of a call passes. */
static double end_of(const fws_call *call) {
  return earlier(earlier(call->head_until, call->silent_until), call->whole_until);
}

fws_call *fws_http_begin(fws_call *call, fws_http_limits limits) {
  fws_http *link = call->link;
  double now = fws_monotonic();
  call->limits = limits;
  call->head_until = after(now, limits.head);
  call->silent_until = after(now, limits.silence);
  call->whole_until = after(now, limits.whole);
  fws_quiet quiet;
  fws_quiet_begin(&quiet);
  bool is_begun = fws_http_is_ours(link) && fws_curl.curl_multi_add_handle(link->multi, call->easy) == CURLM_OK;
  fws_quiet_end(&quiet);
  if (!is_begun) {
    fws_http_free_call(call);
    return NULL;
  }
  call->next = link->calls;
  call->slot = &link->calls;
  if (call->next != NULL) call->next->slot = &call->next;
  link->calls = call;
  arm(link, end_of(call));
  return call;
}

void fws_http_limit(fws_call *call, double seconds) {
  call->limits.whole = seconds;
  call->whole_until = fws_monotonic() + seconds;
  arm(call->link, call->whole_until);
}

fws_call *fws_http_call(fws_http *link, const char *method, const char *url, const char *content, const char *header,
                        const void *body, size_t size, fws_http_limits limits, const fws_http_handlers *handlers,
                        void *owner) {
  fws_call *call = fws_http_make_call(link, handlers, owner);
  if (call == NULL) return NULL;
  fws_http_set_common(call, url);
  if (set_request(call, method, content, header, body, size)) return fws_http_begin(call, limits);
  fws_http_free_call(call);
  return NULL;
}

fws_call *fws_http_connect(fws_http *link, const char *url, const fws_http_handlers *handlers, void *owner) {
  fws_call *call = fws_http_make_call(link, handlers, owner);
  if (call == NULL) return NULL;
  fws_http_set_common(call, url);
  call->is_connection = true;
  fws_curl.curl_easy_setopt(call->easy, CURLOPT_CONNECT_ONLY, 1L);
  fws_curl.curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 1L);
  /* CURLOPT_CONNECTTIMEOUT is the limit of a connection. */
  return fws_http_begin(call, (fws_http_limits){0});
}

int fws_http_take(fws_http *link) {
  int fd = link->taken;
  link->taken = -1;
  return fd;
}

bool fws_http_is_sent(const fws_call *call) {
  long size = 0;
  return call->easy != NULL && fws_curl.curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &size) == CURLE_OK &&
         size > 0;
}

void fws_http_drop(fws_call *call) {
  fws_quiet quiet;
  fws_quiet_begin(&quiet);
  unlink_call(call);
  if (fws_http_is_ours(call->link)) fws_curl.curl_multi_remove_handle(call->link->multi, call->easy);
  fws_http_free_call(call);
  fws_quiet_end(&quiet);
}

static void work(fws_http *link) {
  fws_quiet quiet;
  fws_quiet_begin(&quiet);
  int running;
  struct epoll_event events[32];
  int count = epoll_wait(link->epoll.number, events, 32, 0);
  for (int at = 0; at < count; at++) {
    int fd = events[at].data.fd;
    if (fd == link->timer.number) {
      uint64_t times;
      if (read(fd, &times, sizeof times) < 0 && errno != EAGAIN) continue;
      link->armed = INFINITY;
      if (link->curl_at > fws_monotonic()) continue;
      link->curl_at = INFINITY;
      fws_curl.curl_multi_socket_action(link->multi, CURL_SOCKET_TIMEOUT, 0, &running);
      continue;
    }
    bool is_for_curl = true;
    for (fws_call *call = link->calls; call != NULL; call = call->next) {
      if (call->fd != fd) continue;
      call->is_active = true;
      is_for_curl = events[at].events != EPOLLOUT || (call->what & CURL_POLL_OUT);
      fws_http_see_room(call, events[at].events);
    }
    if (!is_for_curl) continue;
    int what = 0;
    if (events[at].events & (EPOLLIN | EPOLLHUP)) what |= CURL_CSELECT_IN;
    if (events[at].events & EPOLLOUT) what |= CURL_CSELECT_OUT;
    if (events[at].events & EPOLLERR) what |= CURL_CSELECT_ERR;
    /* libcurl ignores descriptors that are not its own. */
    fws_curl.curl_multi_socket_action(link->multi, fd, what, &running);
  }
  fws_quiet_end(&quiet);
}

/* Takes the next call that libcurl has ended. */
static fws_call *take_ended(fws_http *link, int *code) {
  int left;
  CURLMsg *message;
  while (link->multi != NULL && (message = fws_curl.curl_multi_info_read(link->multi, &left)) != NULL) {
    if (message->msg != CURLMSG_DONE) continue;
    char *call = NULL;
    *code = message->data.result;
    fws_curl.curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
    if (call != NULL) return (fws_call *)(void *)call;
  }
  return NULL;
}

static void finish(fws_http *link, fws_call *call, int code) {
  char text[CURL_ERROR_SIZE];
  memcpy(text, call->error, sizeof text);
  long error = 0;
  if (call->own_code != 0) {
    code = call->own_code;
    snprintf(text, sizeof text, "%s", call->late);
  }
  if (code == CURLE_COULDNT_CONNECT) fws_curl.curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error);
  if (error > 0) {
    /* The text of libcurl names a port, which a Unix socket does not have. */
    fws_error_text((int)error, text, sizeof text);
  } else if (text[0] == 0) {
    strncpy(text, fws_curl.curl_easy_strerror((CURLcode)code), sizeof text - 1);
    text[sizeof text - 1] = 0;
  }
  if (call->is_connection && code == CURLE_OK) {
    curl_socket_t fd = CURL_SOCKET_BAD;
    fws_curl.curl_easy_getinfo(call->easy, CURLINFO_ACTIVESOCKET, &fd);
    link->taken = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
  }
  const fws_http_handlers *handlers = call->handlers;
  void *owner = call->owner;
  int64_t moved = call->at;
  int file_error = call->error_number;
  fws_http_drop(call);
  handlers->end(owner, code, text, moved, file_error);
  int unwanted = fws_http_take(link);
  if (unwanted >= 0) close(unwanted);
}

static void tell_late(fws_call *call, double now) {
  if (now >= call->silent_until) {
    snprintf(call->error, sizeof call->error, "nothing arrived for %g s", call->limits.silence);
    return;
  }
  double seconds = call->limits.whole > 0 ? call->limits.whole : call->limits.head;
  const char *text = call->status >= 200 ? "its answer was not complete within %g s" : "it did not answer within %g s";
  snprintf(call->error, sizeof call->error, text, seconds);
}

/* The next call that has taken too long. A call for which something came just now gets another chance: the host may
 * have been busy, while the answer was here in time. */
static fws_call *take_late(fws_http *link) {
  double now = fws_monotonic();
  for (fws_call *call = link->calls; call != NULL; call = call->next) {
    if (call->is_active) {
      call->silent_until = after(now, call->limits.silence);
      continue;
    }
    if (now < end_of(call)) continue;
    tell_late(call, now);
    return call;
  }
  return NULL;
}

/* The next call whose socket cannot be watched. */
static fws_call *take_unwatched(fws_http *link) {
  fws_call *call = link->calls;
  while (call != NULL && call->unwatched == 0) call = call->next;
  if (call == NULL) return NULL;
  char reason[128];
  fws_error_text(call->unwatched, reason, sizeof reason);
  snprintf(call->error, sizeof call->error, "the connection to it cannot be watched (epoll_ctl): %s", reason);
  return call;
}

void fws_http_advance(fws_http *link) {
  if (!fws_http_is_ours(link)) {
    /* No call can be begun over a lost link, so this ends. */
    while (link->calls != NULL) {
      link->calls->own_code = FWS_HTTP_LOST;
      link->calls->late = FWS_HTTP_LOST_TEXT;
      finish(link, link->calls, FWS_HTTP_LOST);
    }
    return;
  }
  work(link);
  /* A handler may begin and drop calls, so the search starts again after each. */
  for (;;) {
    fws_call *call = link->calls;
    while (call != NULL && !call->has_head && !call->has_room) call = call->next;
    if (call == NULL) break;
    /* The call may be dropped in the first of these, so the other one comes next time. */
    if (call->has_head) {
      tell_head(call);
    } else {
      tell_room(call);
    }
  }
  int code;
  fws_call *call;
  while ((call = take_ended(link, &code)) != NULL) finish(link, call, code);
  while ((call = take_unwatched(link)) != NULL) finish(link, call, FWS_HTTP_LOST);
  while ((call = take_late(link)) != NULL) finish(link, call, FWS_HTTP_LATE);
  double next = link->curl_at;
  for (call = link->calls; call != NULL; call = call->next) {
    call->is_active = false;
    next = earlier(next, end_of(call));
  }
  arm(link, next);
}
