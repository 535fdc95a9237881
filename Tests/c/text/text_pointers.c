/* The path of an error is a JSON pointer, in which slashes and tildes of keys are escaped. */
#include "texts.h"

static void has_path(text_reader reader, const char *text, const char *path)
{
    fw_error *error = NULL;
    if (!CHECK_REFUSED(reader(text, FW_ZERO_TERMINATED, &error), FW_E_DOCUMENT, &error, path, ""))
        fprintf(stderr, "    %s\n", text);
}

int main(void)
{
    has_path(read_pool, "7", "");
    has_path(read_pool, "{\"a/b\": 1}", "/a~1b");
    has_path(read_pool, "{\"a~b\": 1}", "/a~0b");
    has_path(read_pool, "{\"~1\": 1}", "/~01");
    has_path(read_pool, "{\"\": 1}", "/");
    has_path(read_pool, "{\"\xC3\xA9\": 1}", "/\xC3\xA9");
    has_path(read_pool, "{\"managers\": {\"a/~b\": 1}}", "/managers/a~1~0b");
    has_path(read_pool, "[1]", "/0");
    has_path(read_pool, "{\"workers\": [{\"name\": \"a\", \"type\": \"code\"}, 1]}", "/workers/1");
    has_path(read_worker, "{\"name\": \"a\", \"type\": \"code\", \"env\": {\"x/y\": []}}", "/env/x~1y");
    has_path(read_worker, "{\"name\": \"a\", \"type\": \"code\", \"variables\": {\"/~/\": null}}", "/variables/~1~0~1");
    return check_done();
}
