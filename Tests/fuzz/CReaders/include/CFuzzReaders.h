/* Readers of the supervisor's program, for the table of readers. Each is the source of the program itself, built once
 * more as ordinary C, so that sanitizers see what it does. */
#ifndef CFUZZREADERS_H
#define CFUZZREADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Gives bytes of a link to an agent that starts no command, up to each of the `ends`, which ascend. Returns a number
 * for all that the agent has done with them: the same for the same doings. `is_sound` is false if the agent has taken
 * input that it did not get, or has started a second command while the first one runs. */
uint64_t fuzzed_agent(const void *bytes, const size_t *ends, size_t count, bool *is_sound);

/* Reads the texts of a request: the table of so many slots, its strings, and the sandbox at a place (0 for none).
 * Returns false if lists are taken that do not end inside of the table, or have a string that begins outside of the
 * texts; or a sandbox whose paths, ports or filters are not inside of the texts. */
bool fuzzed_request(const void *bytes, size_t size, uint32_t slots, bool is_direct, uint32_t sandbox);

#endif
