/* The functions of libcurl, which are looked up when libcurl is loaded. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include "fws_descriptor.h"

#include <curl/curl.h>

/* curl.h makes macros of these where the compiler can check their arguments. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

/* libcurl has had all of them since version 7.68 (2020). */
#define FWS_CURL_FUNCTIONS(X) \
  X(curl_global_init)         \
  X(curl_easy_init)           \
  X(curl_easy_setopt)         \
  X(curl_easy_getinfo)        \
  X(curl_easy_strerror)       \
  X(curl_easy_cleanup)        \
  X(curl_multi_init)          \
  X(curl_multi_setopt)        \
  X(curl_multi_add_handle)    \
  X(curl_multi_remove_handle) \
  X(curl_multi_socket_action) \
  X(curl_multi_info_read)     \
  X(curl_multi_cleanup)       \
  X(curl_multi_wakeup)        \
  X(curl_slist_append)        \
  X(curl_slist_free_all)

typedef struct {
#define FWS_CURL_POINTER(name) __typeof__(&name) name;
  FWS_CURL_FUNCTIONS(FWS_CURL_POINTER)
#undef FWS_CURL_POINTER
} fws_curl_functions;

/* Makes a multi handle whose descriptors no program that the host starts inherits. `wakeup` gets the two descriptors
 * that the handle has from the beginning, where they are known. */
CURLM *fws_http_multi(fws_fd wakeup[2]);

/* May be used only where a link exists, which means that libcurl has been loaded. */
extern fws_curl_functions fws_curl;

#endif
