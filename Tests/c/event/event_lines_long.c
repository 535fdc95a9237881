/* With `events` `lines`, a line of more than 64 KiB arrives in several events, which are split between characters;
 * `continued` is true in the JSON of all but the last. A large number of short lines arrives as that number of
 * events. */
#include "events.h"

enum { LONGEST = 64 * 1024 };

/** The events of output are one line of `length` bytes, and then the line "x". */
static void is_one_line(fw_exec *exec, const char *character, size_t count)
{
    struct events all = events_of(exec);
    size_t size = strlen(character), total = 0, pieces = 0, last = 0;
    bool goes_on = true;
    for (size_t i = 0; i < all.count; i++) {
        if (fw_event_kind(all.list[i]) != FW_EVENT_OUTPUT)
            continue;
        last = i;
        if (!goes_on)
            break;
        size_t length = 0;
        const char *data = fw_event_data(all.list[i], &length);
        CHECK(length > 0 && length <= LONGEST);
        REQUIRE(length % size == 0);
        size_t at = 0;
        while (at < length && memcmp(data + at, character, size) == 0)
            at += size;
        CHECK_INT(at, length);
        total += length;
        pieces++;
        json_t *json = event_json(all.list[i]);
        json_t *continued = json_object_get(json, "continued");
        CHECK(json_is_boolean(continued));
        goes_on = json_is_true(continued);
        CHECK_INT(fw_event_is_continued(all.list[i]), goes_on);
        json_decref(json);
    }
    CHECK(!goes_on);
    CHECK_INT(total, count * size);
    if (count * size <= LONGEST)
        CHECK_INT(pieces, 1);
    CHECK_EVENT(all.list[last], FW_STDOUT, "x");
    CHECK_INT(fw_event_kind(all.list[last + 1]), FW_EVENT_COMMAND_ENDED);
    events_free(&all);
    fw_exec_free(exec);
}

/** A line of `count` characters, and one "x". */
static void comes_whole(const char *character, size_t count, const char *end)
{
    char command[200];
    snprintf(command, sizeof command, "yes '%s' | head -n %zu | tr -d '\\n'; printf '%sx'", character, count, end);
    is_one_line(START("{\"events\": \"lines\"}", command), character, count);
}

static void many(void)
{
    fw_exec *exec = START("{\"events\": \"lines\"}", "seq 1 50000");
    struct events all = events_of(exec);
    CHECK_INT(all.count, 50004);
    for (size_t i = 2; i + 2 < all.count; i++) {
        char line[32];
        snprintf(line, sizeof line, "%zu", i - 1);
        if (!CHECK_EVENT(all.list[i], FW_STDOUT, line))
            break;
        CHECK_INT(fw_event_sequence(all.list[i]), i + 1);
    }
    events_free(&all);
    fw_exec_free(exec);
}

int main(void)
{
    for (size_t length = LONGEST - 2; length <= LONGEST + 2; length++) {
        comes_whole("a", length, "\\n");
        comes_whole("a", length, "\\r\\n");
    }
    comes_whole("a", 2 * LONGEST, "\\n");
    comes_whole("a", 1000000, "\\r\\n");
    comes_whole("\xE2\x82\xAC", LONGEST, "\\n");
    comes_whole("\xF0\x9F\x98\x80", LONGEST, "\\n");
    many();
    return check_done();
}
