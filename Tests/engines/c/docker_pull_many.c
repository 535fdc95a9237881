/* A pull reports its progress, is shared by all steps that need the image at the same time, counts as time of the
 * step, and ends with the step. The engine belongs to this program. */
#include "engine_private.h"

#include <netinet/in.h>
#include <pthread.h>

enum { THREADS_PULLING = 8, LAYERS = 5 };

static char *host, *large;

static json_t *options_of(const char *more)
{
    json_t *options = like_json("{'host': '%s'%s}", host, more);
    return options;
}

/** Returns how many pulls the engine has made since that time. */
static int pulls_since(long since)
{
    /* {"type":["image"],"event":["pull"]} */
    char path[300];
    json_t *answer = NULL;
    int count = 0;
    snprintf(path, sizeof path,
             "/events?since=%ld&until=%ld&filters=%%7B%%22type%%22%%3A%%5B%%22image%%22%%5D%%2C%%22event%%22%%3A%%5B%%"
             "22pull%%22%%5D%%7D",
             since, (long)time(NULL) + 1);
    CHECK_INT(engine_call(host, "GET", path, NULL, &answer), 200);
    char *text = json_is_string(answer) ? strdup(json_string_value(answer)) : json_dumps(answer, 0);
    REQUIRE(text != NULL);
    for (char *at = text; (at = strstr(at, "\"Action\"")) != NULL; at++)
        count++;
    free(text);
    json_decref(answer);
    return count;
}

static json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    CHECK(json_is_integer(value));
    return json_integer_value(value);
}

/** Checks the events of a step that has pulled the image. */
static void check_progress(const struct events *all)
{
    int count = 0;
    bool has_started = false;
    json_int_t done = 0, layers = 0, total = 0;
    for (size_t i = 0; i < all->count; i++) {
        has_started |= fw_event_kind(all->list[i]) == FW_EVENT_COMMAND_STARTED;
        if (fw_event_kind(all->list[i]) != FW_EVENT_PROGRESS)
            continue;
        count++;
        CHECK(!has_started);
        json_t *json = event_json(all->list[i]);
        CHECK_STR(json_string_value(json_object_get(json, "event")), "progress");
        CHECK_STR(json_string_value(json_object_get(json, "image")), large);
        CHECK(json_is_string(json_object_get(json, "status")));
        CHECK(number(json, "layers") >= layers && number(json, "layers_done") >= done);
        layers = number(json, "layers");
        done = number(json, "layers_done");
        CHECK(done <= layers && number(json, "bytes") <= number(json, "bytes_total"));
        total = number(json, "bytes_total") > total ? number(json, "bytes_total") : total;
        json_decref(json);
    }
    CHECK(has_started);
    CHECK(count >= 2);
    CHECK_INT(layers, LAYERS);
    CHECK_INT(done, LAYERS);
    CHECK(total > 3000000); /* of one layer at least */
}

static void progress(void)
{
    fw_exec *execs[2];
    for (int i = 0; i < 2; i++)
        execs[i] = box_start(large, options_of(""), NULL, (const char *const[]){"sh -c 'ls /layer* | wc -l'", NULL});
    struct events all = events_of(execs[0]);
    check_progress(&all);
    events_free(&all);
    for (int i = 0; i < 2; i++) {
        fw_result *result = exec_result(execs[i]);
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "4\n");
        fw_result_free(result);
        fw_exec_free(execs[i]);
    }
    /* An image that the engine has causes no pull and no events. */
    fw_exec *exec = box_start(large, options_of(""), NULL, (const char *const[]){"true", NULL});
    all = events_of(exec);
    CHECK_SHAPE(&all, "step_started 0:started 0:ended step_ended");
    events_free(&all);
    exec_end(exec);
}

static pthread_barrier_t together;

static void *pulling(void *unused)
{
    (void)unused;
    fw_worker *worker = box_worker(options_of(""), NULL);
    fw_step *step = box_step(large, NULL, (const char *const[]){"echo has it", NULL});
    pthread_barrier_wait(&together);
    fw_result *result = run_exec(worker, step, NULL, check_dir());
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "has it\n");
    json_t *digest = box_fact(result, "digest");
    CHECK(json_is_string(digest));
    json_decref(digest);
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);
    return NULL;
}

static void one_pull(void)
{
    pthread_t threads[THREADS_PULLING];
    engine_remove_image(host, large);
    /* The engine's times are whole seconds, so this waits until earlier pulls are in an earlier second. */
    long before = time(NULL), since;
    while ((since = time(NULL)) == before)
        a_moment();
    CHECK_INT(pulls_since(since), 0);
    REQUIRE(pthread_barrier_init(&together, NULL, THREADS_PULLING) == 0);
    for (int i = 0; i < THREADS_PULLING; i++)
        REQUIRE(pthread_create(&threads[i], NULL, pulling, NULL) == 0);
    for (int i = 0; i < THREADS_PULLING; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    CHECK_INT(pulls_since(since), 1);
}

/* ------------------------------------------------ a registry that never answers -- */

static int silent;
static char silent_image[100];

static void make_silent_registry(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    silent = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(silent >= 0 && bind(silent, (struct sockaddr *)&address, length) == 0 && listen(silent, 64) == 0);
    REQUIRE(getsockname(silent, (struct sockaddr *)&address, &length) == 0);
    snprintf(silent_image, sizeof silent_image, "127.0.0.1:%d/fw-test/silent:1", ntohs(address.sin_port));
}

/** Waits until the engine sends a request to the registry, while the step continues. */
static void asked(fw_exec *exec)
{
    struct pollfd items[2] = {{.fd = silent, .events = POLLIN}, {.fd = fw_exec_fd(exec), .events = POLLIN}};
    for (;;) {
        REQUIRE(poll(items, 2, -1) > 0);
        if (items[0].revents != 0)
            return;
        fw_event_free(event_next(exec, 0));
    }
}

static fw_exec *pulls_for_ever(const char *more)
{
    fw_exec *exec = box_start(silent_image, options_of(more), NULL, (const char *const[]){"echo never", NULL});
    asked(exec);
    return exec;
}

/** Accepts the request, so that the next one can be noticed. */
static void forget_asked(void)
{
    struct pollfd item = {.fd = silent, .events = POLLIN};
    while (poll(&item, 1, 0) > 0)
        close(accept(silent, NULL, NULL));
}

static void check_not_run(const fw_result *result, fw_outcome outcome, const char *part)
{
    CHECK_INT(fw_result_outcome(result), outcome);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_MESSAGE(result, part);
    CHECK_COMMAND(result, 0, "container", json_null());
    CHECK_COMMAND(result, 0, "is_ended", json_true());
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_NONE(host);
}

static void ends_while_pulling(const char *kind)
{
    char more[100];
    snprintf(more, sizeof more, ", 'container': '%s', 'timeout': 3", kind);
    fw_exec *exec = pulls_for_ever(more);
    fw_result *result = exec_result(exec);
    check_not_run(result, FW_TIMEOUT, "3 s");
    fw_result_free(result);
    fw_exec_free(exec);
    forget_asked();

    snprintf(more, sizeof more, ", 'container': '%s'", kind);
    exec = pulls_for_ever(more);
    fw_exec_cancel(exec);
    result = exec_result(exec);
    check_not_run(result, FW_CANCELLED, "cancelled");
    fw_result_free(result);
    fw_exec_free(exec);
    forget_asked();

    fw_exec_free(pulls_for_ever(more));
    forget_asked();
    /* Two steps share a pull. One is cancelled, and the other continues to wait. */
    fw_exec *one = pulls_for_ever(more);
    exec = box_start(silent_image, options_of(more), NULL, (const char *const[]){"echo never", NULL});
    for (int i = 0; i < 20; i++)
        fw_event_free(event_next(exec, 0.01));
    fw_exec_cancel(one);
    result = exec_result(one);
    check_not_run(result, FW_CANCELLED, "cancelled");
    fw_result_free(result);
    fw_exec_free(one);
    CHECK(exec_runs(exec));
    fw_exec_cancel(exec);
    exec_end(exec);
    forget_asked();
}

int main(void)
{
    engine_host();
    large = registry_image("fw-test/large:1");
    docker_logged_in("config", engine_variable("FW_TEST_REGISTRY_USER"), engine_variable("FW_TEST_REGISTRY_PASSWORD"));
    host = private_start("docker", "pull-many", "");
    progress();
    one_pull();
    make_silent_registry();
    for (int i = 0; i < 2; i++)
        ends_while_pulling(box_kinds[i]);
    /* The engine and the library still work. */
    fw_result *result = BOX(options_of(""), "echo well");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    NOTHING_LEFT(host);
    close(silent);
    free(host);
    free(large);
    return engine_done();
}
