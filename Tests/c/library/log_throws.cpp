/* A log in C++ may throw: the exception is dropped, and the step is not disturbed. A log that calls the library gets no
 * line of that call. */
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <flowworker.h>

static std::atomic<int> lines, released;
static fw_step *step;
static const fw_worker *worker;

static void throws(fw_log_level, const char *message, void *)
{
    lines++;
    if (lines % 2 == 0)
        throw std::runtime_error(message);
    throw lines.load();
}

static void nests(fw_log_level, const char *, void *)
{
    lines++;
    fw_step *other = nullptr;
    fw_result *result = nullptr;
    if (fw_step_create("{\"name\": \"o\", \"action\": {\"environment\": \"\", \"commands\": [\"true\"]}}",
                       FW_ZERO_TERMINATED, &other, nullptr) == FW_OK &&
        fw_worker_exec(worker, other, nullptr, "/", &result, nullptr) == FW_OK)
        fw_result_free(result);
    fw_step_free(other);
}

static bool run_with(fw_log_function log, int wanted)
{
    lines = 0;
    auto release = [](void *) {
        released++;
        throw std::runtime_error("from a release");
    };
    if (fw_set_log(FW_LOG_DEBUG, log, nullptr, release, nullptr) != FW_OK)
        return false;
    fw_result *result = nullptr;
    bool good = fw_worker_exec(worker, step, nullptr, "/", &result, nullptr) == FW_OK;
    good = good && fw_result_returncode(result) == 0;
    fw_result_free(result);
    good = good && fw_set_log(FW_LOG_OFF, nullptr, nullptr, nullptr, nullptr) == FW_OK;
    if (!good || lines < wanted)
        std::fprintf(stderr, "%d lines\n", lines.load());
    return good && lines >= wanted;
}

int main()
{
    fw_pool *pool = nullptr;
    if (fw_pool_create("[]", FW_ZERO_TERMINATED, &pool, nullptr) != FW_OK ||
        fw_step_create("{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [\"true\"]}}",
                       FW_ZERO_TERMINATED, &step, nullptr) != FW_OK ||
        fw_pool_get(pool, step, &worker, nullptr) != FW_OK)
        return EXIT_FAILURE;
    /* A step begins and ends, and so does its command. */
    bool good = run_with(throws, 4);
    good = run_with(nests, 4) && good && lines == 4;
    good = good && released == 2;
    fw_step_free(step);
    fw_pool_free(pool);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
