/* For every reader, a text that is not JSON or not UTF-8 is FW_E_SYNTAX with its position. */
#include "texts.h"

static const struct {
    const char *text;
    size_t length;
    int line, column; /* 0: not compared */
} texts[] = {
    {"", 0, 1, 1},
    {" \n ", 3, 2, 0},
    {"{", 1, 1, 0},
    {"{\"a\"", 4, 1, 0},
    {"{\"a\": 1,}", 9, 1, 0},
    {"[1 2]", 5, 1, 0},
    {"nul", 3, 1, 0},
    {"'a'", 3, 1, 0},
    {"{\"a\": 1} x", 10, 1, 0},
    {"{}{}", 4, 1, 0},
    {"[1,\n2,\n?]", 9, 3, 0},
    {"\"\xC3\xA9\xC3\xA9\" ?", 8, 1, 6}, /* columns are characters */
    {"[\"\xF0\x9F\x98\x80\",\n\"\xC3\xA9\", ?]", 16, 2, 6},
    {"\"\xFF\"", 3, 1, 0}, /* not UTF-8 */
    {"\"\xC3\"", 3, 1, 0},
    {"\"\xC0\xAF\"", 4, 1, 0},         /* an overlong '/' */
    {"\"\xED\xA0\x80\"", 5, 1, 0},     /* a surrogate */
    {"\"\xF5\x80\x80\x80\"", 6, 1, 0}, /* beyond Unicode */
    {"\"a\0b\"", 5, 1, 0},             /* a raw NUL in a string */
    {"{}\0{}", 5, 1, 0},               /* a raw NUL after the value */
    {"\0", 1, 1, 0},
    {"\"\\uD800\"", 8, 1, 0}, /* half of a pair */
    {"1e999", 5, 1, 0},
    {"-1e999", 6, 1, 0},
    {"12345678901234567890", 20, 1, 0},
    {"-9223372036854775809", 20, 1, 0},
    {"{\"a\": 1, \"a\": 2}", 16, 1, 0}, /* a key that comes twice */
};

int main(void)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (const text_reader *reader = text_readers; *reader != NULL; reader++) {
            fw_error *error = NULL;
            fw_status status = (*reader)(texts[i].text, texts[i].length, &error);
            CHECK(fw_error_path(error) == NULL);
            bool placed = CHECK_INT(fw_error_line(error), texts[i].line);
            if (texts[i].column > 0)
                placed &= CHECK_INT(fw_error_column(error), texts[i].column);
            else
                placed &= CHECK(fw_error_column(error) > 0);
            if (!placed)
                fprintf(stderr, "    %s\n", fw_error_message(error));
            if (!CHECK_FAILS(status, FW_E_SYNTAX, &error, "") || !placed)
                fprintf(stderr, "    reader %td, text %zu: %s\n", reader - text_readers, i, texts[i].text);
        }
    return check_done();
}
