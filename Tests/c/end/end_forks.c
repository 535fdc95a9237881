/*
 * Processes that fork and exit all the time, so that every list of them is out of date at once, are ended like others:
 * after the command has ended by itself, and after a cancel. Processes that start only in reaction to TERM are ended,
 * too.
 */
#include "descendants.h"

/** Each process of the chain makes the next one and ends; each fourth also leaves its session. */
static void chain(void)
{
    signal(SIGTERM, SIG_IGN);
    for (unsigned long links = 0;; links++) {
        pid_t pid = fork();
        if (pid > 0)
            _exit(0);
        if (pid == 0 && links % 4 == 0)
            setsid();
        if (pid == 0 && links == 20)
            close(creat("there", 0600));
    }
}

/** Is a subreaper, as an init process is, and never exits by itself, so that its orphans stay below it. */
static void reaper(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    signal(SIGTERM, SIG_IGN);
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            setsid();
            if (fork() != 0)
                _exit(0);
            for (;;)
                pause();
        }
    while (wait(NULL) < 0 && errno == EINTR)
        ;
    close(creat("there", 0600));
    for (;;)
        pause();
}

static json_t *grace(double seconds)
{
    return json_pack("{s:{s:f}}", "options", "grace", seconds);
}

/** Runs a command that starts processes and ends with status 3 as soon as the file "there" exists. */
static fw_result *leave(double seconds, const char *start)
{
    char command[200];
    snprintf(command, sizeof command, "%s until test -e there; do sleep 0.01; done; exit 3", start);
    remove_file("there");
    fw_result *result = RUN_WITH(grace(seconds), command);
    CHECK_NOBODY();
    CHECK_EXITED(result, 3);
    return result;
}

static void chain_that_is_left(void)
{
    fw_result *result = leave(0.2, "$$self chain &");
    json_t *ended = run_command_member(result, 0, "is_ended");
    CHECK(json_is_true(ended));
    json_decref(ended);
    fw_result_free(result);
}

static void chain_that_is_cancelled(void)
{
    remove_file("there");
    fw_exec *exec = BEGIN_WITH(grace(0.2), "$$self chain & $$self chain & exec sleep 100000");
    fw_result *result = cancel_when_there(exec);
    fw_result_free(result);
}

/** Processes below a subreaper of their own, which the monitor gets only when that subreaper is killed, and processes
 *  in a process namespace. */
static void inits(void)
{
    fw_result *result = leave(0.2, "$$self reaper & $$self reaper &");
    fw_result_free(result);

    result = RUN("unshare -pf true");
    bool has_namespaces = fw_result_returncode(result) == 0;
    fw_result_free(result);
    if (!has_namespaces) {
        check_skip("this system gives no process namespace");
        return;
    }
    fw_result_free(leave(0.2, "unshare -pf sh -c 'setsid sleep 100000 & : > there; wait' &"));
}

/** A chain of shells forks more slowly, and has two processes at a time. */
static void chain_of_shells(void)
{
    write_file("shells", ": > there; sh shells & exit");
    remove_file("there");
    fw_result *result = RUN_WITH(grace(0.5), "sh shells & until test -e there; do sleep 0.01; done");
    CHECK_NOBODY();
    CHECK_EXITED(result, 0);
    fw_result_free(result);
}

/** A daemon that reacts to TERM by starting processes in sessions of their own. */
static void born_after_term(void)
{
    write_file("daemon", "trap 'setsid sh born & setsid sh born & :' TERM\n"
                         ": > there\n"
                         "while :; do sleep 0.01; done");
    write_file("born", "echo $$ >> born-pids; trap '' TERM; exec sleep 100000");
    remove_file("there");
    fw_exec *exec = BEGIN_WITH(grace(1), "setsid sh daemon & exec sleep 100000");
    fw_result *result = cancel_when_there(exec);
    CHECK(read_pids("born-pids", NULL, 0) > 0);
    fw_result_free(result);
}

/** A process that reacts to TERM by starting its own successor, which has not had TERM yet. */
static void reborn_after_term(void)
{
    write_file("phoenix", "trap 'setsid sh phoenix & exit' TERM\n"
                          ": >> there\n"
                          "while :; do sleep 0.01; done");
    fw_result *result = leave(0.5, "sh phoenix &");
    fw_result_free(result);
}

int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "chain") == 0)
        chain();
    if (count > 1 && strcmp(arguments[1], "reaper") == 0)
        reaper();
    mark_commands();
    char self[4096] = "";
    REQUIRE(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    setenv("self", self, 1);
    chain_that_is_left();
    chain_that_is_cancelled();
    chain_of_shells();
    inits();
    born_after_term();
    reborn_after_term();
    end_marked();
    return check_done();
}
