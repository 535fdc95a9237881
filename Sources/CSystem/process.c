#define _GNU_SOURCE
#include "fws_process.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double seconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

double fws_monotonic(void) { return seconds(CLOCK_MONOTONIC); }
double fws_wall(void) { return seconds(CLOCK_REALTIME); }

static uint64_t limit_of(int resource) {
  struct rlimit limit;
  return getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

uint64_t fws_limit_of_processes(void) { return limit_of(RLIMIT_NPROC); }
uint64_t fws_limit_of_descriptors(void) { return limit_of(RLIMIT_NOFILE); }

char *const *fws_environ(void) {
  static char *const empty[] = {NULL};
  return environ ? environ : empty;
}

bool fws_random(void *buffer, size_t size) { return getentropy(buffer, size) == 0; }

void fws_error_text(int error, char *buffer, size_t size) {
  /* The GNU form of strerror_r() may return another text and not write into the buffer. */
  const char *text = strerror_r(error, buffer, size);
  if (text != buffer) snprintf(buffer, size, "%s", text);
}

ssize_t fws_find(const void *bytes, size_t size, const void *part, size_t part_size) {
  const char *found = memmem(bytes, size, part, part_size);
  return found == NULL ? -1 : found - (const char *)bytes;
}
