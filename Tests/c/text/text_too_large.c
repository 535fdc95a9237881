/* A text of more than 2 GiB, which jansson cannot count, is refused as too large without being read. */
#include "check.h"

#include <sys/mman.h>

int main(void)
{
    size_t size = ((size_t)1 << 31) + 4096;
    /* The text needs no memory, because the library reads at most its first page. */
    char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (text == MAP_FAILED) {
        printf("this process may not have 2 GiB of addresses\n");
        return 77;
    }
    fw_error *error = NULL;
    fw_step *step = NULL;
    fw_worker *worker = NULL;
    fw_context *context = NULL;
    fw_workflow *workflow = NULL;
    CHECK_FAILS(fw_step_create(text, size, &step, &error), FW_E_DOCUMENT, &error,
                "has 2147487744 bytes, which is too large");
    CHECK_FAILS(fw_worker_create(text, size, &worker, &error), FW_E_DOCUMENT, &error, "too large");
    CHECK_FAILS(fw_workflow_create(text, size, &workflow, &error), FW_E_DOCUMENT, &error, "too large");
    CHECK_FAILS(fw_context_create(text, size, &context, &error), FW_E_DOCUMENT, &error, "too large");
    CHECK_OK(fw_context_create(NULL, 0, &context, &error), &error);
    CHECK_FAILS(fw_context_set(context, "a", text, size, &error), FW_E_DOCUMENT, &error, "too large");
    fw_context_free(context);
    munmap(text, size);
    return check_done();
}
