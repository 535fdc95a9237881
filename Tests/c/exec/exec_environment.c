/* The environment of a command is the worker's, with the step's variables over it. It is the host's if both are empty
 * or if the worker inherits it, and those of the host's variables that the worker lists otherwise. */
#include "processes.h"
#include "run.h"

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/** Returns the environment that the shell was started with, sorted, one variable a line; free() it. It comes from
 *  /proc, which does not have the variables that the shell adds itself. */
static char *environment_of(const char *worker, const char *step_env)
{
    char step_json[1000];
    snprintf(step_json, sizeof step_json,
             "{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\":"
             " [\"while read -r line; do :; done < /dev/null; /bin/cat /proc/$$$$/environ; :\"]%s%s}}",
             step_env ? ", \"env\": " : "", step_env ? step_env : "");
    fw_worker *runner = check_worker(worker);
    fw_step *step = check_step(step_json);
    fw_result *result = run_exec(runner, step, NULL, check_dir());
    CHECK_EXITED(result, 0);
    size_t length = 0, count = 0;
    const char *bytes = fw_result_output(result, FW_STDOUT, 0, &length);
    const char *entries[1000];
    for (size_t at = 0; bytes != NULL && at < length && count < 1000; at += strlen(bytes + at) + 1)
        entries[count++] = bytes + at;
    qsort(entries, count, sizeof *entries, compare);
    char *text = malloc(length + 1), *end = text;
    REQUIRE(text != NULL);
    *text = '\0';
    for (size_t i = 0; i < count; i++)
        end += sprintf(end, "%s\n", entries[i]);
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(runner);
    return text;
}

static void has(const char *members, const char *step_env, const char *want)
{
    char worker[1000];
    snprintf(worker, sizeof worker, "{\"name\": \"w\", \"type\": \"subprocess\"%s}", members);
    char *got = environment_of(worker, step_env);
    if (!CHECK_STR(got, want))
        fprintf(stderr, "    worker %s, step %s\n", members, step_env ? step_env : "(none)");
    free(got);
}

static void rows(void)
{
    clearenv();
    setenv("HOST", "yes", 1);
    setenv("BOTH", "host", 1);

    has("", NULL, "BOTH=host\nHOST=yes\n");
    has(", \"env\": []", "[]", "BOTH=host\nHOST=yes\n");
    has(", \"env\": {}", "{}", "BOTH=host\nHOST=yes\n");
    has(", \"env\": {\"A\": \"1\"}", NULL, "A=1\n");
    has("", "{\"A\": \"1\"}", "A=1\n");
    has(", \"env\": {\"A\": \"w\", \"B\": \"w\"}", "{\"B\": \"s\", \"C\": \"s\"}", "A=w\nB=s\nC=s\n");
    has(", \"env\": {\"N\": 42, \"M\": -1}", "[{\"key\": \"L\", \"value\": 9223372036854775807}]",
        "L=9223372036854775807\nM=-1\nN=42\n");
    has(", \"env\": [{\"key\": \"A\", \"value\": \"1\"}, {\"key\": \"A\", \"value\": \"2\"}]", NULL, "A=2\n");
    has(", \"env\": {\"EMPTY\": \"\", \"E\": \"a=b\"}", NULL, "E=a=b\nEMPTY=\n");
    has(", \"env\": {\"LINES\": \"$HOST ${x} $(date)\"}", NULL, "LINES=$HOST ${x} $(date)\n");

    const char *inherit = ", \"options\": {\"inherit_env\": true}";
    has(inherit, NULL, "BOTH=host\nHOST=yes\n");
    has(inherit, "{\"BOTH\": \"step\", \"S\": 1}", "BOTH=step\nHOST=yes\nS=1\n");
    has(", \"env\": {\"BOTH\": \"worker\", \"W\": 1}, \"options\": {\"inherit_env\": true}", "{\"BOTH\": \"step\"}",
        "BOTH=step\nHOST=yes\nW=1\n");
    has(", \"env\": {\"A\": 1}, \"options\": {\"inherit_env\": false}", NULL, "A=1\n");

    /* Null unsets a variable, wherever it comes from, and is no entry that takes the host's environment away. */
    has(", \"env\": {\"HOST\": null}", NULL, "BOTH=host\n");
    has("", "[{\"key\": \"BOTH\", \"value\": null}]", "HOST=yes\n");
    has(", \"env\": {\"A\": \"w\", \"B\": \"w\"}", "{\"A\": null}", "B=w\n");
    has(", \"env\": {\"A\": \"w\"}", "{\"A\": null}", "");
    has(", \"env\": {\"A\": null, \"B\": null}", "{\"A\": \"s\"}", "A=s\n");
    has(", \"env\": [{\"key\": \"A\", \"value\": \"1\"}, {\"key\": \"A\", \"value\": null}]", NULL,
        "BOTH=host\nHOST=yes\n");
    has(", \"env\": {\"HOST\": null, \"B\": \"w\"}, \"options\": {\"inherit_env\": true}", "{\"BOTH\": null}", "B=w\n");

    /* A list of names says what is inherited, whether there are entries or not. */
    has(", \"options\": {\"inherit_env\": [\"HOST\"]}", NULL, "HOST=yes\n");
    has(", \"options\": {\"inherit_env\": [\"HO\", \"OST\", \"HOSTS\", \"host\", \"NONE\", \"NONE*\"]}", NULL, "");
    has(", \"options\": {\"inherit_env\": [\"HOST*\", \"B*\"]}", NULL, "BOTH=host\nHOST=yes\n");
    has(", \"options\": {\"inherit_env\": [\"*\"]}", "{\"A\": 1}", "A=1\nBOTH=host\nHOST=yes\n");
    has(", \"options\": {\"inherit_env\": []}", NULL, "");
    has(", \"env\": {\"A\": \"w\", \"BOTH\": \"w\"}, \"options\": {\"inherit_env\": [\"HOST\", \"BOTH\"]}",
        "{\"HOST\": null}", "A=w\nBOTH=w\n");

    /* A command gets the host's environment of the moment of its start, and the library does not change it. */
    setenv("LATER", "1", 1);
    has("", NULL, "BOTH=host\nHOST=yes\nLATER=1\n");
    CHECK_STR(getenv("BOTH"), "host");
    CHECK(getenv("W") == NULL && getenv("S") == NULL && getenv("A") == NULL);
    clearenv();
    has("", NULL, "");
    has(inherit, "{\"A\": 1}", "A=1\n");
}

int main(void)
{
    in_child(rows, "rows");
    return check_done();
}
