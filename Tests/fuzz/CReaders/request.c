/* The section is for the program itself only, which is copied as a whole. */
#include "../../../Sources/CSupervisor/raw.h"
#pragma clang section text = ""

#define fwsv_find_sandbox fuzzed_find_sandbox
#define fwsv_read_texts fuzzed_read_texts
#define fwsv_spawn fuzzed_spawn
#include "../../../Sources/CSupervisor/block.c"
#include "../../../Sources/CSupervisor/spawn.c"

#include "include/CFuzzReaders.h"

#include <stdlib.h>
#include <string.h>

static bool is_inside(const void *at, const void *begin, uint64_t size)
{
    return begin <= at && (const char *)at < (const char *)begin + size;
}

static bool are_lists_sound(const fwsv_request *request, const uint64_t *table, const texts *texts)
{
    for (int list = request->is_direct ? PATHS : STRINGS; list < LISTS; list++) {
        char **strings = texts->lists[list];
        for (; *strings != NULL; strings++)
            if (!is_inside(*strings, table, request->size))
                return false;
        if (!is_inside(strings, table, request->slots * sizeof *table))
            return false;
    }
    return true;
}

static bool is_sandbox_sound(const fwsv_request *request, const uint64_t *table, const fwsv_sandbox *block)
{
    const char *end = (const char *)table + request->size;
    for (int which = 0; which < FWSV_FILTERS; which++) {
        const struct sock_filter *filter = block_at(block, block->filters[which]);
        if (!is_inside(filter + block->lengths[which] - 1, table, request->size))
            return false;
    }
    const uint32_t *places = block_at(block, block->paths);
    for (uint32_t path = 0; path < block->writes + reads_of(block); path++) {
        const char *text = block_at(block, places[path]);
        if (!is_inside(text, table, request->size) || memchr(text, 0, (size_t)(end - text)) == NULL)
            return false;
    }
    const uint16_t *ports = block_at(block, block->ports);
    return block->port_count == 0 || is_inside(ports + block->port_count - 1, table, request->size);
}

bool fuzzed_request(const void *bytes, size_t size, uint32_t slots, bool is_direct, uint32_t sandbox)
{
    fwsv_request request = {.slots = slots, .size = size, .is_direct = is_direct, .sandbox = sandbox};
    texts texts;
    /* The memory has no byte more than the texts, so that a sanitizer notices what is read behind them. */
    uint64_t *table = malloc(size > 0 ? size : 1);
    if (table == NULL)
        return true;
    memcpy(table, bytes, size);
    bool is_sound = true;
    if (fuzzed_read_texts(&request, table, &texts)) {
        is_sound = are_lists_sound(&request, table, &texts) && (sandbox == 0) == (texts.sandbox == NULL);
        if (is_sound && texts.sandbox != NULL)
            is_sound = is_sandbox_sound(&request, table, texts.sandbox);
    }
    free(table);
    return is_sound;
}
