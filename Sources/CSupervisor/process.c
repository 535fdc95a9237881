/* Clocks, usage and signals, which all parts of the program use. */
#include "parts.h"

#include <signal.h>
#include <time.h>

static int64_t now(int clock) {
  struct timespec time;
  zero(&time, sizeof time);
  RAW2(__NR_clock_gettime, clock, &time);
  return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

int64_t fwsv_monotonic(void) { return now(CLOCK_MONOTONIC); }

int64_t fwsv_wall(void) { return now(CLOCK_REALTIME); }

int64_t fwsv_user_time(const struct rusage *usage) {
  return usage->ru_utime.tv_sec * 1000000ll + usage->ru_utime.tv_usec;
}

int64_t fwsv_system_time(const struct rusage *usage) {
  return usage->ru_stime.tv_sec * 1000000ll + usage->ru_stime.tv_usec;
}

enum { SIGNALS = 64 }; /* numbers from 1 on, real-time signals included */

/* The kernel's struct sigaction, which differs from that of the C library. */
typedef struct {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
} action;

void fwsv_set_action(int signal, void *handler) {
  action action;
  zero(&action, sizeof action);
  action.handler = handler;
  RAW4(__NR_rt_sigaction, signal, &action, 0, sizeof action.mask);
}

/* A host may ignore any signal, and a program inherits that through exec, so every disposition is set once. All signals
 * stay blocked, so that nobody ends a supervisor by accident. */
long fwsv_set_signals(void) {
  for (int signal = 1; signal <= SIGNALS; signal++) fwsv_set_action(signal, SIG_DFL);
  uint64_t all = ~0ull;
  long result = RAW4(__NR_rt_sigprocmask, SIG_SETMASK, &all, 0, sizeof all);
  /* With SIGCHLD ignored the kernel removes a monitor that has ended. */
  fwsv_set_action(SIGCHLD, SIG_IGN);
  return result;
}
