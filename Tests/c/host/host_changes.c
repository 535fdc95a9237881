/*
 * A command has the host's umask, priority, limits, processors, user, groups, capabilities, host name and working
 * directory of the moment when its step starts, even if the host has changed them since its first step or changes them
 * back, or changes them while a workflow runs, from one call to the next.
 *
 * not under valgrind: valgrind keeps the limits of this process to itself
 */
#include "descendants.h"
#include "workflow.h"

#include <grp.h>
#include <sched.h>
#include <sys/resource.h>

/* Another user may have no access to the library's file, but has access to the run directory. */
#define SEES(command, want) sees((command), (want), __LINE__)

static void sees(const char *command, const char *want, int line)
{
    fw_result *result = RUN_IN("/", command);
    bool good = CHECK_EXITED(result, 0);
    good &= CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    if (!good)
        fprintf(stderr, "    in line %d\n", line);
    fw_result_free(result);
}

static void umask_and_priority(void)
{
    for (int i = 0; i < 3; i++) {
        umask(022);
        SEES("umask", "0022\n");
        umask(077);
        SEES("umask", "0077\n");
    }
    int nice = getpriority(PRIO_PROCESS, 0);
    char want[16];
    for (int more = 1; more <= 3 && nice + more < 20; more++) {
        REQUIRE(setpriority(PRIO_PROCESS, 0, nice + more) == 0);
        snprintf(want, sizeof want, "%d\n", nice + more);
        SEES("nice", want);
    }
    struct sched_param none = {0};
    REQUIRE(sched_setscheduler(0, SCHED_BATCH, &none) == 0);
    SEES("sed 's/.*) //' /proc/self/stat | cut -d ' ' -f 39", "3\n");
}

static void limits(void)
{
    SEES("true; echo", "\n");
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 200});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    SEES("ulimit -S -n; ulimit -H -n; ulimit -c", "100\n200\n0\n");
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){150, 200});
    setrlimit(RLIMIT_STACK, &(struct rlimit){4096 * 1024, RLIM_INFINITY});
    SEES("ulimit -n; ulimit -s", "150\n4096\n");
}

static void processors(void)
{
    cpu_set_t all, one;
    REQUIRE(sched_getaffinity(0, sizeof all, &all) == 0);
    SEES("true; echo", "\n");
    for (int cpu = 0, tried = 0; cpu < CPU_SETSIZE && tried < 4; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        tried++;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
        char want[16];
        snprintf(want, sizeof want, "%d\n", cpu);
        SEES("sed -n 's/^Cpus_allowed_list:.//p' /proc/self/status", want);
    }
    char count[16];
    REQUIRE(sched_setaffinity(0, sizeof all, &all) == 0);
    snprintf(count, sizeof count, "%d\n", CPU_COUNT(&all));
    SEES("nproc", count);
}

static void directory(void)
{
    fw_result_free(RUN_IN(".", "true"));
    char *there = realpath(check_dir(), NULL), want[4200];
    REQUIRE(there != NULL && chdir(there) == 0);
    fw_result *result = RUN_IN(".", "pwd -P");
    snprintf(want, sizeof want, "%s\n", there);
    CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    fw_result_free(result);
    free(there);
}

/** A host that drops privileges cannot get them back through the supervisor. */
static void rights(void)
{
    SEES("grep -c 'NoNewPrivs:.0' /proc/self/status", "1\n");
    REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    SEES("grep -c 'NoNewPrivs:.1' /proc/self/status", "1\n");
    if (geteuid() != 0) {
        check_skip("only root can drop a capability");
        return;
    }
    REQUIRE(prctl(PR_CAPBSET_DROP, 13 /* CAP_NET_RAW */, 0, 0, 0) == 0);
    fw_result *result = RUN_IN("/", "sed -n 's/^CapBnd:.//p' /proc/self/status");
    unsigned long long bounds = strtoull(fw_result_output(result, FW_STDOUT, 0, NULL), NULL, 16);
    CHECK((bounds & 1 << 13) == 0);
    fw_result_free(result);
}

static void user(void)
{
    if (geteuid() != 0) {
        check_skip("only root can become another user");
        return;
    }
    const gid_t groups[] = {65533, 65532};
    SEES("id -u; id -g", "0\n0\n");
    REQUIRE(setgroups(2, groups) == 0);
    SEES("id -G", "0 65532 65533\n");
    REQUIRE(setresgid(65534, 65534, 65534) == 0);
    SEES("id -u; id -g; id -G", "0\n65534\n65534 65532 65533\n");
    REQUIRE(setresuid(65534, 65534, 65534) == 0);
    SEES("id -u; id -g; id -G; grep -c 'CapEff:.0000000000000000' /proc/self/status",
         "65534\n65534\n65534 65532 65533\n1\n");
    SEES("cat /proc/1/environ 2>/dev/null || echo refused", "refused\n");
    fw_exec *exec = NULL;
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"setsid sleep 100000 & exec sleep 100000", NULL});
    REQUIRE(fw_exec_start(worker, step, NULL, "/", NULL, 0, &exec, NULL) == FW_OK);
    fw_exec_cancel(exec);
    fw_result *result = finish_step(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);
}

static void namespace(void)
{
    if (unshare(CLONE_NEWUTS) != 0) {
        check_skip("this system gives no namespace of host names");
        return;
    }
    SEES("true; echo", "\n");
    for (int i = 0; i < 2; i++) {
        const char *name = i == 0 ? "one.example\n" : "two.example\n";
        REQUIRE(unshare(CLONE_NEWUTS) == 0 && sethostname(name, strlen(name) - 1) == 0);
        SEES("uname -n", name);
    }
}

static void workflow_steps(void)
{
    umask(022);
    int gate = gate_make("gate");
    fw_exec *exec = workflow_start(
        "{\"steps\": [" STEP("a", "umask; :") ", " STEP("b", "umask; read line < gate") ", " STEP("c", "umask; :") "]}",
        NULL, NULL, "{\"jobs\": 2}");
    fw_event_free(event_wait_for(exec, FW_EVENT_STEP_ENDED));
    fw_event_free(event_wait_for(exec, FW_EVENT_COMMAND_STARTED));
    umask(077);
    gate_pass(gate);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    static const char *const want[] = {"0022\n", "0022\n", "0077\n"};
    for (size_t step = 0; step < 3; step++)
        CHECK_OUTPUT(fw_result_step(result, step), FW_STDOUT, 0, want[step]);
    fw_result_free(result);
    fw_exec_free(exec);
    close(gate);
}

int main(void)
{
    mark_commands();
    in_child(umask_and_priority, "umask_and_priority");
    in_child(limits, "limits");
    in_child(processors, "processors");
    in_child(directory, "directory");
    in_child(workflow_steps, "workflow_steps");
    in_child(rights, "rights");
    in_child(user, "user");
    in_child(namespace, "namespace");
    CHECK_NOBODY();
    end_marked();
    return check_done();
}
