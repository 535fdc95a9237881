/* A quoted text is a JSON string with the same characters. Text that is not UTF-8, and a NUL, are refused. */
#include "check.h"

static fw_error *error;

static void same(const char *text, size_t length)
{
    char *quoted = NULL;
    CHECK_OK(fw_quote_json(text, length, &quoted, &error), &error);
    REQUIRE(quoted != NULL);
    json_t *value = json_loads(quoted, JSON_DECODE_ANY, NULL);
    CHECK(json_is_string(value) && json_string_length(value) == length &&
          memcmp(json_string_value(value), text, length) == 0);
    CHECK(strpbrk(quoted, "\n\r\t") == NULL);
    json_decref(value);
    fw_string_free(quoted);
}

static void refused(const char *text, size_t length, int column)
{
    char *quoted = (char *)text;
    fw_status status = fw_quote_json(text, length, &quoted, &error);
    CHECK(quoted == NULL);
    CHECK_INT(fw_error_line(error), column > 0 ? 1 : 0);
    CHECK_INT(fw_error_column(error), column);
    CHECK_FAILS(status, column > 0 ? FW_E_SYNTAX : FW_E_INVALID, &error, column > 0 ? "not valid UTF-8" : "NUL");
}

int main(void)
{
    for (int byte = 1; byte < 128; byte++) {
        char text[] = {'a', (char)byte, (char)byte, 'b'};
        same(text, 4);
        same(text + 1, 1);
    }
    for (int byte = 128; byte < 256; byte++) {
        char text[] = {'a', (char)byte, 'b'};
        refused(text, 3, 2);
    }
    same("", 0);
    same("\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF \xF0\x90\x80\x80 \xF4\x8F\xBF\xBF", 31);
    same("\xE2\x80\xA8\xE2\x80\xA9\x7F", 7);
    refused("\xC0\x80", 2, 1);
    refused("\xED\xA0\x80", 3, 1);
    refused("\xF4\x90\x80\x80", 4, 1);
    refused("\xC3\xA9\xE2\x82", 4, 2);
    refused("\xC3", 1, 1);
    refused("a\0b", 3, 0);

    char *quoted = NULL;
    CHECK_OK(fw_quote_json("a\"\\/\n", FW_ZERO_TERMINATED, &quoted, &error), &error);
    CHECK_STR(quoted, "\"a\\\"\\\\/\\n\"");
    fw_string_free(quoted);
    return check_done();
}
