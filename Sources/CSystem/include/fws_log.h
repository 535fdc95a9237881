/* The log of the host, which gets lines of the library. */
#ifndef FWS_LOG_H
#define FWS_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* The least important level that the host wants; 0 while there is no log. */
extern int32_t fws_log_level;

/* Whether the host wants lines of a level. This is all that the log costs while it is off. */
static inline bool fws_logs(int32_t level) {
  return __builtin_expect(level <= __atomic_load_n(&fws_log_level, __ATOMIC_RELAXED), 0);
}

static inline void fws_set_log_level(int32_t level) { __atomic_store_n(&fws_log_level, level, __ATOMIC_RELAXED); }

/* Calls the log of the host. Exceptions that it throws are dropped, the thread cannot be cancelled meanwhile, and lines
 * that the library would write while the thread is already in a log are dropped. */
void fws_call_log(void (*_Nonnull log)(int32_t level, const char *_Nonnull message, void *_Nullable payload),
                  int32_t level, const char *_Nonnull message, void *_Nullable payload);

#endif
