/*
 * HTTP without waiting, by libcurl, which is loaded at its first use: the library can be
 * loaded and used where there is none. A link is one multi handle and the epoll descriptor of
 * all that it waits for; its connections are kept for the next call. One thread at a time may
 * use a link.
 */
#ifndef FWS_HTTP_H
#define FWS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fws_http fws_http;
typedef struct fws_call fws_call;

/* Loads libcurl, once. NULL, or why there is none; valid for ever. */
const char *_Nullable fws_http_load(void);

/* Of libcurl, such as "libcurl/8.14.1 OpenSSL/3.5.1"; NULL before it is loaded. */
const char *_Nullable fws_http_version(void);

/* A link to one server: by the path of a Unix socket, or by the addresses of its calls. The others are paths
 * of PEM files, for TLS; the strings are used as long as the link. NULL: there is no memory or descriptor. */
fws_http *_Nullable fws_http_open(const char *_Nullable socket, const char *_Nullable ca, const char *_Nullable cert,
                                  const char *_Nullable key);

/* Drops all calls that have not ended, without a word. */
void fws_http_close(fws_http *_Nonnull link);

/* Can be read when there is something to do. More descriptors may be put into it. -1: the host has closed a descriptor of the
 * link, which is of no use from now on: its calls end with FWS_HTTP_LOST, and none is begun. */
int fws_http_fd(fws_http *_Nonnull link);

/* What is told of a call, by fws_http_advance() only, and except for `data` when libcurl is not at work: there
 * other calls may be begun and dropped. */
typedef struct {
  /* A line of the answer's head, without its end. */
  void (*_Nonnull line)(void *_Nonnull owner, const char *_Nonnull text, size_t size);
  /* The head is complete. */
  void (*_Nonnull head)(void *_Nonnull owner, int status);
  /* A piece of the answer's body; it may come before the head is told. False: there is more than is wanted, and the call
   * ends. */
  bool (*_Nonnull data)(void *_Nonnull owner, int status, const void *_Nonnull bytes, size_t size);
  /* It has ended and is no longer valid. `code` is 0, or libcurl's with its text; of a transfer, how many bytes of the file
   * were moved, and the errno that stopped it. */
  void (*_Nonnull end)(void *_Nonnull owner, int code, const char *_Nonnull text, int64_t moved, int file_error);
} fws_http_handlers;

/* What a call may take, in seconds; 0: any time. One that takes more ends with FWS_HTTP_LATE. */
typedef struct {
  double head;    /* until the head of the answer has come */
  double silence; /* without a byte on its way */
  double whole;   /* until its end */
} fws_http_limits;

/* Of `end`, beside libcurl's own: a limit has passed; the peer says more than anybody reads; the host has closed
 * the link's descriptors. */
#define FWS_HTTP_LATE 1000
#define FWS_HTTP_TOO_LONG 1001
#define FWS_HTTP_LOST 1002
#define FWS_HTTP_LOST_TEXT "this process has closed descriptors of the connection to it"

/* Codes of `end` that say that there is nobody: the connection was not made, or not with TLS as it should be. */
bool fws_http_is_absent(int code);
/* Of these: there was not even a connection. */
bool fws_http_is_unreachable(int code);

/* Begins a call. The body is copied; `content` and `header` are whole header lines or NULL. NULL: there is no memory. */
fws_call *_Nullable fws_http_call(fws_http *_Nonnull link, const char *_Nonnull method, const char *_Nonnull url,
                                  const char *_Nullable content, const char *_Nullable header,
                                  const void *_Nullable body, size_t size, fws_http_limits limits,
                                  const fws_http_handlers *_Nonnull handlers, void *_Nonnull owner);

/* A file that is sent or received, or a question to a store. Strings are copied; lists end with NULL. */
typedef struct {
  const char *_Nullable url; /* needed */
  const char *_Nullable user;
  const char *_Nullable password; /* of SFTP; the secret key of a signature */
  /* HTTP: header lines, and the kind of signature in the words of CURLOPT_AWS_SIGV4. */
  const char *_Nullable const *_Nullable headers;
  const char *_Nullable signature;
  bool is_head;
  /* SFTP, where `known_hosts` is not NULL: a file of host keys, and who the user is. */
  const char *_Nullable known_hosts;
  const char *_Nullable host; /* as the file has it */
  long port;
  const char *_Nullable private_key;
  const char *_Nullable passphrase;
  bool uses_agent;
  unsigned mode;
  /* Commands before and behind the transfer, as CURLOPT_QUOTE has them. */
  const char *_Nullable const *_Nullable before;
  const char *_Nullable const *_Nullable behind;
  /* The file: what is received is written where it stands, what is sent is read from its beginning; -1: the body is
   * told to `data`. It stays the caller's, and open as long as the call. */
  int content;
  bool is_upload;
  int64_t size; /* of what is sent */
  double timeout;         /* seconds, of the connection */
  fws_http_limits limits; /* of all that is behind it */
} fws_transfer;

/* Begins one. NULL: there is no memory, or libcurl cannot do it. */
fws_call *_Nullable fws_http_transfer(fws_http *_Nonnull link, const fws_transfer *_Nonnull what,
                                      const fws_http_handlers *_Nonnull handlers, void *_Nonnull owner);

/* In `end` of a transfer by SFTP: the line of the file of known hosts that revokes the server's key; 0: none does; -1: the file
 * could not be read to its end. */
long fws_http_revoked_line(const fws_http *_Nonnull link);

/* Codes of `end`: the host key is not that of the file; the user is not let in; there is no such file. */
bool fws_http_is_host_key(int code);
bool fws_http_is_login(int code);
bool fws_http_is_no_file(int code);

/* Makes a connection and nothing more. It has ended when there is one: fws_http_take() then. */
fws_call *_Nullable fws_http_connect(fws_http *_Nonnull link, const char *_Nonnull url,
                                     const fws_http_handlers *_Nonnull handlers, void *_Nonnull owner);

/* In `end` of fws_http_connect(): a descriptor of the connection, the caller's from now on; -1: there is none. */
int fws_http_take(fws_http *_Nonnull link);

/* Whether the head of its request has been sent; the body goes with it. */
bool fws_http_is_sent(const fws_call *_Nonnull call);

void fws_http_drop(fws_call *_Nonnull call);

/* Lets fws_http_fd() be readable. */
void fws_http_wake(fws_http *_Nonnull link);

/* Does what can be done without waiting. */
void fws_http_advance(fws_http *_Nonnull link);

#endif
