/* The builders fw_spec_…() write the same specifications as flowServ's functions of the same names, and the library
 * accepts each of them. */
#include "check.h"

static char *json;
static fw_error *error;

/** Checks that the last call returned FW_OK and this text, which is a worker specification. */
static void gives(fw_status status, const char *want)
{
    fw_worker *worker = NULL;
    CHECK_OK(status, &error);
    CHECK_STR(json, want);
    CHECK_OK(fw_worker_create(json, FW_ZERO_TERMINATED, &worker, &error), &error);
    fw_worker_free(worker);
    fw_string_free(json);
}

/** Without a name, a worker gets a new, unique one. */
static void names_itself(fw_status status, char *names[], int count)
{
    CHECK_OK(status, &error);
    fw_worker *worker = check_worker(json);
    for (int i = 0; i < count; i++)
        CHECK(strcmp(names[i], fw_worker_name(worker)) != 0);
    CHECK(strlen(fw_worker_name(worker)) > 0);
    names[count] = strdup(fw_worker_name(worker));
    fw_worker_free(worker);
    fw_string_free(json);
}

int main(void)
{
    gives(fw_spec_code("D1", NULL, NULL, 0, &json, &error),
          "{\"name\":\"D1\",\"type\":\"code\",\"env\":[],\"variables\":[]}");
    gives(fw_spec_code("D1", "v1", NULL, 0, &json, &error),
          "{\"name\":\"D1\",\"type\":\"code\",\"env\":[],\"variables\":[],\"volume\":\"v1\"}");
    gives(fw_spec_code("D1", "", NULL, 0, &json, &error),
          "{\"name\":\"D1\",\"type\":\"code\",\"env\":[],\"variables\":[]}");
    gives(fw_spec_notebook("N", "v", NULL, 0, &json, &error),
          "{\"name\":\"N\",\"type\":\"notebook\",\"env\":[],\"variables\":[],\"volume\":\"v\"}");
    gives(fw_spec_subprocess("S", "{\"b\": \"x\", \"a\": 7}", FW_ZERO_TERMINATED, "{\"E\": -1}", FW_ZERO_TERMINATED,
                             NULL, NULL, 0, &json, &error),
          "{\"name\":\"S\",\"type\":\"subprocess\",\"env\":[{\"key\":\"E\",\"value\":-1}],"
          "\"variables\":[{\"key\":\"b\",\"value\":\"x\"},{\"key\":\"a\",\"value\":7}]}");
    gives(fw_spec_docker("D", "{}", FW_ZERO_TERMINATED, NULL, 0, "v", NULL, 0, &json, &error),
          "{\"name\":\"D\",\"type\":\"docker\",\"env\":[],\"variables\":[],\"volume\":\"v\"}");
    gives(fw_spec_slurm("S", "{\"a\": 1}", FW_ZERO_TERMINATED, "{\"E\": 2}", FW_ZERO_TERMINATED, "v", "{\"cpus\": 2}",
                        FW_ZERO_TERMINATED, &json, &error),
          "{\"name\":\"S\",\"type\":\"slurm\",\"env\":[{\"key\":\"E\",\"value\":2}],"
          "\"variables\":[{\"key\":\"a\",\"value\":1}],\"volume\":\"v\",\"options\":{\"cpus\":2}}");
    gives(fw_spec_code("C", NULL, "{}", FW_ZERO_TERMINATED, &json, &error),
          "{\"name\":\"C\",\"type\":\"code\",\"env\":[],\"variables\":[],\"options\":{}}");
    gives(fw_spec_nbdocker("B", "{} and more", 2, NULL, "{\"timeout\": 9}, and more", 14, &json, &error),
          "{\"name\":\"B\",\"type\":\"nbdocker\",\"env\":[],\"variables\":[],\"options\":{\"timeout\":9}}");
    const char *types[] = {"code", "subprocess", "docker", "notebook", "nbdocker", "slurm"};
    for (int i = 0; i < 6; i++) {
        char want[200];
        snprintf(want, sizeof want,
                 "{\"name\":\"W\",\"type\":\"%s\",\"env\":[{\"key\":\"A\",\"value\":\"1\"}],"
                 "\"variables\":[{\"key\":\"\xC3\xA9\",\"value\":\"2\"}],\"volume\":\"v\"}",
                 types[i]);
        gives(fw_spec_worker(types[i], "W", "{\"\xC3\xA9\": \"2\"}", FW_ZERO_TERMINATED, "{\"A\": \"1\"}",
                             FW_ZERO_TERMINATED, "v", NULL, 0, &json, &error),
              want);
    }

    char *names[6];
    names_itself(fw_spec_code(NULL, NULL, NULL, 0, &json, &error), names, 0);
    names_itself(fw_spec_code(NULL, NULL, NULL, 0, &json, &error), names, 1);
    names_itself(fw_spec_subprocess(NULL, NULL, 0, NULL, 0, NULL, NULL, 0, &json, &error), names, 2);
    names_itself(fw_spec_docker(NULL, NULL, 0, NULL, 0, NULL, NULL, 0, &json, &error), names, 3);
    names_itself(fw_spec_notebook(NULL, NULL, NULL, 0, &json, &error), names, 4);
    names_itself(fw_spec_worker("nbdocker", NULL, NULL, 0, NULL, 0, NULL, NULL, 0, &json, &error), names, 5);
    for (int i = 0; i < 6; i++)
        free(names[i]);
    return check_done();
}
