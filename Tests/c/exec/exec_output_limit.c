/* With an `output_limit`, the result has the first half and the last half of a stream, and counts what was written
 * and what was cut. */
#include "run.h"

/** The output of a command that writes `length` bytes to both streams, of which `limit` are kept. */
static void keeps(long long limit, long long length)
{
    char command[200];
    snprintf(command, sizeof command, "seq -f %%09.0f 0 1000000 2>/dev/null | head -c %lld | tee /dev/stderr", length);
    fw_result *whole = RUN(command);
    fw_result *result = RUN_WITH(json_pack("{s:{s:I}}", "options", "output_limit", (json_int_t)limit), command);
    CHECK_EXITED(result, 0);
    size_t kept = (size_t)(length < limit ? length : limit);
    for (fw_stream stream = FW_STDOUT; stream <= FW_STDERR; stream++) {
        const char *name = stream == FW_STDOUT ? "stdout" : "stderr";
        char bytes_key[32], cut_key[32];
        snprintf(bytes_key, sizeof bytes_key, "%s_bytes", name);
        snprintf(cut_key, sizeof cut_key, "%s_cut", name);
        CHECK_INT(run_command_int(result, 0, bytes_key), length);
        CHECK_INT(run_command_int(result, 0, cut_key), length - (long long)kept);
        CHECK_INT(run_command_int(whole, 0, cut_key), 0);

        size_t got_length = 0, whole_length = 0;
        const char *got = fw_result_output(result, stream, 0, &got_length);
        const char *all = fw_result_output(whole, stream, 0, &whole_length);
        CHECK_INT(got_length, kept);
        CHECK_INT(whole_length, length);
        if (kept == 0) {
            CHECK_INT(fw_result_output_count(result, stream), 0);
            continue;
        }
        REQUIRE(got != NULL && all != NULL);
        size_t tail = kept / 2, head = kept - tail;
        bool same = memcmp(got, all, head) == 0 && memcmp(got + head, all + whole_length - tail, tail) == 0;
        if (!CHECK(same))
            fprintf(stderr, "    %s, limit %lld, %lld written\n", name, limit, length);
        CHECK_INT(got[got_length], 0);
    }
    fw_result_free(result);
    fw_result_free(whole);
}

static void of_the_step(void)
{
    fw_worker *worker = run_worker(json_pack("{s:{s:i}}", "options", "output_limit", 4));
    fw_step *step = check_step("{\"name\": \"s\", \"output_limit\": 2, \"action\": {\"environment\": \"\","
                               " \"commands\": [\"printf abcdef\", \"printf ab\", \"printf a; printf xyz >&2\"]}}");
    fw_result *result = run_exec(worker, step, NULL, check_dir());
    CHECK_OUTPUT(result, FW_STDOUT, 0, "af"); /* the step's limit wins, and applies to each command separately */
    CHECK_OUTPUT(result, FW_STDOUT, 1, "ab");
    CHECK_OUTPUT(result, FW_STDOUT, 2, "a"); /* the limit applies to each stream separately */
    CHECK_OUTPUT(result, FW_STDERR, 0, "xz");
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);
}

int main(void)
{
    keeps(10, 0);
    keeps(10, 1);
    keeps(10, 9);
    keeps(10, 10);
    keeps(10, 11);
    keeps(10, 1000000);
    keeps(11, 12345);
    keeps(1, 5);
    keeps(0, 5);
    keeps(0, 300000);
    keeps(65536, 65537);
    keeps(100000, 1000000);
    keeps(1000001, 1000000);
    keeps(INT64_MAX, 1000000);
    of_the_step();
    return check_done();
}
