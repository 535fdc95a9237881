/*
 * When the host ends in any way, its steps end, including children in other sessions, daemons, and processes that
 * ignore TERM; then the supervisor and the monitors exit. This also holds while a process that the host has forked
 * holds copies of all its descriptors.
 *
 * not under valgrind: the supervisor is found by its pidfd of the host, which valgrind 3.19 does not have
 */
#include "descendants.h"

#include <sys/resource.h>

enum { STEPS = 3, PER_STEP = 4, MOST = 32 };

static int ends_how; /* the signal that ends the host, or one of these ways: */
enum { EXITS = 1000, EXITS_AT_ONCE, BECOMES_ANOTHER };
static bool has_child;
static fw_exec *steps[STEPS]; /* nobody frees them */

/** A host that starts steps, and ends in the given way when the file "end" exists. */
static void host(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (ends_how < EXITS)
        signal(ends_how, SIG_DFL); /* a tool may have installed a handler */
    for (int i = 0; i < STEPS; i++)
        steps[i] = BEGIN_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.3),
                              "sh sleeper & setsid sh sleeper & setsid sh -c 'sh deaf & :';"
                              " exec sh deaf");
    /* One step has ended, so there is an idle monitor. */
    fw_result_free(RUN("exit 1"));
    if (has_child) {
        char *path = check_path("child");
        pid_t child = fork();
        if (child == 0) {
            alarm(1000); /* if nobody ends it */
            for (;;)
                pause();
        }
        FILE *file = fopen(path, "we");
        REQUIRE(child > 0 && file != NULL && fprintf(file, "%d\n", child) > 0);
        fclose(file);
        free(path);
    }
    while (!has_file("end"))
        a_moment();
    switch (ends_how) {
    case EXITS:
        exit(3);
    case EXITS_AT_ONCE:
        _exit(3);
    case BECOMES_ANOTHER:
        execle("/bin/sleep", "sleep", "100000", (char *)NULL, (char *const[]){NULL});
        _exit(127);
    }
    for (;;)
        pause();
}

static void ends(int how, bool with_child)
{
    long pids[MOST], watchers[MOST], supervisor;
    ends_how = how;
    has_child = with_child;
    remove_file("pids");
    remove_file("child");
    remove_file("end");
    pid_t pid = start_host(host);
    wait_for_pids("pids", pids, STEPS * PER_STEP);
    long child = with_child ? wait_for_pid("child") : 0;
    for (int i = 0; i < STEPS * PER_STEP; i++)
        CHECK(lives(pids[i]));
    CHECK_INT(find_watchers(pid, "fw-supervisor", &supervisor, 1), 1);
    int count = find_watchers(pid, "fw-monitor", watchers, MOST);
    REQUIRE(count >= STEPS && count <= MOST);

    write_file("end", "");
    if (how < EXITS)
        kill(pid, how);
    int status = how == BECOMES_ANOTHER ? 0 : host_status(pid);
    wait_for_nobody();
    watchers_until_gone("fw-monitor", watchers, count);
    watchers_until_gone("fw-supervisor", &supervisor, 1);
    if (how == BECOMES_ANOTHER) {
        CHECK_STR(name_of(pid), "sleep");
        kill(pid, SIGKILL);
        status = host_status(pid);
        CHECK_INT(status, SIGKILL);
    } else {
        CHECK_INT(status, how < EXITS ? how : 3 << 8);
    }
    if (with_child) {
        CHECK(process_runs(child));
        kill((pid_t)child, SIGKILL);
    }
}

int main(void)
{
    mark_commands();
    write_file("sleeper", "echo $$ >> pids; exec sleep 100000");
    write_file("deaf", "trap '' TERM; echo $$ >> pids; exec sleep 100000");
    const int how[] = {SIGKILL, SIGTERM, SIGSEGV, EXITS, EXITS_AT_ONCE, BECOMES_ANOTHER};
    for (size_t i = 0; i < sizeof how / sizeof *how; i++)
        ends(how[i], false);
    ends(SIGKILL, true);
    ends(EXITS_AT_ONCE, true);
    end_marked();
    return check_done();
}
