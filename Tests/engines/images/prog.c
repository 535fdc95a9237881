/* /prog of fw-test/bare: what a container was started with, one value a line. */
#include <stdio.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    char directory[4096];

    for (int i = 1; i < count; i++)
        puts(arguments[i]);
    printf("uid %d\n", (int)getuid());
    printf("cwd %s\n", getcwd(directory, sizeof directory) != NULL ? directory : "?");
    return 0;
}
