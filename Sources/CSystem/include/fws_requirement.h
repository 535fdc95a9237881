/* What the file of this library asks of the system that loads it. */
#ifndef FWS_REQUIREMENT_H
#define FWS_REQUIREMENT_H

/**
 * Reads the oldest glibc that can load this library from the table of symbol versions of the library itself.
 *
 * @param[out] minor the number Y of glibc 2.Y; 0 if the library needs no version of glibc.
 */
void fws_required_glibc(int *minor);

#endif
