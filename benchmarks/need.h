/* need.h - for programs that call the library: a call that fails ends the benchmark. */
#ifndef NEED_H
#define NEED_H

#include <stdio.h>
#include <stdlib.h>

#include "flowworker.h"

static inline void need(fw_status status, fw_error *error)
{
    if (status != FW_OK) {
        fprintf(stderr, "bench: %s\n", fw_error_message(error));
        exit(1);
    }
}

#endif
