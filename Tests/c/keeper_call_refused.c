/*
 * A call that the library, its keeper or a monitor needs, and that a sandbox refuses: the step could not be started, and the
 * message names the call. Nothing is told as killed, the next step is told the same, and what can go on without a
 * call does.
 *
 * not under valgrind: it has no pidfd_open (3.19), without which no command can be started
 */
#include "refuse.h"
#include "workflow.h"

static const struct refused {
    long call;
    int error;
    const char *name;
} *now;

static void check_unstarted(fw_result *result)
{
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_HAS(fw_result_message(result), now->name);
    CHECK_HAS(fw_result_message(result), strerror(now->error));
    json_t *all = run_json(result), *why = json_object_get(all, "explanation");
    CHECK_INT(json_array_size(json_object_get(why, "tried")), 1);
    CHECK(json_is_string(json_object_get(why, "likely")));
    json_decref(all);
    fw_result_free(result);
}

static void unstarted(void)
{
    refuse_call(now->call, ANY_ARGUMENT, now->error);
    for (int i = 0; i < 3; i++)
        check_unstarted(RUN("echo one; : > ran"));
    char *path = check_path("ran");
    CHECK(access(path, F_OK) != 0);
    free(path);
}

/** It is in use already. */
static void unstarted_later(void)
{
    fw_result_free(RUN("true"));
    refuse_call(now->call, ANY_ARGUMENT, now->error);
    check_unstarted(RUN("echo one"));
}

static void long_command(void)
{
    refuse_call(now->call, ANY_ARGUMENT, now->error);
    char *command = malloc(100001);
    memset(command, 'x', 100000);
    memcpy(command, "echo one; : ", 12);
    command[100000] = 0;
    check_unstarted(RUN(command));
    free(command);
    fw_result *result = RUN("exit 3");
    CHECK_EXITED(result, 3);
    fw_result_free(result);
}

static void without_timers(void)
{
    refuse_call(now->call, ANY_ARGUMENT, now->error);
    fw_pool *pool = check_pool("[]");
    fw_result *result = workflow_run("{\"steps\": [" STEP("s", "echo one") "]}", pool, NULL, NULL);
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_HAS(fw_result_message(result), "timerfd_create");
    CHECK_HAS(fw_result_message(result), strerror(now->error));
    fw_result_free(result);
    fw_pool_free(pool);
}

/** What is not needed. */
static void not_needed(void)
{
    refuse_call(now->call, ANY_ARGUMENT, now->error);
    fw_result *result = RUN("echo one", "exit 3");
    CHECK_EXITED(result, 3);
    fw_result_free(result);
}

static void try(long call, int error, const char *name, void (*part)(void))
{
    const struct refused refused = {call, error, name};
    now = &refused;
    in_child(part, name);
}

int main(void)
{
    static const int errors[] = {EPERM, ENOSYS};
    for (int at = 0; at < 2; at++) {
        try(SYS_signalfd4, errors[at], "signalfd4", unstarted);
        try(SYS_execveat, errors[at], "execveat", unstarted);
        try(SYS_socketpair, errors[at], "socketpair", unstarted);
        try(SYS_pipe2, errors[at], "pipe2", unstarted);
        try(SYS_pipe2, errors[at], "pipe2", unstarted_later);
        try(SYS_memfd_create, errors[at], "memfd_create", long_command);
        try(SYS_timerfd_create, errors[at], "timerfd_create", without_timers);
        try(SYS_pidfd_open, errors[at], "pidfd_open", not_needed);
        try(SYS_close_range, errors[at], "close_range", not_needed);
        try(SYS_pidfd_send_signal, errors[at], "pidfd_send_signal", not_needed);
    }
    return check_done();
}
