/* burst BYTES: writes so many bytes 'o' to standard output and 'e' to standard error, by turns and
   with no newline, and ends at once. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int put(int descriptor, int byte, size_t bytes)
{
    char block[4096];

    memset(block, byte, sizeof block);
    while (bytes > 0) {
        ssize_t written = write(descriptor, block, bytes);
        if (written < 0)
            return 1;
        bytes -= (size_t)written;
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    for (size_t left = strtoull(arguments[1], NULL, 10); left > 0;) {
        size_t part = left < 4096 ? left : 4096;
        if (put(STDOUT_FILENO, 'o', part) || put(STDERR_FILENO, 'e', part))
            return 1;
        left -= part;
    }
    return 0;
}
