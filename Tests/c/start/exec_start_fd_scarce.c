/*
 * The descriptor of fw_exec_fd() becomes readable when the step or the workflow has something to say, also if the
 * system has no descriptors left by then. A descriptor that cannot be made so is not handed out, by no call.
 *
 * not under valgrind: valgrind has a limit of descriptors of its own
 */
#include "events.h"
#include "scarce.h"
#include "workflow.h"

/** The system refuses every descriptor above so many. */
static void allow(rlim_t count)
{
    REQUIRE(setrlimit(RLIMIT_NOFILE, &(struct rlimit){count, LIMIT}) == 0);
}

/** Takes the events by the descriptor alone, while no descriptor can be opened, until the last one. */
static void follow(fw_exec *exec, int fd, int32_t last)
{
    int32_t kind = -1;
    while (kind != last) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        int count = poll(&item, 1, 20000);
        CHECK_INT(count, 1);
        if (count != 1)
            return;
        fw_event *event = NULL;
        fw_error *error = NULL;
        CHECK_OK(fw_exec_next_event(exec, 0, &event, &error), &error);
        if (event != NULL)
            kind = fw_event_kind(event);
        fw_event_free(event);
    }
}

/** Tries every number of free descriptors from none to enough. */
static void try_all(fw_exec *(*start)(void), int32_t last, int gate)
{
    int with = 0, without = 0;
    for (int more = 0; more < 6; more++) {
        fw_exec *exec = start();
        event_skip(exec, FW_EVENT_STEP_STARTED);
        event_skip(exec, FW_EVENT_COMMAND_STARTED);
        leave_free(more);
        int fd = fw_exec_fd(exec);
        allow(3);
        CHECK_INT(fw_exec_fd(exec), fd);
        gate_pass(gate);
        if (fd >= 0)
            follow(exec, fd, last);
        with += fd >= 0;
        without += fd < 0;
        allow(LIMIT);
        give_back();
        fw_result *result = exec_result(exec);
        CHECK_EXITED(result, 0);
        fw_result_free(result);
        fw_exec_free(exec);
    }
    CHECK(with > 0 && without > 0);
}

static fw_worker *worker;
static fw_pool *pool;

static fw_exec *start_a_step(void)
{
    fw_step *step = run_step("s", (const char *const[]){"read line < gate", NULL});
    fw_exec *exec = start_step(worker, step, NULL);
    fw_step_free(step);
    return exec;
}

static fw_exec *start_a_workflow(void)
{
    fw_exec *exec = workflow_start(
        "{\"steps\": [{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [\"read line < gate\"]}}]}",
        pool, NULL, NULL);
    event_skip(exec, FW_EVENT_RUN_STARTED);
    return exec;
}

static void scarce(void)
{
    allow(LIMIT);
    int gate = gate_make("gate");
    worker = run_worker(NULL);
    try_all(start_a_step, FW_EVENT_STEP_ENDED, gate);
    fw_worker_free(worker);
    pool = check_pool("[]");
    try_all(start_a_workflow, FW_EVENT_RUN_ENDED, gate);
    fw_pool_free(pool);
    close(gate);
}

int main(void)
{
    in_child(scarce, "scarce");
    return check_done();
}
