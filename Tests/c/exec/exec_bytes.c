/* Output is bytes: it may contain NUL, carriage returns, invalid UTF-8, and all 256 values. In the JSON each maximal
 * invalid sequence is one U+FFFD. */
#include "run.h"

int main(void)
{
    fw_result *result = RUN("printf 'a\\0b\\0'", "printf '\\377\\376\\303' >&2", "printf 'a\\r\\nb'",
                            "printf '\\360\\237\\230\\200'", "printf 'x\\300\\257\\355\\240\\200\\360\\237y'");
    CHECK_EXITED(result, 0);
    CHECK_BYTES(result, FW_STDOUT, 0, "a\0b\0", 4);
    CHECK_OUTPUT(result, FW_STDERR, 0, "\xFF\xFE\xC3");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "a\r\nb");
    CHECK_OUTPUT(result, FW_STDOUT, 2, "\xF0\x9F\x98\x80");
    CHECK_OUTPUT(result, FW_STDOUT, 3, "x\xC0\xAF\xED\xA0\x80\xF0\x9Fy");

    char *text = NULL;
    CHECK_INT(fw_result_to_json(result, &text, NULL), FW_OK);
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    REQUIRE(json != NULL);
    json_t *pieces = json_object_get(json, "stdout");
    CHECK_INT(json_array_size(pieces), 4);
    json_t *first = json_array_get(pieces, 0);
    CHECK_INT(json_string_length(first), 4);
    CHECK(memcmp(json_string_value(first), "a\0b\0", 5) == 0);
    CHECK_STR(json_string_value(json_array_get(pieces, 1)), "a\r\nb");
    CHECK_STR(json_string_value(json_array_get(pieces, 2)), "\xF0\x9F\x98\x80");
    /* Python's decoder also replaces these bytes by 6 characters: C0, AF, ED, A0, 80, and F0 9F together. */
#define R "\xEF\xBF\xBD"
    CHECK_STR(json_string_value(json_array_get(pieces, 3)), "x" R R R R R R "y");
    CHECK_JSON(json_object_get(json, "stderr"), json_pack("[s]", R R R));
    json_decref(json);
    fw_string_free(text);
    fw_result_free(result);

    /* A file with all values that a byte can have. */
    char all[256], *path = check_path("all");
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    FILE *file = fopen(path, "we");
    REQUIRE(file != NULL && fwrite(all, 1, 256, file) == 256 && fclose(file) == 0);
    result = RUN("cat all", "cat all >&2");
    CHECK_BYTES(result, FW_STDOUT, 0, all, 256);
    CHECK_BYTES(result, FW_STDERR, 0, all, 256);
    json = NULL;
    CHECK_INT(fw_result_to_json(result, &text, NULL), FW_OK);
    json = json_loads(text, JSON_ALLOW_NUL, NULL);
    CHECK(json != NULL);
    json_decref(json);
    fw_string_free(text);
    fw_result_free(result);
    free(path);
    return check_done();
}
