/* A host with a limit of file sizes is not ended by SIGXFSZ when a file is too large to be copied: the step fails
 * with that reason, and the partial copy is removed. */
#include "workflow.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

int main(void)
{
    char place[4096], config[8192], path[4200];
    snprintf(place, sizeof place, "%s/volume", check_dir());
    CHECK_INT(mkdir(place, 0777), 0);
    snprintf(path, sizeof path, "%s/big", place);
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL);
    for (int i = 0; i < 100000; i++)
        fputs("0123456789", file);
    fclose(file);
    struct rlimit limit = {.rlim_cur = 65536, .rlim_max = RLIM_INFINITY};
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    snprintf(config, sizeof config,
             "{\"volumes\": [{\"name\": \"v\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s\"}, \"files\": "
             "[\"in/big\"]}]}",
             place);
    snprintf(path, sizeof path, "%s/in", place);
    CHECK_INT(mkdir(path, 0777), 0);
    char from[4200], to[4300];
    snprintf(from, sizeof from, "%s/big", place);
    snprintf(to, sizeof to, "%s/in/big", place);
    CHECK_INT(rename(from, to), 0);
    fw_pool *pool = check_pool(config);
    fw_result *result = workflow_run(
        "{\"steps\": [{\"name\": \"a\", \"files\": {\"inputs\": [\"in/big\"]}, \"action\": {\"environment\": \"\", "
        "\"commands\": [\"true\"]}}]}",
        pool, NULL, NULL);
    CHECK_INT(fw_result_outcome(result), FW_VOLUME_FAILED);
    CHECK(strstr(fw_result_message(result), "\"in/big\" cannot be copied") != NULL);
    CHECK(strstr(fw_result_message(result), "File too large") != NULL);
    snprintf(path, sizeof path, "%s/in", check_dir());
    DIR *directory = opendir(path);
    REQUIRE(directory != NULL);
    int count = 0;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    CHECK_INT(count, 2); /* . and .. */
    fw_result_free(result);
    fw_pool_free(pool);
    return check_done();
}
