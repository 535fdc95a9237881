/* The section is for the program itself only, which is copied as a whole. */
#include "../../../Sources/CSupervisor/raw.h"
#pragma clang section text = ""

#define fwsv_spawn fuzzed_spawn
#include "../../../Sources/CSupervisor/spawn.c"

#include "include/CFuzzReaders.h"

#include <stdlib.h>
#include <string.h>

static bool is_inside(const char *at, const uint64_t *table, uint64_t size)
{
    return (const char *)table <= at && at < (const char *)table + size;
}

bool fuzzed_request(const void *bytes, size_t size, uint32_t slots, bool is_direct)
{
    fwsv_request request = {.slots = slots, .size = size, .is_direct = is_direct};
    job job = {.request = &request};
    /* The memory has no byte more than the texts, so that a sanitizer notices what is read behind them. */
    uint64_t *table = malloc(size > 0 ? size : 1);
    if (table == NULL)
        return true;
    memcpy(table, bytes, size);
    bool is_sound = true;
    if (find_lists(&job, table)) {
        for (int list = is_direct ? PATHS : STRINGS; list < LISTS; list++) {
            char **texts = job.lists[list];
            for (; is_sound && *texts != NULL; texts++)
                is_sound = is_inside(*texts, table, size);
            is_sound = is_sound && is_inside((char *)texts, table, slots * sizeof *table);
        }
    }
    free(table);
    return is_sound;
}
