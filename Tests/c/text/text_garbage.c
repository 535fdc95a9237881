/* 10 MB of arbitrary documents are read or refused, without a crash or a leak. */
#include "texts.h"

static const size_t size = 10 * 1000 * 1000;

/** Returns pseudorandom numbers, the same in each run. */
static unsigned next(unsigned long long *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33);
}

static void fill(char *text, size_t length, const char *alphabet)
{
    unsigned long long state = 42;
    size_t letters = alphabet ? strlen(alphabet) : 0;
    for (size_t i = 0; i < length; i++)
        text[i] = letters ? alphabet[next(&state) % letters] : (char)next(&state);
}

static void all_refuse(const char *text, size_t length)
{
    for (const text_reader *reader = text_readers; *reader != NULL; reader++) {
        fw_error *error = NULL;
        fw_status status = (*reader)(text, length, &error);
        CHECK(strlen(fw_error_message(error)) < 1000);
        CHECK_FAILS(status, FW_E_SYNTAX, &error, "");
    }
}

int main(void)
{
    char *text = malloc(size + 1);
    REQUIRE(text != NULL);
    text[size] = '\0';

    fill(text, size, NULL);
    all_refuse(text, size);
    fill(text, size, "[]{}\",:0123456789.eE+-tfn \n\\u");
    all_refuse(text, size);
    memset(text, ' ', size);
    all_refuse(text, size);
    memset(text, '7', size);
    all_refuse(text, size);
    memset(text, 'a', size); /* one string without an end */
    text[0] = '"';
    all_refuse(text, size);

    /* One complete string: a JSON value, but none of the documents. */
    text[size - 1] = '"';
    for (const text_reader *reader = text_readers; *reader != NULL; reader++) {
        fw_error *error = NULL;
        fw_status status = (*reader)(text, size, &error);
        if (*reader == read_value) {
            CHECK_OK(status, &error);
            continue;
        }
        CHECK(strlen(fw_error_message(error)) < 1000);
        CHECK_FAILS(status, FW_E_DOCUMENT, &error, "aaaa");
    }
    free(text);

    /* A message about a long name has only its beginning. */
    static char document[100000], name[50000];
    memset(name, 'n', sizeof name - 1);
    snprintf(document, sizeof document, "{\"%s\": 1}", name);
    fw_error *error = NULL;
    fw_status status = read_step(document, FW_ZERO_TERMINATED, &error);
    CHECK(strlen(fw_error_message(error)) < 1000);
    CHECK_INT(strlen(fw_error_path(error)), strlen(name) + 1);
    CHECK_FAILS(status, FW_E_DOCUMENT, &error, "nnn");
    return check_done();
}
