/* Spill files of steps that run at the same time in one directory never share a name: with 64 threads, several
 * commands, both streams and repeated attempts. */
#include "processes.h"
#include "run.h"
#include "threads.h"

static fw_worker *worker;
static atomic_int named;

static void holds(const json_t *command, const char *key, const char *want)
{
    const char *path = json_string_value(json_object_get(command, key));
    char *text = path != NULL ? read_file(path) : NULL;
    CHECK_STR(text, want);
    free(text);
    atomic_fetch_add(&named, 1);
}

/** Checks the output of the command: 200 lines with the thread, the attempt and the command. */
static void both_files(const json_t *command, int number, int attempt, int place)
{
    char out[4000] = "", err[4100] = "", word[32];
    int length = 0;
    for (int i = 0; i < 200; i++) {
        snprintf(word, sizeof word, "%d-%d-%d\n", number, attempt, place);
        memcpy(out + length, word, strlen(word));
        length += (int)strlen(word);
    }
    snprintf(err, sizeof err, "error\n%s", out);
    holds(command, "stdout_file", out);
    holds(command, "stderr_file", err);
}

static void run_steps(int number)
{
    char first[300], second[300], state[64];
    snprintf(state, sizeof state, "tries.%d", number);
    snprintf(first, sizeof first,
             "echo x >> %s; n=$$(($$(wc -l < %s))); yes %d-$$n-0 | head -n 200 > out.%d;"
             " cat out.%d; echo error >&2; cat out.%d >&2",
             state, state, number, number, number, number);
    snprintf(second, sizeof second,
             "n=$$(($$(wc -l < %s))); yes %d-$$n-1 | head -n 200 > out.%d;"
             " cat out.%d; echo error >&2; cat out.%d >&2; test $$n -ge 3",
             state, number, number, number, number);
    fw_step *step = run_step("s", (const char *const[]){first, second, NULL});
    fw_result *result = run_exec(worker, step, NULL, check_directory);
    CHECK_EXITED(result, 0);
    json_t *json = run_json(result), *attempts = json_object_get(json, "attempts");
    CHECK_INT(json_array_size(attempts), 2);
    for (int attempt = 1; attempt <= 3; attempt++) {
        const json_t *of = attempt < 3 ? json_array_get(attempts, (size_t)attempt - 1) : json;
        const json_t *commands = json_object_get(of, "commands");
        for (int place = 0; place < 2; place++)
            both_files(json_array_get(commands, (size_t)place), number, attempt, place);
    }
    json_decref(json);
    fw_result_free(result);
    fw_step_free(step);
}

int main(void)
{
    char *place = check_path("spill");
    REQUIRE(mkdir(place, 0700) == 0);
    json_t *options =
        json_pack("{s:s, s:i, s:{s:i, s:i}}", "spill", place, "output_limit", 100, "retries", "max", 5, "delay", 0);
    worker = run_worker(json_pack("{s:o}", "options", options));
    in_threads(run_steps);
    int files = 0;
    DIR *directory = opendir(place);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
        files += entry->d_name[0] != '.';
    if (directory != NULL)
        closedir(directory);
    CHECK_INT(files, named);
    CHECK_INT(files, THREADS * 12);
    fw_worker_free(worker);
    free(place);
    return check_done();
}
