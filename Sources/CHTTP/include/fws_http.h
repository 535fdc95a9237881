/*
 * HTTP without waiting, by libcurl. libcurl is loaded at its first use, so that the library works where there
 * is none. A link is one multi handle, and an epoll descriptor of everything that it waits for. Connections of a link
 * are kept for the next call. Only one thread at a time may use a link.
 */
#ifndef FWS_HTTP_H
#define FWS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fws_http fws_http;
typedef struct fws_call fws_call;

/* Loads libcurl, unless it is loaded. Returns false if it cannot be used, and writes the reason; it is tried again the
 * next time. */
bool fws_http_load(char *_Nonnull why, size_t size);

/* Opens a link to one server, which listens on a Unix socket, or at the addresses of the calls if `socket` is NULL. The
 * next arguments are paths of PEM files, for TLS. The strings must live as long as the link. `connections` is how many
 * of them are kept for later calls. Returns NULL and errno if there is no memory or descriptor. */
fws_http *_Nullable fws_http_open(const char *_Nullable socket, const char *_Nullable ca, const char *_Nullable cert,
                                  const char *_Nullable key, long connections);
/* Drops all calls, without telling their handlers, and frees the link. */
void fws_http_close(fws_http *_Nonnull link);

/* The epoll descriptor, which can be read when there is something to do. The caller may add descriptors to it. Returns
 * -1 if the host has closed a descriptor of the link. Such a link cannot be used any more: its calls end with
 * FWS_HTTP_LOST, and no call can be begun. */
int fws_http_fd(fws_http *_Nonnull link);

/* What a caller is told of its call. Only fws_http_advance() calls these. All of them but `data` may begin and drop
 * calls. */
typedef struct {
  /* A line of the answer's head, without its end. */
  void (*_Nonnull line)(void *_Nonnull owner, const char *_Nonnull text, size_t size);
  /* The head is complete. */
  void (*_Nonnull head)(void *_Nonnull owner, int status);
  /* A piece of the answer's body, which may come before `head`. Returning false ends the call: the body is too long. */
  bool (*_Nonnull data)(void *_Nonnull owner, int status, const void *_Nonnull bytes, size_t size);
  /* The call has ended and is no longer valid. `code` is 0, a code of libcurl's, or one of those below, with its text.
   * For a transfer `moved` is how many bytes of the file were moved, and `file_error` the errno of the file that
   * stopped it. */
  void (*_Nonnull end)(void *_Nonnull owner, int code, const char *_Nonnull text, int64_t moved, int file_error);
  /* The connection can take bytes of fws_http_send() again, after fws_http_await_room(). */
  void (*_Nonnull room)(void *_Nonnull owner);
} fws_http_handlers;

/* How long a call may take, in seconds; 0 is no limit. A call that takes longer ends with FWS_HTTP_LATE. */
typedef struct {
  double head;    /* until the head of the answer has come */
  double silence; /* without a byte on its way */
  double whole;   /* until its end */
} fws_http_limits;

/* Codes of `end` that are not libcurl's: a limit has passed; the answer is too long; the host has closed descriptors of
 * the link. */
#define FWS_HTTP_LATE 1000
#define FWS_HTTP_TOO_LONG 1001
#define FWS_HTTP_LOST 1002
#define FWS_HTTP_LOST_TEXT "this process has closed descriptors of the connection to it"

/* Whether a code of `end` says that there is no server: no connection was made, or TLS failed. */
bool fws_http_is_absent(int code);
/* Whether a code of `end` says that no connection was made. */
bool fws_http_is_unreachable(int code);

/* Begins a call. The body is copied. `content` and `header` are whole header lines or NULL. Returns NULL if there is no
 * memory. */
fws_call *_Nullable fws_http_call(fws_http *_Nonnull link, const char *_Nonnull method, const char *_Nonnull url,
                                  const char *_Nullable content, const char *_Nullable header,
                                  const void *_Nullable body, size_t size, fws_http_limits limits,
                                  const fws_http_handlers *_Nonnull handlers, void *_Nonnull owner);

/*
 * A call whose connection the server takes over once it has answered: what is sent on it after that belongs to no
 * request. The three functions below may be used from the `head` handler on, until `end`. Before the head, a server may
 * drop what arrives. They are for connections without TLS, because libcurl cannot end one direction of a TLS
 * connection.
 */

/* Says before the call's connection is used that it will be taken over, so that no other call gets it afterwards. */
void fws_http_take_over(fws_call *_Nonnull call);

/* Sends bytes without waiting. Returns how many were taken; 0 if there is no room now; -EPIPE if the other
 * side takes no more; another negated errno if the system could not send them. */
int64_t fws_http_send(fws_call *_Nonnull call, const void *_Nonnull bytes, size_t size);

/* Lets the handler `room` be called once, when there is room. */
void fws_http_await_room(fws_call *_Nonnull call);

/* Ends what is sent. The answer goes on. */
void fws_http_end_sending(fws_call *_Nonnull call);

/* A file that is sent or received, or a request to a store. Strings are copied. Lists end with NULL. */
typedef struct {
  const char *_Nullable url; /* never NULL */
  const char *_Nullable user;
  const char *_Nullable password; /* the secret key of the signature */
  /* Header lines, and the kind of signature as CURLOPT_AWS_SIGV4 takes it. */
  const char *_Nullable const *_Nullable headers;
  const char *_Nullable signature;
  bool is_head;
  /* A method other than GET, HEAD and PUT. A body, which is copied, is sent with it. */
  const char *_Nullable method;
  const void *_Nullable body;
  size_t body_size;
  /* The file. What is received is written at its position. -1 passes the body to `data`. The caller keeps the
   * descriptor open as long as the call lasts. */
  int content;
  bool is_upload;
  int64_t offset, size;   /* from where in the file is sent, and how many bytes are sent or expected */
  double timeout;         /* seconds until there is a connection */
  fws_http_limits limits; /* for what comes after that */
} fws_transfer;

/* Begins a transfer. Returns NULL if there is no memory, or if libcurl cannot do it. */
fws_call *_Nullable fws_http_transfer(fws_http *_Nonnull link, const fws_transfer *_Nonnull what,
                                      const fws_http_handlers *_Nonnull handlers, void *_Nonnull owner);

/* Only makes a connection. `end` is called when there is one, and takes it with fws_http_take(). */
fws_call *_Nullable fws_http_connect(fws_http *_Nonnull link, const char *_Nonnull url,
                                     const fws_http_handlers *_Nonnull handlers, void *_Nonnull owner);

/* May be called in `end` of fws_http_connect(). Returns a descriptor of the connection, which the caller owns, or -1.
 */
int fws_http_take(fws_http *_Nonnull link);

/* Whether the head of the request has been sent; the body is sent with it. */
bool fws_http_is_sent(const fws_call *_Nonnull call);

/* Ends a call without telling its handlers. */
void fws_http_drop(fws_call *_Nonnull call);

/* Ends a call with FWS_HTTP_LATE if its answer is not complete within so many seconds from now. */
void fws_http_limit(fws_call *_Nonnull call, double seconds);

/* Makes fws_http_fd() readable. */
void fws_http_wake(fws_http *_Nonnull link);

/* Does everything that can be done without waiting. */
void fws_http_advance(fws_http *_Nonnull link);

#endif
