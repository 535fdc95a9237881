/* The message of a failed command ends with the last line that the command wrote to its standard error, in one line of
 * plain text and without secrets. */
#include "run.h"

#define LABEL "; last line of stderr: "

/** Checks the end of the message of a step of one command; NULL: it quotes no line. */
static void ends_with(json_t *members, const char *command, const char *want)
{
    fw_result *result = RUN_WITH(members, command);
    const char *message = fw_result_message(result);
    const char *label = message != NULL ? strstr(message, LABEL) : NULL;
    CHECK(message != NULL);
    if (want == NULL)
        CHECK(label == NULL);
    else if (CHECK(label != NULL))
        CHECK_STR(label + strlen(LABEL), want);
    fw_result_free(result);
}

static json_t *option(const char *name, json_t *value)
{
    return json_pack("{s:{s:o}}", "options", name, value);
}

/** A line is shortened in its middle, and what is no text is replaced. */
static void of_a_long_line(void)
{
    fw_result *result = RUN("head -c 20000 /dev/zero | tr '\\0' x >&2; echo end >&2; exit 1");
    const char *label = strstr(fw_result_message(result), LABEL);
    if (CHECK(label != NULL)) {
        CHECK(strlen(label) < 400);
        CHECK_HAS(label, "\xE2\x80\xA6"); /* an ellipsis */
        CHECK_STR(label + strlen(label) - 6, "xxxend");
    }
    fw_result_free(result);
}

/** The line is quoted as the output has it, without secrets. */
static void of_a_secret(void)
{
    json_t *members = json_pack("{s:{s:s}, s:[s]}", "env", "token", "s3cr3t-0815", "secrets", "token");
    ends_with(members, "echo \"wrong token: $$token\" >&2; exit 1", "wrong token: ***");
}

int main(void)
{
    ends_with(NULL, "echo first >&2; echo last >&2; echo out; exit 3", "last");
    ends_with(NULL, "printf 'last\\n\\n \\t\\r\\n' >&2; exit 3", "last");
    ends_with(NULL, "printf 'no end' >&2; exit 3", "no end");
    ends_with(NULL, "printf '10%%\\r100%% of a bar' >&2; exit 3", "100% of a bar");
    ends_with(NULL, "printf 'a\\033[1m \\000 b\\377\\n' >&2; exit 3", "a [1m b\xEF\xBF\xBD");
    ends_with(NULL, "echo last >&2; kill -9 $$$$", "last");
    ends_with(option("timeout", json_real(0.3)), "echo waiting for a lock >&2; sleep 600", "waiting for a lock");
    ends_with(option("output_limit", json_integer(8)), "echo 0123456789 >&2; exit 3", "0123789");
    ends_with(option("output_limit", json_integer(0)), "echo last >&2; exit 3", NULL);
    ends_with(NULL, "echo out; exit 3", NULL);
    ends_with(NULL, "printf '\\n \\n' >&2; exit 3", NULL);
    of_a_long_line();
    of_a_secret();
    fw_result *result = RUN("echo last >&2"); /* a success has no message */
    CHECK(fw_result_message(result) == NULL);
    fw_result_free(result);
    return check_done();
}
