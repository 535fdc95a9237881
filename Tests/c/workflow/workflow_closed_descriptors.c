/*
 * If the host closes all descriptors while a workflow runs, and opens its own directories in their places, the library
 * writes nothing into them, the run ends with a reason, and the next run is not affected.
 */
#include "processes.h"
#include "workflow.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { MOST = 64 };

static int taken[MOST], count;

static int entries_of(const char *path)
{
    int entries = 0;
    DIR *directory = opendir(path);
    REQUIRE(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        entries += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(directory);
    return entries;
}

static void close_all(const char *decoy)
{
    int most = 2;
    for (int fd = 3; fd < 200; fd++)
        if (close(fd) == 0)
            most = fd;
    for (count = 0; count < MOST && (count == 0 || taken[count - 1] <= most); count++)
        REQUIRE((taken[count] = open(decoy, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
}

static char *pool_text(void)
{
    char *text = NULL;
    REQUIRE(asprintf(&text,
                     "{\"workers\": [{\"name\": \"w\", \"type\": \"subprocess\", \"volume\": \"v\"}], \"managers\": "
                     "{\"a\": \"w\"},"
                     " \"volumes\": [{\"name\": \"v\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s/volume\"}}]}",
                     check_dir()) > 0);
    return text;
}

static const char document[] =
    "{\"files\": {\"outputs\": [\"final\"]}, \"steps\": ["
    "{\"name\": \"a\", \"files\": {\"outputs\": [\"out\"]}, \"action\": {\"environment\": \"\", \"commands\":"
    " [\"head -c 9000000 /dev/zero > out; echo one\"]}},"
    "{\"name\": \"b\", \"files\": {\"inputs\": [\"out\"], \"outputs\": [\"final\"]}, \"action\": {\"environment\": "
    "\"\","
    " \"commands\": [\"cp out final; echo two\"]}}]}";

/** Closes all descriptors at the event of that number. Returns false if there are fewer events. */
static bool close_at(int number, fw_pool *pool, const char *decoy)
{
    char *options = NULL;
    REQUIRE(asprintf(&options, "{\"state\": \"%s/state%d\"}", check_dir(), number) > 0);
    fw_exec *exec = workflow_start(document, pool, NULL, options);
    free(options);
    bool is_closed = false;
    fw_event *event = NULL;
    for (int at = 0;; at++) {
        REQUIRE(fw_exec_next_event(exec, -1, &event, NULL) == FW_OK);
        if (event == NULL)
            break;
        fw_event_free(event);
        if (at == number) {
            close_all(decoy);
            is_closed = true;
        }
    }
    fw_result *result = exec_result(exec);
    CHECK(fw_result_returncode(result) == 0 || fw_result_message(result) != NULL);
    if (fw_result_returncode(result) == 0) {
        struct stat status;
        char *path = check_path("final");
        CHECK(stat(path, &status) == 0 && status.st_size == 9000000);
        free(path);
    }
    fw_result_free(result);
    fw_exec_free(exec);
    CHECK_INT(entries_of(decoy), 0);
    for (int at = 0; at < count; at++)
        CHECK(close(taken[at]) == 0);
    count = 0;
    return is_closed;
}

static void host(void)
{
    char *decoy = check_path("decoy"), *text = pool_text();
    REQUIRE(mkdir(decoy, 0700) == 0);
    fw_pool *pool = check_pool(text);
    int number = 0;
    while (close_at(number, pool, decoy))
        number++;
    CHECK(number > 6);
    fw_pool_free(pool);
    free(text);
    free(decoy);
}

int main(void)
{
    in_child(host, "host");
    return check_done();
}
