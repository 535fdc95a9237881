/* libcurl's functions, found when they are needed. */
#ifndef HTTP_LIBRARY_H
#define HTTP_LIBRARY_H

#include "fws.h"

#include <curl/curl.h>

/* The functions are macros in curl.h where the compiler checks their arguments. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

/* All have been there since libcurl 7.68 (2020). */
#define FWS_CURL_FUNCTIONS(X) \
  X(curl_global_init)         \
  X(curl_version)             \
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

/* What curl_multi_init() gives, and no program that the host starts inherits a descriptor of it. `wakeup` are the two that it
 * has, where they are known. */
CURLM *fws_http_multi(fws_fd wakeup[2]);

/* To be used only where a link exists. */
extern fws_curl_functions fws_curl;

#endif
