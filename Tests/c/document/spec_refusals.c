/* The builders fw_spec_…() refuse wrong arguments with an error that names the argument. */
#include "check.h"

static void refused(const char *type, const char *identifier, const char *variables, const char *env, fw_status want,
                    const char *path, const char *part)
{
    char *json = NULL;
    fw_error *error = NULL;
    fw_status status = fw_spec_worker(type, identifier, variables, FW_ZERO_TERMINATED, env, FW_ZERO_TERMINATED, NULL,
                                      NULL, 0, &json, &error);
    if (!CHECK_REFUSED(status, want, &error, path, part))
        fprintf(stderr, "    %s %s %s %s\n", type, identifier, variables ? variables : "-", env ? env : "-");
}

int main(void)
{
    refused("dokcer", "x", NULL, NULL, FW_E_DOCUMENT, NULL, "did you mean \"docker\"?");
    refused("", "x", NULL, NULL, FW_E_DOCUMENT, NULL, "\"subprocess\"");
    refused("code", "", NULL, NULL, FW_E_DOCUMENT, NULL, "identifier");
    refused("code", "\xff", NULL, NULL, FW_E_INVALID, NULL, "the argument \"identifier\" is not valid UTF-8");
    refused("code", "x", "{", NULL, FW_E_SYNTAX, NULL, "");
    refused("code", "x", "", NULL, FW_E_SYNTAX, NULL, "empty");
    refused("code", "x", NULL, "{\"A\": 1, \"A\": 2}", FW_E_SYNTAX, NULL, "\"A\"");
    refused("code", "x", "[]", NULL, FW_E_DOCUMENT, "", "object");
    /* A builder has up to three JSON texts, so the message names the one that is wrong. */
    refused("code", "x", "{}", "[]", FW_E_DOCUMENT, "", "the argument \"env\": expected an object, found an array");
    refused("code", "x", "{", "{}", FW_E_SYNTAX, NULL, "the argument \"variables\": ");
    refused("code", "x", "{\"a\": 1.5}", NULL, FW_E_DOCUMENT, "/a", "a number with a fraction");
    refused("code", "x", "{\"a\": true}", NULL, FW_E_DOCUMENT, "/a", "true");
    refused("code", "x", "{\"a/b\": null}", NULL, FW_E_DOCUMENT, "/a~1b", "null");
    refused("code", "x", NULL, "{\"\": \"1\"}", FW_E_DOCUMENT, "/", "empty");
    refused("code", "x", NULL, "{\"A=B\": \"1\"}", FW_E_DOCUMENT, "/A=B", "\"=\"");

    char *json = NULL;
    fw_error *error = NULL;
    fw_status status = fw_spec_slurm("x", NULL, 0, NULL, 0, NULL, "[]", FW_ZERO_TERMINATED, &json, &error);
    CHECK_REFUSED(status, FW_E_DOCUMENT, &error, "", "the argument \"options\": expected an object, found an array");
    status = fw_spec_docker("x", NULL, 0, NULL, 0, NULL, "{", FW_ZERO_TERMINATED, &json, &error);
    CHECK_REFUSED(status, FW_E_SYNTAX, &error, NULL, "");
    return check_done();
}
