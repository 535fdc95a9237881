/*
 * The child of a fork has the host's memory but not its threads, which may hold locks of the library, and it shares the
 * descriptors of its parent. So the child must not touch anything of a running step. A process that has not run a step
 * yet, such as a daemon that goes into the background, may fork as it likes.
 *
 * The reader of a pipe sees its end when the last copy of the writing end is closed, and a child that calls no exec
 * would keep its copy. So the child closes it. It runs its handler at any moment of the other threads' work, so the
 * list only grows, and each slot of it belongs to nobody, to a thread that fills it, or to a descriptor.
 */
#include "fws_fork.h"

#include "fws_descriptor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

int fws_forked;
int fws_in_use;

enum { FREE, FILLING, USED };

struct fws_parents_own {
  struct fws_parents_own *next;
  atomic_int state;
  fws_fd fd;
};

static _Atomic(fws_parents_own *) list;

static void set_forked(void) {
  fws_forked = fws_in_use;
  for (fws_parents_own *slot = atomic_load(&list); slot != NULL; slot = slot->next)
    if (atomic_load(&slot->state) == USED) fws_fd_close(&slot->fd);
}

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, set_forked); }

fws_parents_own *fws_parents_own_add(const fws_fd *fd) {
  fws_parents_own *slot;
  for (slot = atomic_load(&list); slot != NULL; slot = slot->next) {
    int state = FREE;
    if (atomic_compare_exchange_strong(&slot->state, &state, FILLING)) break;
  }
  if (slot == NULL) {
    slot = calloc(1, sizeof *slot);
    if (slot == NULL) return NULL;
    atomic_store(&slot->state, FILLING);
    slot->next = atomic_load(&list);
    while (!atomic_compare_exchange_weak(&list, &slot->next, slot)) {
    }
  }
  slot->fd = *fd;
  atomic_store(&slot->state, USED);
  return slot;
}

void fws_parents_own_remove(fws_parents_own *slot) {
  if (slot != NULL) atomic_store(&slot->state, FREE);
}
