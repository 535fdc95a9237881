/* The limit as a program like the peers, with nothing else loaded, for figures that are taken from outside. */
#include "../limits/limits.h"
#include "peer.h"

int main(int argc, char **argv)
{
    begin(argc, argv);
    limit_many(command, further, width);
    return end();
}
