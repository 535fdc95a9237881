/*
 * If the threads of a host differ in priority and processors, the commands of each thread inherit those of the thread,
 * with any number of threads at the same time, and steps of one thread continue while those of others start.
 */
#include "descendants.h"
#include "threads.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static fw_worker *worker;
static int host_nice;
static cpu_set_t all;

static int kind_of(int number)
{
    return number % 16;
}

static void check_own(int number)
{
    fw_step *step = run_step("s", (const char *const[]){"nice; nproc", "sh -c 'nice; nproc'; exit 9", NULL});
    char want[32];
    cpu_set_t mine;
    CHECK(sched_getaffinity(0, sizeof mine, &mine) == 0);
    snprintf(want, sizeof want, "%d\n%d\n", getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid)), CPU_COUNT(&mine));
    CHECK(number >= 0);
    fw_result *result = run_exec(worker, step, NULL, check_directory);
    CHECK_EXITED(result, 9);
    CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    CHECK_OUTPUT(result, FW_STDOUT, 1, want);
    fw_result_free(result);
    fw_step_free(step);
}

/** Odd threads may use one processor only, and even ones all. */
static void run_own(int number)
{
    int nice = host_nice + kind_of(number);
    CHECK_INT(setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice > 19 ? 19 : nice), 0);
    int first = 0;
    while (!CPU_ISSET(first, &all))
        first++;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    if (number % 2 == 1)
        CHECK_INT(sched_setaffinity(0, sizeof one, &one), 0);
    int times = check_times(5, 1);
    for (int i = 0; i < times; i++)
        check_own(number);
}

int main(void)
{
    mark_commands();
    worker = run_worker(NULL);
    host_nice = getpriority(PRIO_PROCESS, 0);
    REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);

    fw_exec *goes_on = BEGIN("echo $$$$ > pid; until test -e go; do sleep 0.01; done; nice; exit 4");
    long pid = wait_for_pid("pid");
    in_threads(run_own);
    CHECK(lives(pid));
    write_file("go", "");
    fw_result *result = finish_step(goes_on);
    char want[16];
    snprintf(want, sizeof want, "%d\n", host_nice);
    CHECK_EXITED(result, 4);
    CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    fw_result_free(result);
    check_own(0);
    fw_worker_free(worker);
    CHECK_NOBODY();
    end_marked();
    return check_done();
}
