/* Transfers of files by HTTP (fws_http.h). */
#define _GNU_SOURCE
#include "call.h"

#include "fws_files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Bytes that libcurl moves at once, instead of 16 and 64 KiB. */
static const long AT_ONCE = 256 << 10;

static size_t on_read(char *room, size_t unit, size_t count, void *context) {
  fws_call *call = context;
  size_t size = unit * count;
  int64_t left = call->size - call->at;
  if (left <= 0) return 0;
  if ((int64_t)size > left) size = (size_t)left;
  ssize_t got = -1;
  if (fws_fd_is_ours(&call->content))
    got = TEMP_FAILURE_RETRY(pread(call->content.number, room, size, call->offset + call->at));
  if (got < 0) {
    call->error_number = errno;
    return CURL_READFUNC_ABORT;
  }
  /* 0 means that the file has become shorter, which libcurl and the caller notice. */
  call->at += got;
  return (size_t)got;
}

/* libcurl calls this when it sends again over a new connection, because an older one has ended. */
static int on_seek(void *context, curl_off_t offset, int origin) {
  fws_call *call = context;
  if (origin != SEEK_SET || offset < 0 || offset > call->size) return CURL_SEEKFUNC_FAIL;
  call->at = offset;
  return CURL_SEEKFUNC_OK;
}

static size_t on_content(char *bytes, size_t unit, size_t count, void *context) {
  fws_call *call = context;
  size_t size = unit * count;
  long status = 0;
  fws_curl.curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
  /* The body of a failure, or of the answer to an upload, is not the file. */
  if (call->content.number < 0 || call->is_upload || status < 200 || status > 299) {
    return fws_http_tell_data(call, (int)status, bytes, size) ? size : 0;
  }
  if ((int64_t)size > call->size - call->at) {
    call->own_code = FWS_HTTP_TOO_LONG;
    call->late = "more bytes came than it has according to the volume";
    return 0;
  }
  for (size_t done = 0; done < size;) {
    ssize_t written = -1;
    if (fws_fd_is_ours(&call->content)) written = fws_write_file(call->content.number, bytes + done, size - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      call->error_number = errno;
      return 0;
    }
    done += (size_t)written;
  }
  call->at += (int64_t)size;
  return size;
}

static bool add_all(struct curl_slist **list, const char *const *texts) {
  for (; texts != NULL && *texts != NULL; texts++) {
    struct curl_slist *longer = fws_curl.curl_slist_append(*list, *texts);
    if (longer == NULL) return false;
    *list = longer;
  }
  return true;
}

static bool set_transfer(fws_call *call, const fws_transfer *what) {
  CURL *easy = call->easy;
  fws_http_set_common(call, what->url);
  /* Storage may be reached through the proxy that the environment names. */
  fws_curl.curl_easy_setopt(easy, CURLOPT_PROXY, NULL);
  fws_curl.curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(what->timeout * 1000));
  fws_curl.curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  fws_curl.curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_content);
  fws_curl.curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
  if (what->user != NULL) fws_curl.curl_easy_setopt(easy, CURLOPT_USERNAME, what->user);
  if (what->password != NULL) fws_curl.curl_easy_setopt(easy, CURLOPT_PASSWORD, what->password);
  fws_curl.curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, AT_ONCE);
  if (what->is_head) fws_curl.curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (what->body != NULL) {
    fws_curl.curl_easy_setopt(easy, CURLOPT_POST, 1L);
    fws_curl.curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)what->body_size);
    if (fws_curl.curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, what->body) != CURLE_OK) return false;
  }
  if (what->method != NULL) fws_curl.curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, what->method);
  if (what->is_upload) {
    fws_curl.curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    fws_curl.curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, AT_ONCE);
    fws_curl.curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)what->size);
    fws_curl.curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    fws_curl.curl_easy_setopt(easy, CURLOPT_READDATA, call);
    fws_curl.curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    fws_curl.curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
  }
  fws_curl.curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, fws_http_on_header);
  fws_curl.curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
  /* No line here removes a header ("Expect:"), because libcurl 7.88 would sign that line. */
  if (!add_all(&call->headers, what->headers)) return false;
  fws_curl.curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
  return what->signature == NULL || fws_curl.curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, what->signature) == CURLE_OK;
}

fws_call *fws_http_transfer(fws_http *link, const fws_transfer *what, const fws_http_handlers *handlers, void *owner) {
  fws_call *call = fws_http_make_call(link, handlers, owner);
  if (call == NULL) return NULL;
  call->content = fws_fd_of(what->content);
  call->is_upload = what->is_upload;
  call->offset = what->offset;
  call->size = what->size;
  if (set_transfer(call, what)) return fws_http_begin(call, what->limits);
  fws_http_free_call(call);
  return NULL;
}

bool fws_http_is_unreachable(int code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_URL_MALFORMAT:
    case CURLE_OPERATION_TIMEDOUT: return true; /* of the connection, because libcurl is given no other limit */
    default: return false;
  }
}

bool fws_http_is_absent(int code) {
  switch (code) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return true;
    default: return fws_http_is_unreachable(code);
  }
}
