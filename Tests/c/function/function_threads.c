/* Host functions run on threads of their own, each with the run directory of its step as its working directory and
 * all signals blocked. The host keeps its own directory, signal mask and descriptors. */
#include "function.h"
#include "host.h"

#include <pthread.h>

enum { MANY = 64 };

static pthread_barrier_t barrier;

/** Writes its number to a relative path as soon as all functions run. */
static void notes(fw_call *call, void *payload)
{
    (void)payload;
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    CHECK(sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGPIPE) == 1);
    pthread_barrier_wait(&barrier);
    FILE *file = fopen("note", "we");
    REQUIRE(file != NULL);
    fputs(fw_call_argument(call, "n", NULL), file);
    fclose(file);
    char place[4096];
    REQUIRE(getcwd(place, sizeof place) != NULL);
    CHECK_STR(place, fw_call_rundir(call));
    umask(0777);
}

/** Output may be any bytes of any length. */
static void floods(fw_call *call, void *payload)
{
    (void)payload;
    static const char bytes[] = "a\0b\377\n";
    CHECK_INT(fw_call_write(call, FW_STDERR, bytes, sizeof bytes - 1, NULL), FW_OK);
    CHECK_INT(fw_call_write(call, FW_STDERR, "", 0, NULL), FW_OK);
    CHECK_INT(fw_call_write(call, 7, "x", 1, NULL), FW_E_INVALID);
    static char block[1 << 20];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 10; i++)
        CHECK_INT(fw_call_write(call, FW_STDOUT, block, sizeof block, NULL), FW_OK);
    volatile double burn = 0;
    for (int i = 0; i < 30000000; i++)
        burn += i;
}

struct one {
    fw_pool *pool;
    int number;
};

static void *in_thread(void *given)
{
    struct one *one = given;
    char name[16], text[32];
    snprintf(name, sizeof name, "%d", one->number);
    snprintf(text, sizeof text, "{\"n\": %d}", one->number);
    char *place = check_path(name);
    fw_context *context = check_context(text);
    fw_step *step = function_step("notes", NULL, NULL);
    fw_result *result = run_exec(function_worker(one->pool, step), step, context, place);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_step_free(step);
    fw_context_free(context);
    free(place);
    return NULL;
}

static void all_at_once(fw_pool *pool)
{
    pthread_t threads[MANY];
    struct one ones[MANY];
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        char *place = check_path(name);
        REQUIRE(mkdir(place, 0700) == 0);
        free(place);
        ones[i] = (struct one){pool, i};
    }
    for (int i = 0; i < MANY; i++)
        REQUIRE(pthread_create(&threads[i], NULL, in_thread, &ones[i]) == 0);
    for (int i = 0; i < MANY; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < MANY; i++) {
        char name[32], want[16], got[16] = "";
        snprintf(name, sizeof name, "%d/note", i);
        snprintf(want, sizeof want, "%d", i);
        char *path = check_path(name);
        FILE *file = fopen(path, "re");
        if (CHECK(file != NULL)) {
            CHECK(fgets(got, sizeof got, file) != NULL);
            fclose(file);
        }
        CHECK_STR(got, want);
        free(path);
    }
}

static void output(fw_pool *pool)
{
    fw_result *result = function_call(pool, "floods", NULL, NULL, NULL);
    CHECK_EXITED(result, 0);
    CHECK_BYTES(result, FW_STDERR, 0, "a\0b\377\n", 5);
    size_t length = 0;
    CHECK(fw_result_output(result, FW_STDOUT, 0, &length) != NULL);
    CHECK_INT(length, 10 << 20);
    json_t *commands = function_fact(result, "commands"), *command = json_array_get(commands, 0);
    CHECK(json_number_value(json_object_get(command, "user_time")) > 0);
    CHECK_JSON(json_object_get(command, "peak_memory"), json_null());
    CHECK_JSON(json_object_get(command, "pid"), json_null());
    CHECK_STR(json_string_value(json_object_get(command, "command")), "floods");
    json_decref(commands);
    fw_result_free(result);
    /* Output of a function obeys an output_limit, and arrives as events. */
    fw_step *step = function_step("floods", NULL, "'output_limit': 100");
    result = run_exec(function_worker(pool, step), step, NULL, check_dir());
    CHECK(fw_result_output(result, FW_STDOUT, 0, &length) != NULL);
    CHECK_INT(length, 100);
    fw_result_free(result);
    fw_step_free(step);
    fw_exec *exec = function_start(pool, "floods", NULL, NULL, NULL);
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "step_started 0:started 0:output 0:ended step_ended");
    events_free(&all);
    fw_exec_free(exec);
}

static void rundirs(fw_pool *pool)
{
    fw_step *step = function_step("floods", NULL, NULL);
    char *place = check_path("nowhere");
    fw_result *result = run_exec(function_worker(pool, step), step, NULL, place);
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_HAS(fw_result_message(result), "nowhere\" does not exist");
    fw_result_free(result);
    fw_step_free(step);
    free(place);
}

static int threads(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/task");
    REQUIRE(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void *no_work(void *unused)
{
    return unused;
}

int main(void)
{
    check_dir();
    pthread_barrier_init(&barrier, NULL, MANY);
    fw_pool *pool = check_pool("[]");
    function_add(pool, "notes", "[\"n\"]", notes, NULL);
    function_add(pool, "floods", NULL, floods, NULL);
    /* The C library catches a signal of its own (33) from the first thread on. */
    pthread_t first;
    REQUIRE(pthread_create(&first, NULL, no_work, NULL) == 0);
    pthread_join(first, NULL);
    int threads_before = threads();
    char *before = host_state();
    all_at_once(pool);
    output(pool);
    rundirs(pool);
    /* A thread disappears from /proc a moment after it has returned. */
    while (threads() > threads_before)
        usleep(1000);
    char *after = host_state();
    CHECK_STR(after, before);
    free(after);
    free(before);
    fw_pool_free(pool);
    return check_done();
}
