/*
 * The agent sends its requests to this file instead of a monitor.
 */
/* The section is for the program itself only, which is copied as a whole. */
#include "../../../Sources/CSupervisor/raw.h"
#pragma clang section text = ""

#define fwsv_send_message fuzzed_send_message
#define fwsv_agent fuzzed_agent_main
#define fwsv_text_length fuzzed_text_length
#define fwsv_link_end fuzzed_link_end
#define fwsv_link_is_due fuzzed_link_is_due
#define fwsv_link_flush fuzzed_link_flush
#define fwsv_link_add_head fuzzed_link_add_head
#define fwsv_link_append fuzzed_link_append
#define fwsv_link_greet fuzzed_link_greet
#define fwsv_status_note fuzzed_status_note
#define fwsv_input_open fuzzed_input_open
#define fwsv_input_drop fuzzed_input_drop
#define fwsv_input_take fuzzed_input_take
#define fwsv_input_end fuzzed_input_end
#define fwsv_input_write fuzzed_input_write
#define fwsv_input_watch fuzzed_input_watch
#define fwsv_input_heed fuzzed_input_heed
#define fwsv_input_tell fuzzed_input_tell
#include "../../../Sources/CSupervisor/link.c"

#include "../../../Sources/CSupervisor/input.c"
#include "../../../Sources/CSupervisor/status.c"

#include "../../../Sources/CSupervisor/agent.c"

#include "include/CFuzzReaders.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What was done so far, the requests to start a command, and the reading end of the input of the one that was not
 * started. */
typedef struct {
    uint64_t done;
    int starts, input;
} doings;

static _Thread_local doings now;

static void note(const void *bytes, size_t size)
{
    for (size_t at = 0; at < size; at++)
        now.done = (now.done ^ ((const unsigned char *)bytes)[at]) * 0x100000001b3;
}

int fuzzed_send_message(int fd, const void *bytes, size_t size, const int *fds, size_t count, int host)
{
    (void)fd;
    (void)host;
    note(bytes, size);
    if (count > 0)
        now.starts++;
    if (count > FWSV_FD_IN) {
        if (now.input >= 0)
            close(now.input);
        now.input = dup(fds[FWSV_FD_IN]);
    }
    return 0;
}

/* The bytes that the command would have got are not more than what came. */
static bool take_given(const agent_state *link, size_t most)
{
    char bytes[4096];
    size_t count = link->input.count;
    for (ssize_t got; now.input >= 0 && count <= most && (got = read(now.input, bytes, sizeof bytes)) > 0;) {
        note(bytes, (size_t)got);
        count += (size_t)got;
    }
    return count <= most;
}

uint64_t fuzzed_agent(const void *bytes, const size_t *ends, size_t count, bool *is_sound)
{
    /* Most of the memory is buffers, in which only what was written is read. */
    static _Thread_local agent_state *link;
    if (link == NULL)
        link = calloc(1, sizeof *link);
    *is_sound = true;
    if (link == NULL)
        return 0;
    memset(link, 0, offsetof(agent_state, received));
    link->begin = link->end = 0;
    memset(&link->input, 0, offsetof(input_state, bytes));
    now = (doings){.done = 0xcbf29ce484222325, .input = -1};
    link->rundir = link->texts = link->pipes[0] = link->pipes[1] = link->input.pipe = -1;
    for (int end = 0; end < ENDS; end++)
        link->ends[end] = -1;
    link->in = link->out = link->signals = -1;
    /* The channel is there, so no monitor is started. What is written to the link stays in its buffer. */
    link->channel = INT32_MAX;
    link->out = INT32_MAX;
    size_t at = 0;
    bool is_taken = true;
    for (size_t piece = 0; piece < count && is_taken; at = ends[piece++])
        is_taken = at == ends[piece] || take(link, (const char *)bytes + at, ends[piece] - at);
    const size_t size = count > 0 ? ends[count - 1] : 0;
    note(&is_taken, sizeof is_taken);
    note(&link->is_running, sizeof link->is_running);
    note(&link->input.is_whole, sizeof link->input.is_whole);
    note(&link->input.is_refused, sizeof link->input.is_refused);
    note(link->output, link->end);
    if (is_taken)
        note(&link->taken, sizeof link->taken);
    if (link->input.pipe >= 0)
        close_fd(&link->input.pipe);
    /* No command ends here, so only the first one can start. */
    *is_sound = take_given(link, size) && now.starts <= 1 && link->end <= ROOM;
    char text[4096];
    ssize_t texts = link->texts >= 0 && is_taken ? pread(link->texts, text, sizeof text, 0) : 0;
    if (texts > 0)
        note(text, (size_t)texts);
    close_ends(link);
    for (int stream = 0; stream < STREAMS; stream++)
        close_fd(&link->pipes[stream]);
    close_fd(&link->rundir);
    close_fd(&link->texts);
    if (now.input >= 0)
        close(now.input);
    return now.done;
}
