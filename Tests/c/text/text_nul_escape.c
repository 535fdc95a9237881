/* An escaped NUL in a string or a key is refused in every document, so no name, path or command is cut short. */
#include "texts.h"

static void refused(text_reader reader, const char *text)
{
    fw_error *error = NULL;
    fw_status status = reader(text, FW_ZERO_TERMINATED, &error);
    bool good = CHECK_INT(fw_error_line(error), 1);
    good &= CHECK(fw_error_column(error) > 1);
    if (!CHECK_FAILS(status, FW_E_SYNTAX, &error, "NUL") || !good)
        fprintf(stderr, "    %s\n", text);
}

int main(void)
{
    refused(read_worker, "{\"name\": \"a\\u0000b\", \"type\": \"code\"}");
    refused(read_worker, "{\"name\\u0000\": \"a\", \"type\": \"code\"}");
    refused(read_worker, "{\"name\": \"a\", \"type\": \"code\", \"env\": {\"A\": \"\\u0000\"}}");
    refused(read_worker, "{\"name\": \"a\", \"type\": \"code\", \"env\": {\"A\\u0000B\": \"\"}}");
    refused(read_pool, "[{\"name\": \"a\\u0000\", \"type\": \"code\"}]");
    refused(read_pool, "{\"managers\": {\"s\": \"w\\u0000\"}}");
    refused(read_step, "{\"name\": \"\\u0000\", \"action\": {\"environment\": \"\", \"commands\": []}}");
    refused(read_step, "{\"name\": \"a\", \"action\": {\"environment\": \"\", \"commands\": [\"a\\u0000b\"]}}");
    refused(read_context, "{\"a\": \"\\u0000\"}");
    refused(read_value, "[\"a\\u0000b\"]");
    return check_done();
}
