/*
 * The work of reading a workflow and of planning it grows with its size, and not with the square of it: many steps, in
 * a chain and beside each other, many files, names and instances. Instructions are counted, and not seconds.
 * not under asan tsan ubsan valgrind: the instructions are counted by callgrind
 */
#include "work.h"

/* The plan is for a run with options, in a directory that nothing creates. */
static fw_status plan(const char *text, size_t length, const char *options)
{
    fw_workflow *workflow = NULL;
    char *json = NULL;
    fw_status status = fw_workflow_create(text, length, &workflow, NULL);
    if (status == FW_OK)
        status = fw_workflow_plan(workflow, NULL, NULL, "/nonexistent", options, FW_ZERO_TERMINATED, &json, NULL);
    fw_string_free(json);
    fw_workflow_free(workflow);
    return status;
}

static fw_status read_workflow(const char *text, size_t length)
{
    return plan(text, length, "{\"jobs\": 4}");
}

/* The text is that of the options. */
static fw_status read_options(const char *text, size_t length)
{
    (void)length;
    static const char workflow[] = "{\"steps\": []}";
    return plan(workflow, sizeof workflow - 1, text);
}

#define ACTION "\"action\": {\"environment\": \"\", \"commands\": [\"true\"]}"
#define STEPS "{\"steps\": ["

static const work_shape shapes[] = {
    {"workflow: steps that know nothing of files", read_workflow, 120, STEPS, "{\"name\": \"s@\", " ACTION "}", ", ",
     "", "]}", FW_OK},
    {"workflow: steps beside each other", read_workflow, 120, STEPS,
     "{\"name\": \"s@\", \"files\": {\"inputs\": [\"i@\"], \"outputs\": [\"o@\"]}, " ACTION "}", ", ", "", "]}", FW_OK},
    {"workflow: steps that read one file", read_workflow, 120, STEPS,
     "{\"name\": \"s@\", \"files\": {\"inputs\": [\"i\"], \"outputs\": [\"o@\"]}, " ACTION "}", ", ", "", "]}", FW_OK},
    {"workflow: steps that write one file", read_workflow, 120, STEPS,
     "{\"name\": \"s@\", \"files\": {\"outputs\": [\"o\"]}, " ACTION "}", ", ", "", "]}", FW_OK},
    {"workflow: steps that write in one folder", read_workflow, 120, STEPS,
     "{\"name\": \"s@\", \"files\": {\"outputs\": [\"d/o@\"]}, " ACTION "}", ", ", "",
     ", {\"name\": \"last\", \"files\": {\"inputs\": [\"d/\"]}, " ACTION "}]}", FW_OK},
    {"workflow: steps with placeholders", read_workflow, 120, STEPS,
     "{\"name\": \"s@\", \"files\": {\"outputs\": [\"o@\"]}, \"action\": {\"environment\": \"\", \"commands\": "
     "[\"echo $a ${b@:q}\"]}}",
     ", ", "", "]}", FW_OK},
    {"workflow: functions in a chain", read_workflow, 120, STEPS,
     "{\"name\": \"s@\", \"action\": {\"func\": \"package.module.function\", \"arg\": \"x\", \"variables\": [{\"arg\": "
     "\"a\", \"var\": "
     "\"x\"}]}}",
     ", ", "", "]}", FW_OK},
    {"workflow: the name of a step again", read_workflow, 120, STEPS, "{\"name\": \"s@\", " ACTION "}", ", ", "",
     ", {\"name\": \"s000000\", " ACTION "}]}", FW_E_DOCUMENT},
    {"workflow: inputs of a step", read_workflow, 300, STEPS "{\"name\": \"s\", " ACTION ", \"files\": {\"inputs\": [",
     "\"i@\"", ", ", "", "]}}]}", FW_OK},
    {"workflow: an output many times", read_workflow, 300,
     STEPS "{\"name\": \"s\", " ACTION ", \"files\": {\"outputs\": [", "\"o\"", ", ", "", "]}}]}", FW_OK},
    {"workflow: its own outputs", read_workflow, 300, "{\"steps\": [], \"files\": {\"outputs\": [", "\"o@\"", ", ", "",
     "]}}", FW_OK},
    {"workflow: parameters", read_workflow, 300, "{\"steps\": [], \"parameters\": {", "\"p@\": 1.5", ", ", "", "}}",
     FW_OK},
    {"workflow: declarations", read_workflow, 120, "{\"workflow\": {\"steps\": []}, \"parameters\": [",
     "{\"name\": \"p@\", \"dtype\": \"int\", \"defaultValue\": 5}", ", ", "", "]}", FW_OK},
    {"workflow: references", read_workflow, 300,
     "{\"parameters\": [{\"name\": \"p\", \"dtype\": \"int\", \"defaultValue\": 5}], \"workflow\": {\"steps\": [], "
     "\"parameters\": {",
     "\"q@\": \"$[[p]]\"", ", ", "", "}}}", FW_OK},
    {"workflow: unknown references", read_workflow, 300,
     "{\"parameters\": [], \"workflow\": {\"steps\": [], \"parameters\": {", "\"q@\": \"$[[p@]]\"", ", ", "", "}}}",
     FW_E_DOCUMENT},
    {"workflow: choices of a parameter", read_workflow, 300,
     "{\"workflow\": {\"steps\": []}, \"parameters\": [{\"name\": \"p\", \"dtype\": \"select\", \"isRequired\": false, "
     "\"values\": [",
     "{\"name\": \"n@\", \"value\": \"v@\"}", ", ", "", "]}]}", FW_OK},
    {"workflow: instances", read_workflow, 120,
     STEPS "{\"name\": \"s\", \"files\": {\"inputs\": [\"i$a\"], \"outputs\": [\"o$a\"]}, " ACTION
           ", \"foreach\": {\"names\": {\"a\": [",
     "\"v@\"", ", ", "", "]}}}]}", FW_OK},
    {"workflow: resources of steps", read_workflow, 120, STEPS,
     "{\"name\": \"s@\", \"resources\": {}, \"files\": {\"outputs\": [\"o@\"]}, " ACTION "}", ", ", "", "]}", FW_OK},

    {"options: arguments", read_options, 300, "{\"arguments\": {", "\"a@\": 1", ", ", "", "}}", FW_E_DOCUMENT},
    {"options: resources", read_options, 300, "{\"resources\": {", "\"r@\": 1", ", ", "", "}}", FW_OK},
    {"options: a wrong key behind many", read_options, 300, "{\"resources\": {", "\"r@\": 1", ", ", "", "}, \"x\": 1}",
     FW_E_DOCUMENT},
};

int main(int count, char **arguments)
{
    (void)count;
    return work_main(arguments, shapes, sizeof shapes / sizeof *shapes);
}
