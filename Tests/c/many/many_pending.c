/* The descriptors of 1,500 steps in one epoll are all readable while each step has an event that nobody has taken,
 * and none is readable when all events are taken. */
#include "events.h"

#include <sys/epoll.h>

static int count;

/** Returns how many descriptors are readable now, according to epoll. */
static int readable(int epoll)
{
    struct epoll_event *ready = calloc((size_t)count, sizeof *ready);
    REQUIRE(ready != NULL);
    int got = epoll_wait(epoll, ready, count, 0);
    free(ready);
    return got;
}

int main(void)
{
    count = steps_within_limit(check_times(1500, 50), 4);
    int gate = gate_make("gate"), epoll = epoll_create1(EPOLL_CLOEXEC);
    fw_exec **all = calloc((size_t)count, sizeof *all);
    REQUIRE(all != NULL && epoll >= 0);

    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"read line < gate", NULL});
    for (int i = 0; i < count; i++) {
        all[i] = start_step(worker, step, NULL);
        event_skip(all[i], FW_EVENT_STEP_STARTED);
        event_skip(all[i], FW_EVENT_COMMAND_STARTED);
        struct epoll_event event = {.events = EPOLLIN};
        REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, fw_exec_fd(all[i]), &event) == 0);
    }
    CHECK_INT(readable(epoll), 0);
    for (int i = 0; i < count; i++)
        gate_pass(gate);
    for (int i = 0; i < count; i++)
        event_skip(all[i], FW_EVENT_COMMAND_ENDED);
    CHECK_INT(readable(epoll), count);
    int by_poll = 0;
    for (int i = 0; i < count; i++)
        by_poll += fd_readable(fw_exec_fd(all[i]));
    CHECK_INT(by_poll, count);
    for (int i = 0; i < count; i++)
        event_skip(all[i], FW_EVENT_STEP_ENDED);
    CHECK_INT(readable(epoll), 0);
    for (int i = 0; i < count; i++) {
        fw_result *result = exec_result(all[i]);
        CHECK_EXITED(result, 0);
        fw_result_free(result);
        fw_exec_free(all[i]);
    }
    fw_step_free(step);
    fw_worker_free(worker);
    close(epoll);
    close(gate);
    free(all);
    return check_done();
}
