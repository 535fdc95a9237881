#define _GNU_SOURCE
#include "fws_readiness.h"

#include "fws_descriptor.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const double NANOSECONDS = 1e9; /* in a second */

static struct timespec timespec_of(double seconds) {
  time_t whole = (time_t)seconds;
  return (struct timespec){.tv_sec = whole, .tv_nsec = (long)((seconds - (double)whole) * NANOSECONDS)};
}

int fws_poll(struct pollfd *items, unsigned count, double seconds) {
  struct timespec time;
  struct timespec *timeout = NULL;
  if (seconds >= 0) {
    time = timespec_of(seconds);
    timeout = &time;
  }
  int result = ppoll(items, count, timeout, NULL);
  if (result > 0) return FWS_KNOWN;
  /* The kernel refuses to look at more descriptors than a process may have (RLIMIT_NOFILE), which a sandbox may set to
   * 0, or it has no memory. Reading does not block, so the caller tries all of them, a thousand times a second. */
  bool is_refused = result < 0 && errno != EINTR;
  if (is_refused) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  for (unsigned at = 0; at < count; at++) items[at].revents = is_refused && items[at].fd >= 0 ? POLLIN : 0;
  return is_refused ? FWS_GUESSED : FWS_KNOWN;
}

int fws_epoll(void) { return fws_marked(fws_above_standard(epoll_create1(EPOLL_CLOEXEC))); }

bool fws_epoll_add(int epoll, int fd) { return fws_epoll_add_as(epoll, fd, (uint64_t)(unsigned)fd); }

bool fws_epoll_add_as(int epoll, int fd, uint64_t token) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = token};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST;
}

bool fws_epoll_add_room(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EEXIST;
}

int fws_epoll_take(int epoll, uint64_t *tokens, int most) {
  enum { AT_ONCE = 64 };
  struct epoll_event events[AT_ONCE];
  int count = epoll_wait(epoll, events, most < AT_ONCE ? most : AT_ONCE, 0);
  for (int at = 0; at < count; at++) tokens[at] = events[at].data.u64;
  return count;
}

void fws_epoll_remove(int epoll, int fd) { epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

bool fws_epoll_write(int epoll, int fd, bool counts) {
  struct epoll_event event = {.events = EPOLLIN | (counts ? EPOLLOUT : 0), .data.fd = fd};
  return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

bool fws_epoll_count(int epoll, int fd, uint64_t token, bool counts) {
  struct epoll_event event = {.events = counts ? EPOLLIN : 0, .data.u64 = token};
  return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

int fws_waker(void) { return fws_marked(fws_above_standard(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))); }

void fws_wake(int waker) {
  /* A function of the host wakes its step under a lock, and its thread must not be cancelled there. */
  int cancellation;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
  eventfd_write(waker, 1);
  pthread_setcancelstate(cancellation, NULL);
}

void fws_wake_taken(int waker) {
  eventfd_t count;
  eventfd_read(waker, &count);
}

int fws_readable(void) {
  int fd = fws_marked(fws_above_standard(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)));
  /* Where a sandbox refuses an eventfd, a timer that is over and that nobody reads does the same. */
  return fd >= 0 ? fd : fws_timer(0);
}

bool fws_timer_set(int timer, double seconds) {
  struct itimerspec time = {.it_value = timespec_of(seconds)};
  /* A time of 0 would disarm the timer. */
  if (time.it_value.tv_sec == 0 && time.it_value.tv_nsec == 0) time.it_value.tv_nsec = 1;
  return timerfd_settime(timer, 0, &time, NULL) == 0;
}

bool fws_timer_is_over(int timer) {
  uint64_t times;
  return read(timer, &times, sizeof times) == sizeof times;
}

int fws_timer(double seconds) {
  int timer = fws_marked(fws_above_standard(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)));
  /* A timer that cannot be set would never be over. */
  if (timer >= 0 && !fws_timer_set(timer, seconds)) {
    int error = errno;
    close(timer);
    return -error;
  }
  return timer;
}
