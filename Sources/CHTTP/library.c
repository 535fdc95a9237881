/*
 * Loading libcurl. The plain name is tried first, because a host that uses libcurl itself has loaded that one, and a
 * process should not have two. The name for a certain TLS library comes second.
 */
#define _GNU_SOURCE
#include "library.h"

#include "fws_http.h"

#include "fws_fork.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

fws_curl_functions fws_curl;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_loaded;

static bool find_functions(void *library, char *why, size_t size) {
#define FWS_CURL_FIND(name)                           \
  *(void **)(&fws_curl.name) = dlsym(library, #name); \
  if (fws_curl.name == NULL) {                        \
    snprintf(why, size, "%s", dlerror());             \
    return false;                                     \
  }
  FWS_CURL_FUNCTIONS(FWS_CURL_FIND)
#undef FWS_CURL_FIND
  return true;
}

static bool load(char *why, size_t size) {
  static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl.so"};
  char first[384] = "";
  void *library = NULL;
  for (size_t at = 0; at < sizeof names / sizeof *names && library == NULL; at++) {
    library = dlopen(names[at], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL && at == 0) snprintf(first, sizeof first, "%s", dlerror());
  }
  if (library == NULL) {
    snprintf(why, size, "libcurl cannot be loaded: %s (install the package libcurl4)", first);
    return false;
  }
  if (!find_functions(library, why, size)) {
    dlclose(library);
    return false;
  }
  /* Threads that libcurl may start must not take signals of the host. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  CURLcode code = fws_curl.curl_global_init(CURL_GLOBAL_DEFAULT);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code == CURLE_OK) return true;
  snprintf(why, size, "libcurl cannot be used: %s", fws_curl.curl_easy_strerror(code));
  dlclose(library);
  return false;
}

bool fws_http_load(char *why, size_t size) {
  /* A forked process has a copy of the lock, which another thread may hold, and must not use libcurl. */
  fws_use();
  pthread_mutex_lock(&lock);
  /* What was missing may be there the next time: memory, or the package. */
  if (!is_loaded) is_loaded = load(why, size);
  bool is_usable = is_loaded;
  pthread_mutex_unlock(&lock);
  return is_usable;
}
