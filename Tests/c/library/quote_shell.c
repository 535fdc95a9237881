/* A quoted text is one word of a shell, with the same bytes: each byte, alone and between others, in each shell that is
 * there and in two locales. A NUL is refused. */
#include "check.h"

static fw_error *error;

static char *quoted(const char *text, size_t length)
{
    char *out = NULL;
    CHECK_OK(fw_quote_shell(text, length, &out, &error), &error);
    REQUIRE(out != NULL);
    return out;
}

/** What a shell makes of the words; to be released with free(). */
static char *words_of(const char *shell, const char *locale, const char *words, size_t *length)
{
    char *script = NULL, *path = check_path("script"), *out = check_path("out"), *command = NULL;
    REQUIRE(asprintf(&script, "printf '<%%s>' %s\n", words) > 0);
    write_file("script", script);
    REQUIRE(asprintf(&command, "env LC_ALL=%s %s '%s' > '%s'", locale, shell, path, out) > 0);
    CHECK_INT(system(command), 0);
    FILE *file = fopen(out, "re");
    char *text = calloc(1, 1 << 20);
    REQUIRE(file != NULL && text != NULL);
    *length = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    free(script);
    free(path);
    free(out);
    free(command);
    return text;
}

static bool has_shell(const char *shell)
{
    char command[200];
    snprintf(command, sizeof command, "%s -c true 2>/dev/null", shell);
    return system(command) == 0;
}

static void add(FILE *words, FILE *want, const char *text, size_t length)
{
    char *word = quoted(text, length);
    fprintf(words, " %s", word);
    fputc('<', want);
    fwrite(text, 1, length, want);
    fputc('>', want);
    fw_string_free(word);
}

int main(void)
{
    static const char *const texts[] = {
        "",         "a",
        "'",        "''",
        "'''a'",    "a b",
        "$HOME",    "`id`",
        "$(id)",    "\\",
        "\\'",      "a\\",
        "\"",       "*",
        "~",        "if",
        "a=b",      "-n",
        "!",        "!!",
        "#",        "\n",
        "\n'\n",    "{a,b}",
        "a;id",     "<in>out",
        "&& id ||", "\xC3\xA9\xE2\x82\xAC",
        "\x81'",    "\xE2\x82'\xAC",
        "%s",       "$'a'",
        "\r\n",
    };
    char *words = NULL, *want = NULL;
    size_t words_length = 0, want_length = 0;
    FILE *all = open_memstream(&words, &words_length), *expected = open_memstream(&want, &want_length);
    REQUIRE(all != NULL && expected != NULL);
    for (int byte = 1; byte < 256; byte++) {
        char text[] = {(char)byte, '\'', 'x', (char)byte};
        add(all, expected, text, 1);
        add(all, expected, text, 2);
        add(all, expected, text + 1, 3);
        add(all, expected, text, 4);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        add(all, expected, texts[i], strlen(texts[i]));
    fclose(all);
    fclose(expected);

    static const char *const shells[] = {"sh", "dash", "bash", "'busybox' sh"};
    int tried = 0;
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (!has_shell(shells[i]))
            continue;
        tried++;
        for (int utf8 = 0; utf8 < 2; utf8++) {
            size_t length = 0;
            char *got = words_of(shells[i], utf8 ? "C.UTF-8" : "C", words, &length);
            if (!CHECK(length == want_length && memcmp(got, want, length) == 0))
                fprintf(stderr, "    in %s\n", shells[i]);
            free(got);
        }
    }
    CHECK(tried > 0);
    free(words);
    free(want);

    char *text = NULL;
    CHECK_FAILS(fw_quote_shell("a\0b", 3, &text, &error), FW_E_INVALID, &error, "a NUL byte at offset 1");
    CHECK(text == NULL);
    text = quoted("it's", FW_ZERO_TERMINATED);
    CHECK_STR(text, "'it'\\''s'");
    fw_string_free(text);
    text = quoted("", 0);
    CHECK_STR(text, "''");
    fw_string_free(text);
    return check_done();
}
