/* `started` is a time of the host's clock during the step, commands start one after the other, and their durations
 * add up to at most the step's. */
#include "run.h"

#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    CHECK(json_is_number(value));
    return json_number_value(value);
}

/* A double holds a time of this century with a precision of a quarter of a microsecond. */
static const double rounding = 1e-6;

int main(void)
{
    double before = now();
    fw_result *result = RUN("sleep 0.3", "true", "sleep 600 & exit 0", "sh -c 'sleep 0.1; exit 3'");
    double after = now();
    CHECK_EXITED(result, 3);
    json_t *json = run_json(result);
    json_t *commands = json_object_get(json, "commands");
    double total = member(json, "duration"), sum = 0, earliest = before;
    CHECK(total >= 0.4);
    CHECK(total <= after - before + rounding);
    REQUIRE(json_array_size(commands) == 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *command = json_array_get(commands, i);
        double started = member(command, "started"), duration = member(command, "duration");
        CHECK(duration > 0);
        CHECK(started >= earliest - rounding);
        earliest = started + duration;
        sum += duration;
        /* A process with one thread cannot use more processor time than real time. */
        if (i == 0)
            CHECK(member(command, "user_time") + member(command, "system_time") <= duration + 0.02);
    }
    CHECK(earliest <= after + rounding);
    CHECK(sum <= total + rounding);
    CHECK(member(json_array_get(commands, 0), "duration") >= 0.3);
    CHECK(member(json_array_get(commands, 3), "duration") >= 0.1);
    json_decref(json);
    fw_result_free(result);
    return check_done();
}
