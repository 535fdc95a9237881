/*
 * The keys of an instance have its values in them: the run provides the inputs of each instance, checks its outputs, and
 * passes them on. Instances of which one reads what another one writes run in their order; others run at once.
 *
 * not under valgrind: valgrind cannot start the supervisor
 */
#include "foreach.h"

#define ACTION(command) "\"action\": {\"environment\": \"\", \"commands\": [\"" command "\"]}}"

static void makes_and_gathers(const char *options)
{
    write_file("in-a.txt", "A\n");
    write_file("in-b.txt", "B\n");
    write_file("price$", "1\n");
    fw_result *result = workflow_run(
        "{\"files\": {\"outputs\": [\"all.txt\"]}, \"steps\": ["
        "{\"name\": \"each\", \"foreach\": {\"names\": {\"s\": [\"a\", \"b\"], \"n\": [1, 2.5, true]}}, "
        " \"files\": {\"inputs\": [\"in-${s}.txt\", \"price$$\"], \"outputs\": [\"made/$s/$n.txt\"]}, " ACTION(
            "cat 'price$$' in-$s.txt > made/$s/$n.txt") ", "
        "{\"name\": \"next\", \"foreach\": {\"names\": {\"s\": [\"a\", \"b\"], \"n\": [1, 2.5, true]}}, "
        " \"stdin\": {\"file\": \"made/$s/$n.txt\"}, \"files\": {\"outputs\": [\"next/$s-$n/\"]}, " ACTION(
            "cat > next/$s-$n/file; echo $s $n >> next/$s-$n/file") ", "
        "{\"name\": \"all\", \"files\": {\"inputs\": [\"next/\"], \"outputs\": [\"all.txt\"]}, " ACTION(
            "cat next/*/file > all.txt") "]}",
        NULL, NULL, options);
    CHECK_EXITED(result, 0);
    char *path = check_path("all.txt");
    char *text = read_file(path);
    CHECK_STR(text, "1\nA\na 1\n1\nA\na 2.5\n1\nA\na True\n1\nB\nb 1\n1\nB\nb 2.5\n1\nB\nb True\n");
    free(text);
    CHECK_INT(unlink(path), 0);
    free(path);
    fw_result_free(result);
}

/** An output of one instance is missing: that instance has failed, with its values in the message. */
static void misses_an_output(void)
{
    char *document = foreach_document("'names': {'a': ['x', 'y']}", "'files': {'outputs': ['o-$a']}",
                                      "test $a = y || touch o-$a");
    fw_result *result = workflow_run(document, NULL, NULL, NULL);
    CHECK_INT(fw_result_outcome(result), FW_OUTPUT_MISSING);
    CHECK_HAS(fw_result_message(result), "step \"s\" (a \"y\") failed: its output \"o-y\" is missing");
    fw_result_free(result);
    free(document);
}

/** Whether two instances were in flight at once: each waits for the file of the other one, or tells that it is alone. */
static void runs_at_once(void)
{
    char *document = foreach_document("'names': {'a': [0, 1]}", "'files': {'outputs': ['met-$a']}",
                                      "touch here-$a; until test -e here-0 -a -e here-1; do sleep 0.01; done; "
                                      "touch met-$a");
    fw_result *result = workflow_run(document, NULL, NULL, "{\"jobs\": 2}");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    free(document);
}

/** Each instance appends to what the one before it has written, so nothing but their order gives this result. */
static void runs_in_order(const char *foreach, const char *files)
{
    for (int round = 0; round < 5; round++) {
        write_file("log", "");
        write_file("n-2", "");
        char *document =
            foreach_document(foreach, files, "echo $a >> log; mkdir -p d; touch d/$a n-$a; sleep 0.0$a");
        fw_result *result = workflow_run(document, NULL, NULL, "{\"jobs\": 4}");
        CHECK_EXITED(result, 0);
        char *path = check_path("log");
        char *text = read_file(path);
        CHECK_STR(text, "3\n2\n1\n");
        free(text);
        free(path);
        fw_result_free(result);
        free(document);
    }
}

int main(void)
{
    makes_and_gathers("{\"jobs\": 1}");
    makes_and_gathers("{\"jobs\": 4}");
    misses_an_output();
    runs_at_once();
    runs_in_order("'names': {'a': [3, 2, 1]}", "'files': {'inputs': ['d/'], 'outputs': ['d/$a']}");
    runs_in_order("'names': {'a': [3, 2, 1], 'b': [2]}", "'files': {'inputs': ['n-$b'], 'outputs': ['n-$a']}");
    /* Nothing is declared, so nothing is known. */
    runs_in_order("'names': {'a': [3, 2, 1]}", NULL);
    return check_done();
}
