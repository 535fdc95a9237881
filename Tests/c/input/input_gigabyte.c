/* 1 GiB goes through `cat` in both directions at once, with one thread and with two, without a deadlock, and the host
 * needs no memory for it. */
#include "input.h"

#include <pthread.h>

#define MIB (1ll << 20)

enum { BLOCK = 1 << 20, PERIOD = 251 };

static json_int_t size;
static char pattern[BLOCK + PERIOD];

/** Returns the peak resident memory of this process in bytes. */
static long long peak(void)
{
    char *text = read_file("/proc/self/status");
    const char *line = text ? strstr(text, "VmHWM:") : NULL;
    long long kib = line ? atoll(line + 6) : -1;
    free(text);
    REQUIRE(kib > 0);
    return kib * 1024;
}

/** The bytes at a place of the stream. */
static const char *at(json_int_t place)
{
    return pattern + place % PERIOD;
}

struct reader {
    json_int_t got;
    bool is_same, is_over;
};

/** Takes one event, and compares what it has. */
static void take(struct reader *reader, fw_event *event)
{
    size_t length = 0;
    const char *data = fw_event_data(event, &length);
    if (fw_event_kind(event) == FW_EVENT_OUTPUT) {
        for (size_t done = 0; done < length; done += BLOCK) {
            size_t part = length - done < BLOCK ? length - done : BLOCK;
            reader->is_same = reader->is_same && memcmp(data + done, at(reader->got + (json_int_t)done), part) == 0;
        }
        reader->got += (json_int_t)length;
    }
    reader->is_over = reader->is_over || fw_event_kind(event) == FW_EVENT_STEP_ENDED;
    fw_event_free(event);
}

static void is_right(fw_exec *exec, const struct reader *reader)
{
    CHECK(reader->is_same);
    CHECK_INT(reader->got, size);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** The thread that writes is the one that takes the events. */
static void with_one_thread(void)
{
    struct reader reader = {.is_same = true};
    fw_error *error = NULL;
    fw_exec *exec = INPUT("cat");
    json_int_t done = 0;
    bool is_open = true;
    while (!reader.is_over) {
        if (done < size) {
            size_t taken = 0, part = size - done < BLOCK ? (size_t)(size - done) : BLOCK;
            REQUIRE(CHECK_OK(fw_exec_write(exec, at(done), part, -1, &taken, &error), &error));
            done += (json_int_t)taken;
        } else if (is_open) {
            input_close(exec);
            is_open = false;
        }
        fw_event *event = event_next(exec, is_open ? 0 : -1);
        if (event != NULL)
            take(&reader, event);
    }
    is_right(exec, &reader);
}

static void *writer(void *exec)
{
    fw_error *error = NULL;
    for (json_int_t done = 0; done < size;) {
        size_t taken = 0, part = size - done < BLOCK ? (size_t)(size - done) : BLOCK;
        REQUIRE(CHECK_OK(fw_exec_write(exec, at(done), part, -1, &taken, &error), &error));
        CHECK_INT(taken, part); /* the events are the other thread's */
        done += (json_int_t)taken;
    }
    input_close(exec);
    return NULL;
}

static void with_two_threads(void)
{
    struct reader reader = {.is_same = true};
    fw_exec *exec = INPUT("cat");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, writer, exec) == 0);
    while (!reader.is_over)
        take(&reader, event_next(exec, -1));
    pthread_join(thread, NULL);
    is_right(exec, &reader);
}

/** Nobody takes events: the result has the beginning and the end. */
static void without_events(void)
{
    fw_exec *exec = INPUT("cat");
    writer(exec);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    size_t length = 0;
    fw_result_output(result, FW_STDOUT, 0, &length);
    CHECK_INT(length, 65536);
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), size);
    fw_result_free(result);
    fw_exec_free(exec);
}

int main(void)
{
    size = check_times(1024, 32) * MIB;
    for (int i = 0; i < BLOCK + PERIOD; i++)
        pattern[i] = (char)('a' + i % PERIOD % 26);
    fw_result_free(RUN("true"));
    long long before = peak();
    with_one_thread();
    with_two_threads();
    without_events();
    /* A tool has memory of its own beside each byte. */
    if (check_times(1, 0) == 1 && !CHECK(peak() - before < 32 * MIB))
        fprintf(stderr, "    %lld MiB more\n", (peak() - before) / MIB);
    return check_done();
}
