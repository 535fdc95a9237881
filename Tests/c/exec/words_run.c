/* A command of words is a program and its arguments, whatever they hold. It has the run directory, the PATH and exactly
 * the environment of the step, and what cannot be executed gives 126 or 127 and the message of a shell. */
#include "input.h"

#include <fcntl.h>

static void write_program(const char *name, const char *text, mode_t mode)
{
    char *path = check_path(name);
    write_file(name, text);
    REQUIRE(chmod(path, mode) == 0);
    free(path);
}

/** Runs the words, which have succeeded and written this. */
static void gives(fw_result *result, const char *want)
{
    CHECK_EXITED(result, 0);
    if (!CHECK_OUTPUT(result, FW_STDOUT, 0, want))
        fprintf(stderr, "    for %s\n", want);
    fw_result_free(result);
}

/** The words could not be executed. */
static void fails(fw_result *result, int status, const char *said)
{
    CHECK_EXITED(result, status);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), said);
    CHECK_HAS(fw_result_message(result), status == 127 ? "127" : "126");
    fw_result_free(result);
}

static void arguments(void)
{
    gives(WORDS(NULL, "printf", "[%s]", "", " a  b ", "$(id)", "`id`", "; exit 3", "O'Brien", "\"", "*", "~", "\\n",
                "#", "line\nline\n", "\xc3\xa9"),
          "[][ a  b ][$(id)][`id`][; exit 3][O'Brien][\"][*][~][\\n][#][line\nline\n][\xc3\xa9]");
    /* These are no builtins and no assignments. */
    gives(WORDS(NULL, "env", "A=1", "sh", "-c", "echo $A"), "1\n");
    fails(WORDS(NULL, "exit", "3"), 127, "exit");
    fails(WORDS(NULL, "A=1", "env"), 127, "A=1");
    fw_result *result = WORDS(NULL, "sh", "-c", "exit 7");
    CHECK_EXITED(result, 7);
    fw_result_free(result);
    /* Shell text may stand beside words. */
    fw_worker *worker = run_worker(NULL);
    fw_step *step =
        check_step("{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\":"
                   " [[\"echo\", \"a;b\"], \"echo a; echo b\", [\"sh\", \"-c\", \"echo $$0\", \"zero\"]]}}");
    result = run_exec(worker, step, NULL, check_dir());
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "a;b\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "a\nb\n");
    CHECK_OUTPUT(result, FW_STDOUT, 2, "zero\n");
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);
}

static void places(void)
{
    write_program("script", "#!/bin/sh\necho script $0\n", 0755);
    write_program("plain", "echo plain \"$1\"\n", 0755);
    write_program("locked", "echo no\n", 0644);
    write_program("-x", "#!/bin/sh\necho dash\n", 0755);
    char *sub = check_path("sub");
    REQUIRE(mkdir(sub, 0755) == 0);
    write_program("sub/script", "#!/bin/sh\necho sub\n", 0755);

    gives(WORDS(NULL, "./script"), "script ./script\n");
    gives(WORDS(NULL, "sub/script"), "sub\n");
    gives(WORDS(NULL, "./plain", "a  b"), "plain a  b\n");
    fails(WORDS(NULL, "./locked"), 126, "./locked");
    fails(WORDS(NULL, "./sub"), 126, "./sub");
    fails(WORDS(NULL, "./missing"), 127, "./missing");
    fails(WORDS(NULL, "no-such-program-here", "a"), 127, "no-such-program-here");
    fails(WORDS(NULL, "-no-such-program"), 127, "-no-such-program");
    gives(WORDS(NULL, "./-x"), "dash\n");

    /* An empty PATH, and an empty element of it, are the run directory. */
    gives(WORDS_ENV("{\"PATH\": \"\"}", "script"), "script script\n");
    gives(WORDS_ENV("{\"PATH\": \"/nowhere:\"}", "script"), "script script\n");
    gives(WORDS_ENV("{\"PATH\": \".:/nowhere\"}", "-x"), "dash\n");
    gives(WORDS_ENV("{\"PATH\": \"/nowhere::/bin\"}", "script"), "script script\n");
    fails(WORDS_ENV("{\"PATH\": \"/nowhere\"}", "script"), 127, "script");
    fails(WORDS_ENV("{\"PATH\": \"\"}", "-no-such-program"), 127, "-no-such-program");
    fails(WORDS_ENV("{\"PATH\": \"\"}", "locked"), 126, "locked");
    /* What cannot be executed is passed over, as by a shell. */
    char *env = NULL, *other = check_path("other");
    REQUIRE(mkdir(other, 0755) == 0);
    write_program("other/sub", "#!/bin/sh\necho found\n", 0755);
    write_program("other/locked", "#!/bin/sh\necho found\n", 0755);
    REQUIRE(asprintf(&env, "{\"PATH\": \":%s\"}", other) > 0);
    gives(WORDS_ENV(env, "sub"), "found\n");
    gives(WORDS_ENV(env, "locked"), "found\n");
    free(env);
    free(other);
    free(sub);

    /* Without a PATH, a program of the system is found, as by a shell. */
    gives(WORDS_ENV("{\"A\": \"1\"}", "env"), "A=1\n");
}

/** The environment is the step's, without what a shell adds. */
static void environment(void)
{
    gives(WORDS_ENV("{\"A\": \"1\", \"B.C\": \"2\", \"PATH\": \"/usr/bin:/bin\"}", "env"),
          "A=1\nB.C=2\nPATH=/usr/bin:/bin\n");
    /* `shell` is for shell text. */
    gives(WORDS(json_pack("{s:{s:s}}", "options", "shell", "/no/such/shell"), "echo", "words"), "words\n");
    fails(WORDS(json_pack("{s:{s:s}}", "options", "shell", "/no/such/shell"), "no-such-program-here"), 127,
          "no-such-program-here");
}

/** A signal that ends a program is told as a signal, and nothing else is written. */
static void by_signal(void)
{
    const int signals[] = {SIGHUP, SIGINT, SIGKILL, SIGSEGV, SIGTERM, SIGUSR1};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char text[64];
        snprintf(text, sizeof text, "ulimit -c 0; kill -%d $$; sleep 1000", signals[i]);
        fw_result *result = WORDS(NULL, "sh", "-c", text);
        CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
        CHECK_INT(fw_result_returncode(result), -signals[i]);
        CHECK_INT(fw_result_output_count(result, FW_STDERR), 0);
        CHECK_INT(run_command_int(result, 0, "signal"), signals[i]);
        fw_result_free(result);
    }
    /* The same holds for a script that the shell runs. */
    write_program("kills", "kill -9 $$\n", 0755);
    fw_result *result = WORDS(NULL, "./kills");
    CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
    CHECK_INT(fw_result_returncode(result), -SIGKILL);
    fw_result_free(result);
}

/** A program behaves as if a shell had started it: it leads neither a session nor a process group. */
static void session(void)
{
    fw_result *result = WORDS(NULL, "setsid", "--wait", "echo", "own session");
    gives(result, "own session\n");
    result = WORDS(NULL, "sh", "-c",
                   "read -r pid name state parent group session rest < /proc/$$/stat;"
                   " [ $session = $group ] && [ $session != $pid ] && ls /proc/self/fd");
    gives(result, "0\n1\n2\n3\n");
}

int main(void)
{
    arguments();
    places();
    environment();
    by_signal();
    session();
    return check_done();
}
