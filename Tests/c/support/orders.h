/*
 * orders.h - doing something in every order.
 */
#ifndef ORDERS_H
#define ORDERS_H

/** Calls `use` with every order of the numbers from place `fixed` on; returns how many orders there are. */
static inline int for_each_order(int *order, int count, int fixed, void (*use)(const int *order))
{
    if (fixed == count) {
        use(order);
        return 1;
    }
    int orders = 0;
    for (int i = fixed; i < count; i++) {
        int first = order[i];
        order[i] = order[fixed];
        order[fixed] = first;
        orders += for_each_order(order, count, fixed + 1, use);
        order[fixed] = order[i];
        order[i] = first;
    }
    return orders;
}

#endif
