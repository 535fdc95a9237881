/* The `output_limit` of a run wins over the step's, which wins over the worker's. It applies to the result and not to
 * events, which have all output. */
#include "events.h"

static void keeps(int of_worker, int of_step, const char *options, size_t want)
{
    json_t *members = of_worker < 0 ? NULL : json_pack("{s:{s:i}}", "options", "output_limit", of_worker);
    fw_worker *worker = run_worker(members);
    json_t *json = json_pack("{s:s, s:{s:s, s:[s]}}", "name", "s", "action", "environment", "", "commands",
                             "printf 0123456789; printf abcdefghij >&2");
    if (of_step >= 0)
        json_object_set_new(json, "output_limit", json_integer(of_step));
    char *text = json_dumps(json, 0);
    fw_step *step = check_step(text);
    fw_exec *exec = start_step(worker, step, options);
    struct events all = events_of(exec);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    for (fw_stream stream = FW_STDOUT; stream <= FW_STDERR; stream++) {
        size_t length = 0, kept = 0;
        char *seen = events_output(&all, 0, stream, &length);
        CHECK_STR(seen, stream == FW_STDOUT ? "0123456789" : "abcdefghij");
        const char *got = fw_result_output(result, stream, 0, &kept);
        bool good = CHECK_INT(kept, want);
        size_t tail = want / 2, head = want - tail;
        if (good && want > 0)
            good = CHECK(memcmp(got, seen, head) == 0 && memcmp(got + head, seen + 10 - tail, tail) == 0);
        if (!good)
            fprintf(stderr, "    worker %d, step %d, run %s\n", of_worker, of_step, options ? options : "-");
        free(seen);
    }
    CHECK_INT(run_command_int(result, 0, "stdout_cut"), 10 - (json_int_t)want);
    CHECK_INT(run_command_int(result, 0, "stderr_bytes"), 10);
    events_free(&all);
    fw_result_free(result);
    fw_exec_free(exec);
    fw_step_free(step);
    fw_worker_free(worker);
    free(text);
    json_decref(json);
}

int main(void)
{
    keeps(-1, -1, NULL, 10);
    keeps(4, -1, NULL, 4);
    keeps(4, -1, "{}", 4);
    keeps(4, 6, NULL, 6);
    keeps(4, 6, "{\"events\": \"lines\"}", 6);
    keeps(4, 6, "{\"output_limit\": 3}", 3);
    keeps(4, -1, "{\"output_limit\": 8}", 8);
    keeps(-1, 0, "{\"output_limit\": 10}", 10);
    keeps(-1, -1, "{\"output_limit\": 0}", 0);
    keeps(4, 0, NULL, 0);
    return check_done();
}
