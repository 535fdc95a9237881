/* The timeout limits each attempt with all of its commands; it includes neither the delays nor the other attempts. */
#include "events.h"

static void each_attempt_has_its_own(void)
{
    json_t *members = json_pack("{s:{s:f, s:{s:i, s:i}}}", "options", "timeout", 0.2, "retries", "max", 3, "delay", 0);
    fw_result *result = RUN_WITH(members, "sleep 600", "echo after");
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    CHECK(fw_result_returncode(result) != 0);
    json_t *json = run_json(result), *attempts = json_object_get(json, "attempts");
    CHECK_INT(json_array_size(attempts), 3);
    for (size_t i = 0; i < json_array_size(attempts); i++)
        CHECK_STR(json_string_value(json_object_get(json_array_get(attempts, i), "outcome")), "timeout");
    /* Four times the time of one. */
    CHECK(json_number_value(json_object_get(json, "duration")) >= 0.8);
    json_decref(json);
    fw_result_free(result);
}

/** An attempt after a timeout has the full time. */
static void success_after_timeout(void)
{
    json_t *members = json_pack("{s:{s:i, s:{s:i, s:i, s:[s]}}}", "options", "timeout", 3, "retries", "max", 1, "delay",
                                0, "on", "timeout");
    fw_result *result =
        RUN_WITH(members, "echo first", "if test -e again; then echo second; exit 0; fi; : > again; sleep 600");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "first\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "second\n");
    json_t *json = run_json(result), *attempts = json_object_get(json, "attempts");
    REQUIRE(json_array_size(attempts) == 1);
    CHECK_STR(json_string_value(json_object_get(json_array_get(attempts, 0), "outcome")), "timeout");
    CHECK_JSON(json_object_get(json_array_get(attempts, 0), "stdout"), json_pack("[s]", "first\n"));
    json_decref(json);
    fw_result_free(result);
}

/** Many commands, none of which is longer than the timeout. */
static void commands_share_it(void)
{
    enum { COUNT = 40 };
    const char *commands[COUNT + 1] = {NULL};
    for (size_t i = 0; i < COUNT; i++)
        commands[i] = "echo ran; exec sleep 0.1";
    json_t *members = json_pack("{s:{s:i}}", "options", "timeout", 1);
    fw_result *result = run_commands(members, NULL, commands);
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    size_t ran = fw_result_output_count(result, FW_STDOUT);
    CHECK(ran >= 1 && ran < COUNT);
    fw_result_free(result);
}

/** The delay is longer than the timeout, and the attempt after it has the full time. */
static void not_for_the_delay(void)
{
    json_t *members = json_pack("{s:{s:i, s:{s:i, s:f}}}", "options", "timeout", 2, "retries", "max", 1, "delay", 2.5);
    fw_result *result = RUN_WITH(members, "if test -e later; then exit 0; fi; : > later; exit 1");
    CHECK_EXITED(result, 0);
    json_t *json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "attempts")), 1);
    json_decref(json);
    fw_result_free(result);
}

int main(void)
{
    each_attempt_has_its_own();
    success_after_timeout();
    commands_share_it();
    not_for_the_delay();
    return check_done();
}
