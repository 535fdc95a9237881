/* Every document in Tests/cases is accepted or refused as its folder says. valid/KIND/CASE/input.json is accepted;
 * invalid/KIND/CASE/input.json is refused with the error in CASE/error, which has one line each for the code, the
 * JSON pointer ("-" if there is none), the line, the column and the message. KIND is config, worker, step, context or
 * workflow. A new case needs no code. `show PATH` prints the error of an input.
 *
 * not under valgrind: valgrind reports the unused bits of the word that holds a Swift enumeration
 */
#include "check.h"

#include <dirent.h>

static const char *const kinds[] = {"config", "worker", "step", "context", "workflow"};

static char *read_all(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    char *text = malloc(1 << 20);
    *length = fread(text, 1, (1 << 20) - 1, file);
    text[*length] = 0;
    fclose(file);
    return text;
}

/** Reads a document, and frees the object that was made from it. */
static fw_status read_document(const char *kind, const char *text, size_t length, fw_error **error)
{
    fw_status status = FW_E_INVALID;
    if (strcmp(kind, "config") == 0) {
        fw_pool *pool;
        status = fw_pool_create(text, length, &pool, error);
        fw_pool_free(pool);
    } else if (strcmp(kind, "worker") == 0) {
        fw_worker *worker;
        status = fw_worker_create(text, length, &worker, error);
        fw_worker_free(worker);
    } else if (strcmp(kind, "step") == 0) {
        fw_step *step;
        status = fw_step_create(text, length, &step, error);
        fw_step_free(step);
    } else if (strcmp(kind, "context") == 0) {
        fw_context *context;
        status = fw_context_create(text, length, &context, error);
        fw_context_free(context);
    } else if (strcmp(kind, "workflow") == 0) {
        fw_workflow *workflow;
        status = fw_workflow_create(text, length, &workflow, error);
        fw_workflow_free(workflow);
    }
    return status;
}

/** A configuration passed as a value is accepted or refused like its text; the error has no line. */
static void check_value(const char *text, size_t length, fw_status status, const fw_error *expected)
{
    json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if (value == NULL)
        return;
    fw_pool *pool;
    fw_error *error;
    CHECK_INT(fw_pool_create_from(value, &pool, &error), status);
    if (status != FW_OK) {
        CHECK_STR(fw_error_message(error), fw_error_message(expected));
        CHECK_STR(fw_error_path(error), fw_error_path(expected));
        CHECK_INT(fw_error_line(error), 0);
    }
    fw_error_free(error);
    fw_pool_free(pool);
    json_decref(value);
}

static void describe(const fw_error *error, char *into, size_t size)
{
    const char *path = fw_error_path(error);
    snprintf(into, size, "%d\n%s\n%d\n%d\n%s\n", (int)fw_error_code(error), path ? path : "-",
             (int)fw_error_line(error), (int)fw_error_column(error), fw_error_message(error));
}

static void check_case(const char *kind, const char *folder, bool is_valid)
{
    char path[8192], got[8192];
    size_t length, ignored;
    snprintf(path, sizeof path, "%s/input.json", folder);
    char *text = read_all(path, &length);
    if (!CHECK(text != NULL)) {
        fprintf(stderr, "    %s\n", path);
        return;
    }
    fw_error *error = NULL;
    fw_status status = read_document(kind, text, length, &error);
    bool good;
    if (is_valid) {
        good = CHECK_INT(status, FW_OK);
        if (!good)
            fprintf(stderr, "    %s\n", fw_error_message(error));
    } else {
        snprintf(path, sizeof path, "%s/error", folder);
        char *want = read_all(path, &ignored);
        describe(error, got, sizeof got);
        good = CHECK_STR(got, want) && CHECK(status < 0);
        free(want);
    }
    if (!good)
        fprintf(stderr, "    in %s\n", folder);
    if (strcmp(kind, "config") == 0)
        check_value(text, length, status, error);
    fw_error_free(error);
    free(text);
}

static int check_kind(const char *root, const char *validity, const char *kind)
{
    char folder[2048], path[4096];
    snprintf(folder, sizeof folder, "%s/%s/%s", root, validity, kind);
    DIR *list = opendir(folder);
    if (!CHECK(list != NULL))
        return 0;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_case(kind, path, validity[0] == 'v');
        count++;
    }
    closedir(list);
    return count;
}

static int show(const char *kind, const char *path)
{
    size_t length;
    char shown[8192], *text = read_all(path, &length);
    fw_error *error = NULL;
    if (text == NULL)
        return 2;
    if (read_document(kind, text, length, &error) == FW_OK) {
        puts("accepted");
    } else {
        describe(error, shown, sizeof shown);
        fputs(shown, stdout);
    }
    fw_error_free(error);
    free(text);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "show") == 0)
        return show(argv[2], argv[3]);
    const char *root = getenv("CHECK_CASES");
    REQUIRE(root != NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        CHECK(check_kind(root, "valid", kinds[i]) > 0);
        CHECK(check_kind(root, "invalid", kinds[i]) > 0);
    }
    return check_done();
}
