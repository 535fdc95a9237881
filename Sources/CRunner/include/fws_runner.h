/* The Python program of interpreters, which the library carries in itself. */
#ifndef FWS_RUNNER_H
#define FWS_RUNNER_H

#include <stddef.h>

typedef struct {
  const char *_Nullable name; /* the name of the module; NULL ends the list */
  const char *_Nullable text;
  size_t size;
} fws_runner_file;
extern const fws_runner_file *_Nonnull const fws_runner_files;

/* The text that `python -c` is given; it ends with NUL. */
extern const char *_Nonnull const fws_runner_boot;

#endif
