/* With `events` `text`, bytes that are not UTF-8 become U+FFFD, one for each maximal invalid sequence, as in Python,
 * in the WHATWG standard and in chapter 3 of the Unicode standard. The JSON of the result has the same text. */
#include "events.h"

/** Returns how many bytes from `at` are one character or one maximal invalid sequence, by table 3-7 of the Unicode
 *  standard. */
static size_t piece(const unsigned char *at, const unsigned char *end, bool *is_character)
{
    static const struct {
        unsigned char first, last, low, high;
        size_t length;
    } rows[] = {{0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
                {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    *is_character = false;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        if (*at < rows[row].first || *at > rows[row].last)
            continue;
        size_t length = 1;
        unsigned char low = rows[row].low, high = rows[row].high;
        while (length < rows[row].length && at + length < end && at[length] >= low && at[length] <= high) {
            length++;
            low = 0x80;
            high = 0xBF;
        }
        *is_character = length == rows[row].length;
        return length;
    }
    return 1;
}

/** Returns the bytes as text; free() it. */
static char *decoded(const unsigned char *bytes, size_t count, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    REQUIRE(out != NULL);
    for (const unsigned char *at = bytes, *end = bytes + count; at < end;) {
        bool is_character;
        size_t size = piece(at, end, &is_character);
        fwrite(is_character ? (const char *)at : "\xEF\xBF\xBD", 1, is_character ? size : 3, out);
        at += size;
    }
    fclose(out);
    return text;
}

/** Checks that a command that writes the bytes in two parts has this text in its events. */
static void decodes(const unsigned char *bytes, size_t count)
{
    char *path = check_path("bytes");
    FILE *file = fopen(path, "we");
    REQUIRE(file != NULL && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
    free(path);
    char command[100];
    snprintf(command, sizeof command, "head -c %zu bytes; tail -c +%zu bytes", count / 2, count / 2 + 1);
    fw_exec *exec = START("{\"events\": \"text\"}", command);
    struct events all = events_of(exec);
    size_t got_length = 0, want_length = 0;
    char *got = events_output(&all, 0, FW_STDOUT, &got_length);
    char *want = decoded(bytes, count, &want_length);
    if (!CHECK(got_length == want_length && memcmp(got, want, got_length) == 0)) {
        size_t same = 0;
        while (same < got_length && same < want_length && got[same] == want[same])
            same++;
        fprintf(stderr, "    got %zu bytes, want %zu; they differ at %zu\n", got_length, want_length, same);
    }

    fw_result *result = exec_result(exec);
    CHECK_BYTES(result, FW_STDOUT, 0, (const char *)bytes, count);
    char *text = NULL;
    CHECK_INT(fw_result_to_json(result, &text, NULL), FW_OK);
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    json_t *output = json_array_get(json_object_get(json, "stdout"), 0);
    CHECK_INT(json_string_length(output), want_length);
    CHECK(json_string_length(output) == want_length && memcmp(json_string_value(output), want, want_length) == 0);
    json_decref(json);
    fw_string_free(text);
    fw_result_free(result);
    free(want);
    free(got);
    events_free(&all);
    fw_exec_free(exec);
}

#define DECODES(text) decodes((const unsigned char *)(text), sizeof(text) - 1)

int main(void)
{
    DECODES("\xFF");
    DECODES("a\xC0\xAF"
            "b");
    DECODES("\xE0\x80\x80|\xED\xA0\x80|\xF0\x80\x80\x80|\xF4\x90\x80\x80|\xF5\x80\x80\x80");
    DECODES("\xF0\x9F\x98|\xF0\x9F|\xF0|\xE2\x82|\xE2|\xC3|\x80\x80");
    DECODES("\xF0\x9F\x98\xF0\x9F\x98\x80\xE2\x82\xE2\x82\xAC\xC3\xC3\xA9");
    DECODES("a\0b\0\xFF\0");
    DECODES("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    DECODES("\xEF\xBB\xBF"
            "a\xEF\xBF\xBE\xF4\x8F\xBF\xBF");

    /* Many mixtures of lead bytes, continuation bytes and invalid bytes. */
    static const unsigned char bytes[] = {'a',  0,    0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1,
                                          0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF};
    static unsigned char mixture[200001];
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof mixture; i++) {
        random = random * 1664525 + 1013904223;
        mixture[i] = bytes[(random >> 16) % sizeof bytes];
    }
    decodes(mixture, sizeof mixture);
    return check_done();
}
