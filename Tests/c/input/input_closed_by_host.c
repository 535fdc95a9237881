/* A host that closes the descriptor of an input, as one that closes everything does, gets an error from the next write,
 * and nothing is written to what has its number now. */
#include "input.h"

/** Closes the writing end of the input, which is the only pipe of this process that does not block. */
static int close_input_pipe(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        struct stat info;
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0 || (flags & O_ACCMODE) != O_WRONLY || fstat(fd, &info) < 0 || !S_ISFIFO(info.st_mode) ||
            (flags & O_NONBLOCK) == 0)
            continue;
        CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
        close(fd);
        return fd;
    }
    return -1;
}

int main(void)
{
    fw_result_free(RUN("true"));
    fw_exec *exec = INPUT("cat; echo end");
    int fd = close_input_pipe();
    REQUIRE(fd >= 3);
    char *path = check_path("file");
    int file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    REQUIRE(file >= 0 && (file == fd || dup2(file, fd) == fd));
    input_has_ended(exec, "this process has closed the descriptor");
    input_close(exec);
    input_exits(exec, 0, "end\n");
    struct stat info;
    CHECK(fstat(fd, &info) == 0 && info.st_size == 0);
    if (file != fd)
        close(file);
    close(fd);
    free(path);
    return check_done();
}
