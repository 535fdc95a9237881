/*
 * When the host ends, a command must not take what has come for the whole of its input: the input stays open until
 * signals have ended the command.
 *
 * not under valgrind: the supervisor is found by its pidfd of the host, which valgrind 3.19 does not have
 */
#include "descendants.h"
#include "input.h"

/** A host that ends when the command has read a part of its input. */
static void host(void)
{
    fw_exec *exec = START_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.3), "{\"stdin\": \"host\"}",
                               "trap '' TERM; echo $$$$ > pid; cat > got; echo whole > how");
    input_all(exec, "part", 4);
    char *path = check_path("got");
    struct stat info;
    while (stat(path, &info) < 0 || info.st_size < 4) {
        fw_event_free(event_next(exec, 0));
        a_moment();
    }
    kill(getpid(), SIGKILL);
}

int main(void)
{
    check_dir();
    pid_t child = fork();
    if (child == 0)
        host();
    int status = -1;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    long pid = wait_for_pid("pid");
    while (process_runs(pid))
        a_moment();
    CHECK(has_file("got"));
    CHECK(!has_file("how"));
    remove_file("pid");
    remove_file("got");
    remove_file("how");
    return check_done();
}
