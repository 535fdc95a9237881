/* What links and calls are made of, for the files that make them. */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include "fws.h"
#include "fws_http.h"
#include "http_library.h"

/* A socket of libcurl's. */
struct http_socket {
  struct http_socket *next;
  fws_fd fd;
  bool is_opened; /* by our function, and so it is closed by it */
};

struct fws_http {
  CURLM *multi; /* NULL: the host has closed something of it (http_descriptors.c) */
  fws_fd epoll;
  fws_fd timer;
  fws_fd wakeup[2]; /* libcurl's, where they are known */
  struct http_socket *sockets;
  double armed;   /* when the timer rings: no later than anything that has to be done */
  double curl_at; /* when libcurl wants its turn */
  const char *socket;
  const char *ca, *cert, *key;
  struct fws_call *calls;
  int taken; /* of a connection that was made */
  long revoked_line; /* of the call that ends */
};

struct fws_call {
  fws_http *link;
  fws_call *next, **slot; /* of link->calls */
  CURL *easy;
  struct curl_slist *headers;
  struct curl_slist *before, *behind; /* commands of SFTP */
  void *body;
  const fws_http_handlers *handlers;
  void *owner;
  /* Times of the monotonic clock, INFINITY where there is no limit, and seconds. */
  fws_http_limits limits;
  double head_until, silent_until, whole_until;
  int fd;          /* that it uses at the moment, or -1 */
  bool is_active;  /* something came, or went, in this turn */
  size_t head_size; /* of all that came before its body */
  const char *late; /* what has passed, for a message; or what was too long */
  int own_code;    /* FWS_HTTP_…, or 0 */
  bool is_connection;
  bool has_head; /* it is complete, and not told yet */
  int status;
  fws_fd content;  /* of a transfer: the file whose content is sent or received; it is the caller's */
  bool is_upload;  /* the file is sent, and never written to */
  int64_t at, size; /* of what is sent */
  int error_number; /* why the file could not be written */
  char *known_hosts, *host; /* of SFTP */
  long port;
  long revoked_line;
  char error[CURL_ERROR_SIZE];
};

fws_call *http_make_call(fws_http *link, const fws_http_handlers *handlers, void *owner);
void http_set_common(fws_call *call, const char *url);
bool http_add_header(fws_call *call, const char *line);
/* False: no more is wanted. */
bool http_tell_data(fws_call *call, int status, const void *bytes, size_t size);
size_t http_on_header(char *text, size_t unit, size_t count, void *context);
/* NULL: there is no memory, or the link is not ours any more, and no call. */
fws_call *http_begin(fws_call *call, fws_http_limits limits);
void http_free_call(fws_call *call);

/* Whether the link's descriptors are what they were. If not, the link is given up: it has no `multi` and its calls no `easy`. */
bool http_is_ours(fws_http *link);
/* Closes what is left. */
void http_close_descriptors(fws_http *link);
/* For libcurl: opens and closes a socket; the context is the link. */
curl_socket_t http_on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address);
int http_on_close(void *context, curl_socket_t number);
/* libcurl watches a descriptor, or no longer. */
void http_watches(fws_http *link, int number);
void http_watches_not(fws_http *link, int number);

/* The line of a file of known hosts that revokes a server's key; 0: none does; -1: it cannot be read to its end. */
long http_revoked_line(const char *path, const char *host, long port, const struct curl_khkey *key);

#endif
