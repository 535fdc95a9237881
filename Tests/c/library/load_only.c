/*
 * Loading the library without a call leaves the host's process unchanged, and the host exits with status 0. This also
 * holds if the environment names a Swift toolchain, whose crash reporter the Swift runtime would install signal
 * handlers for.
 *
 * not under asan tsan ubsan: the Swift runtime of a sanitized library may install its crash reporter
 * not under valgrind: the program starts itself again, which valgrind does not follow
 */
#include "host.h"

#include <dlfcn.h>

/** The program runs this part in a new process for each environment, because the runtime reads the environment only
 *  once. */
static int load(bool close_it)
{
    char *before = host_state();
    void *library = dlopen(getenv("CHECK_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        fprintf(stderr, "%s\n", dlerror());
    REQUIRE(library != NULL);
    char *after = host_state();
    CHECK_STR(after, before);
    free(after);
    if (close_it) {
        CHECK_INT(dlclose(library), 0);
        after = host_state();
        CHECK_STR(after, before);
        free(after);
    }
    free(before);
    return check_done();
}

int main(int count, char **arguments)
{
    if (count > 1)
        return load(strcmp(arguments[1], "close") == 0);
    REQUIRE(getenv("CHECK_LIBRARY") != NULL);
    CHECK_INT(load(false), 0);
    run_again_with(NULL, NULL, "keep");
    run_again_with(NULL, NULL, "close");
    run_again_with("SWIFT_BACKTRACE", "enable=yes", "keep");
    run_again_with("SWIFT_BACKTRACE", "enable=no", "keep");
    const char *toolchain = getenv("CHECK_SWIFT_ROOT");
    if (toolchain == NULL) {
        check_skip("there is no Swift toolchain with a crash reporter");
    } else {
        run_again_with("SWIFT_ROOT", toolchain, "keep");
        setenv("SWIFT_ROOT", toolchain, 1);
        run_again_with("SWIFT_BACKTRACE", "enable=yes", "keep");
    }
    return check_done();
}
