/* A context stores JSON values of every type by name, and lists them in the order in which they were first set. */
#include "check.h"

static fw_context *context;

static void is(const char *want)
{
    char *json = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_context_to_json(context, &json, &error), &error);
    CHECK_STR(json, want);
    fw_string_free(json);
}

static void set(const char *name, const char *json)
{
    fw_error *error = NULL;
    CHECK_OK(fw_context_set(context, name, json, FW_ZERO_TERMINATED, &error), &error);
}

static void gives(const char *name, const char *want)
{
    char *json = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_context_get(context, name, &json, &error), &error);
    CHECK_STR(json, want);
    fw_string_free(json);
}

int main(void)
{
    fw_error *error = NULL;
    char *json = NULL;
    context = check_context(" {\"z\": 1, \"a\": [1, {\"b\": null}], \"m\": \"\xC3\xA9\\n\"} ");
    is("{\"z\":1,\"a\":[1,{\"b\":null}],\"m\":\"\xC3\xA9\\n\"}");
    gives("a", "[1,{\"b\":null}]");
    gives("m", "\"\xC3\xA9\\n\"");
    set("b", "true");
    set("z", " [ ] "); /* a value that is set again keeps its position */
    is("{\"z\":[],\"a\":[1,{\"b\":null}],\"m\":\"\xC3\xA9\\n\",\"b\":true}");
    set("", "0");
    set("a/b~c d", "null");
    set("\xC3\xA9", "\"text\"");
    gives("", "0");
    gives("a/b~c d", "null");
    gives("\xC3\xA9", "\"text\"");

    CHECK_FAILS(fw_context_get(context, "nope", &json, &error), FW_E_UNKNOWN, &error, "\"nope\"");
    CHECK_FAILS(fw_context_get(context, "A", &json, &error), FW_E_UNKNOWN, &error, "\"A\"");
    /* A value that cannot be set leaves the old one. */
    CHECK_FAILS(fw_context_set(context, "b", "truth", FW_ZERO_TERMINATED, &error), FW_E_SYNTAX, &error, "");
    gives("b", "true");
    CHECK_FAILS(fw_context_set(context, "\xFF", "1", FW_ZERO_TERMINATED, &error), FW_E_INVALID, &error, "name");
    CHECK_FAILS(fw_context_get(context, "\xFF", &json, &error), FW_E_INVALID, &error, "name");
    fw_context_free(context);

    context = check_context("{}");
    is("{}");
    fw_context_free(context);
    return check_done();
}
