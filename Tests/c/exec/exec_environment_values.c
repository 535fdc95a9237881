/* Values of the context become variables of the commands, if the worker or the step asks for them. A plan shows the
 * environment that commands get. */
#include "run.h"

#define CONTEXT                                                                                                      \
    "{\"text\": \"O'Brien; rm -rf $x\\n\\u00e9 \", \"empty\": \"\", \"number\": -7, \"real\": 0.1, \"truth\": true," \
    " \"nothing\": null, \"list\": [1, \"a b\", {\"k\": []}], \"HOST\": \"context\", \"token\": \"hunter22\"}"

static fw_step *step_of(const char *members, const char *command, const char *env)
{
    char json[2000];
    snprintf(json, sizeof json,
             "{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [\"%s\"], \"env\": %s}%s}", command,
             env, members);
    return check_step(json);
}

/** Checks what the command prints. */
static void prints(const char *worker, const char *members, const char *env, const char *command, const char *want)
{
    fw_context *context = check_context(CONTEXT);
    fw_worker *runner = check_worker(worker);
    fw_step *step = step_of(members, command, env);
    fw_result *result = run_exec(runner, step, context, check_dir());
    CHECK_EXITED(result, 0);
    if (!CHECK_OUTPUT(result, FW_STDOUT, 0, want))
        fprintf(stderr, "    worker %s, step %s\n", worker, members);
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(runner);
    fw_context_free(context);
}

static void refuses(const char *worker, const char *members, const char *path, const char *part)
{
    fw_context *context = check_context(CONTEXT);
    fw_worker *runner = check_worker(worker);
    fw_step *step = step_of(members, "touch started", "{}");
    fw_result *result = NULL;
    fw_error *error = NULL;
    fw_status status = fw_worker_exec(runner, step, context, check_dir(), &result, &error);
    if (!CHECK_REFUSED(status, FW_E_DOCUMENT, &error, path, part))
        fprintf(stderr, "    worker %s, step %s\n", worker, members);
    fw_step_free(step);
    fw_worker_free(runner);
    fw_context_free(context);
}

#define WORKER(members) "{\"name\": \"w\", \"type\": \"subprocess\"" members "}"
#define VALUES(json) ", \"options\": {\"environment_values\": " json "}"
#define STEP(json) ", \"environment_values\": " json

static void values(void)
{
    const char *plain = WORKER("");
    prints(plain, STEP("[\"text\"]"), "{}", "printf '%s' \\\"$$text\\\"", "O'Brien; rm -rf $x\n\xC3\xA9 ");
    prints(plain, STEP("{\"text\": \"A\", \"number\": \"B\"}"), "{}",
           "printf '%s|' \\\"$$A\\\" \\\"$$B\\\" $${text-none}", "O'Brien; rm -rf $x\n\xC3\xA9 |-7|none|");
    prints(plain, STEP("[\"empty\", \"number\", \"real\", \"truth\", \"nothing\", \"list\"]"), "{}",
           "echo \\\"[$$empty] $$number $$real $$truth $$nothing $$list\\\"",
           "[] -7 0.1 true null [1,\"a b\",{\"k\":[]}]\n");
    /* A value is not a placeholder's text, so a worker's variable of that name does not count. */
    prints(WORKER(", \"variables\": {\"number\": \"v\"}"), STEP("[\"number\"]"), "{}", "echo $number $$number",
           "v -7\n");

    /* The worker's values come after its entries, then the step's entries, then the step's values. */
    prints(WORKER(", \"env\": {\"number\": \"w\"}" VALUES("[\"number\"]")), "", "{}", "echo $$number", "-7\n");
    prints(WORKER(VALUES("[\"number\"]")), "", "{\"number\": \"s\"}", "echo $$number", "s\n");
    prints(WORKER(VALUES("[\"number\"]")), "", "{\"number\": null}", "echo $${number-none}", "none\n");
    prints(WORKER(""), STEP("[\"number\"]"), "{\"number\": \"s\"}", "echo $$number", "-7\n");
    prints(WORKER(VALUES("{\"number\": \"A\"}")), STEP("{\"real\": \"A\", \"number\": \"B\"}"), "{}", "echo $$A $$B",
           "0.1 -7\n");
    prints(WORKER(VALUES("{\"number\": \"A\"}")), STEP("{\"number\": \"B\"}"), "{}", "echo $$A $$B", "-7 -7\n");
    /* A worker may ask for values that only some contexts have. */
    prints(WORKER(VALUES("[\"absent\", \"number\"]")), "", "{}", "echo $${absent-none} $$number", "none -7\n");

    /* Values are no entries of env: they do not take the host's environment away. */
    setenv("HOST", "yes", 1);
    setenv("OTHER", "yes", 1);
    prints(plain, STEP("[\"HOST\"]"), "{}", "echo $$HOST $$OTHER", "context yes\n");
    prints(plain, STEP("[\"HOST\"]"), "{\"A\": 1}", "echo $$HOST $${OTHER-none}", "context none\n");
    prints(plain, STEP("[\"number\"]"), "{}", "/usr/bin/printenv number OTHER", "-7\nyes\n");

    refuses(plain, STEP("[\"number\", \"absent\"]"), "/environment_values/1",
            "the context has no value \"absent\" for \"environment_values\"");
    refuses(plain, STEP("{\"nunber\": \"A\"}"), "/environment_values/nunber", "did you mean \"number\"?");
    const char *secret = "\"token\" is a secret, so \"environment_values\" cannot have it: list it in \"secrets\"";
    refuses(plain, STEP("[\"token\"], \"secrets\": [\"token\"]"), "/environment_values/0", secret);
    refuses(WORKER(", \"secrets\": [\"token\"]"), STEP("{\"token\": \"A\"}"), "/environment_values/token", secret);
    refuses(WORKER(VALUES("[\"token\"]")), ", \"secrets\": [\"token\"]", NULL, secret);
    refuses(plain, STEP("{\"number\": \"token\"}, \"secrets\": [\"token\"]"), "/environment_values/number",
            "cannot be the environment variable \"token\", because that is the name of a secret");
    char *started = check_path("started");
    CHECK(access(started, F_OK) != 0);
    free(started);
}

/** Checks the parts of a plan that are about the environment; the wanted values are released. */
static void plans(const char *worker, const char *members, const char *env, json_t *environment, json_t *inherits,
                  json_t *inherited)
{
    fw_context *context = check_context(CONTEXT);
    fw_worker *runner = check_worker(worker);
    fw_step *step = step_of(members, "true", env);
    fw_error *error = NULL;
    char *text = NULL;
    CHECK_OK(fw_worker_plan(runner, step, context, check_dir(), &text, &error), &error);
    json_t *plan = json_loads(text, 0, NULL);
    CHECK_JSON(json_object_get(plan, "environment"), environment);
    CHECK_JSON(json_object_get(plan, "inherits_environment"), inherits);
    if (inherited != NULL)
        CHECK_JSON(json_object_get(plan, "inherited"), inherited);
    else
        CHECK(json_object_get(plan, "inherited") == NULL);
    CHECK(strstr(text, "hunter22") == NULL);
    json_decref(plan);
    fw_string_free(text);
    fw_step_free(step);
    fw_worker_free(runner);
    fw_context_free(context);
}

static void plan(void)
{
    clearenv();
    setenv("LC_TIME", "C", 1);
    setenv("LC_ALL", "C", 1);
    setenv("HOME", "/", 1);
    setenv("SLURM_JOB_ID", "7", 1);
    const char *plain = WORKER("");
    plans(plain, "", "{}", json_object(), json_true(), NULL);
    plans(plain, "", "{\"A\": null}", json_pack("{sn}", "A"), json_true(), NULL);
    plans(WORKER(", \"env\": {\"A\": 1, \"B\": 2}"), STEP("[\"list\"]"), "{\"A\": null}",
          json_pack("{snssss}", "A", "B", "2", "list", "[1,\"a b\",{\"k\":[]}]"), json_false(), NULL);
    plans(WORKER(", \"secrets\": [\"token\"]"), STEP("[\"number\"]"), "{}",
          json_pack("{ssss}", "number", "-7", "token", "***"), json_true(), NULL);
    /* A secret that is unset is in no command, and still is not shown. */
    plans(WORKER(", \"secrets\": [\"token\"]"), STEP("{\"text\": \"A\"}"), "{\"token\": null, \"B\": \"hunter22\"}",
          json_pack("{snssss}", "token", "B", "***", "A", "O'Brien; rm -rf $x\n\xC3\xA9 "), json_false(), NULL);

    const char *list = WORKER(", \"options\": {\"inherit_env\": [\"LC_*\", \"HOME\", \"NONE\", \"SLURM_*\"]}");
    plans(list, "", "{}", json_object(), json_pack("[ssss]", "LC_*", "HOME", "NONE", "SLURM_*"),
          json_pack("[ssss]", "HOME", "LC_ALL", "LC_TIME", "SLURM_JOB_ID"));
    plans(list, "", "{\"LC_ALL\": null, \"HOME\": \"/h\"}", json_pack("{snss}", "LC_ALL", "HOME", "/h"),
          json_pack("[ssss]", "LC_*", "HOME", "NONE", "SLURM_*"), json_pack("[ss]", "LC_TIME", "SLURM_JOB_ID"));
    plans(WORKER(", \"options\": {\"inherit_env\": []}"), "", "{}", json_object(), json_false(), NULL);
    plans(WORKER(", \"options\": {\"inherit_env\": [\"*\"]}"), "", "{\"A\": 1}", json_pack("{ss}", "A", "1"),
          json_true(), NULL);
    /* Variables of the host's own job are not for another job. */
    plans("{\"name\": \"w\", \"type\": \"slurm\", \"options\": {\"inherit_env\": [\"SLURM_*\", \"HOME\"]}}", "", "{}",
          json_object(), json_pack("[ss]", "SLURM_*", "HOME"), json_pack("[s]", "HOME"));
    plans("{\"name\": \"w\", \"type\": \"docker\"}", STEP("[\"number\"]"), "{\"A\": null}",
          json_pack("{snss}", "A", "number", "-7"), json_false(), NULL);
}

int main(void)
{
    values();
    plan();
    return check_done();
}
