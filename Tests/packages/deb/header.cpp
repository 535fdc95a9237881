// Every header that libflowworker-dev has can be used from C++ as well.
#include <flowworker.h>
#if __has_include(<flowworker.hpp>)
#include <flowworker.hpp>
#endif
#include <iostream>

int main()
{
    std::cout << fw_version() << '\n';
    return 0;
}
