/* Hidden functions that the wheel's library has in itself, because what it should run on has none.
 *
 * libstdc++ has this function since GCC 11, and the Swift runtime refers to it for `new T[n]` with an n that is too
 * large. The older function throws the base class of the exception. The names are the mangled ones of
 * std::__throw_bad_alloc() and std::__throw_bad_array_new_length(). */

void _ZSt17__throw_bad_allocv(void) __attribute__((noreturn));

__attribute__((visibility("hidden"), noreturn)) void _ZSt28__throw_bad_array_new_lengthv(void)
{
    _ZSt17__throw_bad_allocv();
}
