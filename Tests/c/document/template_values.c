/* A placeholder becomes the worker's variable of this name, else the context's value, else the name itself. Values of
 * each JSON type have their documented text. */
#include "run.h"

static const struct {
    const char *command, *context, *variables, *want;
} rows[] = {
    {"$a ${a}", "{\"a\": 1}", "{}", "1 1"},
    {"$a ${b}.txt $c/d $e$f $g.txt", "{}", "{}", "a b.txt c/d ef g.txt"},
    {"$$a $$ $$$a $${a}", "{\"a\": 1}", "{}", "$a $ $1 ${a}"},
    {"${a}} {$a}", "{\"a\": 1}", "{}", "1} {1}"},
    {"$a", "{\"a\": 1}", "{\"a\": 2}", "2"},
    {"$a$b", "{\"a\": 1}", "{\"b\": \"x y\"}", "1x y"},
    {"$a", "{\"a\": \"$b\", \"b\": 3}", "{}", "$b"}, /* values are substituted once: a placeholder in a value is text */
    {"$a", "{}", "{\"a\": \"$$\"}", "$$"},
    {"$A $a", "{\"a\": 1}", "{}", "A 1"},
    {"$_ ${a_1}$_b", "{\"_\": 3, \"a_1\": 4}", "{}", "3 4_b"},
    {"$a\xC3\xA9", "{\"a\": 1}", "{}", "1\xC3\xA9"},
    {"$a-b $a1", "{\"a\": 1}", "{}", "1-b a1"},
    {"  $a \n\t", "{\"a\": \" x \"}", "{}", "x"},
    {"\xC2\xA0 x \xE3\x80\x80", "{}", "{}", "x"},
    {"$a", "{\"a\": \"\"}", "{}", ""},
    {"$a", "{\"a\": true}", "{}", "True"},
    {"$a", "{\"a\": false}", "{}", "False"},
    {"$a", "{\"a\": null}", "{}", "None"},
    {"$a", "{\"a\": -7}", "{}", "-7"},
    {"$a", "{\"a\": 9223372036854775807}", "{}", "9223372036854775807"},
    {"$a", "{\"a\": -9223372036854775808}", "{}", "-9223372036854775808"},
    {"$a", "{\"a\": 1.0}", "{}", "1.0"},
    {"$a", "{\"a\": -0.0}", "{}", "-0.0"},
    {"$a", "{\"a\": 0.30000000000000004}", "{}", "0.30000000000000004"},
    {"$a", "{\"a\": 1e15}", "{}", "1000000000000000.0"},
    {"$a", "{\"a\": 1e16}", "{}", "1e+16"},
    {"$a", "{\"a\": 1e-4}", "{}", "0.0001"},
    {"$a", "{\"a\": 1e-5}", "{}", "1e-05"},
    {"$a", "{\"a\": 1.5e300}", "{}", "1.5e+300"},
    {"$a", "{\"a\": 5e-324}", "{}", "5e-324"},
    {"$a", "{\"a\": 123456789012345680.0}", "{}", "1.2345678901234568e+17"},
    {"$a", "{\"a\": [1, \"x\", null, true]}", "{}", "[1,\"x\",null,true]"},
    {"$a", "{\"a\": {\"b\": [1, {}], \"\xC3\xA9\": \"/\"}}", "{}", "{\"b\":[1,{}],\"\xC3\xA9\":\"/\"}"},
};

int main(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *variables = json_loads(rows[i].variables, 0, NULL);
        fw_worker *worker =
            run_worker(json_pack("{s:o, s:{s:s}}", "variables", variables, "options", "shell", "/bin/false"));
        fw_context *context = check_context(rows[i].context);
        fw_step *step = run_step("s", (const char *const[]){rows[i].command, NULL});
        fw_result *result = run_exec(worker, step, context, check_dir());
        json_t *command = run_command_member(result, 0, "command");
        if (!CHECK_STR(json_string_value(command), rows[i].want))
            fprintf(stderr, "    %s with %s\n", rows[i].command, rows[i].context);
        json_decref(command);
        fw_result_free(result);
        fw_step_free(step);
        fw_context_free(context);
        fw_worker_free(worker);
    }
    return check_done();
}
