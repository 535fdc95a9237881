/* 1 GiB on both streams costs the host only the memory of the output that the result keeps, whether the host waits
 * for the result, takes the events, or spills into files. */
#include "events.h"

#define MIB (1ll << 20)

enum { KEPT = 1 << 16 }; /* bytes */

static json_int_t size; /* bytes that the result keeps of each stream */

/** Returns the peak resident memory of this process in bytes. */
static long long peak(void)
{
    char *text = read_file("/proc/self/status");
    const char *line = text ? strstr(text, "VmHWM:") : NULL;
    long long kib = line ? atoll(line + 6) : -1;
    free(text);
    REQUIRE(kib > 0);
    return kib * 1024;
}

static fw_exec *start(const char *options, json_int_t of_each)
{
    char command[200];
    snprintf(command, sizeof command,
             "{ printf a; head -c %lld /dev/zero; printf z; } &"
             " { printf A; head -c %lld /dev/zero; printf Z; } >&2; wait",
             (long long)of_each - 2, (long long)of_each - 2);
    return START(options, command);
}

/** The JSON of the command; what it wrote has NULs. */
static json_t *command_of(const fw_result *result)
{
    char *text = NULL;
    REQUIRE(fw_result_to_json(result, &text, NULL) == FW_OK);
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    json_t *command = json_incref(json_array_get(json_object_get(json, "commands"), 0));
    json_decref(json);
    fw_string_free(text);
    REQUIRE(command != NULL);
    return command;
}

static void is_right(fw_exec *exec, json_int_t of_each, bool has_files)
{
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    json_t *command = command_of(result);
    for (fw_stream stream = FW_STDOUT; stream <= FW_STDERR; stream++) {
        bool is_out = stream == FW_STDOUT;
        size_t length = 0;
        const char *bytes = fw_result_output(result, stream, 0, &length);
        if (CHECK_INT(length, KEPT))
            CHECK(bytes[0] == (is_out ? 'a' : 'A') && bytes[KEPT / 2] == 0 && bytes[KEPT - 1] == (is_out ? 'z' : 'Z'));
        CHECK_INT(json_integer_value(json_object_get(command, is_out ? "stdout_bytes" : "stderr_bytes")), of_each);
        CHECK_INT(json_integer_value(json_object_get(command, is_out ? "stdout_cut" : "stderr_cut")), of_each - KEPT);
        const char *file = json_string_value(json_object_get(command, is_out ? "stdout_file" : "stderr_file"));
        CHECK((file != NULL) == has_files);
        struct stat info;
        if (file != NULL) {
            CHECK(stat(file, &info) == 0 && info.st_size == of_each);
            CHECK_INT(unlink(file), 0);
        }
    }
    CHECK(json_is_null(json_object_get(command, "spill_error")));
    json_decref(command);
    fw_result_free(result);
    fw_exec_free(exec);
}

static void waited_for(void)
{
    is_right(start("{\"output_limit\": 65536}", size), size, false);
}

static void with_events(void)
{
    fw_exec *exec = start("{\"output_limit\": 65536}", size);
    json_int_t seen[3] = {0, 0, 0};
    for (fw_event *event; (event = event_next(exec, -1)) != NULL;) {
        size_t length = 0;
        if (fw_event_kind(event) == FW_EVENT_OUTPUT && fw_event_data(event, &length) != NULL)
            seen[fw_event_stream(event)] += (json_int_t)length;
        fw_event_free(event);
    }
    CHECK_INT(seen[FW_STDOUT], size);
    CHECK_INT(seen[FW_STDERR], size);
    is_right(exec, size, false);
}

static void into_files(void)
{
    char *options = NULL;
    REQUIRE(asprintf(&options, "{\"spill\": \"%s\"}", check_dir()) > 0);
    is_right(start(options, size / 5), size / 5, true);
    free(options);
}

int main(void)
{
    size = check_times(1024, 32) * MIB;
    fw_result_free(RUN("true"));
    long long before = peak();
    waited_for();
    with_events();
    into_files();
    /* A tool has memory of its own beside each byte. */
    if (check_times(1, 0) == 1 && !CHECK(peak() - before < 32 * MIB))
        fprintf(stderr, "    %lld MiB more\n", (peak() - before) / MIB);
    return check_done();
}
