/* A placeholder without a value is one of the result's notes. At most ten are named. */
#include "run.h"

/** Runs a command with the value a, and gives the notes of the result. */
static json_t *notes_of(const char *command)
{
    fw_worker *worker = run_worker(json_pack("{s:{s:i}}", "variables", "v", 1));
    fw_context *context = check_context("{\"a\": 1}");
    fw_step *step = run_step("s", (const char *const[]){"true $a $v", command, NULL});
    fw_result *result = run_exec(worker, step, context, check_dir());
    CHECK_EXITED(result, 0);
    json_t *all = run_json(result), *notes = json_incref(json_object_get(all, "notes"));
    json_decref(all);
    fw_result_free(result);
    fw_step_free(step);
    fw_context_free(context);
    fw_worker_free(worker);
    return notes;
}

int main(void)
{
    json_t *notes = notes_of("true $a $$HOME");
    CHECK_INT(json_array_size(notes), 0);
    json_decref(notes);

    notes = notes_of("true $HOME ${b}");
    CHECK_INT(json_array_size(notes), 2);
    CHECK_STR(json_string_value(json_array_get(notes, 0)),
              "command 2 has \"HOME\" in place of $HOME, which has no value: write $$HOME for a variable of the shell");
    CHECK_STR(json_string_value(json_array_get(notes, 1)),
              "command 2 has \"b\" in place of $b, which has no value: write $$b for a variable of the shell");
    json_decref(notes);

    notes = notes_of("true $a1 $a2 $a3 $a4 $a5 $a6 $a7 $a8 $a9 $a10 $a11 $a12");
    CHECK_INT(json_array_size(notes), 10);
    json_decref(notes);
    return check_done();
}
