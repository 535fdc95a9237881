/*
 * Running steps, good ones and bad ones, leaves the host's process as it was: also one that
 * has its own signal handlers and its own mask. No child of the library is left over.
 *
 * not under valgrind: it has no pidfd_open (3.19), without which nothing can be ended
 */
#include "host.h"
#include "run.h"

static void handler(int signal)
{
    (void)signal;
}

static void run_many(void)
{
    fw_worker *worker = run_worker(json_pack("{s:{s:f}}", "options", "grace", 0.5));
    fw_step *good = run_step("good", (const char *const[]){"echo out; echo err >&2", "cd /", NULL});
    fw_step *bad = run_step("bad", (const char *const[]){"exit 3", NULL});
    fw_step *killed = run_step("killed", (const char *const[]){"kill -9 $$$$", NULL});
    fw_step *leaves = run_step("leaves", (const char *const[]){"sleep 1000 & true", NULL});
    int times = check_times(1000, 20);
    for (int i = 0; i < times; i++) {
        fw_result_free(run_exec(worker, good, NULL, check_dir()));
        if (i % 100 == 0) {
            fw_result_free(run_exec(worker, bad, NULL, check_dir()));
            fw_result_free(run_exec(worker, killed, NULL, check_dir()));
            fw_result_free(run_exec(worker, leaves, NULL, check_dir()));
            fw_result_free(run_exec(worker, good, NULL, "/nonexistent"));
        }
    }
    fw_step_free(leaves);
    fw_step_free(killed);
    fw_step_free(bad);
    fw_step_free(good);
    fw_worker_free(worker);
}

static void unchanged(void)
{
    char *before = host_state();
    run_many();
    char *after = host_state();
    CHECK_STR(after, before);
    free(after);
    free(before);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_INT(errno, ECHILD);
}

static void plain(void)
{
    unchanged();
}

static void with_own_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, handler);
    signal(SIGCHLD, handler);
    signal(SIGSEGV, SIG_IGN);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    umask(027);
    unchanged();
}

int main(void)
{
    in_child(plain, "plain");
    in_child(with_own_signals, "with_own_signals");
    return check_done();
}
