#define _GNU_SOURCE
#include "fws.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* A host may run without descriptors 0 to 2. Ours must not take their numbers: the
 * host's prints would end up in them, and the child's dup2 would overwrite them. */
static int above_standard(int fd) {
  if (fd < 0 || fd > 2) return fd;
  int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  int error = errno;
  close(fd);
  errno = error;
  return moved;
}

int fws_pipe(int *read_end, int *write_end) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return errno;
  int reader = above_standard(ends[0]);
  int error = reader < 0 ? errno : 0;
  int writer = above_standard(ends[1]);
  if (writer < 0 && error == 0) error = errno;
  /* The two ends have flags of their own: the child's writes still block. */
  if (error == 0 && fcntl(reader, F_SETFL, O_NONBLOCK) < 0) error = errno;
  if (error != 0) {
    if (reader >= 0) close(reader);
    if (writer >= 0) close(writer);
    return error;
  }
  *read_end = reader;
  *write_end = writer;
  return 0;
}

void fws_pipe_grow(int fd, int bytes) { fcntl(fd, F_SETPIPE_SZ, bytes); }

int fws_open_directory(const char *path) {
  int fd = above_standard(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  return fd < 0 ? -errno : fd;
}

void fws_error_text(int error, char *buffer, size_t size) {
  /* The GNU form, which may leave the buffer alone. */
  const char *text = strerror_r(error, buffer, size);
  if (text != buffer) snprintf(buffer, size, "%s", text);
}

bool fws_random(void *buffer, size_t size) { return getentropy(buffer, size) == 0; }

static double seconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

double fws_monotonic(void) { return seconds(CLOCK_MONOTONIC); }
double fws_wall(void) { return seconds(CLOCK_REALTIME); }

void *fws_mutex_create(void) {
  pthread_mutex_t *mutex = malloc(sizeof *mutex);
  if (mutex != NULL && pthread_mutex_init(mutex, NULL) != 0) {
    free(mutex);
    return NULL;
  }
  return mutex;
}

void fws_mutex_lock(void *mutex) { pthread_mutex_lock(mutex); }
void fws_mutex_unlock(void *mutex) { pthread_mutex_unlock(mutex); }

void fws_mutex_free(void *mutex) {
  pthread_mutex_destroy(mutex);
  free(mutex);
}
