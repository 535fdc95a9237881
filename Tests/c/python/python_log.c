/* The log says that an interpreter was started, once for all functions that it runs. */
#include "function.h"
#include "log.h"

int main(void)
{
    fw_pool *pool = check_pool("[]");
    log_begin(FW_LOG_INFO);
    for (int i = 0; i < 2; i++) {
        fw_result *result = function_call(pool, "os.getcwd", NULL, NULL, NULL);
        CHECK_EXITED(result, 0);
        fw_result_free(result);
    }
    CHECK_INT(log_has(FW_LOG_INFO, "the Python interpreter \""), 1);
    CHECK_INT(log_has(FW_LOG_INFO, "\" was started, for functions"), 1);
    log_end();
    fw_pool_free(pool);
    return check_done();
}
