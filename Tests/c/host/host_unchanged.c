/*
 * Loading the library and running steps, successful or not, leaves the host's process unchanged: signals, mask,
 * directory, environment, umask, threads, descriptors. This also holds for a host with its own handlers and mask, and
 * where the Swift runtime would find its crash reporter. The only new descriptors are the documented ones; they are
 * close-on-exec, and their number does not grow with the number of steps.
 *
 * not under asan tsan ubsan: the Swift runtime of a sanitized library may install its crash reporter
 * not under valgrind: the program starts itself again, which valgrind does not follow
 */
#include "host.h"
#include "host_library.h"

enum { AT_ONCE = 40, FOR_SUPERVISOR = 2, WAITING_MONITORS = 16 };

static struct library library;

static void handler(int signal)
{
    (void)signal;
}

/** Removes the lines of new descriptors, which `before` does not have, and checks that these are close-on-exec; returns
 *  their number. */
static int take_out_new(char *state, const char *before)
{
    int count = 0;
    for (char *line = state, *end; (end = strchr(line, '\n')) != NULL;) {
        int fd = -1;
        char kept = end[1];
        end[1] = '\0';
        bool is_new = sscanf(line, "descriptor %d:", &fd) == 1 && strstr(before, line) == NULL;
        end[1] = kept;
        if (!is_new) {
            line = end + 1;
            continue;
        }
        if (!CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0))
            fprintf(stderr, "    %.*s\n", (int)(end - line), line);
        memmove(line, end + 1, strlen(end + 1) + 1);
        count++;
    }
    return count;
}

/** Checks that the state is unchanged except for new descriptors, and returns their number. */
static int compare(const char *before)
{
    char *after = host_state();
    int more = take_out_new(after, before);
    CHECK_STR(after, before);
    free(after);
    return more;
}

static void end_step(fw_exec *exec, fw_outcome outcome, int returncode)
{
    fw_result *result = NULL;
    CHECK_INT(library.wait(exec, -1, &result, NULL), FW_OK);
    REQUIRE(result != NULL);
    CHECK_INT(library.outcome(result), outcome);
    CHECK_INT(library.returncode(result), returncode);
    library.result_free(result);
    library.exec_free(exec);
}

static void step(const char *command, const char *rundir, fw_outcome outcome, int returncode)
{
    end_step(library_start(&library, command, rundir), outcome, returncode);
}

static void run_all_kinds(void)
{
    step("echo out; echo err >&2; cd /", check_dir(), FW_EXITED, 0);
    step("exit 3", check_dir(), FW_EXITED, 3);
    step("kill -9 $$$$", check_dir(), FW_SIGNALED, -9);
    step("sleep 100000 & setsid sleep 100000 & true", check_dir(), FW_EXITED, 0);
    step("true", "/nonexistent", FW_SPAWN_FAILED, 1);
}

static void run_many(void)
{
    for (int i = 0; i < 1000; i++)
        step("exit 3", "/", FW_EXITED, 3);
}

static void run_at_once(void)
{
    fw_exec *steps[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        steps[i] = library_start(&library, "until test -e go; do sleep 0.05; done; exit 4", check_dir());
    write_file("go", "");
    for (int i = 0; i < AT_ONCE; i++)
        end_step(steps[i], FW_EXITED, 4);
    remove_file("go");
}

static int host(bool has_own_signals)
{
    if (has_own_signals) {
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
    }
    check_dir();
    char *before = host_state();
    library = library_load(getenv("CHECK_LIBRARY"));
    CHECK_INT(compare(before), 0);
    run_all_kinds();
    int first = compare(before);
    CHECK(first <= FOR_SUPERVISOR + 1);
    for (int i = 0; i < 3; i++)
        run_all_kinds();
    run_many();
    CHECK_INT(compare(before), first);
    run_at_once();
    CHECK(compare(before) <= FOR_SUPERVISOR + WAITING_MONITORS);
    CHECK_INT(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    CHECK_INT(errno, ECHILD);
    free(before);
    return check_done();
}

int main(int count, char **arguments)
{
    REQUIRE(getenv("CHECK_LIBRARY") != NULL);
    if (count > 1)
        return host(strcmp(arguments[1], "own signals") == 0);
    run_again_with(NULL, NULL, "plain");
    run_again_with(NULL, NULL, "own signals");
    const char *toolchain = getenv("CHECK_SWIFT_ROOT");
    if (toolchain == NULL) {
        check_skip("there is no Swift toolchain with a crash reporter");
    } else {
        run_again_with("SWIFT_ROOT", toolchain, "plain");
        run_again_with("SWIFT_ROOT", toolchain, "own signals");
    }
    return check_done();
}
