/* The limit as such a program, which has nothing else loaded: for what is counted from outside of it. */
#include "../limits/limits.h"
#include "peer.h"

int main(int argc, char **argv)
{
    begin(argc, argv);
    limit_many(command, further, width);
    return end();
}
