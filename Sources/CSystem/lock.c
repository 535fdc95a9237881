#define _GNU_SOURCE
#include "fws_lock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
} lock;

/* None of these calls needs memory or fails in the C libraries of Linux. */
static void *initialize(lock *made) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&made->mutex, NULL);
  pthread_cond_init(&made->condition, &attributes);
  pthread_condattr_destroy(&attributes);
  return made;
}

void *fws_lock_create(void) {
  lock *made = malloc(sizeof *made);
  return made == NULL ? NULL : initialize(made);
}

void *fws_lock_of_process(int which) {
  static lock locks[FWS_LOCKS];
  return initialize(&locks[which]);
}

void fws_lock(void *made) { pthread_mutex_lock(&((lock *)made)->mutex); }
void fws_unlock(void *made) { pthread_mutex_unlock(&((lock *)made)->mutex); }
void fws_wake_all(void *made) { pthread_cond_broadcast(&((lock *)made)->condition); }

void fws_wait(void *made, double until) {
  lock *held = made;
  /* A function of the host may wait here. If its thread were cancelled, the lock would never be released. */
  int cancellation;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
  if (until > 1e9) {
    pthread_cond_wait(&held->condition, &held->mutex);
  } else {
    struct timespec time = {.tv_sec = (time_t)until, .tv_nsec = (long)((until - (double)(time_t)until) * 1e9)};
    pthread_cond_timedwait(&held->condition, &held->mutex, &time);
  }
  pthread_setcancelstate(cancellation, NULL);
}

void fws_lock_free(void *made) {
  pthread_cond_destroy(&((lock *)made)->condition);
  pthread_mutex_destroy(&((lock *)made)->mutex);
  free(made);
}
