/* 64 threads that ask a pool for the same worker at the same time, before anybody else, all get the same worker. */
#include "run.h"
#include "threads.h"

static fw_pool *pool;
static fw_step *steps[3];
static const fw_worker *got[3][THREADS];

static void ask(int number)
{
    for (int i = 0; i < 3; i++)
        if (fw_pool_get(pool, steps[(i + number) % 3], &got[(i + number) % 3][number], NULL) != FW_OK)
            got[(i + number) % 3][number] = NULL;
}

int main(void)
{
    steps[0] = run_step("mapped", (const char *const[]){"true", NULL});
    steps[1] = run_step("default", (const char *const[]){"true", NULL});
    steps[2] = check_step("{\"name\": \"code\", \"action\": {\"func\": \"f\"}}");
    int times = check_times(200, 10);
    for (int i = 0; i < times; i++) {
        pool = check_pool("{\"workers\": [{\"name\": \"a\", \"type\": \"subprocess\"}],"
                          " \"managers\": {\"mapped\": \"a\"}}");
        in_threads(ask);
        for (int step = 0; step < 3; step++) {
            CHECK(got[step][0] != NULL);
            for (int thread = 1; thread < THREADS; thread++)
                CHECK(got[step][thread] == got[step][0]);
        }
        CHECK(got[0][0] != got[1][0] && got[1][0] != got[2][0]);
        fw_pool_free(pool);
    }
    for (int i = 0; i < 3; i++)
        fw_step_free(steps[i]);
    return check_done();
}
