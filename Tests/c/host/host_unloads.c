/*
 * dlclose(3) does not unload the library: running steps continue, and handles stay valid, also after the library is
 * loaded again. A host that exits then has its own exit status, and its steps end with it.
 */
#include "descendants.h"
#include "host_library.h"

static enum { EXITS, EXITS_WITH_HANDLERS, RUNS_A_HANDLER } ends_how;
static struct library library;
static fw_exec *exec;

static void closes_and_ends(void)
{
    library = library_load(getenv("CHECK_LIBRARY"));
    exec = library_start(&library, "echo $$$$ >> pids; setsid sh sleeper & exec sh sleeper", check_dir());
    fw_exec *other = library_start(&library, "until test -e go; do sleep 0.01; done; echo here; exit 5", check_dir());
    CHECK_INT(dlclose(library.handle), 0);
    struct library again = library_load(getenv("CHECK_LIBRARY"));
    CHECK(again.start == library.start);
    CHECK_INT(dlclose(again.handle), 0);

    write_file("go", "");
    fw_result *result = NULL;
    CHECK_INT(library.wait(other, -1, &result, NULL), FW_OK);
    CHECK_INT(library.returncode(result), 5);
    CHECK_STR(library.output(result, FW_STDOUT, 0, NULL), "here\n");
    library.result_free(result);
    library.exec_free(other);
    library_check(&library, "echo after", "/", "after\n");

    long pids[3];
    wait_for_pids("pids", pids, 3);
    CHECK(lives(pids[0]) && lives(pids[1]) && lives(pids[2]));
    fflush(NULL);
    int status = check_failures == 0 ? 42 : 1;
    if (ends_how == EXITS)
        _exit(status);
    exit(status);
}

static void free_at_exit(void)
{
    if (ends_how == RUNS_A_HANDLER)
        library.exec_free(exec);
}

static void registers_first(void)
{
    atexit(free_at_exit); /* runs after any handler that the library may have registered */
    closes_and_ends();
}

int main(void)
{
    REQUIRE(getenv("CHECK_LIBRARY") != NULL);
    mark_commands();
    write_file("sleeper", "echo $$ >> pids; exec sleep 100000");
    for (int how = EXITS; how <= RUNS_A_HANDLER; how++) {
        ends_how = how;
        remove_file("pids");
        remove_file("go");
        pid_t host = start_host(registers_first);
        CHECK_INT(host_status(host), 42 << 8);
        wait_for_nobody();
    }
    end_marked();
    return check_done();
}
