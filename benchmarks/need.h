/* need.h - for programs that call the library: a call that fails ends the benchmark. */
#ifndef NEED_H
#define NEED_H

#include <stdio.h>
#include <stdlib.h>

#include "flowworker.h"

/* A macro, because the error is there only after the call. */
#define need(call, error)                                            \
    do {                                                             \
        if ((call) != FW_OK) {                                       \
            fprintf(stderr, "bench: %s\n", fw_error_message(error)); \
            exit(1);                                                 \
        }                                                            \
    } while (0)

#endif
