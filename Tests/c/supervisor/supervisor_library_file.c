/*
 * The library's file is also the program of the supervisor. Steps run if that file is not executable, has been moved,
 * deleted or replaced since it was loaded, has an unusual name, or was loaded by a path relative to a directory that
 * the host has left. The supervisor never runs another file. If neither the file nor a copy of it in memory can be run,
 * the step is `spawn_failed`, and the message names the call.
 *
 * not under valgrind: a clone does not share memory there, so a child cannot report why it did not start
 */
#include "host_library.h"
#include "processes.h"
#include "refused.h"

#include <fcntl.h>

static struct library library;

/** A copy of the library in check_dir(). */
static char *copy(const char *name, mode_t mode)
{
    char *path = check_path(name), buffer[65536];
    int from = open(getenv("CHECK_LIBRARY"), O_RDONLY | O_CLOEXEC);
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    REQUIRE(from >= 0 && to >= 0);
    for (ssize_t size; (size = read(from, buffer, sizeof buffer)) > 0;)
        REQUIRE(write(to, buffer, (size_t)size) == size);
    REQUIRE(fchmod(to, mode) == 0);
    close(to);
    close(from);
    return path;
}

/** The second step uses the supervisor that the first one has started. */
static void check_steps(void)
{
    library_check(&library, "echo one", "/", "one\n");
    library_check(&library, "echo two", "/", "two\n");
    /* A new supervisor is started as well. */
    umask(027);
    library_check(&library, "umask", "/", "0027\n");
}

static void as_it_is(void)
{
    char *path = copy("plain.so", 0755);
    library = library_load(path);
    check_steps();
    free(path);
}

static void not_executable(void)
{
    char *path = copy("plain.so", 0644);
    library = library_load(path);
    check_steps();
    free(path);
}

static void only_to_be_read(void)
{
    char *path = copy("plain.so", 0400);
    library = library_load(path);
    check_steps();
    free(path);
}

static void deleted(void)
{
    char *path = copy("plain.so", 0755);
    library = library_load(path);
    unlink(path);
    check_steps();
    free(path);
}

static void deleted_after_the_first_step(void)
{
    char *path = copy("plain.so", 0755);
    library = library_load(path);
    library_check(&library, "echo zero", "/", "zero\n");
    unlink(path);
    check_steps();
    free(path);
}

static void renamed(void)
{
    char *path = copy("plain.so", 0755), *other = check_path("other.so");
    library = library_load(path);
    REQUIRE(rename(path, other) == 0);
    check_steps();
    free(other);
    free(path);
}

/** The file is replaced by a program that would make a file, as an upgrade of the package would replace it. */
static void replaced(void)
{
    char *path = copy("plain.so", 0755), *other = check_path("replacement"), *trace = check_path("was-run");
    library = library_load(path);
    FILE *file = fopen(other, "we");
    REQUIRE(file != NULL && fprintf(file, "#!/bin/sh\n: > '%s'\n", trace) > 0 && fchmod(fileno(file), 0755) == 0);
    fclose(file);
    REQUIRE(rename(other, path) == 0);
    check_steps();
    CHECK(access(trace, F_OK) != 0);
    free(trace);
    free(other);
    free(path);
}

static void relative(void)
{
    free(copy("plain.so", 0755));
    REQUIRE(chdir(check_dir()) == 0);
    library = library_load("./plain.so");
    REQUIRE(chdir("/") == 0);
    check_steps();
}

static void odd_name(void)
{
    char *path = copy("a b\n\\012 (deleted)", 0755);
    library = library_load(path);
    check_steps();
    free(path);
}

static void not_executable_and_no_memory_file(void)
{
    char *path = copy("plain.so", 0644);
    library = library_load(path);
    if (!refuse_call(SYS_memfd_create, EPERM)) {
        check_skip("this system lets nobody install a seccomp filter");
        return;
    }
    fw_exec *exec = library_start(&library, "echo one; : > ran", check_dir());
    fw_result *result = NULL;
    CHECK_INT(library.wait(exec, -1, &result, NULL), FW_OK);
    REQUIRE(result != NULL);
    CHECK_INT(library.outcome(result), FW_SPAWN_FAILED);
    CHECK_HAS(library.message(result), "execveat");
    CHECK_HAS(library.message(result), strerror(EACCES));
    char *trace = check_path("ran");
    CHECK(access(trace, F_OK) != 0);
    free(trace);
    library.result_free(result);
    library.exec_free(exec);
    free(path);
}

int main(void)
{
    REQUIRE(getenv("CHECK_LIBRARY") != NULL);
    void (*const all[])(void) = {
        as_it_is, not_executable, only_to_be_read, deleted,  deleted_after_the_first_step,
        renamed,  replaced,       relative,        odd_name, not_executable_and_no_memory_file};
    const char *const names[] = {
        "as_it_is", "not_executable", "only_to_be_read", "deleted",  "deleted_after_the_first_step",
        "renamed",  "replaced",       "relative",        "odd_name", "not_executable_and_no_memory_file"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        in_child(all[i], names[i]);
        nftw(check_dir(), check_remove_one, 16, FTW_DEPTH | FTW_PHYS);
        REQUIRE(mkdir(check_dir(), 0700) == 0);
    }
    return check_done();
}
