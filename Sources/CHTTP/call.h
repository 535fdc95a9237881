/* The structures of links and calls, and the functions that the files of this target share. */
#ifndef CALL_H
#define CALL_H

#include "fws_descriptor.h"
#include "fws_http.h"
#include "library.h"

/* A socket that libcurl uses. */
struct fws_http_socket {
  struct fws_http_socket *next;
  fws_fd fd;
  bool is_opened; /* by fws_http_on_open(), so fws_http_on_close() closes it */
};

struct fws_http {
  CURLM *multi; /* NULL once the host has closed a descriptor of it (descriptors.c) */
  fws_fd epoll;
  fws_fd timer;
  fws_fd wakeup[2]; /* the descriptors of curl_multi_wakeup(), where they are known */
  struct fws_http_socket *sockets;
  double armed;   /* when the timer fires: no later than anything has to be done */
  double curl_at; /* when libcurl wants to be called */
  const char *socket;
  const char *ca, *cert, *key;
  struct fws_call *calls;
  int taken; /* the descriptor of a connection that was made, for fws_http_take() */
};

struct fws_call {
  fws_http *link;
  fws_call *next, **slot; /* in the list link->calls */
  CURL *easy;
  struct curl_slist *headers;
  void *body;
  const fws_http_handlers *handlers;
  void *owner;
  /* The limits in seconds, and when they have passed, by the monotonic clock; INFINITY where there is none. */
  fws_http_limits limits;
  double head_until, silent_until, whole_until;
  int fd;           /* the socket that the call uses at the moment, or -1 */
  int what;         /* what libcurl waits for on it, one of CURL_POLL_… */
  int unwatched;    /* the errno with which the kernel has refused to watch it, or 0 */
  bool is_active;   /* bytes were moved in this fws_http_advance() */
  size_t head_size; /* bytes that came before the body */
  const char *late; /* which limit has passed or what was too long, for a message */
  int own_code;     /* one of FWS_HTTP_…, or 0 */
  bool is_connection;
  bool has_head; /* the head is complete, and the handler has not been told */
  /* For a connection that the server takes over (connection.c): room on it is waited for. */
  bool awaits_room;
  bool has_room; /* there is room, and the handler has not been told */
  int status;
  fws_fd content;       /* the file of a transfer, which the caller owns */
  bool is_upload;       /* the file is sent */
  int64_t at;           /* how many bytes were moved */
  int64_t offset, size; /* from where in the file is sent, and how many bytes are moved; no more are received */
  int error_number;     /* the errno of the file, if it could not be read or written */
  char error[CURL_ERROR_SIZE];
};

fws_call *fws_http_make_call(fws_http *link, const fws_http_handlers *handlers, void *owner);
void fws_http_set_common(fws_call *call, const char *url);
bool fws_http_add_header(fws_call *call, const char *line);
/* Passes a piece of the body to the handler. Returns false if the handler wants no more. */
bool fws_http_tell_data(fws_call *call, int status, const void *bytes, size_t size);
size_t fws_http_on_header(char *text, size_t unit, size_t count, void *context);
/* Begins a call that has been set up. Returns NULL, and frees the call, if there is no memory or the link is lost. */
fws_call *fws_http_begin(fws_call *call, fws_http_limits limits);
void fws_http_free_call(fws_call *call);

/* Lets the link watch a socket as libcurl wants it, and for room. `what` is one of libcurl's CURL_POLL_…. Returns 0, or
 * an errno. */
int fws_http_watch_socket(fws_http *link, int fd, int what, bool for_room);
/* Does so with the socket of a call. If the kernel refuses that, the call ends in
 * the next fws_http_advance(). */
void fws_http_watch_call(fws_call *call);
/* Notes whether there is room on the call's connection. The events are those of epoll for its socket. */
void fws_http_see_room(fws_call *call, uint32_t events);

/* Whether the link's descriptors still stand for what they did. If not, the link is lost: its `multi` and the `easy` of
 * its calls become NULL. */
bool fws_http_is_ours(fws_http *link);
/* Closes the descriptors of the link that are still the library's. */
void fws_http_close_descriptors(fws_http *link);
/* libcurl calls these to open and to close a socket. The context is the link. */
curl_socket_t fws_http_on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address);
int fws_http_on_close(void *context, curl_socket_t number);
/* Notes that libcurl watches a descriptor, or no longer does. */
void fws_http_watches(fws_http *link, int number);
void fws_http_watches_not(fws_http *link, int number);

#endif
