/* The options of a run are read as strictly as all documents: invalid JSON, a value that is no object, an unknown key
 * and a wrong value are refused with their position, and nothing is started. All valid options are accepted. */
#include "events.h"

static const struct {
    const char *options;
    fw_status code;
    const char *path;
    int line, column; /* 0: not compared */
    const char *part;
} bad[] = {
    {"", FW_E_SYNTAX, NULL, 1, 1, ""},
    {"{", FW_E_SYNTAX, NULL, 1, 0, ""},
    {"events", FW_E_SYNTAX, NULL, 1, 0, ""},
    {"{\"events\": \"text\"}}", FW_E_SYNTAX, NULL, 1, 0, ""},
    {"{\n\"events\": \"te\xFFxt\"}", FW_E_SYNTAX, NULL, 2, 0, ""},
    {"{\"events\": \"text\", \"events\": \"text\"}", FW_E_SYNTAX, NULL, 1, 0, "events"},
    {"[]", FW_E_DOCUMENT, "", 1, 1, ""},
    {"null", FW_E_DOCUMENT, "", 1, 1, ""},
    {"\"text\"", FW_E_DOCUMENT, "", 1, 1, ""},
    {"{\"event\": \"text\"}", FW_E_DOCUMENT, "/event", 1, 2, "\"events\""},
    {"{\"timeout\": 1,\n  \"grace\": 1}", FW_E_DOCUMENT, "/grace", 2, 3, "\"grace\""},
    {"{\"limits\": {}}", FW_E_DOCUMENT, "/limits", 1, 2, "\"limits\""},
    {"{\"events\": null}", FW_E_DOCUMENT, "/events", 1, 12, ""},
    {"{\"events\": 1}", FW_E_DOCUMENT, "/events", 1, 12, ""},
    {"{\"events\": true}", FW_E_DOCUMENT, "/events", 1, 12, ""},
    {"{\"events\": [\"text\"]}", FW_E_DOCUMENT, "/events", 1, 12, ""},
    {"{\"events\": \"\"}", FW_E_DOCUMENT, "/events", 1, 12, "\"lines\""},
    {"{\n \"events\": \"line\"}", FW_E_DOCUMENT, "/events", 2, 12, "\"lines\""},
    {"{\"events\": \"Text\"}", FW_E_DOCUMENT, "/events", 1, 12, "\"text\""},
    {"{\"timeout\": \"1\"}", FW_E_DOCUMENT, "/timeout", 1, 13, ""},
    {"{\"timeout\": null}", FW_E_DOCUMENT, "/timeout", 1, 13, ""},
    {"{\"timeout\": 0}", FW_E_DOCUMENT, "/timeout", 1, 13, ""},
    {"{\"timeout\": -0.5}", FW_E_DOCUMENT, "/timeout", 1, 13, ""},
    {"{\"timeout\": 31536001}", FW_E_DOCUMENT, "/timeout", 1, 13, ""},
    {"{\"timeout\": 1e300}", FW_E_DOCUMENT, "/timeout", 1, 13, ""},
    {"{\"output_limit\": -1}", FW_E_DOCUMENT, "/output_limit", 1, 18, ""},
    {"{\"output_limit\": 1.5}", FW_E_DOCUMENT, "/output_limit", 1, 18, ""},
    {"{\"output_limit\": \"1\"}", FW_E_DOCUMENT, "/output_limit", 1, 18, ""},
    {"{\"spill\": true}", FW_E_DOCUMENT, "/spill", 1, 11, ""},
    {"{\"spill\": \"relative/path\"}", FW_E_DOCUMENT, "/spill", 1, 11, ""},
    {"{\"spill\": \"\"}", FW_E_DOCUMENT, "/spill", 1, 11, ""},
    {"{\"retries\": 3}", FW_E_DOCUMENT, "/retries", 1, 13, ""},
    {"{\"retries\": {}}", FW_E_DOCUMENT, "/retries", 1, 13, "\"max\""},
    {"{\"retries\": {\"max\": -1}}", FW_E_DOCUMENT, "/retries/max", 1, 21, ""},
    {"{\"retries\": {\"max\": 1001}}", FW_E_DOCUMENT, "/retries/max", 1, 21, ""},
    {"{\"retries\": {\"max\": 1, \"on\": [\"exited\",\n\"cancelled\"]}}", FW_E_DOCUMENT, "/retries/on/1", 2, 1, ""},
    {"{\"retries\": {\"max\": 1, \"codes\": [256]}}", FW_E_DOCUMENT, "/retries/codes/0", 1, 34, ""},
    {"{\"retries\": {\"max\": 1, \"delays\": 1}}", FW_E_DOCUMENT, "/retries/delays", 1, 24, "\"delay\""},
};

static const char *const good[] = {
    "{}",
    " \n{ } ",
    "{\"events\": \"chunks\"}",
    "{\"events\": \"text\"}",
    "{\"events\": \"lines\"}",
    "{\"events\": \"none\"}",
    "{\"timeout\": 31536000}",
    "{\"timeout\": 1000.5}",
    "{\"output_limit\": 0}",
    "{\"output_limit\": 9223372036854775807}",
    "{\"retries\": {\"max\": 0}}",
    "{\"retries\": {\"max\": 1000, \"on\": [], \"codes\": [0, 255], \"delay\": 0, \"factor\": 1, \"max_delay\": 0}}",
    "{\"timeout\": 9, \"events\": \"lines\", \"output_limit\": 9, \"spill\": \"/tmp\", \"retries\": {\"max\": 1}}",
};

int main(void)
{
    char *marker = check_path("marker");
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"touch marker", NULL});
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fw_exec *exec = (void *)&marker;
        fw_error *error = NULL;
        fw_status status =
            fw_exec_start(worker, step, NULL, check_dir(), bad[i].options, FW_ZERO_TERMINATED, &exec, &error);
        bool right = CHECK(exec == NULL);
        right &= CHECK_INT(fw_error_line(error), bad[i].line);
        if (bad[i].column > 0)
            right &= CHECK_INT(fw_error_column(error), bad[i].column);
        else
            right &= CHECK(fw_error_column(error) > 0);
        right &= CHECK_REFUSED(status, bad[i].code, &error, bad[i].path, bad[i].part);
        if (!right)
            fprintf(stderr, "    %s\n", bad[i].options);
    }
    CHECK(access(marker, F_OK) != 0);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        fw_exec *exec = start_step(worker, step, good[i]);
        fw_result *result = exec_result(exec);
        CHECK_EXITED(result, 0);
        fw_result_free(result);
        fw_exec_free(exec);
        CHECK_INT(unlink(marker), 0);
    }
    fw_step_free(step);
    fw_worker_free(worker);
    free(marker);
    return check_done();
}
