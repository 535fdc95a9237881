/* The processor time of a command covers the command and the children that it waited for, and nothing of other
 * commands. */
#include "run.h"

/* The shell's own times, user and system, and those of its children, two lines. */
#define BURN "i=0; while [ $$i -lt 100000 ]; do i=$$((i+1)); done; "

static double member(const fw_result *result, size_t command, const char *key)
{
    json_t *value = run_command_member(result, command, key);
    CHECK(json_is_number(value) && json_number_value(value) >= 0);
    double number = json_number_value(value);
    json_decref(value);
    return number;
}

/** What `times` wrote as its first line: "0m0.12s 0m0.01s". */
static void said_times(const fw_result *result, size_t piece, double *user, double *system)
{
    int user_minutes = 0, system_minutes = 0;
    const char *text = fw_result_output(result, FW_STDOUT, piece, NULL);
    REQUIRE(text != NULL);
    REQUIRE(sscanf(text, "%dm%lfs %dm%lfs", &user_minutes, user, &system_minutes, system) == 4);
    *user += user_minutes * 60;
    *system += system_minutes * 60;
    CHECK(*user + *system > 0);
}

/* `times` has the resolution of the kernel's ticks. */
static const double tick = 0.011;

static void at_least(const fw_result *result, size_t command)
{
    double user = 0, system = 0;
    said_times(result, command, &user, &system);
    CHECK(member(result, command, "user_time") >= user - tick);
    CHECK(member(result, command, "system_time") >= system - tick);
}

int main(void)
{
    fw_result *result = RUN(BURN "times", "sh -c '" BURN "times'; :", "(" BURN "times) & wait $$!", "echo idle");
    CHECK_EXITED(result, 0);
    at_least(result, 0);
    at_least(result, 1); /* of a child */
    at_least(result, 2); /* time of a background child that the shell waited for */
    /* The times of the next command start at zero. */
    CHECK(member(result, 3, "user_time") + member(result, 3, "system_time") <
          member(result, 0, "user_time") + member(result, 0, "system_time"));
    fw_result_free(result);

    /* The background process prints its times and continues; nobody waits for it. */
    result =
        RUN("mkfifo ready; { " BURN BURN "times > used; echo > ready; exec sleep 600; } & read line < ready; cat used");
    CHECK_EXITED(result, 0);
    double user = 0, system = 0;
    said_times(result, 0, &user, &system);
    CHECK(member(result, 0, "user_time") + member(result, 0, "system_time") < user + system);
    fw_result_free(result);

    /* Time in the kernel is counted separately. The kernel samples it, so a short command may show none: the command
     * goes on until its shell sees some. */
    result = RUN("while head -c 100000000 /dev/zero; do times > used; { read -r own; read -r user system; } < used; "
                 "case $$system in 0m0.00*) ;; *) break ;; esac; done > /dev/null");
    CHECK_EXITED(result, 0);
    CHECK(member(result, 0, "system_time") > 0);
    fw_result_free(result);
    return check_done();
}
