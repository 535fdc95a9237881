/* When the host ends, even by SIGKILL, the containers of its steps in flight are stopped, with TERM first, and
 * removed. The next step on the engine removes what a dead host has left, and does not touch the containers of living
 * processes. */
#include "engine_private.h"

enum { STEPS = 3 };

static const char *kind;
static int ends_how; /* the signal, or 0: exit() */
static int gate;

/** A host that ends while its steps run. */
static void host(void)
{
    signal(SIGTERM, SIG_DFL);
    fw_exec *execs[STEPS];
    for (int i = 0; i < STEPS; i++) {
        char command[200];
        snprintf(command, sizeof command,
                 "sh -c 'trap \"echo asked > asked%d; exit 6\" TERM; echo ready; read line < gate'", i);
        execs[i] = BOX_START(in_container(kind, like_json("{'grace': 5}")), NULL, "true", command, "echo never");
    }
    for (int i = 0; i < STEPS; i++)
        box_await(execs[i], "ready\n");
    /* One of the steps has ended. */
    fw_result_free(BOX(in_container(kind, NULL), "true"));
    write_file("ready", "ready\n");
    while (!is_there("end"))
        a_moment();
    if (ends_how == 0)
        exit(0);
    for (;;)
        pause();
}

static void ends(int how)
{
    ends_how = how;
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0)
        host();
    char *ready = check_path("ready"), *end = check_path("end");
    free(wait_for_line(ready));
    CHECK(engine_count(engine_host(), pid) >= STEPS);
    write_file("end", "\n");
    if (how != 0)
        kill(pid, how);
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, how);
    NOTHING_LEFT_OF(engine_host(), pid);
    for (int i = 0; i < STEPS; i++) {
        char name[32];
        snprintf(name, sizeof name, "asked%d", i);
        char *path = check_path(name);
        CHECK(is_there(name));
        unlink(path);
        free(path);
    }
    unlink(ready);
    unlink(end);
    free(ready);
    free(end);
}

/* ------------------------------------------------------------------ leftovers -- */

/** Makes a container as a host with this label would have. */
static void make_leftover(const char *at, const char *name, const char *label)
{
    char path[200];
    snprintf(path, sizeof path, "/containers/create?name=%s", name);
    json_t *body =
        json_pack("{s:s, s:[s,s], s:{s:s}}", "Image", BUSYBOX, "Cmd", "sleep", "1000", "Labels", ENGINE_LABEL, label);
    REQUIRE(engine_call(at, "POST", path, body, NULL) == 201);
    snprintf(path, sizeof path, "/containers/%s/start", name);
    REQUIRE(engine_call(at, "POST", path, NULL, NULL) == 204);
}

/** The label of a process, made of this one's (MACHINE.BOOT.NAMESPACE.PID.START) with other ends. */
static char *label_like(const char *own, const char *machine, const char *boot, const char *pid, const char *start)
{
    char *text = strdup(own), *rest = text, *words[5] = {NULL}, *label = NULL;
    REQUIRE(text != NULL);
    for (int i = 0; i < 5; i++) {
        words[i] = strsep(&rest, ".");
        REQUIRE(words[i] != NULL);
    }
    REQUIRE(asprintf(&label, "%s.%s.%s.%s.%s", machine ? machine : words[0], boot ? boot : words[1], words[2],
                     pid ? pid : words[3], start ? start : words[4]) > 0);
    free(text);
    return label;
}

static char *own_label(const char *at)
{
    fw_exec *exec = BOX_START(like_json("{'host': '%s'}", at), NULL, "sh -c 'read line < gate'");
    char *name = box_started(exec);
    json_t *found = engine_inspect(at, name);
    const char *label =
        json_string_value(json_object_get(json_object_get(json_object_get(found, "Config"), "Labels"), ENGINE_LABEL));
    REQUIRE(label != NULL);
    char *copy = strdup(label);
    json_decref(found);
    gate_pass(gate);
    exec_end(exec);
    free(name);
    return copy;
}

/** The label must be known, and the engine not be used before: so this runs in two processes, on an engine of
 *  this program's own, where nobody else's step looks for leftovers. */
static char *private_host, *known_label;

static void uses_it(void)
{
    fw_result *result = BOX(like_json("{'host': '%s'}", private_host), "true");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
}

static void tells_label(void)
{
    char *label = own_label(private_host);
    write_file("label", label);
    free(label);
}

static void leftovers(void)
{
    in_child(tells_label, "the label");
    char *path = check_path("label");
    known_label = read_file(path);
    free(path);
    /* A process that is gone, and a number that is now another process's. */
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    REQUIRE(gone > 0 && waitpid(gone, NULL, 0) == gone);
    char number[32], own[32];
    snprintf(number, sizeof number, "%d", (int)gone);
    snprintf(own, sizeof own, "%d", (int)getpid());
    /* This process lives, and is not the one that uses the engine: when it was started stands in /proc. */
    char *stat = read_file("/proc/self/stat"), start[32] = "";
    REQUIRE(stat != NULL &&
            sscanf(strrchr(stat, ')') + 2,
                   "%*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %31s", start) == 1);
    free(stat);
    const struct {
        const char *name;
        char *label;
        bool goes;
    } all[] = {
        {"flowworker-fw-test-gone", label_like(known_label, NULL, NULL, number, NULL), true},
        {"flowworker-fw-test-reused", label_like(known_label, NULL, NULL, own, "1"), true},
        {"flowworker-fw-test-boot", label_like(known_label, NULL, "another-boot", own, start), true},
        {"flowworker-fw-test-living", label_like(known_label, NULL, NULL, own, start), false},
        {"flowworker-fw-test-machine", label_like(known_label, "another-machine", NULL, number, NULL), false},
        {"flowworker-fw-test-strange", strdup("no label of ours"), false},
    };
    enum { COUNT = sizeof all / sizeof *all };
    for (int i = 0; i < COUNT; i++)
        make_leftover(private_host, all[i].name, all[i].label);
    in_child(uses_it, "the next step");
    for (int i = 0; i < COUNT; i++) {
        if (!CHECK_INT(engine_has(private_host, all[i].name), !all[i].goes))
            fprintf(stderr, "    %s\n", all[i].name);
        free(all[i].label);
    }
    free(known_label);
}

int main(void)
{
    engine_host();
    gate = gate_make("gate");
    const int how[] = {SIGKILL, SIGTERM, 0};
    for (int i = 0; i < 2; i++) {
        kind = box_kinds[i];
        for (size_t j = 0; j < sizeof how / sizeof *how; j++)
            ends(how[j]);
    }
    private_host = private_start("docker", "left", "");
    leftovers();
    free(private_host);
    close(gate);
    return engine_done();
}
