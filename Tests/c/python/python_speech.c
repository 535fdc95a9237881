/*
 * An interpreter that breaks the protocol ends the step with a message that names the interpreter and the reason: the
 * step never succeeds, and never reports a signal that the library itself sent.
 */
#include "function.h"

#include <sys/stat.h>

#define READY "echo '{\"event\": \"ready\"}'\n"
#define STARTED "echo \"{\\\"event\\\": \\\"started\\\", \\\"pid\\\": $$}\"\n"
#define RETURNED "echo '{\"event\": \"returned\", \"value\": 1}'\n"
#define DONE(status, more)                                                          \
    "echo \"{\\\"event\\\": \\\"done\\\", \\\"pid\\\": $$, \\\"status\\\": " status \
    ", \\\"user\\\": 0, \\\"system\\\": 0, \\\"peak_bytes\\\": 0, "                 \
    "\\\"clean\\\": true, \\\"left\\\": []" more "}\"\n"
#define HANG "exec sleep 300\n"

static const struct {
    const char *name, *lines;
    int32_t outcome;
    const char *words;
} modes[] = {
    {"fails", "echo reason >&2\nexit 3\n", FW_SPAWN_FAILED, "before it began the function \"m.f\": reason"},
    {"fails_with_much_text", "head -c 300000 /dev/zero | tr '\\0' x >&2\necho >&2; echo reason >&2\nexit 3\n",
     FW_SPAWN_FAILED, "reason"},
    {"is_ready_and_ends", READY, FW_SPAWN_FAILED, "before it began"},
    {"blank", "yes ''\n", FW_ENGINE_FAILED, "before it was ready"},
    {"one_line", "tr '\\0' x </dev/zero\n", FW_ENGINE_FAILED, "before it was ready"},
    {"events", "yes '{\"event\": \"cell\"}'\n", FW_ENGINE_FAILED, "before it was ready"},
    {"garbage", READY "echo garbage\n" HANG, FW_ENGINE_FAILED,
     "violated the protocol: one of its lines cannot be read: the text is not valid JSON"},
    {"bytes", READY "printf '\\377\\n'\n" HANG, FW_ENGINE_FAILED,
     "violated the protocol: one of its lines cannot be read"},
    {"line", READY "tr '\\0' x </dev/zero\n", FW_ENGINE_FAILED, "a line of more than 65536 bytes"},
    {"number", READY STARTED "echo 5\n" HANG, FW_ENGINE_FAILED, "invalid or unexpected"},
    {"twice_ready", READY READY HANG, FW_ENGINE_FAILED, "it sent \"ready\" before it had begun"},
    {"twice_started", READY STARTED STARTED HANG, FW_ENGINE_FAILED, "it sent an invalid message about its beginning"},
    {"wrong_pid", READY "echo '{\"event\": \"started\", \"pid\": 99999999999}'\n" HANG, FW_ENGINE_FAILED,
     "it sent an invalid message about its beginning"},
    {"not_begun", READY RETURNED HANG, FW_ENGINE_FAILED, "before it had begun"},
    {"no_end", READY STARTED RETURNED, FW_ENGINE_FAILED, "ended before it reported the end of the function \"m.f\""},
    {"two_values", READY STARTED RETURNED RETURNED DONE("0", "") HANG, FW_ENGINE_FAILED, "after its result"},
    {"nul", READY STARTED "echo '{\"event\": \"returned\", \"value\": \"a\\u0000\"}'\n" HANG, FW_ENGINE_FAILED,
     "the character NUL"},
    {"beyond", READY STARTED "echo '{\"event\": \"returned\", \"value\": 9223372036854775808}'\n" HANG,
     FW_ENGINE_FAILED, "is too large"},
    {"no_value", READY STARTED "echo '{\"event\": \"returned\"}'\n" HANG, FW_ENGINE_FAILED, "invalid or unexpected"},
    {"odd_type", READY STARTED "echo '{\"event\": \"raised\", \"type\": 5, \"message\": \"x\"}'\n" HANG,
     FW_ENGINE_FAILED, "invalid or unexpected"},
    {"odd_code", READY STARTED "echo '{\"event\": \"exited\", \"code\": -9223372036854775808}'\n" HANG,
     FW_ENGINE_FAILED, "invalid or unexpected"},
    {"odd_status", READY STARTED RETURNED DONE("-1", "") HANG, FW_ENGINE_FAILED,
     "it sent an invalid message about its end"},
    {"large_status", READY STARTED RETURNED DONE("9223372036854775807", "") HANG, FW_ENGINE_FAILED,
     "it sent an invalid message about its end"},
    {"other_pid",
     READY STARTED RETURNED
     "echo '{\"event\": \"done\", \"pid\": 1, \"status\": 0, \"user\": 0, \"system\": 0, \"peak_bytes\": 0, "
     "\"clean\": true}'\n" HANG,
     FW_ENGINE_FAILED, "it sent an invalid message about its end"},
    {"done_first", READY "echo '{\"event\": \"done\", \"status\": 0, \"clean\": true}'\n" HANG, FW_ENGINE_FAILED,
     "it sent an invalid message about its end"},
    {"done_only", READY DONE("0", "") HANG, FW_EXITED, "before it had given a result"},
    {"bad_end", READY STARTED RETURNED DONE("256", "") HANG, FW_EXITED,
     "ended with status 1, after it had given its result"},
    {"cells", READY STARTED "yes '{\"event\": \"cell\", \"cell\": 1, \"of\": 2, \"state\": \"started\"}'\n",
     FW_ENGINE_FAILED, "invalid or unexpected"},
    {"finished", READY STARTED "echo '{\"event\": \"finished\"}'\n" HANG, FW_ENGINE_FAILED, "invalid or unexpected"},
    {"closes", READY "exec sleep 300 >&-\n", FW_ENGINE_FAILED, "it closed its connection"},
    {"closes_at_work", READY STARTED "exec sleep 300 >&-\n", FW_ENGINE_FAILED, "it closed its connection"},
    {"right", READY STARTED RETURNED DONE("0", "") HANG, FW_EXITED, NULL},
};

static void write_program(const char *path, const char *lines)
{
    FILE *file = fopen(path, "we");
    REQUIRE(file != NULL && fprintf(file, "#!/bin/sh\n%s", lines) > 0 && fclose(file) == 0 && chmod(path, 0755) == 0);
}

static fw_pool *pool_of(const char *type, const char *program, const char *options)
{
    char *text = NULL;
    REQUIRE(
        asprintf(
            &text,
            "{\"workers\": [{\"name\": \"w\", \"type\": \"%s\", \"options\": {\"python\": \"%s\", \"grace\": 1%s}}],"
            " \"managers\": {\"s\": \"w\"}}",
            type, program, options) > 0);
    fw_pool *pool = check_pool(text);
    free(text);
    return pool;
}

/** The step's timeout and a cancel end an interpreter in each phase. */
static void ended(const char *program)
{
    fw_pool *pool = pool_of("code", program, "");
    fw_result *result = function_call(pool, "m.f", NULL, NULL, "'timeout': 0.3");
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    fw_result_free(result);
    fw_exec *exec = function_start(pool, "m.f", NULL, NULL, NULL);
    REQUIRE(fw_exec_wait(exec, 0.3, &result, NULL) == FW_OK && result == NULL);
    fw_exec_cancel(exec);
    REQUIRE(fw_exec_wait(exec, -1, &result, NULL) == FW_OK);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    fw_exec_free(exec);
    fw_pool_free(pool);
}

/** An interpreter that does not become ready is ended after `start_timeout`. */
static void silent(const char *program)
{
    fw_pool *pool = pool_of("notebook", program, ", \"start_timeout\": 0.3");
    fw_step *step = check_step("{\"name\": \"s\", \"action\": {\"notebook\": \"n.ipynb\"}}");
    fw_result *result = run_exec(function_worker(pool, step), step, NULL, check_dir());
    CHECK_INT(fw_result_outcome(result), FW_ENGINE_FAILED);
    CHECK_HAS(fw_result_message(result), "could not be run");
    CHECK_HAS(fw_result_message(result), "it did not begin its work within 0.3 s");
    CHECK_HAS(fw_result_message(result), program);
    fw_result_free(result);
    fw_step_free(step);
    fw_pool_free(pool);
}

int main(void)
{
    char *program = check_path("python");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        write_program(program, modes[i].lines);
        fw_pool *pool = pool_of("code", program, "");
        fw_result *result = function_call(pool, "m.f", NULL, NULL, NULL);
        fprintf(stderr, "%s: %s\n", modes[i].name, fw_result_message(result) ? fw_result_message(result) : "");
        CHECK_INT(fw_result_outcome(result), modes[i].outcome);
        if (modes[i].words == NULL) {
            CHECK_EXITED(result, 0);
        } else {
            CHECK_INT(fw_result_returncode(result), 1);
            CHECK_HAS(fw_result_message(result), modes[i].words);
        }
        if (modes[i].outcome != FW_EXITED)
            CHECK_HAS(fw_result_message(result), program);
        fw_result_free(result);
        fw_pool_free(pool);
    }
    static const char *const silences[] = {HANG, "head -c 200000 /dev/zero\n" HANG, READY HANG, READY STARTED HANG,
                                           READY STARTED RETURNED HANG};
    for (size_t i = 0; i < sizeof silences / sizeof *silences; i++) {
        write_program(program, silences[i]);
        ended(program);
        if (i < 3)
            silent(program);
    }
    free(program);
    return check_done();
}
