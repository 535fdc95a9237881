/* 300 steps run at the same time in one loop. Some end by themselves, some time out, some are cancelled, some are
 * retried, and some cannot be started. Each has its own outcome, and no process is left. */
#include "events.h"

#include <sys/epoll.h>

enum { COUNT = 300, KINDS = 5 };
enum kind { ENDS, TIMES_OUT, CANCELLED, TRIED_AGAIN, NOT_STARTED };

static struct one {
    fw_exec *exec;
    enum kind kind;
    long pid; /* status of the last command */
    int attempts;
    bool has_ended;
} all[COUNT];

static fw_worker *workers[KINDS];

static void start_one(int epoll, int number)
{
    struct one *one = &all[number];
    one->kind = number % KINDS;
    char command[200];
    if (one->kind == ENDS)
        snprintf(command, sizeof command, "echo %d; exit %d", number, number % 4);
    else if (one->kind == TRIED_AGAIN)
        snprintf(command, sizeof command, "echo %d; echo x >> tries.%d; test $$(wc -l < tries.%d) -ge 3", number,
                 number, number);
    else
        snprintf(command, sizeof command, "echo %d; sleep 600 & sleep 600; echo never", number);
    fw_step *step = run_step("s", (const char *const[]){command, NULL});
    one->exec = start_step(workers[one->kind], step, NULL);
    fw_step_free(step);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)number};
    REQUIRE(epoll_ctl(epoll, EPOLL_CTL_ADD, fw_exec_fd(one->exec), &event) == 0);
}

static void take_event(struct one *one)
{
    fw_event *event = event_next(one->exec, 0);
    switch (fw_event_kind(event)) {
    case FW_EVENT_COMMAND_STARTED:
        one->pid = event_pid(event);
        one->attempts++;
        break;
    case FW_EVENT_OUTPUT:
        if (one->kind == CANCELLED)
            fw_exec_cancel(one->exec);
        break;
    case FW_EVENT_STEP_ENDED:
        one->has_ended = true;
        break;
    default:
        break;
    }
    fw_event_free(event);
}

static void is_right(int number)
{
    static const fw_outcome outcomes[KINDS] = {FW_EXITED, FW_TIMEOUT, FW_CANCELLED, FW_EXITED, FW_SPAWN_FAILED};
    struct one *one = &all[number];
    fw_result *result = exec_result(one->exec);
    bool good = CHECK_INT(fw_result_outcome(result), outcomes[one->kind]);
    char want[32];
    snprintf(want, sizeof want, "%d\n", number);
    if (one->kind == NOT_STARTED) {
        good &= CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
        good &= CHECK_INT(one->pid, 0);
    } else {
        /* A step may have timed out before its command wrote something. */
        if (one->kind != TIMES_OUT || fw_result_output_count(result, FW_STDOUT) > 0)
            good &= CHECK_OUTPUT(result, FW_STDOUT, 0, want);
        good &= CHECK(!process_runs(one->pid));
    }
    if (one->kind == ENDS)
        good &= CHECK_INT(fw_result_returncode(result), number % 4);
    if (one->kind == TIMES_OUT || one->kind == CANCELLED)
        good &= CHECK(fw_result_returncode(result) != 0);
    json_t *survivors = run_command_member(result, 0, "survivors");
    for (size_t i = 0; i < json_array_size(survivors); i++)
        good &= CHECK(!process_runs((long)json_integer_value(json_object_get(json_array_get(survivors, i), "pid"))));
    json_decref(survivors);
    if (one->kind == TRIED_AGAIN) {
        good &= CHECK_INT(fw_result_returncode(result), 0);
        good &= CHECK_INT(one->attempts, 3);
    }
    if (!good)
        fprintf(stderr, "    step %d, of kind %d\n", number, (int)one->kind);
    fw_result_free(result);
    fw_exec_free(one->exec);
}

int main(void)
{
    int count = check_times(COUNT, 30), epoll = epoll_create1(EPOLL_CLOEXEC);
    REQUIRE(epoll >= 0);
    json_t *again = json_pack("{s:{s:{s:i, s:f}}}", "options", "retries", "max", 4, "delay", 0.01);
    workers[ENDS] = run_worker(NULL);
    workers[TIMES_OUT] = run_worker(json_pack("{s:{s:f}}", "options", "timeout", 1.0));
    workers[CANCELLED] = run_worker(NULL);
    workers[TRIED_AGAIN] = run_worker(again);
    workers[NOT_STARTED] = run_worker(json_pack("{s:{s:s}}", "options", "shell", "/nonexistent/shell"));
    for (int i = 0; i < count; i++)
        start_one(epoll, i);
    for (int ended = 0; ended < count;) {
        struct epoll_event ready[16];
        int got = epoll_wait(epoll, ready, 16, -1);
        REQUIRE(got > 0);
        for (int i = 0; i < got; i++) {
            struct one *one = &all[ready[i].data.u32];
            CHECK(!one->has_ended); /* never readable again */
            take_event(one);
            ended += one->has_ended;
        }
    }
    for (int i = 0; i < count; i++)
        is_right(i);
    for (int kind = 0; kind < KINDS; kind++)
        fw_worker_free(workers[kind]);
    close(epoll);
    return check_done();
}
