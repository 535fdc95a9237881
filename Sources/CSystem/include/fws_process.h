/* What the process and the system tell: clocks, limits, the environment, random bytes, texts of errors. */
#ifndef FWS_PROCESS_H
#define FWS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Seconds of the monotonic clock, and seconds since 1970. */
double fws_monotonic(void);
double fws_wall(void);

/* The limits of this process that getrlimit(2) tells; UINT64_MAX if there is none. */
uint64_t fws_limit_of_processes(void);
uint64_t fws_limit_of_descriptors(void);

/* The host's environment, as exec takes it. */
char *_Nullable const *_Nonnull fws_environ(void);

/* Fills a buffer with random bytes; false if the system has none. */
bool fws_random(void *_Nonnull buffer, size_t size);

/* Writes the text of an errno into a buffer of the caller's. */
void fws_error_text(int error, char *_Nonnull buffer, size_t size);

/* Where some bytes begin among others; -1 if they are not there. */
ssize_t fws_find(const void *_Nonnull bytes, size_t size, const void *_Nonnull part, size_t part_size);

#endif
