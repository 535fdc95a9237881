/*
 * A Python value that JSON cannot express is refused with its position, and text that is only shown has U+FFFD in place
 * of what UTF-8 cannot express. Neither is reported as the end of the interpreter.
 */
#include "function.h"

static const char module[] = "import sys\n"
                             "class Odd(Exception):\n"
                             "    def __str__(self): raise KeyboardInterrupt\n"
                             "class Worse(Exception):\n"
                             "    def __str__(self): return 5\n"
                             "class Key:\n"
                             "    def __repr__(self): raise SystemExit(3)\n"
                             "class Equal(list):\n"
                             "    def __eq__(self, other): raise OSError('equal')\n"
                             "class Name(str):\n"
                             "    def __str__(self): raise OSError('name')\n"
                             "    def encode(self, *more): raise OSError('encode')\n"
                             "def deep(levels):\n"
                             "    value = 1\n"
                             "    for _ in range(levels): value = [value]\n"
                             "    return value\n"
                             "def least(): return -2**63\n"
                             "def most(): return 2**63 - 1\n"
                             "def beyond(): return 2**63\n"
                             "def below(): return {'a': (1, -2**63 - 1)}\n"
                             "def vast(): return [10**5000]\n"
                             "def nul(): return {'a': [1, 'x\\0y']}\n"
                             "def half(): return ['\\ud800']\n"
                             "def pair(): return '\\ud83d\\ude00'\n"
                             "def nul_key(): return {'a': {'b\\0': 1}}\n"
                             "def half_key(): return {'\\udcff': 1}\n"
                             "def number_key(): return {'a': {1: 2}}\n"
                             "def odd_key(): return {Key(): 2}\n"
                             "def two_keys(): return {1: 2, '1': 3}\n"
                             "def infinite(): return {'a': [1e999]}\n"
                             "def a_set(): return [{1}]\n"
                             "def too_deep(): return deep(501)\n"
                             "def far_too_deep(): return deep(100000)\n"
                             "def in_itself():\n"
                             "    value = {}\n"
                             "    value['a'] = value\n"
                             "    return value\n"
                             "def deepest(): return deep(500)\n"
                             "def equal(): return Equal([1])\n"
                             "def name(): return Name('x')\n"
                             "def quoted(): return '\\\\u0000 12345678901234567890'\n"
                             "def raises_nul(): raise ValueError('a\\0b')\n"
                             "def raises_half(): raise ValueError('a\\udcffb')\n"
                             "def raises_odd(): raise Odd()\n"
                             "def raises_worse(): raise Worse()\n"
                             "def raises_nothing(): raise ValueError\n"
                             "def raises_much(): raise ValueError('x' * 50_000_000)\n"
                             "def raises_class():\n"
                             "    kind = type('E', (Exception,), {})\n"
                             "    kind.__qualname__, kind.__module__ = 'E\\0\\udcff', 5\n"
                             "    raise kind('x')\n"
                             "def exits(): sys.exit('a\\0b\\udcff')\n"
                             "def exits_oddly(): sys.exit(Odd())\n"
                             "def prints(): print('a\\0b\\udcffc'); print('\\ud800', file=sys.stderr)\n"
                             "def gives(a): return a\n"
                             "def where():\n"
                             "    import os\n"
                             "    return os.getppid()\n"
                             "def closes():\n"
                             "    import os\n"
                             "    os.closerange(3, 256)\n"
                             "    open('other', 'w')\n"
                             "    return 1\n"
                             "def ends_badly():\n"
                             "    import atexit, os\n"
                             "    atexit.register(os._exit, 7)\n"
                             "    return 1\n"
                             "def dies_behind():\n"
                             "    import atexit, os\n"
                             "    atexit.register(os.kill, os.getpid(), 9)\n"
                             "    return 1\n";

static void refused(fw_pool *pool, const char *name, const char *words)
{
    char *path = NULL;
    REQUIRE(asprintf(&path, "values.%s", name) > 0);
    fw_result *result = function_call(pool, path, NULL, NULL, NULL);
    CHECK_INT(fw_result_outcome(result), FW_EXITED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_HAS(fw_result_message(result), "TypeError: the value that the function returned is not JSON: ");
    CHECK_HAS(fw_result_message(result), words);
    fw_result_free(result);
    free(path);
}

/** A text that is far too long is shortened in its middle, with a note. */
static void shortened(fw_pool *pool)
{
    fw_result *result = function_call(pool, "values.raises_much", NULL, NULL, NULL);
    json_t *json = run_json(result);
    const json_t *raised = json_object_get(json, "exception");
    CHECK_HAS(json_string_value(json_object_get(raised, "message")), "characters are omitted");
    CHECK(json_string_length(json_object_get(raised, "message")) < 2000000);
    json_decref(json);
    fw_result_free(result);
}

static void raised(fw_pool *pool, const char *name, const char *words)
{
    char *path = NULL;
    REQUIRE(asprintf(&path, "values.%s", name) > 0);
    fw_result *result = function_call(pool, path, NULL, NULL, NULL);
    CHECK_INT(fw_result_outcome(result), FW_EXITED);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_HAS(fw_result_message(result), words);
    fw_result_free(result);
    free(path);
}

static void given(fw_pool *pool, const char *name, json_t *want)
{
    char *path = NULL;
    REQUIRE(asprintf(&path, "values.%s", name) > 0);
    fw_result *result = function_call(pool, path, NULL, NULL, NULL);
    CHECK_EXITED(result, 0);
    CHECK_FACT(result, "value", want);
    fw_result_free(result);
    free(path);
}

/** A context may be nested more deeply than Python's own reader goes: a function is given it, and may not give it on.
 */
static void nested(fw_pool *pool)
{
    size_t levels = 1500;
    char *text = malloc(2 * levels + 10);
    REQUIRE(text != NULL);
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', levels);
    memset(text + 5 + levels, ']', levels);
    memcpy(text + 5 + 2 * levels, "}", 2);
    fw_context *context = check_context(text);
    fw_result *result = function_call(pool, "values.gives", context, NULL, NULL);
    CHECK_INT(fw_result_outcome(result), FW_EXITED);
    CHECK_HAS(fw_result_message(result), "nested more than 500 levels deep");
    fw_result_free(result);
    fw_context_free(context);
    free(text);
}

int main(void)
{
    write_file("values.py", module);
    fw_pool *pool = check_pool("[]");
    fw_result *result = function_call(pool, "values.where", NULL, NULL, NULL);
    json_t *before = function_fact(result, "value");
    fw_result_free(result);
    given(pool, "least", json_loads("-9223372036854775808", JSON_DECODE_ANY, NULL));
    given(pool, "most", json_integer(INT64_MAX));
    given(pool, "equal", json_pack("[i]", 1));
    given(pool, "name", json_string("x"));
    given(pool, "quoted", json_string("\\u0000 12345678901234567890"));
    refused(pool, "beyond", "$ is an integer beyond 64 bits");
    refused(pool, "below", "$.a[1] is an integer beyond 64 bits");
    refused(pool, "vast", "$[0] is an integer beyond 64 bits");
    refused(pool, "nul", "$.a[1] contains the character NUL");
    refused(pool, "half", "$[0] contains half of a surrogate pair");
    refused(pool, "pair", "$ contains half of a surrogate pair");
    refused(pool, "nul_key", "$.a has the key");
    refused(pool, "half_key", "contains half of a surrogate pair");
    refused(pool, "number_key", "$.a has the key 1, which is not a string");
    refused(pool, "odd_key", "$ has the key <a Key>, which is not a string");
    refused(pool, "two_keys", "$ has the key 1, which is not a string");
    refused(pool, "infinite", "$.a[0] is inf");
    refused(pool, "a_set", "$[0] is a set");
    refused(pool, "too_deep", "more than 500 levels deep");
    refused(pool, "far_too_deep", "more than 500 levels deep");
    refused(pool, "in_itself", "contains itself");
    result = function_call(pool, "values.deepest", NULL, NULL, NULL);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    raised(pool, "raises_nul",
           "raised ValueError: a\xef\xbf\xbd"
           "b");
    raised(pool, "raises_half",
           "raised ValueError: a\xef\xbf\xbd"
           "b");
    raised(pool, "raises_odd", "raised values.Odd: <an exception without a readable text>");
    raised(pool, "raises_worse", "raised values.Worse: <an exception without a readable text>");
    raised(pool, "raises_nothing", "raised ValueError");
    raised(pool, "raises_much", "raised ValueError: xxxx");
    shortened(pool);
    raised(pool, "raises_class", "raised E\xef\xbf\xbd\xef\xbf\xbd: x");
    raised(pool, "exits",
           "status 1: a\xef\xbf\xbd"
           "b\xef\xbf\xbd");
    raised(pool, "exits_oddly", "without a readable text");
    raised(pool, "closes", "before it had given a result");
    raised(pool, "ends_badly", "ended with status 7, after it had given its result");
    result = function_call(pool, "values.dies_behind", NULL, NULL, NULL);
    CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
    CHECK_INT(fw_result_returncode(result), -9);
    CHECK_HAS(fw_result_message(result), "after it had given its result");
    fw_result_free(result);
    char *other = check_path("other");
    char *written = read_file(other);
    CHECK_STR(written, "");
    free(written);
    free(other);
    result = function_call(pool, "values.prints", NULL, NULL, NULL);
    CHECK_EXITED(result, 0);
    size_t size = 0;
    const char *text = fw_result_output(result, FW_STDOUT, 0, &size);
    CHECK(size == 8 && memcmp(text,
                              "a\0b\xef\xbf\xbd"
                              "c\n",
                              8) == 0);
    fw_result_free(result);
    nested(pool);
    /* All calls used the same interpreter, so nothing was taken for its end. */
    given(pool, "where", json_incref(before));
    json_decref(before);
    fw_pool_free(pool);
    return check_done();
}
