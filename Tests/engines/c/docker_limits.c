/* The engine reports a running container with the limits, network, mounts, init, label and name that the options ask
 * for, and mounts behave as documented. */
#include "engine.h"

enum { MEMORY = 64 << 20 };

/** The container of a command that waits at the gate; json_decref() it. */
static json_t *look(json_t *options, char **name)
{
    static int gate = -1;
    if (gate < 0)
        gate = gate_make("gate");
    fw_exec *exec = BOX_START(options, NULL, "sh -c 'read line < gate'");
    *name = box_started(exec);
    json_t *found = engine_inspect(engine_host(), *name);
    REQUIRE(found != NULL);
    gate_pass(gate);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    char *told = box_container(result, 0);
    CHECK_STR(told, *name);
    free(told);
    fw_result_free(result);
    fw_exec_free(exec);
    return found;
}

static const json_t *member(const json_t *object, const char *outer, const char *inner)
{
    return json_object_get(json_object_get(object, outer), inner);
}

static void limits(const char *kind)
{
    char *name;
    json_t *found =
        look(in_container(kind, like_json("{'memory': %d, 'cpus': 0.5, 'network': 'none'}", MEMORY)), &name);
    CHECK_JSON(member(found, "HostConfig", "Memory"), json_integer(MEMORY));
    /* "without swap" sets the limit of memory and swap together to that of memory. */
    CHECK_JSON(member(found, "HostConfig", "MemorySwap"), json_integer(MEMORY));
    CHECK_JSON(member(found, "HostConfig", "NanoCpus"), json_integer(500000000));
    CHECK_JSON(member(found, "HostConfig", "NetworkMode"), json_string("none"));
    CHECK_JSON(member(found, "State", "Running"), json_true());
    CHECK_JSON(member(found, "HostConfig", "AutoRemove"), json_false());
    CHECK_JSON(member(found, "HostConfig", "Privileged"), json_false());
    CHECK(strncmp(name, "flowworker-", 11) == 0);
    const char *label = json_string_value(json_object_get(member(found, "Config", "Labels"), ENGINE_LABEL));
    CHECK_INT(engine_label_pid(label), getpid());
    json_decref(found);
    free(name);
    /* Without options the container has the engine's defaults. */
    found = look(in_container(kind, NULL), &name);
    CHECK_JSON(member(found, "HostConfig", "Memory"), json_integer(0));
    CHECK_JSON(member(found, "HostConfig", "NanoCpus"), json_integer(0));
    CHECK_JSON(member(found, "HostConfig", "NetworkMode"), json_string("default"));
    json_decref(found);
    free(name);
}

static void network(void)
{
    char *name;
    json_t *found = look(like_json("{'network': 'host'}"), &name);
    CHECK_JSON(member(found, "HostConfig", "NetworkMode"), json_string("host"));
    json_decref(found);
    free(name);
    fw_result *result = BOX(like_json("{'network': 'no-such-network'}"), "true");
    CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
    CHECK_MESSAGE(result, "no-such-network");
    fw_result_free(result);
}

static void init(void)
{
    fw_result *result = BOX(NULL, "cat /proc/1/cmdline");
    CHECK_EXITED(result, 0);
    CHECK_HAS(fw_result_output(result, FW_STDOUT, 0, NULL), "init");
    fw_result_free(result);
    result = BOX(like_json("{'init': false}"), "cat /proc/1/comm", "sh -c 'echo $$$$'");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "cat\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "1\n");
    fw_result_free(result);
    char *name;
    for (int with = 0; with < 2; with++) {
        json_t *found = look(with ? NULL : like_json("{'init': false}"), &name);
        CHECK_JSON(member(found, "HostConfig", "Init"), json_boolean(with));
        json_decref(found);
        free(name);
    }
    /* "reaps": the init process reaps orphans. Otherwise this loop would not end. */
    result =
        BOX(like_json("{'shell': '/bin/sh'}"), "for i in 1 2 3; do (sh -c 'sleep 0.1 &'); done; sleep 0.2;"
                                               " while grep -s '^State:.Z' /proc/[0-9]*/status >/dev/null; do :; done");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
}

static void mounts(const char *kind)
{
    json_t *writable = like_json("{'mounts': [{'source': '%s/outside', 'target': '/deep/er'},"
                                 " {'source': '%s/outside', 'target': '/read/only', 'read_only': true},"
                                 " {'source': '%s/outside/file', 'target': '/data', 'read_only': true}]}",
                                 check_dir(), check_dir(), check_dir());
    fw_result *result = BOX(in_container(kind, writable), "cat /deep/er/file /read/only/file",
                            "sh -c 'echo new > /deep/er/new && echo more >> /workdir/data/in'", "cat /read/only/new",
                            /* A mount replaces a directory of the run directory that has the same place. */
                            "cat /data", "touch /read/only/other");
    CHECK_ENDED(result, FW_EXITED, 1);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "file\nfile\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "new\n");
    CHECK_OUTPUT(result, FW_STDOUT, 2, "file\n");
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "Read-only");
    fw_result_free(result);
    check_file("outside/new", "new\n");
    CHECK(!is_there("outside/other"));
}

static void missing_mount(const char *kind)
{
    json_t *options = like_json("{'mounts': [{'source': '%s/not-there', 'target': '/x'}]}", check_dir());
    fw_result *result = BOX(in_container(kind, options), "true");
    CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
    CHECK_MESSAGE(result, check_dir(), "/not-there", "step \"s\"");
    CHECK(!is_there("not-there"));
    fw_result_free(result);
}

int main(void)
{
    engine_host();
    make_directory("outside");
    make_directory("data");
    write_file("outside/file", "file\n");
    write_file("data/in", "in\n");
    for (int i = 0; i < 2; i++) {
        limits(box_kinds[i]);
        mounts(box_kinds[i]);
        missing_mount(box_kinds[i]);
    }
    network();
    init();
    return engine_done();
}
