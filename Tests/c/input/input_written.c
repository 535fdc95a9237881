/* What the host writes reaches the command in the order of the calls, with every byte, and ends when the input is
 * closed. It is a pipe, so a command can open it again by its path. */
#include "input.h"

static void in_pieces(void)
{
    fw_exec *exec = INPUT("read -r line; echo \"<$$line>\"; cat; echo end");
    input_all(exec, "one\ntwo", 7);
    input_all(exec, "", 0);
    input_all(exec, " three\n", 7);
    input_close(exec);
    input_close(exec);
    input_exits(exec, 0, "<one>\ntwo three\nend\n");
}

static void every_byte(void)
{
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    fw_exec *exec = INPUT("cat");
    input_all(exec, bytes, sizeof bytes);
    input_close(exec);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_BYTES(result, FW_STDOUT, 0, bytes, sizeof bytes);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** The command answers each line before the next one is written. */
static void a_dialogue(void)
{
    fw_exec *exec = INPUT("while read -r line; do echo \"you said $$line\"; done");
    char line[32], want[64];
    for (int i = 0; i < 20; i++) {
        int length = snprintf(line, sizeof line, "%d\n", i);
        input_all(exec, line, (size_t)length);
        fw_event *event = event_wait_for(exec, FW_EVENT_OUTPUT);
        snprintf(want, sizeof want, "you said %d\n", i);
        CHECK_EVENT(event, FW_STDOUT, want);
        fw_event_free(event);
    }
    input_close(exec);
    input_exits(exec, 0, NULL);
}

static void by_its_path(void)
{
    fw_exec *exec = INPUT("cat /dev/stdin; cat /proc/self/fd/0; stat -L -c %F /dev/stdin");
    input_all(exec, "text", 4);
    input_close(exec);
    input_exits(exec, 0, "textfifo\n");
}

static void closed_at_once(void)
{
    fw_exec *exec = INPUT("cat; echo end");
    input_close(exec);
    input_has_ended(exec, "closed");
    input_exits(exec, 0, "end\n");
}

/** No other command gets a descriptor of the input, and the command has its reading end only. */
static void descriptors(void)
{
    fw_exec *first = INPUT("read -r line; ls /proc/self/fd");
    fw_result *result = RUN("ls /proc/self/fd", "ls -l /proc/self/fd >&2");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "0\n1\n2\n3\n");
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "/dev/null");
    fw_result_free(result);
    input_all(first, "\n", 1);
    input_exits(first, 0, "0\n1\n2\n3\n");
    /* The monitor of that command runs another one, which has no input. */
    result = RUN("readlink /proc/self/fd/0");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "/dev/null\n");
    fw_result_free(result);
}

/** The steps of many execs each get their own bytes. */
static void at_the_same_time(void)
{
    enum { COUNT = 20 };
    fw_exec *execs[COUNT];
    char text[32];
    for (int i = 0; i < COUNT; i++)
        execs[i] = INPUT("cat");
    for (int i = COUNT - 1; i >= 0; i--)
        input_all(execs[i], text, (size_t)snprintf(text, sizeof text, "for %d", i));
    for (int i = 0; i < COUNT; i++)
        input_close(execs[i]);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "for %d", i);
        input_exits(execs[i], 0, text);
    }
}

int main(void)
{
    descriptors();
    int before = open_descriptors();
    in_pieces();
    every_byte();
    a_dialogue();
    by_its_path();
    closed_at_once();
    descriptors();
    CHECK_INT(open_descriptors(), before);
    at_the_same_time();
    CHECK(open_descriptors() <= before + KEPT_DESCRIPTORS);
    return check_done();
}
