/*
 * When the result arrives, no process of the command is left: none in the background, in another session, stopped, or
 * ignoring TERM, and no daemon. This holds after an ordinary end, a timeout and a cancel. The result names each process
 * that was ended, and the signal that ended it.
 */
#include "descendants.h"

enum { MOST = 8 };

struct tree {
    const char *script;
    /* How many processes write their numbers to the file "pids". Those that ignore TERM also write to "deaf-pids". */
    int count;
};

static const struct tree trees[] = {
    {"sh sleeper & sh sleeper &", 2},
    {"setsid sh sleeper & setsid sh sleeper &", 2},
    /* As a daemon does: a new session with a child whose parent exits. */
    {"setsid sh -c 'sh sleeper & :'; setsid sh -c 'setsid sh sleeper & :'", 2},
    {"sh sleeper & sh ready 1; kill -STOP $!; until grep -q '^State:.T' /proc/$!/status; do :; done", 1},
    {"sh deaf & sh ready 1; kill -STOP $!; until grep -q '^State:.T' /proc/$!/status; do :; done", 1},
    /* The parent ends on TERM, and its children ignore TERM. */
    {"setsid sh -c 'sh deaf & setsid sh deaf & exec sh sleeper' &", 3},
    /* Four generations, each in a session of its own. */
    {"setsid sh -c 'setsid sh -c \"setsid sh -c \\\"setsid sh deaf & exec sh deaf\\\" & exec sh deaf\" &"
     " exec sh sleeper' &",
     4},
};

static bool is_one_of(long pid, const long *pids, int count)
{
    for (int i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/** The result names each of these processes once, and no other. */
static void check_told(const fw_result *result, const struct tree *tree, int many)
{
    long pids[MOST], deaf[MOST];
    CHECK_INT(read_pids("pids", pids, MOST), tree->count);
    int deaf_count = read_pids("deaf-pids", deaf, MOST);
    json_t *told = run_command_member(result, 0, "survivors"), *survivor;
    size_t index;
    int found = 0;
    json_array_foreach(told, index, survivor) {
        long pid = (long)json_integer_value(json_object_get(survivor, "pid"));
        if (!is_one_of(pid, pids, tree->count))
            continue;
        found++;
        CHECK_STR(json_string_value(json_object_get(survivor, "name")), "sleep");
        CHECK_STR(json_string_value(json_object_get(survivor, "ended_by")),
                  is_one_of(pid, deaf, deaf_count) ? "KILL" : "TERM");
        CHECK(!lives(pid));
    }
    CHECK_INT(found, tree->count);
    CHECK_INT(json_array_size(told), many);
    CHECK_INT(run_command_int(result, 0, "survivors_count"), many);
    json_decref(told);
}

static json_t *options(double timeout)
{
    json_t *options = json_pack("{s:f}", "grace", 1.0);
    if (timeout > 0)
        json_object_set_new(options, "timeout", json_real(timeout));
    return json_pack("{s:o}", "options", options);
}

/** Starts `command`, which finds the script of this tree in the file "tree". */
static fw_exec *begin(const struct tree *tree, double timeout, const char *command)
{
    remove_file("pids");
    remove_file("deaf-pids");
    remove_file("there");
    write_file("tree", tree->script);
    return BEGIN_WITH(options(timeout), command);
}

static void ended_by_itself(const struct tree *tree)
{
    char command[100];
    snprintf(command, sizeof command, ". ./tree; sh ready %d; echo done; exit 3", tree->count);
    fw_result *result = finish_step(begin(tree, 0, command));
    CHECK_NOBODY();
    CHECK_EXITED(result, 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "done\n");
    check_told(result, tree, tree->count);
    fw_result_free(result);
}

static void ended_by_a_cancel(const struct tree *tree)
{
    char command[100];
    snprintf(command, sizeof command, ". ./tree; sh ready %d; : > there; exec sleep 100000", tree->count);
    fw_exec *exec = begin(tree, 0, command);
    fw_result *result = cancel_when_there(exec);
    check_told(result, tree, tree->count);
    fw_result_free(result);
}

/** Tries ever longer timeouts until all processes exist before the timeout. */
static void ended_by_a_timeout(const struct tree *tree)
{
    char command[100];
    snprintf(command, sizeof command, ". ./tree; sh ready %d; : > there; exec sleep 100000", tree->count);
    for (double timeout = 0.5;; timeout *= 2) {
        fw_result *result = finish_step(begin(tree, timeout, command));
        bool there = has_file("there");
        CHECK_NOBODY();
        CHECK_ENDED(result, FW_TIMEOUT, "TERM");
        if (there)
            check_told(result, tree, tree->count);
        fw_result_free(result);
        if (there)
            return;
    }
}

int main(void)
{
    mark_commands();
    write_file("sleeper", "echo $$ >> pids; exec sleep 100000");
    write_file("deaf", "trap '' TERM; echo $$ >> deaf-pids; echo $$ >> pids; exec sleep 100000");
    /* Waits until that many processes have written their numbers and run their last program. */
    write_file("ready", "until test -e pids && test $(wc -l < pids) -ge $1; do sleep 0.01; done\n"
                        "for pid in $(cat pids); do until grep -q sleep /proc/$pid/comm; do :; done; done");
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        ended_by_itself(&trees[i]);
        ended_by_a_cancel(&trees[i]);
        ended_by_a_timeout(&trees[i]);
    }
    end_marked();
    return check_done();
}
