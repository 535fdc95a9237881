/*
 * A host that is not Python can run functions of Python packages. They run in a separate interpreter, which the pool
 * keeps for the next step.
 */
#include "function.h"

static const char module[] = "import os, sys, time\n"
                             "def add(a, b=2):\n"
                             "    print('adding'); print('err', file=sys.stderr)\n"
                             "    return {'sum': a + b, 'place': os.getcwd()}\n"
                             "def where(): return [os.getpid(), os.getppid(), 'left' in sys.modules]\n"
                             "def stain():\n"
                             "    sys.modules['left'] = sys\n"
                             "    return where()\n"
                             "def fails(a): raise ValueError('no %s' % a)\n"
                             "def ends(): os._exit(5)\n"
                             "def dies(): os.kill(os.getpid(), 9)\n"
                             "def leaves():\n"
                             "    import subprocess\n"
                             "    return subprocess.Popen(['sleep', '1000'], start_new_session=True).pid\n"
                             "def waits(): open('waits', 'w').write('%d\\n' % os.getpid()); time.sleep(1000)\n"
                             "def exact(a): return a\n"
                             "def environment(): return os.environ.get('WHO')\n"
                             "def kills():\n"
                             "    os.kill(os.getppid(), 9)\n"
                             "    time.sleep(1000)\n"
                             "def mask():\n"
                             "    old = os.umask(0)\n"
                             "    return [old, os.getppid()]\n";

static json_t *value_of(fw_pool *pool, const char *name, fw_context *context)
{
    fw_result *result = function_call(pool, name, context, "'arg': 'r'", NULL);
    CHECK_EXITED(result, 0);
    json_t *value = function_fact(result, "value");
    fw_result_free(result);
    return value;
}

static long long number(json_t *list, size_t index)
{
    return json_integer_value(json_array_get(list, index));
}

static bool is_there(long long pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%lld", pid);
    return access(path, F_OK) == 0;
}

static void called(fw_pool *pool)
{
    fw_context *context = check_context("{\"a\": 5, \"other\": \"x\"}");
    fw_result *result = function_call(pool, "mod.add", context, "'arg': 'r'", NULL);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "adding\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
    CHECK_FACT(result, "value", json_pack("{s:i, s:s}", "sum", 7, "place", check_dir()));
    char *text = NULL;
    REQUIRE(fw_context_get(context, "r", &text, NULL) == FW_OK);
    CHECK_HAS(text, "\"sum\":7");
    fw_string_free(text);
    fw_result_free(result);
    fw_context_free(context);
    static const char *const values[] = {"null",
                                         "true",
                                         "9007199254740993",
                                         "-9223372036854775808",
                                         "1.5",
                                         "\"007\"",
                                         "{\"a\":[1,{\"b\":\"it's \\\"x\\\" {y} $z\"}]}"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char document[200];
        snprintf(document, sizeof document, "{\"a\": %s}", values[i]);
        context = check_context(document);
        json_t *value = value_of(pool, "mod.exact", context);
        CHECK_JSON(value, json_loads(values[i], JSON_DECODE_ANY, NULL));
        json_decref(value);
        fw_context_free(context);
    }
}

static void failures(fw_pool *pool)
{
    fw_context *context = check_context("{\"a\": 5}");
    fw_result *result = function_call(pool, "mod.fails", context, "'arg': 'r'", NULL);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_STR(fw_result_message(result), "step \"s\" failed: the function \"mod.fails\" raised ValueError: no 5");
    json_t *exception = function_fact(result, "exception");
    CHECK_STR(json_string_value(json_object_get(exception, "type")), "ValueError");
    CHECK_HAS(json_string_value(json_object_get(exception, "trace")), "raise ValueError");
    json_decref(exception);
    size_t count = fw_result_output_count(result, FW_STDERR);
    CHECK_HAS(fw_result_output(result, FW_STDERR, count - 1, NULL), "ValueError: no 5");
    char *text = NULL;
    CHECK_INT(fw_context_get(context, "r", &text, NULL), FW_E_UNKNOWN);
    fw_result_free(result);
    fw_context_free(context);
    result = function_call(pool, "mod.nothing", NULL, NULL, NULL);
    CHECK_HAS(fw_result_message(result), "\"mod\" has no \"nothing\"");
    fw_result_free(result);
    result = function_call(pool, "nowhere.f", NULL, NULL, NULL);
    CHECK_HAS(fw_result_message(result), "no module \"nowhere\"");
    fw_result_free(result);
    result = function_call(pool, "mod.ends", NULL, NULL, NULL);
    CHECK_INT(fw_result_returncode(result), 5);
    CHECK_HAS(fw_result_message(result), "status 5");
    fw_result_free(result);
    result = function_call(pool, "mod.dies", NULL, NULL, NULL);
    CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
    CHECK_INT(fw_result_returncode(result), -9);
    fw_result_free(result);
}

/** The interpreter is reused, but each call has a process of its own, whose changes are lost. */
static void warm(fw_pool *pool)
{
    json_t *first = value_of(pool, "mod.stain", NULL), *second = value_of(pool, "mod.where", NULL);
    CHECK(number(first, 0) != number(second, 0));
    CHECK_INT(number(first, 1), number(second, 1));
    CHECK_JSON(json_array_get(second, 2), json_false());
    /* An interpreter whose call has left processes behind is ended together with them. */
    json_t *left = value_of(pool, "mod.leaves", NULL), *third = value_of(pool, "mod.where", NULL);
    CHECK(!is_there(json_integer_value(left)));
    CHECK(!is_there(number(second, 1)));
    CHECK(number(third, 1) != number(second, 1));
    json_decref(first);
    json_decref(second);
    json_decref(third);
    json_decref(left);
    /* A worker with another environment has another interpreter. */
    fw_pool *other = check_pool("{\"workers\": [{\"name\": \"w\", \"type\": \"code\", \"env\": {\"WHO\": \"me\"}}],"
                                " \"managers\": {\"s\": \"w\"}}");
    json_t *who = value_of(other, "mod.environment", NULL), *nobody = value_of(pool, "mod.environment", NULL);
    CHECK_JSON(who, json_string("me"));
    CHECK_JSON(nobody, json_null());
    json_decref(who);
    json_decref(nobody);
    json_t *last = value_of(other, "mod.where", NULL);
    fw_pool_free(other);
    while (is_there(number(last, 1)))
        usleep(1000);
    json_decref(last);
}

/** If the interpreter is killed, the next call starts another one. */
static void killed(fw_pool *pool)
{
    fw_result *result = function_call(pool, "mod.kills", NULL, NULL, NULL);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
    CHECK_HAS(fw_result_message(result), "ended while the function \"mod.kills\" ran");
    fw_result_free(result);
    json_decref(value_of(pool, "mod.where", NULL)); /* the next interpreter is another process */
}

/** An interpreter is only reused by threads with the same user, limits and umask, which commands inherit from the
 *  thread. */
static void other_host(fw_pool *pool)
{
    mode_t before = umask(027);
    json_t *first = value_of(pool, "mod.mask", NULL);
    umask(077);
    json_t *second = value_of(pool, "mod.mask", NULL);
    umask(027);
    json_t *third = value_of(pool, "mod.mask", NULL);
    umask(before);
    CHECK_INT(number(first, 0), 027);
    CHECK_INT(number(second, 0), 077);
    CHECK(number(first, 1) != number(second, 1));
    CHECK_INT(number(third, 1), number(first, 1));
    json_decref(first);
    json_decref(second);
    json_decref(third);
}

static void ended(fw_pool *pool)
{
    fw_exec *exec = function_start(pool, "mod.waits", NULL, NULL, NULL);
    char *path = check_path("waits"), *text = NULL;
    while (text == NULL) {
        fw_result *none = NULL;
        REQUIRE(fw_exec_wait(exec, 0.01, &none, NULL) == FW_OK && none == NULL);
        text = access(path, F_OK) == 0 ? read_file(path) : NULL;
        if (text != NULL && strchr(text, '\n') == NULL) {
            free(text);
            text = NULL;
        }
    }
    fw_exec_cancel(exec);
    fw_result *result = NULL;
    REQUIRE(fw_exec_wait(exec, -1, &result, NULL) == FW_OK);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK(!is_there(atoll(text)));
    fw_result_free(result);
    fw_exec_free(exec);
    free(text);
    free(path);
    result = function_call(pool, "mod.waits", NULL, NULL, "'timeout': 0.5");
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    CHECK_HAS(fw_result_message(result), "timeout of 0.5 s");
    fw_result_free(result);
}

static void no_interpreter(void)
{
    static const char *const names[] = {"no-such-python", "/no/such/python", "/etc/passwd", "/bin/true"};
    for (size_t i = 0; i < 4; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "{\"workers\": [{\"name\": \"w\", \"type\": \"code\", \"variables\": {\"python\": \"%s\"}}],"
                 " \"managers\": {\"s\": \"w\"}}",
                 names[i]);
        fw_pool *pool = check_pool(text);
        fw_result *result = function_call(pool, "mod.add", NULL, NULL, NULL);
        CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
        CHECK_INT(fw_result_returncode(result), 1);
        CHECK_HAS(fw_result_message(result), names[i]);
        fw_result_free(result);
        fw_pool_free(pool);
    }
}

int main(void)
{
    write_file("mod.py", module);
    fw_pool *pool = check_pool("[]");
    called(pool);
    failures(pool);
    warm(pool);
    other_host(pool);
    killed(pool);
    ended(pool);
    no_interpreter();
    fw_pool_free(pool);
    return check_done();
}
