/* Limits apply to every process of a command, including background processes and other sessions, and to each process
 * separately. */
#include "run.h"

#include <signal.h>

static json_t *limits(const char *key, long long value)
{
    return json_pack("{s:{s:{s:I}}}", "options", "limits", key, (json_int_t)value);
}

int main(void)
{
    fw_result *result = RUN_WITH(limits("open_files", 50), "sh -c 'sh -c \"ulimit -n; :\"; :'",
                                 "(ulimit -n) & wait $$!", "setsid -w sh -c 'ulimit -n; :'");
    CHECK_EXITED(result, 0);
    for (size_t i = 0; i < 3; i++)
        CHECK_OUTPUT(result, FW_STDOUT, i, "50\n");
    fw_result_free(result);

    /* The shell reports the end of a grandchild, and the step continues. */
    result = RUN_WITH(limits("file_size", 100), "setsid -w head -c 1000 /dev/zero > file & wait $$!; echo $$?",
                      "head -c 1000 /dev/zero > file & wait $$!; echo $$?; wc -c < file");
    char said[64];
    CHECK_EXITED(result, 0);
    snprintf(said, sizeof said, "%d\n100\n", 128 + SIGXFSZ);
    CHECK_OUTPUT(result, FW_STDOUT, 1, said);
    CHECK(strcmp(fw_result_output(result, FW_STDOUT, 0, NULL), "0\n") != 0);
    fw_result_free(result);

    result = RUN_WITH(limits("cpu_time", 1), "sh -c 'while :; do :; done'; echo $$?");
    CHECK_EXITED(result, 0);
    snprintf(said, sizeof said, "%d\n", 128 + SIGXCPU);
    CHECK_OUTPUT(result, FW_STDOUT, 0, said);
    fw_result_free(result);

    result = RUN_WITH(limits("memory", 64 << 20),
                      "(setsid -w dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null) & wait $$!; echo $$?");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "1\n");
    fw_result_free(result);
    return check_done();
}
