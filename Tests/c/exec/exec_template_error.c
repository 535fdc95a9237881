/* An invalid placeholder is FW_E_TEMPLATE with the JSON pointer of the command and the position in it, and nothing is
 * started. */
#include "run.h"

static const struct {
    const char *command;
    int line, column;
} errors[] = {
    {"$", 1, 1},
    {"echo $", 1, 6},
    {"echo $(date)", 1, 6},
    {"test $? -eq 0", 1, 6},
    {"echo $1", 1, 6},
    {"echo ${1}", 1, 6},
    {"echo ${a b}", 1, 6},
    {"echo ${", 1, 6},
    {"echo ${}", 1, 6},
    {"echo ${a", 1, 6},
    {"$ a", 1, 1},
    {"echo $$ $$$", 1, 11},
    {"$a $b ${c} $-", 1, 12},
    {"echo one\necho $(two)", 2, 6},
    {"\n\n  $", 3, 3},
    {"\xC3\xA9\n\n\xC3\xA9 $\xC3\xA9", 3, 3},
    {"\xF0\x9F\x98\x80\xF0\x9F\x98\x80$", 1, 3},
    {"$a\xC3\xA9 $\xC5\xBF", 1, 5},
    {"a\r\nb $(x)", 2, 3},
};

int main(void)
{
    char *marker = check_path("marker");
    fw_worker *worker = run_worker(NULL);
    fw_context *context = check_context("{\"a\": 1}");
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        for (int place = 0; place < 3; place++) {
            const char *commands[] = {"touch marker", "touch marker", "touch marker", NULL};
            commands[place] = errors[i].command;
            fw_step *step = run_step("s", commands); /* placeholders are read only when the step runs */
            fw_result *result = NULL;
            fw_error *error = NULL;
            char path[64], number[64];
            snprintf(path, sizeof path, "/action/commands/%d", place);
            snprintf(number, sizeof number, "step \"s\", command %d of 3", place + 1);
            fw_status status = fw_worker_exec(worker, step, context, check_dir(), &result, &error);
            bool good = CHECK_INT(fw_error_line(error), errors[i].line);
            good &= CHECK_INT(fw_error_column(error), errors[i].column);
            if (!CHECK_REFUSED(status, FW_E_TEMPLATE, &error, path, number) || !good)
                fprintf(stderr, "    %s\n", errors[i].command);
            CHECK(access(marker, F_OK) != 0);
            fw_step_free(step);
        }
    fw_context_free(context);
    fw_worker_free(worker);
    free(marker);
    return check_done();
}
