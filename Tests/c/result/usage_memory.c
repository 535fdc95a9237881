/* `peak_memory` is the largest resident memory of one process of the command. It includes neither the host's memory
 * nor that of earlier commands. */
#include "run.h"

#include <sys/mman.h>

enum { MIB = 1 << 20 };

/* dd fills the buffer that it reads into. */
#define TOUCHES(size) "dd if=/dev/zero of=/dev/null count=1 iflag=fullblock bs=" size

static json_int_t peak(const fw_result *result, size_t command)
{
    json_int_t bytes = run_command_int(result, command, "peak_memory");
    CHECK(bytes > 0);
    return bytes;
}

/** A trivial command needs little memory. */
static void small(const fw_result *result, size_t command)
{
    json_int_t bytes = peak(result, command);
    if (!CHECK(bytes < 20 * MIB))
        fprintf(stderr, "    command %zu: %lld bytes\n", command, (long long)bytes);
}

int main(void)
{
    /* The memory of a trivial command in a small host, and after a large command. */
    fw_result *result = RUN("true", TOUCHES("200M"), "true", "/bin/true");
    CHECK_EXITED(result, 0);
    small(result, 0);
    CHECK(peak(result, 1) >= 200ll * MIB);
    CHECK(peak(result, 1) < 300ll * MIB);
    small(result, 2);
    small(result, 3);
    fw_result_free(result);

    /* The same in a host with 1 GiB of resident memory. */
    size_t size = (size_t)check_times(1024, 256) * MIB;
    char *resident = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    REQUIRE(resident != MAP_FAILED);
    memset(resident, 1, size);
    result = RUN("true", "/bin/true", "sh -c 'true; true'; :");
    CHECK_EXITED(result, 0);
    for (size_t i = 0; i < 3; i++)
        small(result, i);
    fw_result_free(result);
    CHECK_INT(resident[size - 1], 1);
    munmap(resident, size);

    /* The largest process counts, not the sum; a process that nobody waited for does not count. */
    result = RUN(TOUCHES("60M") " & first=$$!; " TOUCHES("50M") " & wait $$first $$!; true");
    CHECK_EXITED(result, 0);
    CHECK(peak(result, 0) >= 60 * MIB);
    CHECK(peak(result, 0) < 110 * MIB);
    fw_result_free(result);
    return check_done();
}
