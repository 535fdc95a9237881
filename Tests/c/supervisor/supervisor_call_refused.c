/*
 * If a sandbox refuses a system call that the library, the supervisor or a monitor needs, the step has the outcome
 * `spawn_failed`, and the message names the call. No command is reported as killed, the next step fails in the same
 * way, and calls that are not essential are done without. If the sandbox kills the process that makes a call, the
 * outcome is `signaled` or `status_unknown`.
 *
 * not under valgrind: valgrind lets nobody install a seccomp filter
 */
#include "refuse.h"
#include "workflow.h"

#include <poll.h>

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

/** The library is in use already. */
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
    CHECK_HAS(fw_result_message(result), "timerfd_");
    CHECK_HAS(fw_result_message(result), strerror(now->error));
    fw_result_free(result);
    fw_pool_free(pool);
}

static atomic_int asked;

/** The first socket is the channel; later ones are pipes and the rest. */
static int all_but_the_first(pid_t pid, int fd)
{
    (void)pid;
    (void)fd;
    int number = asked++;
    return number == 1 || number == 2 ? now->error : 0;
}

static void watch_to_the_end(fw_exec *exec)
{
    struct pollfd item = {.fd = fw_exec_fd(exec), .events = POLLIN};
    REQUIRE(item.fd >= 0);
    fw_event *event = NULL;
    for (int ended = 0; !ended;) {
        CHECK_INT(poll(&item, 1, -1), 1);
        REQUIRE(fw_exec_next_event(exec, 0, &event, NULL) == FW_OK);
        ended = event != NULL && fw_event_kind(event) == FW_EVENT_STEP_ENDED;
        fw_event_free(event);
    }
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 3);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** A host that waits with fw_exec_fd() where the system refuses the preferred mechanism. */
static void without_flags(void)
{
    refuse_call(now->call, ANY_ARGUMENT, now->error);
    watch_to_the_end(START(NULL, "echo one", "exit 3"));
}

static void without_watching_all(void)
{
    refuse_some(now->call, all_but_the_first);
    watch_to_the_end(START(NULL, "echo one; sleep 0.1", "exit 3"));
    CHECK(asked > 2);
}

/** The system refuses epoll, so there is no descriptor, and waiting works without one. */
static void without_watching(void)
{
    refuse_call(now->call, ANY_ARGUMENT, now->error);
    fw_exec *exec = START(NULL, "echo one", "exit 3");
    CHECK_INT(fw_exec_fd(exec), -1);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 3);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** /dev/null cannot be opened. */
static void in_an_empty_root(void)
{
    if (chroot(check_dir()) != 0) {
        check_skip("only root can change the root directory");
        return;
    }
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"echo one", NULL});
    fw_result *result = run_exec(worker, step, NULL, "/");
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_HAS(fw_result_message(result), "/dev/null");
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);
}

/** A filter that kills whoever makes a call: the result says what is known of the process that was killed. */
static void killed(void)
{
    if (refuse_load((uint32_t)now->call, ANY_ARGUMENT, SECCOMP_RET_KILL_PROCESS, 0) != 0) {
        check_skip("this system lets nobody install a seccomp filter");
        return;
    }
    fw_result *result = RUN("echo one; : > ran");
    if (now->call == SYS_fchdir) { /* a call of the process that becomes the command */
        CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
        CHECK_INT(fw_result_returncode(result), -SIGSYS);
    } else { /* a call of the monitor */
        CHECK_INT(fw_result_outcome(result), FW_STATUS_UNKNOWN);
        CHECK_INT(fw_result_returncode(result), 1);
    }
    fw_result_free(result);
    char *path = check_path("ran");
    CHECK(access(path, F_OK) != 0);
    free(path);
}

/** Calls that the library can do without. */
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
        try(SYS_dup3, errors[at], "dup3", unstarted);
        try(SYS_sendmsg, errors[at], "sendmsg", unstarted);
        try(SYS_recvmsg, errors[at], "recvmsg", unstarted);
        try(SYS_recvfrom, errors[at], "recv", unstarted);
        try(SYS_wait4, errors[at], "wait4", unstarted);
        try(SYS_clock_gettime, errors[at], "clock_gettime", unstarted);
        try(SYS_rt_sigprocmask, errors[at], "rt_sigprocmask", unstarted);
        try(SYS_fcntl, errors[at], "fcntl", unstarted);
        try(SYS_fchdir, errors[at], "fchdir", unstarted);
        try(SYS_execve, errors[at], "execve", unstarted);
        try(SYS_poll, errors[at], "poll", unstarted);
        try(SYS_pipe2, errors[at], "pipe2", unstarted);
        try(SYS_pipe2, errors[at], "pipe2", unstarted_later);
        try(SYS_memfd_create, errors[at], "memfd_create", long_command);
        try(SYS_timerfd_create, errors[at], "timerfd_create", without_timers);
        try(SYS_timerfd_settime, errors[at], "timerfd_settime", without_timers);
        try(SYS_eventfd2, errors[at], "eventfd2", without_flags);
        try(SYS_pidfd_open, errors[at], "pidfd_open", not_needed);
        try(SYS_close_range, errors[at], "close_range", not_needed);
        try(SYS_pidfd_send_signal, errors[at], "pidfd_send_signal", not_needed);
        try(SYS_fstat, errors[at], "fstat", not_needed);
    }
    try(SYS_epoll_ctl, ENOSPC, "epoll_ctl", without_watching);
    try(SYS_epoll_ctl, ENOMEM, "epoll_ctl", without_watching_all);
    try(SYS_fchdir, 0, "fchdir", killed);
    try(SYS_signalfd4, 0, "signalfd4", killed);
    in_child(in_an_empty_root, "in_an_empty_root");
    return check_done();
}
