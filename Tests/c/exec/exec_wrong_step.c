/* A worker refuses steps of another type with an error that names the expected type. */
#include "run.h"

static const char *const step_texts[] = {
    "{\"name\": \"a step\", \"action\": {\"environment\": \"\", \"commands\": [\"touch marker\"]}}",
    "{\"name\": \"a step\", \"action\": {\"func\": \"f\"}}",
    "{\"name\": \"a step\", \"action\": {\"notebook\": \"n.ipynb\"}}",
};

static const struct {
    const char *type;
    int runs; /* the index of the step that this type runs */
} workers[] = {{"subprocess", 0}, {"docker", 0}, {"code", 1}, {"notebook", 2}, {"nbdocker", 2}};

int main(void)
{
    char *marker = check_path("marker");
    for (size_t i = 0; i < sizeof workers / sizeof *workers; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"name\": \"a worker\", \"type\": \"%s\"}", workers[i].type);
        fw_worker *worker = check_worker(text);
        for (int which = 0; which < 3; which++) {
            if (workers[i].runs == which)
                continue; /* these work */
            fw_step *step = check_step(step_texts[which]);
            fw_result *result = NULL;
            fw_error *error = NULL;
            fw_status status = fw_worker_exec(worker, step, NULL, check_dir(), &result, &error);
            CHECK_HAS(fw_error_message(error), workers[i].type);
            CHECK_HAS(fw_error_message(error), "\"a worker\"");
            CHECK_HAS(fw_error_message(error), "\"a step\"");
            CHECK_HAS(fw_error_message(error), fw_step_type(step));
            CHECK_INT(fw_error_line(error), 0);
            CHECK_REFUSED(status, FW_E_STEP_TYPE, &error, NULL, "");
            CHECK(access(marker, F_OK) != 0);
            fw_step_free(step);
        }
        fw_worker_free(worker);
    }
    free(marker);
    return check_done();
}
