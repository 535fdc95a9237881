/* The events of a step with `retries` have the number of their attempt. Between two attempts one event says why the
 * first one failed. Sequence numbers and times continue over all attempts. */
#include "events.h"

static void says_why(int attempt, json_t *json)
{
    CHECK_INT(json_integer_value(json_object_get(json, "returncode")), 6 + attempt);
    CHECK_STR(json_string_value(json_object_get(json, "outcome")), "exited");
    CHECK(json_string_length(json_object_get(json, "message")) > 0);
    CHECK(json_is_number(json_object_get(json, "delay")));
}

int main(void)
{
    /* The step fails twice, with status 7 and then with status 8. */
    fw_exec *exec = START("{\"retries\": {\"max\": 5, \"delay\": 0.01}}", "echo first",
                          "echo x >> tries; case `wc -l < tries` in *1) exit 7;; *2) exit 8;; esac");
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "step_started"
                      " 0:started 0:output 0:ended 1:started 1:ended retry"
                      " 0:started 0:output 0:ended 1:started 1:ended retry"
                      " 0:started 0:output 0:ended 1:started 1:ended step_ended");
    CHECK_INT(check_attempts(&all, says_why), 3);
    events_free(&all);

    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_exec_free(exec);
    return check_done();
}
