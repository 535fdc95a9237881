/* After a write that has taken fewer bytes, the descriptor of the exec is readable when there is room for more or the
 * input has ended, and not before; the next write ends that. A write that does not wait is short. */
#define _GNU_SOURCE
#include "input.h"

#include <fcntl.h>

/** Takes the events that are there. */
static void take_all(fw_exec *exec)
{
    for (fw_event *event; (event = event_next(exec, 0)) != NULL;)
        fw_event_free(event);
}

static size_t write_now(fw_exec *exec, const char *bytes, size_t length)
{
    fw_error *error = NULL;
    size_t taken = 0;
    CHECK_OK(fw_exec_write(exec, bytes, length, 0, &taken, &error), &error);
    return taken;
}

/** One descriptor drives all: a loop that never waits in a call moves 16 MiB through `cat`. */
static void a_loop(void)
{
    enum { SIZE = 16 << 20 };
    char *block = malloc(SIZE);
    REQUIRE(block != NULL);
    for (size_t i = 0; i < SIZE; i++)
        block[i] = (char)(i * 7 + i / 251);
    fw_exec *exec = INPUT("cat");
    int fd = fw_exec_fd(exec);
    REQUIRE(fd >= 0);
    size_t written = 0, got = 0, turns = 0;
    bool is_open = true, is_same = true, is_over = false;
    while (!is_over) {
        turns++;
        if (written < SIZE)
            written += write_now(exec, block + written, SIZE - written);
        if (written == SIZE && is_open) {
            input_close(exec);
            is_open = false;
        }
        for (fw_event *event; (event = event_next(exec, 0)) != NULL; fw_event_free(event)) {
            size_t length = 0;
            const char *data = fw_event_data(event, &length);
            if (fw_event_kind(event) == FW_EVENT_OUTPUT) {
                is_same = is_same && got + length <= SIZE && memcmp(data, block + got, length) == 0;
                got += length;
            }
            is_over = is_over || fw_event_kind(event) == FW_EVENT_STEP_ENDED;
        }
        if (!is_over)
            fd_wait(fd);
    }
    CHECK(is_same);
    CHECK_INT(got, SIZE);
    /* Each turn moves at least some pages. */
    CHECK(turns < SIZE / 1024);
    input_exits(exec, 0, NULL);
    free(block);
}

static void room(void)
{
    int gate = gate_make("gate");
    fw_exec *exec = INPUT("read -r line < gate; head -c 100000 > /dev/null; echo read; read -r line < gate; exec 0<&-;"
                          " echo closed >&2; read -r line < gate");
    int fd = fw_exec_fd(exec);
    take_all(exec);
    CHECK(!fd_readable(fd));
    input_fill(exec); /* the last write was short */
    take_all(exec);
    CHECK(!fd_readable(fd));
    CHECK_INT(write_now(exec, "x", 1), 0);
    CHECK(!fd_readable(fd));
    gate_pass(gate);
    /* There is room, and an event. The room alone keeps the descriptor readable. */
    fw_event *event = event_wait_for(exec, FW_EVENT_OUTPUT);
    CHECK_EVENT(event, FW_STDOUT, "read\n");
    fw_event_free(event);
    CHECK(event_next(exec, 0) == NULL);
    CHECK(fd_readable(fd));
    CHECK(event_next(exec, 0) == NULL);
    CHECK(fd_readable(fd));
    /* A write that takes everything wants no more room. */
    CHECK_INT(write_now(exec, "x", 1), 1);
    CHECK(!fd_readable(fd));
    /* A write of nothing neither. */
    input_fill(exec);
    CHECK_INT(write_now(exec, "", 0), 0);
    CHECK(!fd_readable(fd));
    /* The end of the input is told as room is. */
    input_fill(exec);
    take_all(exec);
    CHECK(!fd_readable(fd));
    gate_pass(gate);
    event = event_wait_for(exec, FW_EVENT_OUTPUT);
    CHECK_EVENT(event, FW_STDERR, "closed\n");
    fw_event_free(event);
    CHECK(event_next(exec, 0) == NULL);
    CHECK(fd_readable(fd));
    input_has_ended(exec, "the command has closed its standard input");
    CHECK(!fd_readable(fd));
    gate_pass(gate);
    input_exits(exec, 0, NULL);
    close(gate);
}

/** The end of the step is readable once as its last events, and no more after them. */
static void at_the_end(void)
{
    fw_exec *exec = INPUT("sleep 0.1");
    int fd = fw_exec_fd(exec);
    input_fill(exec);
    struct events all = events_of(exec);
    events_free(&all);
    input_has_ended(exec, "the step is over");
    CHECK(!fd_readable(fd));
    input_exits(exec, 0, NULL);
}

/** A write without a wait is a short one, however fast the command reads: nobody else can use the exec meanwhile. */
static void a_short_turn(void)
{
    enum { SIZE = 64 << 20, PIPE = 1 << 20 };
    char *block = calloc(1, SIZE), command[64];
    REQUIRE(block != NULL);
    snprintf(command, sizeof command, "exec /proc/%d/exe reader", getpid());
    fw_exec *exec = INPUT(command);
    for (int turn = 0; turn < 300; turn++) {
        CHECK(write_now(exec, block, SIZE) <= PIPE);
        a_moment();
    }
    input_close(exec);
    input_exits(exec, 0, NULL);
    free(block);
}

/** Drops its input without reading it, so that it is faster than the host. */
static int drop(void)
{
    int null = open("/dev/null", O_WRONLY);
    while (splice(0, NULL, null, NULL, 1 << 20, 0) > 0) {
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "reader") == 0)
        return drop();
    a_loop();
    a_short_turn();
    room();
    at_the_end();
    return check_done();
}
