/* eat-memory BYTES: has and touches so much memory, and says so if it is still there. */
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments)
{
    size_t bytes = count == 2 ? strtoull(arguments[1], NULL, 10) : 0;
    volatile char *memory = bytes > 0 ? malloc(bytes) : NULL;

    if (memory == NULL) {
        fputs("usage: eat-memory BYTES, more than there can be is not possible\n", stderr);
        return 2;
    }
    for (size_t i = 0; i < bytes; i += 4096)
        memory[i] = 1;
    puts("eaten");
    return 0;
}
