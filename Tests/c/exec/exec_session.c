/*
 * Each command leads a session of its own, without a terminal, and is not a child of the host.
 */
#include "run.h"

int main(void)
{
    /* Fields of proc(5): process group, session, terminal. The name in parentheses has no space. */
    const char *fields = "read -r pid name state parent group session terminal rest < /proc/$$$$/stat; "
                         "echo $$group $$session $$terminal; echo $$parent >&2";
    fw_result *result = RUN(fields, fields);
    CHECK_EXITED(result, 0);
    for (size_t i = 0; i < 2; i++) {
        char want[100];
        json_int_t pid = run_command_int(result, i, "pid");
        snprintf(want, sizeof want, "%lld %lld 0\n", (long long)pid, (long long)pid);
        CHECK_OUTPUT(result, FW_STDOUT, i, want);
        CHECK(pid != getsid(0));
        const char *parent = fw_result_output(result, FW_STDERR, i, NULL);
        CHECK(parent != NULL && atol(parent) > 1 && atol(parent) != getpid());
    }
    CHECK(run_command_int(result, 0, "pid") != run_command_int(result, 1, "pid"));
    fw_result_free(result);
    return check_done();
}
