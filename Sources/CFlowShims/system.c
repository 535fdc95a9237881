#define _GNU_SOURCE
#include "fws.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* A host may run without descriptors 0 to 2. Ours must not take their numbers: the
 * host's prints would end up in them, and the child's dup2 would overwrite them. */
int fws_above_standard(int fd) {
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
  int reader = fws_above_standard(ends[0]);
  int error = reader < 0 ? errno : 0;
  int writer = fws_above_standard(ends[1]);
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

char *const *fws_environ(void) {
  static char *const empty[] = {NULL};
  return environ ? environ : empty;
}

void fws_pipe_grow(int fd, int bytes) { fcntl(fd, F_SETPIPE_SZ, bytes); }

int fws_open_directory(const char *path) {
  int fd = fws_above_standard(fws_open_from_home(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  return fd < 0 ? -errno : fd;
}

int fws_create_file(const char *path) {
  int fd = fws_above_standard(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  return fd < 0 ? -errno : fd;
}

static uint64_t limit_of(int resource) {
  struct rlimit limit;
  return getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

uint64_t fws_limit_of_processes(void) { return limit_of(RLIMIT_NPROC); }
uint64_t fws_limit_of_descriptors(void) { return limit_of(RLIMIT_NOFILE); }

size_t fws_waiting_bytes(int fd) {
  int waiting = 0, result;
  do {
    result = ioctl(fd, FIONREAD, &waiting);
  } while (result < 0 && errno == EINTR);
  if (result == 0) return waiting > 0 ? (size_t)waiting : 0;
  int size = fcntl(fd, F_GETPIPE_SZ);
  return size > 0 ? (size_t)size : 1 << 20;
}

bool fws_has_bytes(int fd) {
  struct pollfd item = {.fd = fd, .events = POLLIN};
  int count = poll(&item, 1, 0);
  return count < 0 || (item.revents & POLLIN) != 0;
}

ssize_t fws_write_file(int fd, const void *bytes, size_t size) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY) return write(fd, bytes, size);
  sigset_t signal, before, pending;
  sigemptyset(&signal);
  sigaddset(&signal, SIGXFSZ);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &signal, &before);
  ssize_t count = write(fd, bytes, size);
  int error = errno;
  /* The kernel sends it to this thread, so it is ours if none was waiting before. */
  if (count < 0 && error == EFBIG && !sigismember(&pending, SIGXFSZ)) {
    sigtimedwait(&signal, NULL, &(struct timespec){.tv_sec = 0});
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = error;
  return count;
}

int fws_poll(struct pollfd *items, unsigned count, double seconds) {
  struct timespec time;
  struct timespec *timeout = NULL;
  if (seconds >= 0) {
    time.tv_sec = (time_t)seconds;
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    timeout = &time;
  }
  int result = ppoll(items, count, timeout, NULL);
  if (result > 0) return FWS_KNOWN;
  /* The kernel refuses to look at more descriptors than a process may have (RLIMIT_NOFILE), which a sandbox
   * may set to 0; or it has no memory. Reading does not block: they are looked at now and then. */
  bool is_refused = result < 0 && errno != EINTR;
  if (is_refused) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  for (unsigned at = 0; at < count; at++) items[at].revents = is_refused && items[at].fd >= 0 ? POLLIN : 0;
  return is_refused ? FWS_GUESSED : FWS_KNOWN;
}

int fws_epoll(void) { return fws_marked(fws_above_standard(epoll_create1(EPOLL_CLOEXEC))); }

bool fws_epoll_add(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST;
}

void fws_epoll_remove(int epoll, int fd) { epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

bool fws_epoll_write(int epoll, int fd, bool counts) {
  struct epoll_event event = {.events = EPOLLIN | (counts ? EPOLLOUT : 0), .data.fd = fd};
  return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

int fws_waker(void) { return fws_marked(fws_above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))); }

void fws_wake(int waker) { eventfd_write(waker, 1); }

void fws_wake_taken(int waker) {
  eventfd_t count;
  eventfd_read(waker, &count);
}

int fws_readable(void) {
  int fd = fws_marked(fws_above_standard(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)));
  /* Where a sandbox refuses it: a timer that is over, and that nobody reads. */
  return fd >= 0 ? fd : fws_timer(0);
}

bool fws_timer_set(int timer, double seconds) {
  struct itimerspec time = {.it_value = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)}};
  /* 0 would be: never. */
  if (time.it_value.tv_sec == 0 && time.it_value.tv_nsec == 0) time.it_value.tv_nsec = 1;
  return timerfd_settime(timer, 0, &time, NULL) == 0;
}

bool fws_timer_is_over(int timer) {
  uint64_t times;
  return read(timer, &times, sizeof times) == sizeof times;
}

int fws_timer(double seconds) {
  int timer = fws_marked(fws_above_standard(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)));
  /* One that cannot be set would never be over. */
  if (timer >= 0 && !fws_timer_set(timer, seconds)) {
    int error = errno;
    close(timer);
    return -error;
  }
  return timer;
}

ssize_t fws_find(const void *bytes, size_t size, const void *part, size_t part_size) {
  const char *found = memmem(bytes, size, part, part_size);
  return found == NULL ? -1 : found - (const char *)bytes;
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

typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
} lock;

void *fws_lock_create(void) {
  lock *made = malloc(sizeof *made);
  pthread_condattr_t attributes;
  if (made == NULL || pthread_condattr_init(&attributes) != 0) {
    free(made);
    return NULL;
  }
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&made->mutex, NULL);
  pthread_cond_init(&made->condition, &attributes);
  pthread_condattr_destroy(&attributes);
  return made;
}

void fws_lock(void *made) { pthread_mutex_lock(&((lock *)made)->mutex); }
void fws_unlock(void *made) { pthread_mutex_unlock(&((lock *)made)->mutex); }
void fws_wake_all(void *made) { pthread_cond_broadcast(&((lock *)made)->condition); }

void fws_wait(void *made, double until) {
  lock *held = made;
  if (until > 1e9) {
    pthread_cond_wait(&held->condition, &held->mutex);
    return;
  }
  struct timespec time = {.tv_sec = (time_t)until, .tv_nsec = (long)((until - (double)(time_t)until) * 1e9)};
  pthread_cond_timedwait(&held->condition, &held->mutex, &time);
}

void fws_lock_free(void *made) {
  pthread_cond_destroy(&((lock *)made)->condition);
  pthread_mutex_destroy(&((lock *)made)->mutex);
  free(made);
}

/* The child of a fork has the host's memory, but not its threads, which may hold our locks, and its
 * descriptors are the parent's too: nothing of a running step may be touched there. A process
 * that has not run a step yet, such as a daemon that goes into the background, may fork as it likes. */
int fws_forked;
int fws_in_use;
static void set_forked(void) { fws_forked = fws_in_use; }
__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, set_forked); }
