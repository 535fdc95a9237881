/* The log says that ssh was started, and that a file was copied. */
#include "log.h"
#include "run.h"
#include "workflow.h"

int main(void)
{
    write_file("in.txt", "text");
    char *options = NULL;
    REQUIRE(asprintf(&options,
                     "{\"volumes\": [{\"name\": \"__default__\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s\"}},"
                     " {\"name\": \"near\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s/near\"}},"
                     " {\"name\": \"far\", \"type\": \"sftp\", \"files\": [\"far.txt\"], \"args\":"
                     " {\"hostname\": \"127.0.0.1\", \"port\": 1, \"basedir\": \"/\"}}]}",
                     check_dir(), check_dir()) > 0);
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"w\", \"type\": \"subprocess\", \"volume\": \"near\"}],"
                               " \"managers\": {\"a\": \"w\", \"b\": \"w\"}}");
    log_begin(FW_LOG_DEBUG);
    fw_result *result = workflow_run("{\"steps\": [{\"name\": \"a\", \"files\": {\"inputs\": [\"in.txt\"]}, \"action\":"
                                     " {\"environment\": \"\", \"commands\": [\"cat in.txt\"]}},"
                                     " {\"name\": \"b\", \"files\": {\"inputs\": [\"far.txt\"]}, \"action\":"
                                     " {\"environment\": \"\", \"commands\": [\"true\"]}}]}",
                                     pool, NULL, options);
    CHECK_INT(log_has(FW_LOG_DEBUG, "step \"a\": the file \"in.txt\" was copied from \"__default__\" to \"near\" in "),
              1);
    const char *message = fw_result_message(result);
    if (fw_result_outcome(result) == FW_VOLUME_FAILED && strstr(message, "ssh is not installed"))
        check_skip("ssh is not installed");
    else if (!CHECK_INT(log_has(FW_LOG_INFO, "ssh was started, to connect to sftp://127.0.0.1:1"), 1)) {
        fprintf(stderr, "%s\n", message);
        log_show();
    }
    fw_result_free(result);
    log_end();
    fw_pool_free(pool);
    free(options);
    return check_done();
}
