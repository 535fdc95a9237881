/* The default container worker has variables for python and java, and the configuration's default_variables add to
 * them and replace them. */
#include "processes.h"
#include "run.h"

/** Returns the text of the placeholders with the default worker of a new pool. */
static void says(const char *config, const char *want)
{
    fw_pool *pool = check_pool(config);
    fw_step *step = run_step("s", (const char *const[]){"echo $python $java $other", NULL});
    fw_context *context = check_context("{\"python\": \"of the context\", \"other\": \"context\"}");
    const fw_worker *worker = NULL;
    CHECK_INT(fw_pool_get(pool, step, &worker, NULL), FW_OK);
    fw_result *result = run_exec(worker, step, context, check_dir());
    CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    fw_result_free(result);
    fw_context_free(context);
    fw_step_free(step);
    fw_pool_free(pool);
}

static void with_java_home(void)
{
    setenv("JAVA_HOME", "/opt/java", 1);
    says("[]", "python3 /opt/java/bin/java context\n");
    setenv("JAVA_HOME", "/opt/java/", 1);
    says("[]", "python3 /opt/java/bin/java context\n");
    setenv("JAVA_HOME", "", 1);
    says("[]", "python3 java context\n");
}

static void without_java_home(void)
{
    unsetenv("JAVA_HOME");
    says("[]", "python3 java context\n");
    says("{}", "python3 java context\n");
    says("{\"default_variables\": {\"python\": \"/usr/bin/python3\", \"other\": 7}}", "/usr/bin/python3 java 7\n");
    says("{\"default_variables\": [{\"key\": \"java\", \"value\": \"j\"}, {\"key\": \"other\", \"value\": \"o\"}]}",
         "python3 j o\n");
}

int main(void)
{
    in_child(with_java_home, "with_java_home");
    in_child(without_java_home, "without_java_home");
    return check_done();
}
