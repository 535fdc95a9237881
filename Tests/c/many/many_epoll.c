/* One thread runs 2,000 steps at the same time with epoll. They need five descriptors each and no thread, each result
 * is that of its own step, and all descriptors are closed at the end. */
#include "events.h"

#include <sys/epoll.h>

static struct one {
    fw_exec *exec;
    bool has_started, has_ended;
} *all;

static int count;
static int started, ended;

/** Takes one event at a time, so that the descriptors of many steps are readable at the same time. */
static void take_event(struct one *one)
{
    fw_event *event = event_next(one->exec, 0);
    if (fw_event_kind(event) == FW_EVENT_COMMAND_STARTED && !one->has_started) {
        one->has_started = true;
        started++;
    }
    if (fw_event_kind(event) == FW_EVENT_STEP_ENDED) {
        CHECK(!one->has_ended);
        one->has_ended = true;
        ended++;
    }
    fw_event_free(event);
}

/** Runs the loop until the counter has this value. */
static void loop(int epoll, const int *counter, int want)
{
    struct epoll_event ready[64];
    while (*counter < want) {
        int got = epoll_wait(epoll, ready, 64, -1);
        REQUIRE(got > 0);
        for (int i = 0; i < got; i++)
            take_event(&all[ready[i].data.u32]);
    }
}

static void start_one(const fw_worker *worker, int epoll, int number)
{
    char first[100], second[100];
    snprintf(first, sizeof first, "read line < gate; echo out %d; echo err %d >&2", number, number);
    snprintf(second, sizeof second, "exit %d", number % 3);
    fw_step *step = run_step("s", (const char *const[]){first, second, NULL});
    struct one *one = &all[number];
    one->exec = start_step(worker, step, NULL);
    fw_step_free(step);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)number};
    int fd = fw_exec_fd(one->exec);
    REQUIRE(fd >= 0);
    bool is_added = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
    if (!is_added)
        fprintf(stderr, "    step %d: %s\n", number, strerror(errno));
    REQUIRE(is_added);
}

static void is_right(int number)
{
    char out[32], err[32];
    snprintf(out, sizeof out, "out %d\n", number);
    snprintf(err, sizeof err, "err %d\n", number);
    fw_result *result = exec_result(all[number].exec);
    CHECK_EXITED(result, number % 3);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    CHECK_OUTPUT(result, FW_STDOUT, 0, out);
    CHECK_OUTPUT(result, FW_STDERR, 0, err);
    fw_result_free(result);
    fw_exec_free(all[number].exec);
}

int main(void)
{
    count = steps_within_limit(check_times(2000, 50), 4);
    all = calloc((size_t)count, sizeof *all);
    int gate = gate_make("gate"), epoll = epoll_create1(EPOLL_CLOEXEC), at_first = open_descriptors();
    REQUIRE(all != NULL && epoll >= 0);

    fw_worker *worker = run_worker(NULL);
    for (int i = 0; i < count; i++)
        start_one(worker, epoll, i);
    loop(epoll, &started, count);
    CHECK_INT(ended, 0);
    CHECK(open_descriptors() <= at_first + 5 * count + KEPT_DESCRIPTORS);
    CHECK_INT(own_threads(), 1);
    for (int i = 0; i < count; i++)
        gate_pass(gate);
    loop(epoll, &ended, count);
    CHECK_INT(own_threads(), 1);
    for (int i = 0; i < count; i++)
        is_right(i);
    CHECK(open_descriptors() <= at_first + KEPT_DESCRIPTORS);
    fw_worker_free(worker);
    close(epoll);
    close(gate);
    free(all);
    return check_done();
}
