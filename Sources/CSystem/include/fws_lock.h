/* Locks, and pointers that threads share. */
#ifndef FWS_LOCK_H
#define FWS_LOCK_H

#include <stdbool.h>
#include <stddef.h>

/* Makes a pthread mutex, which the sanitizers understand, with a condition. NULL if there is no memory. */
void *_Nullable fws_lock_create(void);

/* The locks of what a process has once. They have memory of their own, because a lack of memory at the first use must
 * not outlast itself. */
enum { FWS_LOCK_LOG, FWS_LOCK_SUPERVISORS, FWS_LOCK_ENGINES, FWS_LOCKS };

/* Makes one of these, which must happen once. It is never freed. */
void *_Nonnull fws_lock_of_process(int which);
void fws_lock(void *_Nonnull lock);
void fws_unlock(void *_Nonnull lock);

/* Unlocks, waits for fws_wake_all() or until a time of fws_monotonic(), and locks again. */
void fws_wait(void *_Nonnull lock, double until);
void fws_wake_all(void *_Nonnull lock);
void fws_lock_free(void *_Nonnull lock);

/* Reads a slot that another thread may fill. */
static inline void *_Nullable fws_load(void *_Nullable const *_Nonnull slot) {
  return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

/* Puts `fresh` into an empty slot. Returns what the slot holds afterwards. */
static inline void *_Nonnull fws_publish(void *_Nullable *_Nonnull slot, void *_Nonnull fresh) {
  void *expected = NULL;
  if (__atomic_compare_exchange_n(slot, &expected, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return fresh;
  return expected;
}

/* Replaces what a slot holds while other threads may read it. */
static inline void fws_store(void *_Nullable *_Nonnull slot, void *_Nullable value) {
  __atomic_store_n(slot, value, __ATOMIC_RELEASE);
}

#endif
