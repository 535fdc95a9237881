/*
 * Loading libcurl. The plain name is tried first, because a host that uses libcurl itself has loaded that one, and a
 * process should not have two. The name for a certain TLS library comes second.
 */
#define _GNU_SOURCE
#include "library.h"

#include "fws_http.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

fws_curl_functions fws_curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char missing[512];

static bool find_functions(void *library) {
#define FWS_CURL_FIND(name)                             \
  *(void **)(&fws_curl.name) = dlsym(library, #name);   \
  if (fws_curl.name == NULL) {                          \
    snprintf(missing, sizeof missing, "%s", dlerror()); \
    return false;                                       \
  }
  FWS_CURL_FUNCTIONS(FWS_CURL_FIND)
#undef FWS_CURL_FIND
  return true;
}

static void load(void) {
  static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so"};
  char first[384] = "";
  void *library = NULL;
  for (size_t at = 0; at < sizeof names / sizeof *names && library == NULL; at++) {
    library = dlopen(names[at], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL && at == 0) snprintf(first, sizeof first, "%s", dlerror());
  }
  if (library == NULL) {
    snprintf(missing, sizeof missing, "libcurl cannot be loaded: %s (install the package libcurl4)", first);
    return;
  }
  if (!find_functions(library)) return;
  /* Threads that libcurl may start must not take signals of the host. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  CURLcode code = fws_curl.curl_global_init(CURL_GLOBAL_DEFAULT);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code != CURLE_OK) {
    snprintf(missing, sizeof missing, "libcurl cannot be used: %s", fws_curl.curl_easy_strerror(code));
    return;
  }
}

const char *fws_http_load(void) {
  pthread_once(&once, load);
  return missing[0] == 0 ? NULL : missing;
}
