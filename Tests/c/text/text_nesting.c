/* Documents may have 2,048 levels of nesting. Deeper ones are refused without harm, however deep they are. */
#include "texts.h"

/** A text of `depth` arrays in each other, to be released with free(). */
static char *nested(size_t depth, bool closed)
{
    char *text = malloc(2 * depth + 1);
    REQUIRE(text != NULL);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[closed ? 2 * depth : depth] = '\0';
    return text;
}

int main(void)
{
    fw_error *error = NULL;
    const size_t too_deep[] = {2100, 100000, 1000000};
    for (size_t i = 0; i < sizeof too_deep / sizeof *too_deep; i++)
        for (int closed = 0; closed < 2; closed++) {
            char *text = nested(too_deep[i], closed);
            for (const text_reader *reader = text_readers; *reader != NULL; reader++)
                CHECK_FAILS((*reader)(text, FW_ZERO_TERMINATED, &error), FW_E_SYNTAX, &error, "");
            free(text);
        }

    char *text = nested(2048, true), *back = NULL;
    fw_context *context = check_context("{}");
    CHECK_OK(fw_context_set(context, "deep", text, FW_ZERO_TERMINATED, &error), &error);
    CHECK_OK(fw_context_get(context, "deep", &back, &error), &error);
    CHECK_STR(back, text);
    fw_string_free(back);
    fw_context_free(context);
    free(text);
    text = nested(2049, true);
    CHECK_FAILS(read_value(text, FW_ZERO_TERMINATED, &error), FW_E_SYNTAX, &error, "2,048");
    free(text);

    /* The same with objects, where the document allows none. */
    size_t depth = 2000;
    char *document = malloc(6 * depth + 200);
    REQUIRE(document != NULL);
    char *end = document + sprintf(document, "{\"name\": \"w\", \"type\": \"code\", \"options\": ");
    for (size_t i = 0; i < depth; i++)
        end += sprintf(end, "{\"a\":");
    end += sprintf(end, "1");
    for (size_t i = 0; i <= depth; i++)
        *end++ = '}';
    *end = '\0';
    CHECK_FAILS(read_worker(document, FW_ZERO_TERMINATED, &error), FW_E_DOCUMENT, &error, "\"a\"");
    free(document);
    return check_done();
}
