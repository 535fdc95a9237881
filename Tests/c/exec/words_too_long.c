/* Words of any number and length reach the program as long as the kernel takes them. Otherwise the command could not be
 * started, and the message has the number and the size of the word, or the sizes of all. */
#include "input.h"

static char *letters(size_t count)
{
    char *text = malloc(count + 1);
    REQUIRE(text != NULL);
    memset(text, 'x', count);
    text[count] = '\0';
    return text;
}

static void refuses(const char *const *words, const char *part, const char *other)
{
    fw_result *result = run_one_words(NULL, NULL, words);
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_HAS(fw_result_message(result), part);
    CHECK_HAS(fw_result_message(result), other);
    fw_result_free(result);
}

int main(void)
{
    long most = sysconf(_SC_PAGESIZE) * 32 - 1;
    char *longest = letters((size_t)most), *longer = letters((size_t)most + 1);
    char size[100];

    fw_result *result = WORDS(NULL, "printf", "%s", longest);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, longest);
    fw_result_free(result);

    snprintf(size, sizeof size, "word 3 of the command has %ld bytes", most + 1);
    refuses((const char *const[]){"printf", "%s", longer, NULL}, size, "command 1 of 1");
    snprintf(size, sizeof size, "at most %ld", most);
    refuses((const char *const[]){"printf", "a", "b", longest, longer, NULL}, "word 5 of the command", size);
    snprintf(size, sizeof size, "word 1 of the command has %ld bytes", most + 1);
    refuses((const char *const[]){longer, "a", NULL}, size, "");

    /* 8 MiB of words are more than any system takes with the usual limit of the stack. */
    enum { COUNT = 8192 };
    char *word = letters(1023);
    const char **many = calloc(COUNT + 2, sizeof *many);
    REQUIRE(many != NULL);
    many[0] = "true";
    for (int i = 1; i <= COUNT; i++)
        many[i] = word;
    refuses(many, "8193 words", "8388612 bytes");
    /* A thousand words are not too many. */
    many[1000] = NULL;
    result = run_one_words(NULL, NULL, many);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    free(many);
    free(word);
    free(longest);
    free(longer);
    return check_done();
}
