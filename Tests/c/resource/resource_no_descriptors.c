/*
 * A step that waits for its turn gets it, too, if the system had no descriptor to wake it with, or if the host has
 * closed the one that there was.
 *
 * not under valgrind: valgrind has a limit of descriptors of its own
 */
#include "resource.h"

#include <sys/resource.h>

static void without_a_descriptor(int gate)
{
    fw_worker *worker = run_worker(json_pack("{s:{s:i}}", "options", "limit", 1));
    fw_exec *first = start_taking(worker, "", "read line < gate", NULL);
    event_skip(first, FW_EVENT_STEP_STARTED);
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);
    REQUIRE(lowest >= 0 && close(lowest) == 0);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)lowest, limit.rlim_max}) == 0);
    fw_exec *second = start_taking(worker, "", "echo second", NULL);
    check_queued(second);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    check_queued(second);
    gate_pass(gate);
    exec_end(first);
    check_writes(second, "second\n");
    fw_worker_free(worker);
}

/** Which descriptors this process has. */
static void look(bool is_open[4096])
{
    for (int fd = 0; fd < 4096; fd++)
        is_open[fd] = fcntl(fd, F_GETFD) >= 0;
}

static void with_one_that_the_host_has_closed(int gate)
{
    fw_worker *worker = run_worker(json_pack("{s:{s:i}}", "options", "limit", 1));
    fw_exec *first = start_taking(worker, "", "read line < gate", NULL);
    event_skip(first, FW_EVENT_STEP_STARTED);
    static bool before[4096], after[4096];
    look(before);
    fw_exec *second = start_taking(worker, "", "echo second", NULL);
    check_queued(second);
    look(after);
    int own = 0;
    while (own < 4096 && before[own] == after[own])
        own++;
    REQUIRE(own < 4096);
    CHECK(close(own) == 0);
    check_queued(second);
    gate_pass(gate);
    exec_end(first);
    check_writes(second, "second\n");
    fw_worker_free(worker);
}

int main(void)
{
    int gate = gate_make("gate");
    with_one_that_the_host_has_closed(gate);
    without_a_descriptor(gate);
    close(gate);
    return check_done();
}
