/*
 * page.h - the page of memory that faults.py, the library of the faults and its supervisors share.
 *
 * faults.py makes the file, writes into it which call fails, and reads how often each was made. The host finds the file
 * by the variable FW_FAULTS of its environment, and a supervisor by the same variable, which the seam gives it. The
 * page is at one address in every process, so that the seam of the supervisor needs no variable to find it.
 */
#ifndef PAGE_H
#define PAGE_H

#include <stdint.h>

#define FAULT_PAGE ((fault_page *)0x7e5500000000)
#define FAULT_VARIABLE "FW_FAULTS"

enum { FAULT_HOST, FAULT_SUPERVISOR, FAULT_SIDES };
enum { FAULT_CALLS = 512, FAULT_PATH = 496 };

/* Instead of an errno: the call is made, with one byte or half of its bytes. */
enum { FAULT_SHORT = -1 };

typedef struct {
    char environment[FAULT_PATH]; /* "FW_FAULTS=PATH" */
    uint64_t envp[2];             /* the address of `environment`, and 0 */
    uint32_t is_armed;
    uint32_t side;
    uint32_t call; /* on the host's side a number of calls.h, on the supervisor's that of the system call */
    uint32_t nth;  /* from 1 */
    uint32_t is_always;
    int32_t error;
    uint32_t hits;
    uint32_t unused;
    uint32_t counts[FAULT_SIDES][FAULT_CALLS];
} fault_page;

/* Counts a call, while the page is armed. Returns 0 if the call is to be made, and otherwise an errno or FAULT_SHORT.
 */
__attribute__((always_inline)) static inline int fault_of(fault_page *page, uint32_t side, uint32_t call)
{
    if (call >= FAULT_CALLS || !__atomic_load_n(&page->is_armed, __ATOMIC_SEQ_CST))
        return 0;
    uint32_t number = __atomic_add_fetch(&page->counts[side][call], 1, __ATOMIC_SEQ_CST);
    if (page->side != side || page->call != call)
        return 0;
    if (page->is_always ? number < page->nth : number != page->nth)
        return 0;
    __atomic_add_fetch(&page->hits, 1, __ATOMIC_SEQ_CST);
    return page->error;
}

#endif
