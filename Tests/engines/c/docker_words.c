/* A command is split into words as a POSIX shell does, and the program gets the words unchanged, so the image needs
 * no shell. With the option `shell`, the command is passed to that shell. The image's entry point comes before the
 * words, and an empty command runs the image's own. */
#include "engine.h"

static const struct {
    const char *command, *printed;
} splits[] = {
    {"/prog one two", "one\ntwo\n"},
    {"  /prog\ta\n b  ", "a\nb\n"},
    {"/prog 'single  quotes' \"double  quotes\"", "single  quotes\ndouble  quotes\n"},
    {"/prog a\\ b \\'c\\\" \\\\", "a b\n'c\"\n\\\n"},
    {"/prog \"a\\\"b\" \"c\\d\" \"e\\\\f\" 'g\\h' 'i\"j' \"k'l\"", "a\"b\nc\\d\ne\\f\ng\\h\ni\"j\nk'l\n"},
    {"/prog 'it'\"'\"'s' a'b'\"c\"d", "it's\nabcd\n"},
    {"/prog '' \"\" end", "\n\nend\n"},
    {"/prog \"two\nlines\" 'two\nlines'", "two\nlines\ntwo\nlines\n"},
    /* Other characters have no special meaning: */
    {"/prog $$HOME `pwd` $$(pwd) *.c ~ a;b | c > d & e # f",
     "$HOME\n`pwd`\n$(pwd)\n*.c\n~\na;b\n|\nc\n>\nd\n&\ne\n#\nf\n"},
    {"/prog \"$$x\" {a,b} [!x]? A=1", "$x\n{a,b}\n[!x]?\nA=1\n"},
    {"/prog Gr\xc3\xbc\xc3\x9f"
     "e '\xe4\xbd\xa0 \xe5\xa5\xbd'",
     "Gr\xc3\xbc\xc3\x9f"
     "e\n\xe4\xbd\xa0 \xe5\xa5\xbd\n"},
    {"/prog -x --long=\"a b\" -- -", "-x\n--long=a b\n--\n-\n"},
};

static void words(void)
{
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        fw_result *result = BOX_OF(BARE, NULL, splits[i].command);
        char want[500];
        snprintf(want, sizeof want, "%suid 0\ncwd /workdir\n", splits[i].printed);
        if (!CHECK_EXITED(result, 0) || !CHECK_OUTPUT(result, FW_STDOUT, 0, want))
            fprintf(stderr, "    for: %s\n", splits[i].command);
        fw_result_free(result);
    }
}

static void not_closed(const char *kind, const char *command, const char *part)
{
    fw_result *result = BOX(in_container(kind, NULL), "echo fine", command, "echo never");
    CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
    CHECK_MESSAGE(result, "step \"s\", command 2 of 3", "split into words", part);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "fine\n");
    /* "A command that could not be started counts on FW_STDERR, with the message that says why." */
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    CHECK_COMMAND(result, 1, "exit_code", json_null());
    CHECK_COMMAND(result, 1, "container", json_null());
    fw_result_free(result);
}

static void shell(const char *kind)
{
    fw_result *result = BOX(in_container(kind, like_json("{'shell': '/bin/sh'}")),
                            "for n in 1 2; do echo $$n; done | tr 1 x; echo \"a  b\" >&2", "echo 'oh", "echo never");
    CHECK_ENDED(result, FW_EXITED, 2); /* the shell's own word about that */
    CHECK_OUTPUT(result, FW_STDOUT, 0, "x\n2\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "a  b\n");
    fw_result_free(result);
    /* "without the image's entry point" */
    result = BOX_OF(ENTRY, in_container(kind, like_json("{'shell': '/bin/sh'}")), "echo own; echo $$0-$$#");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "own\n/bin/sh-0\n");
    fw_result_free(result);
}

static void entry_point(const char *kind)
{
    fw_result *result = BOX_OF(ENTRY, in_container(kind, NULL), "one 'two  three'", "/bin/sh -c 'exit 3'");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "entry one two  three\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "entry /bin/sh -c exit 3\n");
    fw_result_free(result);
}

static void empty(void)
{
    /* CMD ["/prog"]; whitespace around a command is removed. */
    fw_result *result = BOX_OF(BARE, NULL, "", " \n\t ");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "uid 0\ncwd /workdir\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "uid 0\ncwd /workdir\n");
    fw_result_free(result);
    /* An empty command runs the entry point alone. */
    for (int i = 0; i < 2; i++) {
        result = BOX_OF(ENTRY, in_container(box_kinds[i], NULL), "");
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "entry\n");
        fw_result_free(result);
    }
}

/** A long command, and many words. */
static void long_command(const char *kind)
{
    char *text = malloc(200000);
    REQUIRE(text != NULL);
    strcpy(text, "echo");
    for (char *end = text + 4; end < text + 90000; end += 10)
        sprintf(end, " word%05d", (int)(end - text) % 100000);
    fw_result *result = BOX(in_container(kind, NULL), text);
    CHECK_EXITED(result, 0);
    size_t length = strlen(text);
    char *want = malloc(length);
    REQUIRE(want != NULL);
    snprintf(want, length, "%s\n", text + 5);
    CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    CHECK_COMMAND(result, 0, "command", json_string(text));
    free(want);
    free(text);
    fw_result_free(result);
}

int main(void)
{
    words();
    empty();
    for (int i = 0; i < 2; i++) {
        not_closed(box_kinds[i], "echo 'oh", "'");
        not_closed(box_kinds[i], "echo \"oh", "\"");
        shell(box_kinds[i]);
        entry_point(box_kinds[i]);
        long_command(box_kinds[i]);
    }
    not_closed("command", "echo oh\\", "backslash");
    return engine_done();
}
